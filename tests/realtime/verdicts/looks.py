"""Made-up looks at a face: what every view gives Ada, Bob and Cyd; what is missing to 1 is nobody's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.evidence import CropEvidence

LABELS = ("Ada", "Bob", "Cyd")
ZONES = ("eyewear", "lower_face", "forehead", "upper_left")
SIDE = 8

ADA, BOB = (0.98, 0.01, 0.01), (0.01, 0.98, 0.01)
NOBODY = (0.02, 0.02, 0.01)
UNSURE = (0.4, 0.3, 0.2)  # of Ada


def look(
    raw: Sequence[float] = ADA,
    views: Mapping[str, Sequence[float]] | None = None,
    *,
    zones: Sequence[str] = (),
    defended: Sequence[float] = ADA,
    labels: tuple[str, ...] = LABELS,
) -> CropEvidence:
    """``views``: what those that were looked at give; the others of ``zones`` were not."""
    given = views if views is not None else {}
    return CropEvidence(
        labels=labels,
        raw=np.array(raw, np.float32),
        saliency=np.zeros((SIDE, SIDE), np.float32),
        mask=np.zeros((SIDE, SIDE), bool),
        masked_crop=np.zeros((SIDE, SIDE, 3), np.uint8),
        defended=np.array(defended, np.float32),
        views=np.array([given.get(zone, (0, 0, 0)) for zone in zones], np.float32).reshape(-1, len(labels)),
        zones=tuple(zones),
        selected=np.array([zone in given for zone in zones], np.bool_),
    )


def everywhere(raw: Sequence[float], zones: Sequence[str] = ZONES) -> CropEvidence:
    """Every view gives the same."""
    return look(raw, dict.fromkeys(zones, raw), zones=zones, defended=raw)
