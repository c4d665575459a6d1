"""People who are plain colours: whose face a picture shows can be read from its middle."""

from __future__ import annotations

import numpy as np

from tools.fault_drill.changes import Cast
from tools.fault_drill.scenes import STRANGER, TILE, Portrait

COLOURS = {"Ada": (0, 0, 200), "Bob": (0, 200, 0), "Cyd": (200, 0, 0), "Dan": (200, 200, 0), STRANGER: (0, 200, 200)}


def plain(name: str) -> Portrait:
    """(TILE, TILE, 3) of the person's colour."""
    return Portrait(name, np.full((TILE, TILE, 3), COLOURS[name], np.uint8))


def cast() -> Cast:
    """Four people and a stranger."""
    return Cast([plain(name) for name in COLOURS if name], plain(STRANGER))
