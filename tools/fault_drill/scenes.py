"""Scenes of faces that are made from single pictures, and who is where in each of their pictures.

Every portrait is brought to the same pose on a tile of ``TILE`` pixels (the canonical crop lies in its middle), so that
two of them can be dissolved, wiped or put together from halves without a seam between eyes and mouth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
import numpy.typing as npt

from models.arrays import Bytes
from models.crop.pose import template
from realtime.faces.detect import FaceDetector
from realtime.people.pictures import choose_face, find_faces, read_picture
from realtime.system.command_line import write_json

WIDTH, HEIGHT, FPS = 640, 480, 25
TILE: Final = 240  # pixels of a portrait's side
CROP: Final = 150  # pixels of the canonical crop within it
_CORNER: Final = ((TILE - CROP) / 2, 0.42 * (TILE - CROP))
_NOISE = 2.0  # grey levels of sensor noise, standard deviation
_NOISES = 5  # different ones, in random order: drawing one anew for each picture takes longer than all else
_CRF = "16"  # H.264's quality

#: In truth: somebody is there who has no name among the people.
STRANGER: Final = ""


@dataclass(frozen=True)
class Portrait:
    """One person's face in the common pose: ``tile`` (TILE, TILE, 3) BGR; ``name`` is ``STRANGER`` for a stranger."""

    name: str
    tile: Bytes


@dataclass(frozen=True)
class Placed:
    """A tile with its upper left corner at (x, y), and whose face is seen there (None: nobody's can be told)."""

    tile: Bytes
    x: float
    y: float
    name: str | None


@dataclass(frozen=True)
class Truth:
    """Whose face is where in a picture: the middle of the tile, in pixels."""

    name: str
    x: float
    y: float


@dataclass(frozen=True)
class Clip:
    """``scene(n)`` is what picture ``n`` of ``count`` shows, the nearest last."""

    name: str
    count: int
    scene: Callable[[int], Sequence[Placed]]
    faces: int = 1

    def truth(self, number: int) -> list[Truth]:
        """Who is where in picture ``number``."""
        half = TILE / 2
        return [Truth(one.name, one.x + half, one.y + half) for one in self.scene(number) if one.name is not None]


def tile_landmarks() -> npt.NDArray[np.float32]:
    """Where the five landmarks of every portrait lie on its tile, (5, 2)."""
    return np.asarray(template(CROP) + np.array(_CORNER, np.float32), np.float32)


def portrait(bgr: Bytes, landmarks: npt.NDArray[Any], name: str = STRANGER) -> Portrait:
    """The face with these landmarks (5, 2) in the common pose; what lies beyond the picture repeats its border."""
    matrix, _ = cv2.estimateAffinePartial2D(landmarks.astype(np.float32), tile_landmarks())
    tile = cv2.warpAffine(bgr, matrix, (TILE, TILE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return Portrait(name, np.asarray(tile, np.uint8))


def read_portrait(path: Path, detector: FaceDetector, name: str = STRANGER) -> Portrait | None:
    """The portrait in a file; None where it holds no face that can be found."""
    bgr = read_picture(path)
    faces = find_faces(detector, bgr) if bgr is not None else []
    return portrait(bgr, choose_face(faces, bgr.shape).landmarks, name) if bgr is not None and faces else None


def mixed(one: Bytes, other: Bytes, share: float | npt.NDArray[np.float32]) -> Bytes:
    """``share`` of the other tile, the rest of the first; a number, or (TILE, TILE) of them."""
    weight = np.asarray(share, np.float32)[..., None]
    return np.rint(one * (1 - weight) + other * weight).astype(np.uint8)


def rows_from(share: float, *, softness: float = 6.0) -> npt.NDArray[np.float32]:
    """(TILE, TILE): 1 below ``share`` of the canonical crop's height, 0 above, with a soft edge."""
    edge = _CORNER[1] + share * CROP
    rows = np.clip((np.arange(TILE, dtype=np.float32) - edge) / softness + 0.5, 0, 1)
    return np.repeat(rows[:, None], TILE, axis=1)


def pictures_of(clip: Clip, *, seed: int = 0) -> Iterator[Bytes]:
    """The clip's pictures (480, 640, 3) BGR, with a little sensor noise."""
    random = np.random.default_rng(seed)
    coarse = random.integers(90, 130, (12, 16, 3), dtype=np.uint8)
    ground = np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)
    noise = np.rint(random.normal(0, _NOISE, (_NOISES, HEIGHT, WIDTH, 3))).astype(np.int16)
    for number in range(clip.count):
        picture = ground.copy()
        for one in clip.scene(number):
            _paste(picture, one.tile, one.x, one.y)
        yield np.clip(picture + noise[random.integers(_NOISES)], 0, 255).astype(np.uint8)


def write_clip(path: Path, clip: Clip, *, seed: int = 0) -> Path:
    """The clip as H.264 (MPEG-4 where PyAV has no libx264), and beside it who is where (``truth_file``)."""
    write_video(path, pictures_of(clip, seed=seed))
    rows = [[asdict(one) for one in clip.truth(number)] for number in range(clip.count)]
    content = {"name": clip.name, "faces": clip.faces, "fps": FPS, "truth": rows}
    write_json(truth_file(path), content)
    return path


def write_video(path: Path, pictures: Iterator[Bytes]) -> None:
    """Pictures (480, 640, 3) BGR as they come, at ``FPS``."""
    with av.open(str(path), "w") as film:
        name = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        stream: Any = film.add_stream(name, rate=Fraction(FPS))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"crf": _CRF, "preset": "veryfast"} if name == "libx264" else {"qscale": "2"}
        for picture in pictures:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        film.mux(stream.encode(None))


def truth_file(path: Path) -> Path:
    """Where the truth of a clip lies."""
    return path.with_suffix(".json")


def _paste(picture: Bytes, tile: Bytes, x: float, y: float) -> None:
    """Put a tile, at a fraction of a pixel too; what lies beyond the picture is left out."""
    left, top = int(np.floor(x)), int(np.floor(y))
    matrix = np.array([[1, 0, x - left], [0, 1, y - top]], np.float64)
    height, width = tile.shape[:2]
    moved = cv2.warpAffine(tile, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    x1, y1, x2, y2 = max(0, left), max(0, top), min(WIDTH, left + width), min(HEIGHT, top + height)
    if x1 < x2 and y1 < y2:
        picture[y1:y2, x1:x2] = moved[y1 - top : y2 - top, x1 - left : x2 - left]
