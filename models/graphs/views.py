"""Views of a face with one zone hidden, as a branch of the recogniser's graph that shares its first blocks.

A view's features differ from the crop's on the rows that the zone reaches and on a few more after every convolution.
So in the first blocks only these rows are computed, and the others are the crop's own; the later blocks see the whole
view. The zone's pixels enter nowhere: they are filled before the first convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from models.crop.zones import Zone, zone_mask
from models.graphs.builder import GraphBuilder
from models.graphs.guided_steps import Layer
from models.network.architecture import InputSpec

#: Two blocks hold a third of the work. In the third the zones reach four rows of five.
SHARED_BLOCKS = 2


@dataclass(frozen=True)
class _Band:
    """Rows ``low`` to ``high`` (exclusive) of a view's features, in ``name``; the others are those of ``crop``."""

    name: str
    crop: str
    low: int
    high: int


def add_views(graph: GraphBuilder, layers: Sequence[Layer], zones: Sequence[Zone], spec: InputSpec, side: int) -> None:
    """Add the output ``views`` (M, K), zone by zone the logits of the crops that the input ``<zone>.of`` (M_z,) names.

    Args:
        graph: holds ``layers`` already.
        layers: from the first convolution to the logits (``models.graphs.defended.chain_of``).
        zones: at least one.
        side: of the crops, in pixels.
    """
    seen, _, rest = _first_views(graph, layers, zones, spec, side)
    features = graph.op("Concat", seen, "views.shared", axis=0)
    for layer in rest:
        features = _again(graph, layer, features, "views" if layer is rest[-1] else f"views.{layer.output}")


def join_views(graph: GraphBuilder, layers: Sequence[Layer], zones: Sequence[Zone], spec: InputSpec, side: int) -> None:
    """Make ``logits`` (N + M, K): those of the crops and then those that ``add_views`` would add.

    The later blocks see all in one batch, so that a runtime holds their weights once.
    """
    seen, crops, rest = _first_views(graph, layers, zones, spec, side)
    late = {layer.output for layer in rest}
    graph.nodes = [node for node in graph.nodes if node.output[0] not in late]
    features = graph.op("Concat", [crops, *seen], "views.shared", axis=0)
    for layer in rest:
        features = _again(graph, layer, features, layer.output)


def inputs_of(zones: Sequence[Zone]) -> list[onnx.ValueInfoProto]:
    """The inputs that ``add_views`` reads."""
    return [helper.make_tensor_value_info(f"{zone}.of", TensorProto.INT64, [f"N.{zone}"]) for zone in zones]


def rows_reached(low: int, high: int, convolutions: int, side: int) -> tuple[int, int]:
    """The rows of a pooled block's output that depend on rows ``low`` to ``high`` (exclusive) of its input."""
    return max(low - convolutions, 0) // 2, min(-(-(high + convolutions) // 2), side // 2)


def _first_views(
    graph: GraphBuilder, layers: Sequence[Layer], zones: Sequence[Zone], spec: InputSpec, side: int
) -> tuple[list[str], str, list[Layer]]:
    """The views' and the crops' features after the blocks that are shared, and the layers that follow."""
    graph.constant("rows", [2], np.int64)
    blocks, rest = _split(layers, side)
    seen = [_first_blocks(graph, blocks, zone, spec, layers[0].input, side) for zone in zones]
    return seen, blocks[-1][-1].output if blocks else layers[0].input, rest


def _split(layers: Sequence[Layer], side: int) -> tuple[list[list[Layer]], list[Layer]]:
    """The first blocks, each ending with its pooling, and the layers after them; an odd side is not shared."""
    blocks: list[list[Layer]] = [[]]
    for place, layer in enumerate(layers):
        if len(blocks) > SHARED_BLOCKS or side % 2:
            return blocks[:-1], list(layers[place:])
        blocks[-1].append(layer)
        if layer.kind == "MaxPool":
            blocks.append([])
            side = layer.side
    return blocks[:-1], []


def _first_blocks(
    graph: GraphBuilder, blocks: Sequence[Sequence[Layer]], zone: Zone, spec: InputSpec, pixels: str, side: int
) -> str:
    """The features of a zone's views after the shared blocks, all rows."""
    mask = zone_mask(zone, side)
    hidden = np.flatnonzero(mask.any(axis=1))
    fill = np.asarray(spec.fill_rgb, np.float32)[:: -1 if spec.channel_order == "BGR" else 1]
    fill = (fill - np.asarray(spec.mean, np.float32)) * np.asarray(spec.scale, np.float32)
    filled = graph.op(
        "Where",
        [
            graph.constant(f"{zone}.mask", mask[None, None], np.bool_),
            graph.constant(f"{zone}.fill", fill.reshape(1, 3, 1, 1)),
            graph.op("Gather", [pixels, f"{zone}.of"], f"{zone}.pixels", axis=0),
        ],
        f"{zone}.filled",
    )
    band = _Band(filled, pixels, 0, side)
    reached = (int(hidden[0]), int(hidden[-1]) + 1)
    for number, block in enumerate(blocks):
        convolutions = sum(layer.kind == "Conv" for layer in block)
        reached = rows_reached(*reached, convolutions, side)
        name = f"{zone}.{number}"
        first, last = max(2 * reached[0] - convolutions, 0), min(2 * reached[1] + convolutions, side)
        features = _whole_rows(graph, band, f"{zone}.of", first, last, f"{name}.in")
        features = _block(graph, block, features, (first, last), reached, side, name)
        side //= 2
        band = _Band(features, block[-1].output, *reached)
    return _whole_rows(graph, band, f"{zone}.of", 0, side, f"{zone}.whole")


def _block(
    graph: GraphBuilder,
    block: Sequence[Layer],
    features: str,
    rows: tuple[int, int],
    wanted: tuple[int, int],
    side: int,
    name: str,
) -> str:
    """Rows ``wanted`` of the pooled output, from rows ``rows`` of the input.

    Every convolution gives a row less at either end, unless that is the crop's own edge, where zeros are beyond.
    """
    first, last = rows
    for layer in block:
        if layer.kind == "Conv":
            top, bottom = int(first == 0), int(last == side)
            features = _again(graph, layer, features, f"{name}.{layer.output}", pads=[top, 1, bottom, 1])
            first, last = first + 1 - top, last - 1 + bottom
            continue
        if layer.kind == "MaxPool":
            begin, end = 2 * wanted[0] - first, 2 * wanted[1] - first
            features = _rows(graph, features, begin, end, last - first, f"{name}.even")
        features = _again(graph, layer, features, f"{name}.{layer.output}")
    return features


def _whole_rows(graph: GraphBuilder, band: _Band, of: str, first: int, last: int, name: str) -> str:
    """Rows ``first`` to ``last`` of a view: the band's, and the crop's above and below it."""
    parts = []
    for part, low, high in (("above", first, band.low), ("below", band.high, last)):
        if low < high:
            cut = _rows(graph, band.crop, low, high, -1, f"{name}.{part}.all")
            parts.append(graph.op("Gather", [cut, of], f"{name}.{part}", axis=0))
        if part == "above":
            begin, end = max(first, band.low) - band.low, min(last, band.high) - band.low
            parts.append(_rows(graph, band.name, begin, end, band.high - band.low, f"{name}.band"))
    return parts[0] if len(parts) == 1 else graph.op("Concat", parts, name, axis=2)


def _rows(graph: GraphBuilder, features: str, first: int, last: int, count: int, name: str) -> str:
    """Rows ``first`` to ``last`` of ``features``, which has ``count`` of them (-1: more)."""
    if (first, last) == (0, count):
        return features
    begin, end = graph.constant(f"{name}.begin", [first], np.int64), graph.constant(f"{name}.end", [last], np.int64)
    return graph.op("Slice", [features, begin, end, "rows"], name)


def _again(graph: GraphBuilder, layer: Layer, features: str, output: str, *, pads: list[int] | None = None) -> str:
    """The same layer with the same weights on other features."""
    attributes = {one.name: helper.get_attribute_value(one) for one in layer.node.attribute}
    if pads is not None:
        attributes["pads"] = pads
    return graph.op(layer.kind, [features, *layer.node.input[1:]], output, **attributes)
