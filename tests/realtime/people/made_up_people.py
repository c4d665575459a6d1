"""Made-up people for the bundle of random weights: a crop's first pixel says whose face it is."""

from __future__ import annotations

import numpy as np

from models.arrays import Bytes, Floats
from models.gallery.gallery import unit
from realtime.people.judge import GoodFace


def face(person: int, number: int) -> GoodFace:
    """Picture ``number`` of somebody."""
    crop = np.zeros((32, 32, 3), np.uint8)
    crop[0, 0] = (person, number, 0)
    return GoodFace(f"{person}-{number}.jpg", crop, f"{person:016d}{number:016d}", 0.5)


def faces(person: int, count: int) -> list[GoodFace]:
    return [face(person, number) for number in range(count)]


def embed(crops: Bytes, views: bool = True) -> Floats:
    """(N, 3, 8): everybody has a direction of their own, every picture a little noise."""
    found = []
    for crop in crops:
        person, number, _ = (int(value) for value in crop[0, 0])
        own = np.random.default_rng(100 + person).normal(size=8)
        noise = np.random.default_rng(1000 * person + number).normal(size=(3, 8))
        found.append(unit(own) + 0.05 * noise)
    return unit(np.stack(found))
