"""Five-second clips of one face, from a single picture: how a face drifts before a camera, and how to measure that.

Each quantity is a first-order random walk that is drawn back to its middle: over five seconds it spreads by ``spread``,
from one picture to the next by ``step`` (both standard deviations). The values are those of the faces in the two clips
of Intel's sign language sample (72 and 65 pictures of one signing person each, 30 a second), in between the two, as
``measured`` finds them; they hold the detector's own jitter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from models.arrays import Bytes
from realtime.cameras.states import CameraError
from realtime.cameras.video_file import VideoFile
from realtime.faces.align import crop_face, scale_of, similarity
from realtime.faces.detect import FaceDetector
from realtime.faces.quality import sharpness
from tools.fault_drill.scenes import CROP, FPS, HEIGHT, TILE, WIDTH, Clip, Placed, Portrait

COUNT: Final = 5 * FPS
_SIZE: Final = 112  # of the crops that are measured
_BLUR_OF_SHARPNESS = 1.6  # pixels of the tile, standard deviation, per unit of the sharpness' logarithm lost
_Track = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Drift:
    """(spread, step) of each quantity.

    ``across`` and ``down``: in sides of the canonical crop; ``size``, ``light`` and ``sharpness``: natural logarithms;
    ``turn``: degrees.
    """

    across: tuple[float, float] = (0.11, 0.011)
    down: tuple[float, float] = (0.047, 0.011)
    size: tuple[float, float] = (0.042, 0.016)
    turn: tuple[float, float] = (1.2, 0.78)
    light: tuple[float, float] = (0.023, 0.0055)
    sharpness: tuple[float, float] = (0.30, 0.14)


QUANTITIES: Final = tuple(field.name for field in fields(Drift))


def walk(spread: float, step: float, count: int, random: np.random.Generator) -> _Track:
    """(count,) values around 0 that spread by ``spread`` and differ by ``step`` from one to the next."""
    kept = 1 - step**2 / (2 * spread**2)
    values = np.empty(count)
    values[0] = random.normal(0, spread)
    for number in range(1, count):
        values[number] = kept * values[number - 1] + random.normal(0, spread * np.sqrt(1 - kept**2))
    return values


def drifting(one: Portrait, *, seed: int, drift: Drift | None = None, count: int = COUNT) -> Clip:
    """A clip of the portrait, which drifts; another ``seed`` drifts otherwise."""
    random, rates = np.random.default_rng(seed), drift if drift is not None else Drift()
    tracks = {}
    for name in QUANTITIES:
        spread, step = getattr(rates, name)
        tracks[name] = walk(spread, step, count, random)
    place = ((WIDTH - TILE) / 2, (HEIGHT - TILE) / 2)

    def scene(number: int) -> Sequence[Placed]:
        at = {name: float(track[number]) for name, track in tracks.items()}
        tile = drifted(one.tile, at["size"], at["turn"], at["light"], at["sharpness"])
        return [Placed(tile, place[0] + CROP * at["across"], place[1] + CROP * at["down"], one.name)]

    return Clip(one.name, count, scene)


def drifted(tile: Bytes, size: float, turn: float, light: float, sharp: float) -> Bytes:
    """The tile larger by exp(size), turned by degrees, lighter by exp(light), and less sharp where ``sharp`` < 0."""
    matrix = cv2.getRotationMatrix2D((TILE / 2, TILE / 2), turn, float(np.exp(size)))
    moved = cv2.warpAffine(tile, matrix, (TILE, TILE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if sharp < 0:
        moved = cv2.GaussianBlur(moved, (0, 0), max(0.05, -sharp * _BLUR_OF_SHARPNESS))
    lit: Bytes = np.clip(np.rint(moved * np.exp(light)), 0, 255).astype(np.uint8)
    return lit


def measured(video: Path, detector: FaceDetector, *, most: int = 250) -> dict[str, tuple[float, float]]:
    """(spread over five seconds, step) of the face in a video, by quantity; of the first ``most`` pictures.

    Raises:
        ValueError: fewer than two pictures in a row show a face.
    """
    film, rate = VideoFile(video, every_frame=True), 30.0
    rows: list[list[float]] = []
    try:
        rate = film.native_fps or rate
        while len(rows) < most:
            rows.append(_look(film.read().bgr, detector))
    except CameraError:
        pass
    finally:
        film.close()
    values = np.array(rows)
    values[:, :2] /= np.exp(np.nanmedian(values[:, 2]))
    steps = np.diff(values, axis=0)
    if len(values) < 2 or np.isnan(steps).all():
        raise ValueError(f"{video}: no two pictures in a row show a face")
    spread, step = np.nanstd(values[: round(5 * rate)], axis=0), np.nanstd(steps, axis=0)
    return {name: (float(spread[n]), float(step[n])) for n, name in enumerate(QUANTITIES)}


def _look(bgr: Bytes, detector: FaceDetector) -> list[float]:
    """The quantities of the largest face, across and down in pixels; none: NaN."""
    faces = detector.detect(bgr)
    if not faces:
        return [float("nan")] * len(QUANTITIES)
    landmarks = max(faces, key=lambda face: float(face.box[2] - face.box[0])).landmarks
    matrix, crop = similarity(landmarks, _SIZE), crop_face(bgr, landmarks, _SIZE)
    x, y = landmarks.mean(axis=0)
    turn = float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
    return [
        float(x),
        float(y),
        float(np.log(_SIZE / scale_of(matrix))),
        turn,
        float(np.log(max(1.0, crop.mean()))),
        float(np.log(max(1e-3, sharpness(crop)))),
    ]
