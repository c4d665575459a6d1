"""How far the ranges of 8-bit activations reach: cutting off what is rare costs little, coarser steps cost all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from models.arrays import Bytes, Floats
from models.bundle import Bundle
from models.crop.zones import every_view
from models.engines import make_engine
from models.gallery.gallery import unit

#: Shares of the ranges measured that are tried; they are the largest values of a few crops and a quarter more.
SHARES: Final = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
_AT_ONCE: Final = 8


def with_int8(bundle: Bundle, record: Mapping[str, object]) -> Bundle:
    """The bundle with this record of its 8 bits, in memory only."""
    info = bundle.info.model_copy(update={"calibration": {**bundle.info.calibration, "int8": dict(record)}})
    return Bundle(bundle.folder, info, gallery=bundle.gallery, cohort=bundle.cohort)


def fitted_ranges(
    bundle: Bundle, ranges: Mapping[str, float], crops: Bytes, *, shares: Sequence[float] = SHARES, threads: int = 2
) -> dict[str, float]:
    """The ranges, those of the activations by the share that changes the outputs least; the gradients' as they are.

    Args:
        crops: (N, S, S, 3) uint8 RGB, others than those that the ranges were measured on; they are looked at whole and
            with each zone of the bundle's policy hidden.
    """
    seen = every_view(bundle.info.policy.zones, len(crops)).and_crops(crops, bundle.info.trunk.spec.fill_rgb)
    wanted = _outputs(bundle, "onnxruntime-cpu", seen, threads)
    tried = [_scaled(ranges, share) for share in shares]
    errors = [
        _turned(_outputs(with_int8(bundle, {"ranges": one}), "onnxruntime-int8", seen, threads), wanted)
        for one in tried
    ]
    return tried[int(np.argmin(errors))]


def _scaled(ranges: Mapping[str, float], share: float) -> dict[str, float]:
    return {name: value if name.startswith("d_") else share * value for name, value in ranges.items()}


def _outputs(bundle: Bundle, engine: str, crops: Bytes, threads: int) -> Floats:
    """(N, D) what the network gives, by a few crops at a time."""
    made = make_engine(engine, bundle, threads=threads)
    parts = [made.outputs(crops[start : start + _AT_ONCE]) for start in range(0, len(crops), _AT_ONCE)]
    return np.concatenate(parts)


def _turned(outputs: Floats, wanted: Floats) -> float:
    """One minus the mean cosine between rows (N, D)."""
    return float(1 - (unit(outputs) * unit(wanted)).sum(axis=1).mean())
