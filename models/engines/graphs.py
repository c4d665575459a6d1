"""The graphs that engines run, derived from a bundle's classifier: from the cache, or built."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

import onnx

from models import architecture, defended_graph, guided_steps, int8_crops, int8_graph, onnx_graph, view_graph
from models.bundle import Bundle
from models.defended_graph import Style
from models.derived import code_version, derived
from models.digest import digest_of
from models.errors import BadInput
from models.zones import Zone, zone_mask

Precision = Literal["float32", "int8"]


def defended_pass(bundle: Bundle, style: Style, precision: Precision, zones: Sequence[Zone] = ()) -> bytes:
    """The defended pass; ``style`` and ``zones`` (views that share its first blocks) are for float32 only."""
    if precision == "int8":
        return _int8(bundle, defended=True)

    def build() -> bytes:
        spec = bundle.info.trunk.spec
        return _serialised(defended_graph.defended_graph(_classifier(bundle), spec, style=style, zones=zones))

    key = {"bundle": bundle.checksum, "style": style, "zones": _shapes(bundle, zones), "code": _code()}
    return derived("defended", key, build)


def classifier(bundle: Bundle, precision: Precision, zones: Sequence[Zone] = ()) -> bytes:
    """The classifier: the bundle's own file, its 8-bit form, or with ``zones`` that with views (float32 only)."""
    if precision == "int8":
        return _int8(bundle, defended=False)
    if not zones:
        return bundle.classifier_path.read_bytes()

    def build() -> bytes:
        return _serialised(defended_graph.graph_with_views(_classifier(bundle), bundle.info.trunk.spec, zones))

    return derived("views", {"bundle": bundle.checksum, "zones": _shapes(bundle, zones), "code": _code()}, build)


def int8_ranges(bundle: Bundle) -> dict[str, float]:
    """Those that ``tools.precision`` stored in the bundle, otherwise measured on ``int8_crops.portrait_crops``.

    Raises:
        BadInput: the bundle's record is no mapping of names to numbers.
    """
    stored = bundle.info.calibration.get("int8")
    if stored is not None:
        try:
            return {str(name): float(value) for name, value in stored["ranges"].items()}
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise BadInput(
                f"bundle {bundle.folder}: calibration.int8.ranges is no mapping of names to numbers"
            ) from error

    def build() -> bytes:
        crops = int8_crops.portrait_crops(bundle.info.input_size)
        graph = _classifier(bundle)
        ranges = int8_graph.measure_ranges(graph, bundle.info.trunk.spec, crops)
        last_block = [layer.output for layer in defended_graph.chain_of(graph) if layer.kind == "Relu"][-4:]
        for name in last_block:
            ranges[name] *= int8_crops.HEADROOM
        return json.dumps(ranges).encode()

    found: dict[str, float] = json.loads(derived("ranges", {"bundle": bundle.checksum, "code": _code()}, build))
    return found


def _shapes(bundle: Bundle, zones: Sequence[Zone]) -> list[str]:
    """The zones and a digest of their pixels."""
    return [*zones, digest_of(zone_mask(zone, bundle.info.input_size) for zone in zones)]


def _int8(bundle: Bundle, *, defended: bool) -> bytes:
    ranges = int8_ranges(bundle)

    def build() -> bytes:
        return _serialised(
            int8_graph.int8_graph(_classifier(bundle), bundle.info.trunk.spec, ranges, defended=defended)
        )

    key = {"bundle": bundle.checksum, "ranges": ranges, "defended": defended, "code": _code()}
    return derived("int8", key, build)


def _code() -> str:
    return code_version(architecture, defended_graph, guided_steps, int8_crops, int8_graph, onnx_graph, view_graph)


def _classifier(bundle: Bundle) -> onnx.ModelProto:
    return onnx.load(str(bundle.classifier_path), load_external_data=False)


def _serialised(graph: onnx.ModelProto) -> bytes:
    content: bytes = graph.SerializeToString()
    return content
