"""A drill: adversarial glasses are drawn onto the live face, and both verdicts stand side by side.

They are put on as the demo does it, before anything else sees the picture: detection, tracking, alignment and the
recogniser all look at the worn face. A drill is no event: nothing of it enters a history or is sent anywhere.
"""

from __future__ import annotations

import io
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.arrays import Bytes
from models.errors import BadInput
from models.evidence import CropEvidence
from models.files import read_regular
from models.policy import Decision
from realtime.cameras.camera import Camera
from realtime.cameras.from_config import capture_from
from realtime.cameras.newest_frame import NewestFrame
from realtime.faces.detect import FaceDetector
from realtime.faces.wear import wear
from realtime.metrics import Act, verdict_name
from realtime.settings.config import CameraConfig, Config
from realtime.types import FaceCrop, Frame

_MAX_BYTES, _MAX_SIDE = 16 << 20, 2048
_FORGET = 0.4  # seconds that the glasses stay where a face was last found


def read_wearable(path: Path) -> Bytes:
    """What is to be worn: (S, S, 4) uint8 RGBA in the canonical pose, as ``tools.make_glasses`` writes ``texture.png``.

    Raises:
        BadInput: it is no such picture.
    """
    wanted = "give a square PNG with transparency in the canonical pose, as tools.make_glasses writes texture.png"
    try:
        with Image.open(io.BytesIO(read_regular(path, _MAX_BYTES)), formats=("PNG", "WEBP")) as picture:
            width, height = picture.size
            if width != height or width > _MAX_SIDE:
                raise BadInput(f"{path}: is {width} x {height}; {wanted}")
            rgba = np.asarray(picture.convert("RGBA"), np.uint8).copy()
    except BadInput:
        raise
    except Exception as error:  # readers let many kinds through for damaged files
        raise BadInput(f"{path}: is not a picture that can be worn; {wanted}") from error
    if not rgba[..., 3].any() or rgba[..., 3].all():
        raise BadInput(f"{path}: shows nothing, or covers everything; {wanted}")
    return rgba


class WearingCamera:
    """A camera whose faces wear something, found by a detector of its own in every picture."""

    def __init__(self, camera: Camera, rgba: Bytes, detector: FaceDetector) -> None:
        self._camera, self._rgba, self._detector = camera, rgba, detector
        self._landmarks: list[Any] = []
        self._found_at = 0.0
        self.name, self.real_time = camera.name, camera.real_time
        self.native_fps, self.codec, self.dropped = camera.native_fps, camera.codec, camera.dropped

    def read(self) -> Frame:
        """The next picture, worn. Raises ``CameraError``."""
        frame = self._camera.read()
        found = [face.landmarks for face in self._detector.detect(frame.bgr)]
        if found or frame.moment - self._found_at > _FORGET:
            self._landmarks, self._found_at = found, frame.moment
        bgr = frame.bgr
        for landmarks in self._landmarks:
            bgr = wear(bgr, landmarks, self._rgba)
        return replace(frame, bgr=bgr)

    def close(self) -> None:
        """Free the source; may be called twice."""
        self._camera.close()


class Drill:
    """Puts the accessory on, and counts what is said of it with and without the defence."""

    def __init__(self, rgba: Bytes, make_detector: Callable[[], FaceDetector]) -> None:
        self._rgba, self._make_detector = rgba, make_detector
        self._counts = {"undefended": Counter[str](), "defended": Counter[str]()}
        self._last: dict[str, str] = {}
        self._frames: set[tuple[str, int]] = set()
        self._lock = threading.Lock()

    def capture(self, config: CameraConfig) -> NewestFrame:
        """``capture_from``, worn."""
        return capture_from(config, worn=self._worn)

    def _worn(self, camera: Camera) -> Camera:
        return WearingCamera(camera, self._rgba, self._make_detector())

    def count(self, crop: FaceCrop, evidence: CropEvidence, undefended: Decision, defended: Decision) -> None:
        """Note both verdicts on a crop."""
        with self._lock:
            self._frames.add((crop.frame.camera, crop.frame.index))
            for kind, decision in (("undefended", undefended), ("defended", defended)):
                self._last[kind] = verdict_name(decision)
                self._counts[kind][self._last[kind]] += 1

    def note(self, frame: Frame) -> str:
        """For the overlay: what both say now."""
        with self._lock:
            if not self._last:
                return "DRILL"
            return f"DRILL  without defence: {self._last['undefended']}   with: {self._last['defended']}"

    def act(self) -> Act:
        """Decisions by what they say, most frequent first, for the summary."""
        with self._lock:
            before, after = (dict(self._counts[kind].most_common()) for kind in ("undefended", "defended"))
            return Act(name="drill", frames=len(self._frames), undefended=before, defended=after)


def without_history(config: Config) -> Config:
    """No stored events, and so nothing sent: what is seen in a drill has not happened."""
    return config.model_copy(update={"events": config.events.model_copy(update={"folder": None})})
