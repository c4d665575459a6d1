"""The embedded scene: a real face before a camera, in three acts.

The face is Eileen Collins's public-domain NASA portrait (``skimage.data.astronaut``), moved, scaled, turned and
relit. Act 1 shows her bare face, act 2 with adversarial glasses, act 3 with plain ones. Everything is drawn from
the frame's index, so that the scene is the same every time. It illustrates; it measures nothing about accuracy,
because the bundle knows her from variants of this very portrait.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import cv2
import numpy as np
import numpy.typing as npt

from models.arrays import Bytes, Floats
from models.crop.wearables import innocent
from models.errors import BadInput
from realtime.faces.wear import wear

WIDTH, HEIGHT, FPS = 640, 480, 25.0
PERSON = "Eileen Collins"
ACTS: tuple[str, ...] = ("bare face", "adversarial glasses", "innocent glasses")

#: Five landmarks of the portrait (512 x 512), found by MTCNN on its enlargement to 1024 x 1024.
LANDMARKS: npt.NDArray[np.float32] = np.array(
    [[204.14, 100.37], [247.25, 103.58], [225.34, 128.43], [202.52, 139.55], [245.42, 141.87]], dtype=np.float32
)
_ENLARGED = 2  # the portrait is enlarged once, so that glasses keep their detail
_PERIOD_S = 9.0


@dataclass(frozen=True)
class Pose:
    """How the portrait stands before the camera in one frame."""

    scale: float  # pixels of the frame per pixel of the portrait
    degrees: float
    turn: float  # perspective, about the vertical axis
    shift: tuple[float, float]
    gain: float


def pose_at(seconds: float) -> Pose:
    """A calm, never quite repeating movement."""

    def wave(period: float, phase: float = 0.0) -> float:
        return math.sin(2 * math.pi * (seconds / period + phase))

    return Pose(
        scale=1.45 + 0.2 * wave(_PERIOD_S, 0.1),
        degrees=4.0 * wave(6.1),
        turn=0.00022 * wave(7.3, 0.3),
        shift=(60 * wave(8.3, 0.2), 22 * wave(5.3, 0.4)),
        gain=1.0 + 0.16 * wave(4.7, 0.6),
    )


def homography(pose: Pose) -> npt.NDArray[np.float64]:
    """Enlarged portrait -> frame, as a 3 x 3 matrix; the face's middle is the pivot."""
    x, y = LANDMARKS.mean(axis=0) * _ENLARGED
    angle, scale = math.radians(pose.degrees), pose.scale / _ENLARGED
    to_pivot = np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]])
    turn = np.array([[1, 0, 0], [0, 1, 0], [pose.turn, 0, 1]])
    rotate = np.array(
        [
            [scale * math.cos(angle), -scale * math.sin(angle), WIDTH / 2 + pose.shift[0]],
            [scale * math.sin(angle), scale * math.cos(angle), HEIGHT * 0.42 + pose.shift[1]],
            [0, 0, 1],
        ]
    )
    matrix: npt.NDArray[np.float64] = rotate @ turn @ to_pivot
    return matrix


def load_adversarial_glasses(bundle: str | None = None) -> Bytes:
    """The stored glasses, (S, S, 4) RGBA in the canonical pose; ``demo_glasses.json`` says how they were made.

    Args:
        bundle: the name of the bundle that they were made against; None, or one that none were made against: the
            default's.

    Raises:
        BadInput: the picture is missing from the installation.
    """
    folder = resources.files("realtime") / "assets"
    path = folder / f"demo_glasses_{bundle}.png"
    if not path.is_file():
        path = folder / "demo_glasses.png"
    try:
        encoded = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise BadInput(f"demo: {path} is missing; install the package again") from error
    bgra = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if bgra is None or bgra.ndim != 3 or bgra.shape[2] != 4:
        raise BadInput(f"demo: {path} is damaged; install the package again")
    return cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGBA).astype(np.uint8)


class DemoScene:
    """Frames of the scene by index.

    Args:
        act_seconds: length of each act; the acts repeat.
        worn: another pair of adversarial glasses, (S, S, 4) RGBA; None takes the stored ones.
    """

    def __init__(self, act_seconds: float = 8.0, *, worn: Bytes | None = None) -> None:
        from skimage.data import astronaut  # reads the picture that the package ships, no download

        self.act_seconds = act_seconds
        portrait = np.ascontiguousarray(astronaut()[..., ::-1])
        large = np.asarray(
            cv2.resize(portrait, None, fx=_ENLARGED, fy=_ENLARGED, interpolation=cv2.INTER_CUBIC), dtype=np.uint8
        )
        points = LANDMARKS * _ENLARGED
        self._pictures = (
            large,
            wear(large, points, load_adversarial_glasses() if worn is None else worn),
            wear(large, points, innocent("black", "classic", 224)),
        )

    def act(self, index: int) -> int:
        """Which of ``ACTS`` frame ``index`` shows."""
        return int(index / FPS / self.act_seconds) % len(ACTS)

    def landmarks(self, index: int) -> Floats:
        """Where the face's five landmarks are in frame ``index``, (5, 2)."""
        points = (LANDMARKS * _ENLARGED).reshape(-1, 1, 2).astype(np.float64)
        moved = cv2.perspectiveTransform(points, homography(pose_at(index / FPS)))
        return moved.reshape(5, 2).astype(np.float32)

    def frame(self, index: int, act: int | None = None) -> Bytes:
        """Frame ``index``, (480, 640, 3) BGR; ``act`` shows its moment as another act would."""
        pose = pose_at(index / FPS)
        picture = cv2.warpPerspective(
            self._pictures[self.act(index) if act is None else act],
            homography(pose),
            (WIDTH, HEIGHT),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return cv2.LUT(picture, _light(round(pose.gain, 3))).astype(np.uint8)


@lru_cache(maxsize=512)
def _light(gain: float) -> npt.NDArray[np.uint8]:
    table: npt.NDArray[np.uint8] = np.clip(np.arange(256) * gain, 0, 255).astype(np.uint8)
    return table
