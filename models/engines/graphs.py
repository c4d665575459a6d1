"""The graphs that engines run, derived from a bundle's classifier: from the cache, or built."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal

import onnx

from models.arrays import Floats
from models.bundle import Bundle
from models.crop.zones import Zone, outlines_of
from models.digest import digest_of
from models.engines.processor import sums_are_wide
from models.errors import BadInput
from models.graphs import builder as onnx_graph
from models.graphs import defended as defended_graph
from models.graphs import guided_steps, half, int8_crops, narrow_sums
from models.graphs import int8 as int8_graph
from models.graphs import views as view_graph
from models.graphs.cache import cached, code_version
from models.graphs.defended import Style
from models.network import architecture

#: In half precision an engine runs the graph of float32.
Precision = Literal["float32", "bfloat16", "float16", "int8"]


def defended_pass(
    bundle: Bundle, style: Style, precision: Precision, zones: Sequence[Zone] = (), *, cosines: bool = False
) -> bytes:
    """The defended pass; ``style`` and ``zones`` (views that share its first blocks) are not for 8 bits.

    ``cosines``: the saliency is that of the best cosine with the input ``gallery``, not of the largest output.
    """
    if precision == "int8":
        return _int8(bundle, defended=True, cosines=cosines)

    def build() -> bytes:
        graph = defended_graph.defended_graph(_classifier(bundle), spec, style=style, zones=zones, cosines=cosines)
        return _serialised(graph)

    spec = bundle.info.trunk.spec
    return cached("defended", {**_key(bundle, zones), "style": style, "cosines": cosines}, build)


def classifier(bundle: Bundle, precision: Precision, zones: Sequence[Zone] = (), *, emulated: bool = False) -> bytes:
    """The classifier: the bundle's own file, its 8-bit form, or with ``zones`` that with views (not in 8 bits).

    ``emulated``: rounded as by a processor that computes in bfloat16, for one that cannot.
    """
    if precision == "int8":
        return _int8(bundle, defended=False)
    if precision == "bfloat16" and emulated:
        return cached("bfloat16", _key(bundle), lambda: _serialised(half.bfloat16_graph(_classifier(bundle))))
    if not zones:
        return bundle.classifier_path.read_bytes()

    def build() -> bytes:
        return _serialised(defended_graph.graph_with_views(_classifier(bundle), bundle.info.trunk.spec, zones))

    return cached("views", _key(bundle, zones), build)


def int8_ranges(bundle: Bundle) -> dict[str, float]:
    """Those that ``tools.precision`` stored in the bundle, otherwise measured on ``int8_crops.portrait_crops``.

    Ranges that the network was trained with (``learnt``) hold in the place of others.

    Raises:
        BadInput: the bundle's record is no mapping of names to numbers.
    """
    record = bundle.info.calibration.get("int8", {})
    try:
        learnt, stored = ({str(k): float(v) for k, v in record.get(key, {}).items()} for key in ("learnt", "ranges"))
    except (TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"bundle {bundle.folder}: calibration.int8.ranges is no mapping of names to numbers") from error
    return {**(stored or _measured_ranges(bundle)), **learnt}


def _measured_ranges(bundle: Bundle) -> dict[str, float]:
    rows = some_rows(bundle)

    def build() -> bytes:
        crops = int8_crops.portrait_crops(bundle.info.input_size)
        graph = _classifier(bundle)
        ranges = int8_graph.measure_ranges(graph, bundle.info.trunk.spec, crops, rows)
        last_block = [layer.output for layer in defended_graph.chain_of(graph) if layer.kind == "Relu"][-4:]
        for name in last_block:
            ranges[name] *= int8_crops.HEADROOM
        return json.dumps(ranges).encode()

    key = _key(bundle) | {"rows": None if rows is None else digest_of([rows])}
    found: dict[str, float] = json.loads(cached("ranges", key, build))
    return found


def some_rows(bundle: Bundle) -> Floats | None:
    """Rows to measure with, the same whoever is in the gallery: the cohort's whole faces; None for a closed set."""
    return None if bundle.cohort is None else bundle.cohort[0]


def _key(bundle: Bundle, zones: Sequence[Zone] = ()) -> dict[str, object]:
    """What every graph depends on."""
    pixels = outlines_of(zones, bundle.info.input_size)
    spec = asdict(bundle.info.trunk.spec)
    return {"bundle": bundle.checksum, "spec": spec, "zones": [*zones, pixels], "code": code()}


def _int8(bundle: Bundle, *, defended: bool, cosines: bool = False) -> bytes:
    ranges = int8_ranges(bundle)

    def build() -> bytes:
        spec = bundle.info.trunk.spec
        graph = _classifier(bundle)
        return _serialised(
            int8_graph.int8_graph(graph, spec, ranges, defended=defended, cosines=cosines, levels=levels)
        )

    learnt = "learnt" in bundle.info.calibration.get("int8", {})  # the weights were trained on that grid
    levels = narrow_sums.WIDE_SUMS if sums_are_wide() else narrow_sums.NARROW_SUMS if learnt else None
    key = {"ranges": ranges, "defended": defended, "cosines": cosines, "levels": levels}
    return cached("int8", {**_key(bundle), **key}, build)


def code() -> str:
    """Changes with the source of whatever makes the graphs."""
    return code_version(
        architecture, defended_graph, guided_steps, half, int8_crops, int8_graph, narrow_sums, onnx_graph, view_graph
    )


def _classifier(bundle: Bundle) -> onnx.ModelProto:
    return onnx.load(str(bundle.classifier_path), load_external_data=False)


def _serialised(graph: onnx.ModelProto) -> bytes:
    content: bytes = graph.SerializeToString()
    return content
