"""Zones of the canonical crop that a thing worn lies in, and views of a face with one zone hidden.

Pixels inside a hidden zone cannot change a view: whatever glasses show there, the network never sees it.
That holds given the crop; whether the crop itself follows the glasses is the alignment's business.

The eyewear zone is the union of all drawn glasses over a stated range of poses (they never sit exactly where
they were drawn), grown by ``MARGIN``: resampling, JPEG and H.264 carry a pixel's influence into its block. It also
holds glasses of twice the width, as they are drawn: without poses and margin, which would hide half of the face. The
wide eyewear zone holds these slipped down as well.

``COVER`` is a set of zones that together hold every place which one worn thing can take (an R-covering, Xiang et al.
2022, "PatchCleanser"): its four windows hold every square of up to a quarter of the crop's side, its other zones what
is wider. Whatever one worn thing shows, at least one view of the cover never saw it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Final, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, WithJsonSchema

from models.arrays import Bools, Bytes, Floats
from models.crop.pose import TEMPLATE_SIDE
from models.crop.wearables import SHAPES, frame_mask
from models.digest import digest_of
from models.errors import refuse_unknown

Outline = npt.NDArray[np.uint8]
#: Together they hold anything worn in one place; see above.
COVER: Final[tuple[str, ...]] = (
    "wide_eyewear",
    "lower_face",
    "forehead",
    "upper_left",
    "upper_right",
    "lower_left",
    "lower_right",
)
#: Side of a window in a corner of the crop, as a share of the crop's. Two of them an axis overlap by a quarter.
WINDOW: Final = 0.625
#: Pixels of a 224 crop: one 4 x 4 block of H.264 where a crop of 112 has the frame's own resolution.
MARGIN: Final = 8
#: The poses that the zones cover: shift in pixels of a 224 crop, degrees, and share of the size.
SHIFT: Final = 2.0
DEGREES: Final = 2.0
SCALE: Final = 0.02


def _eyewear() -> Outline:
    glasses = np.max([_reached(frame_mask(shape, TEMPLATE_SIDE)) for shape in SHAPES], axis=0)
    covered: Outline = np.maximum(glasses, frame_mask("double", TEMPLATE_SIDE) > 0).astype(np.uint8)
    return covered


def _wide_eyewear() -> Outline:
    covered: Outline = np.maximum(_eyewear(), frame_mask("double_slipped", TEMPLATE_SIDE) > 0).astype(np.uint8)
    return covered


def _forehead() -> Outline:
    covered = np.zeros((TEMPLATE_SIDE, TEMPLATE_SIDE), np.uint8)
    covered[:58] = 1  # down to the lower edge of the sticker in all poses
    return covered


def _cheeks() -> Outline:
    one = _reached(frame_mask("cheek_sticker", TEMPLATE_SIDE))
    return np.maximum(one, one[:, ::-1])


def _window(corner: str) -> Outline:
    """The window in a corner of the crop: (T, T) uint8 of 0 and 1."""
    vertical, horizontal = corner.split("_")
    side = round(WINDOW * TEMPLATE_SIDE)
    rows = slice(0, side) if vertical == "upper" else slice(TEMPLATE_SIDE - side, None)
    columns = slice(0, side) if horizontal == "left" else slice(TEMPLATE_SIDE - side, None)
    window = np.zeros((TEMPLATE_SIDE, TEMPLATE_SIDE), np.uint8)
    window[rows, columns] = 1
    return window


def _reached(alpha: Floats) -> Outline:
    """What an accessory drawn as ``alpha`` (T, T) reaches over all poses, with the margin: (T, T) uint8 of 0 and 1."""
    drawn = (alpha > 0).astype(np.uint8)
    centre = (TEMPLATE_SIDE / 2, TEMPLATE_SIDE / 2)
    turned = np.zeros_like(drawn)
    for degrees in (-DEGREES, 0.0, DEGREES):
        for scale in (1 - SCALE, 1.0, 1 + SCALE):
            matrix = cv2.getRotationMatrix2D(centre, degrees, scale)
            turned |= (cv2.warpAffine(drawn * 255, matrix, drawn.shape[::-1]) > 0).astype(np.uint8)
    reach = int(np.ceil(SHIFT)) + MARGIN
    return np.asarray(cv2.dilate(turned, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)), np.uint8)


#: Every zone: what it covers of a crop of the template's side T, (T, T) uint8 of 0 and 1. To add one, give it a line.
#: Their order is that of views: the first one's has to name whoever is known, further ones' only veto.
ZONES: Final[dict[str, Callable[[], Outline]]] = {
    "eyewear": _eyewear,
    "wide_eyewear": _wide_eyewear,
    "lower_face": lambda: _reached(frame_mask("face_mask", TEMPLATE_SIDE)),
    "forehead": _forehead,
    "cheeks": _cheeks,
    "upper_left": lambda: _window("upper_left"),
    "upper_right": lambda: _window("upper_right"),
    "lower_left": lambda: _window("lower_left"),
    "lower_right": lambda: _window("lower_right"),
}


def known_zone(name: str) -> str:
    """The name, if it is a zone's.

    Raises:
        ValueError: it is not.
    """
    if name not in ZONES:
        raise ValueError(f"unknown zone {name!r}; known are {', '.join(ZONES)}")
    return name


#: The name of a zone; where settings are read, any other is refused.
Zone = Annotated[str, AfterValidator(known_zone), WithJsonSchema({"type": "string", "enum": list(ZONES)})]
AnyZones = TypeVar("AnyZones", bound=Sequence[Zone])


@cache
def zone_mask(zone: Zone, size: int) -> Bools:
    """The pixels of a zone: (S, S) bool, read-only.

    Args:
        zone: one of ``ZONES``; "eyewear" is certified, the others follow the same principle.
        size: side S of the crop in pixels.

    Raises:
        ValueError: an unknown zone, or a size below 16.
    """
    covered = ZONES[known_zone(zone)]()
    if size < 16:
        raise ValueError(f"a crop's side must be at least 16 pixels to have zones, got {size}")
    # A pixel of the crop belongs to the zone as soon as any part of it does.
    share = cv2.resize(covered.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    mask: Bools = share > 0
    mask.setflags(write=False)
    return mask


def outlines_of(zones: Sequence[Zone], size: int) -> str:
    """Names what these zones hide of a crop of side ``size``, pixel by pixel: for the keys of what is kept."""
    return digest_of(zone_mask(zone, size) for zone in zones)


def cover_of(zones: Sequence[Zone], size: int) -> str:
    """Names a series of views by what hides in each: zones, their order and their pixels."""
    return hashlib.sha256(" ".join([str(size), *zones, outlines_of(zones, size)]).encode()).hexdigest()


def checked_zones(names: Sequence[str]) -> tuple[Zone, ...]:
    """The names as zones.

    Raises:
        BadInput: an unknown one.
    """
    refuse_unknown("--zone", *names, known=ZONES)
    return tuple(zone for zone in ZONES if zone in names)


def each_once(zones: Sequence[Zone]) -> None:
    """Raises ``ValueError`` where a zone is named twice."""
    if len(set(zones)) < len(zones):
        raise ValueError(f"a zone is named twice in {', '.join(zones)}; name it once")


def in_order(zones: AnyZones) -> AnyZones:
    """The zones in the order of ``ZONES``: the first one's view has to name whoever is known, further ones' only veto.

    Raises:
        ValueError: one is named twice.
    """
    each_once(zones)
    return type(zones)(sorted(zones, key=list(ZONES).index))  # type: ignore[call-arg]


def hide(crops: Bytes, mask: Bools, fill_rgb: tuple[int, int, int]) -> Bytes:
    """Crops (N, S, S, 3) with the pixels of ``mask`` (S, S) filled; the input is not changed."""
    hidden = crops.copy()
    hidden[:, mask] = fill_rgb
    return hidden


@dataclass(frozen=True)
class ViewSelection:
    """Which crops of a batch are looked at with which zone hidden: ``looked`` (N, V) bool.

    Raises:
        ValueError: a zone is named twice.
    """

    zones: tuple[Zone, ...]
    looked: Bools

    def __post_init__(self) -> None:
        each_once(self.zones)

    def __len__(self) -> int:
        return int(self.looked.sum())

    def of(self, number: int) -> npt.NDArray[np.int64]:
        """The crops that are looked at with zone ``number`` hidden."""
        return np.flatnonzero(self.looked[:, number])

    def views(self, crops: Bytes, fill_rgb: tuple[int, int, int]) -> Bytes:
        """(N, S, S, 3) -> (M, S, S, 3), zone by zone."""
        side = crops.shape[1]
        found = [hide(crops[self.of(i)], zone_mask(zone, side), fill_rgb) for i, zone in enumerate(self.zones)]
        return np.concatenate([crops[:0], *found])

    def and_crops(self, crops: Bytes, fill_rgb: tuple[int, int, int]) -> Bytes:
        """The crops and then their views, (N + M, S, S, 3)."""
        return np.concatenate([crops, self.views(crops, fill_rgb)])

    def scattered(self, found: Floats) -> Floats:
        """(M, K) of ``views`` -> (N, V, K), zeros where nobody looked."""
        count, zones = self.looked.shape
        spread = np.zeros((zones, count, found.shape[1]), np.float32)
        spread[self.looked.T] = found
        return spread.swapaxes(0, 1)


def every_view(zones: tuple[Zone, ...], count: int) -> ViewSelection:
    """All of so many crops with each of the zones hidden."""
    return ViewSelection(zones, np.ones((count, len(zones)), np.bool_))
