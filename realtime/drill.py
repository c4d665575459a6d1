"""A drill: adversarial glasses are drawn onto the live face, and both verdicts stand side by side.

They are put on as the demo does it, before anything else sees the picture: detection, tracking, alignment and the
recogniser all look at the worn face. A drill is no event: its frames are marked, and nothing of them enters a history
or is sent anywhere.
"""

from __future__ import annotations

import io
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from models.arrays import Bytes
from models.errors import BadInput
from models.evidence import CropEvidence
from models.files import read_regular
from models.policy import Decision
from realtime.cameras.camera import Camera
from realtime.faces.detect import FaceDetector
from realtime.faces.wear import wear
from realtime.metrics import Act, verdict_name
from realtime.settings.config import Config
from realtime.types import FaceCrop, Frame

log = logging.getLogger(__name__)

SECONDS: Final = 120.0  # that a drill begun in the page goes on at most
MAX_BYTES: Final = 16 << 20
_MAX_SIDE = 2048
_FORGET = 0.4  # seconds that the glasses stay where a face was last found
_KINDS = ("undefended", "defended")


def read_wearable(path: Path) -> Bytes:
    """What is to be worn: (S, S, 4) uint8 RGBA in the canonical pose, as ``tools.make_glasses`` writes ``texture.png``.

    Raises:
        BadInput: it is no such picture.
    """
    return decode_wearable(read_regular(path, MAX_BYTES), str(path))


def decode_wearable(content: bytes, name: str) -> Bytes:
    """The same of a file's content; ``name`` is what messages call it."""
    wanted = "give a square PNG with transparency in the canonical pose, as tools.make_glasses writes texture.png"
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "WEBP")) as picture:
            width, height = picture.size
            if width != height or width > _MAX_SIDE:
                raise BadInput(f"{name}: is {width} x {height}; {wanted}")
            rgba = np.asarray(picture.convert("RGBA"), np.uint8).copy()
    except BadInput:
        raise
    except Exception as error:  # readers let many kinds through for damaged files
        raise BadInput(f"{name}: is not a picture that can be worn; {wanted}") from error
    if not rgba[..., 3].any() or rgba[..., 3].all():
        raise BadInput(f"{name}: shows nothing, or covers everything; {wanted}")
    return rgba


class WearingCamera:
    """A camera whose faces wear something while there is something to wear, found by a detector of its own.

    Args:
        worn: gives the RGBA picture, None: nothing is worn now.
        make_detector: called once something is.
    """

    def __init__(self, camera: Camera, worn: Callable[[], Bytes | None], make_detector: Callable[[], FaceDetector]):
        self._camera, self._worn, self._make_detector = camera, worn, make_detector
        self._detector: FaceDetector | None = None
        self._landmarks: list[Any] = []
        self._found_at = 0.0
        self.name, self.real_time = camera.name, camera.real_time
        self.native_fps, self.codec, self.dropped = camera.native_fps, camera.codec, camera.dropped

    def read(self) -> Frame:
        """The next picture, worn. Raises ``CameraError``."""
        frame, rgba = self._camera.read(), self._worn()
        if rgba is None:
            self._landmarks = []
            return frame
        self._detector = self._detector or self._make_detector()
        found = [face.landmarks for face in self._detector.detect(frame.bgr)]
        if found or frame.moment - self._found_at > _FORGET:
            self._landmarks, self._found_at = found, frame.moment
        bgr = frame.bgr
        for landmarks in self._landmarks:
            bgr = wear(bgr, landmarks, rgba)
        return replace(frame, bgr=bgr, drill=True)

    def close(self) -> None:
        """Free the source; may be called twice."""
        self._camera.close()


class Drill:
    """Puts the accessory on, and counts what is said of it with and without the defence. From any thread.

    Args:
        make_detector: of the faces that wear it; one for each camera.
        always: what every camera's faces wear for the whole run; None: those of one camera, while ``begin`` says so.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        make_detector: Callable[[], FaceDetector],
        always: Bytes | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make_detector, self.always, self._clock = make_detector, always, clock
        self._going_on: dict[str, tuple[Bytes, float]] = {}  # by camera: what is worn, and until when
        self._counts: dict[str, dict[str, Counter[str]]] = {}
        self._last: dict[str, dict[str, str]] = {}
        self._frames: set[tuple[str, int]] = set()
        self._lock = threading.Lock()

    def worn(self, camera: Camera) -> Camera:
        """For ``capture_from``: the camera, whose faces wear what they are to."""
        return WearingCamera(camera, partial(self._of, camera.name), self._make_detector)

    def begin(self, camera: str, rgba: Bytes) -> None:
        """From now on the camera's faces wear it, for ``SECONDS``: a drill that is forgotten must not blind it."""
        with self._lock:
            self._going_on[camera] = (rgba, self._clock() + SECONDS)
            self._last.pop(camera, None)
            self._counts.pop(camera, None)
        log.warning("%s: a drill begins, for %.0f seconds at most; what it sees is no event", camera, SECONDS)

    def end(self, camera: str) -> None:
        """Take it off again; may be called twice."""
        with self._lock:
            gone = self._going_on.pop(camera, None)
        if gone is not None:
            log.warning("%s: the drill is over", camera)

    def _of(self, camera: str) -> Bytes | None:
        if self.always is not None:
            return self.always
        found = self._going_on.get(camera)
        if found is not None and self._clock() >= found[1]:
            self.end(camera)
            found = None
        return None if found is None else found[0]

    def count(self, crop: FaceCrop, evidence: CropEvidence, undefended: Decision, defended: Decision) -> None:
        """Note both verdicts on a crop, if it was seen in a drill."""
        camera = crop.frame.camera
        if not crop.frame.drill:
            return
        with self._lock:
            self._frames.add((camera, crop.frame.index))
            counts = self._counts.setdefault(camera, {"undefended": Counter(), "defended": Counter()})
            for kind, decision in (("undefended", undefended), ("defended", defended)):
                self._last.setdefault(camera, {})[kind] = verdict_name(decision)
                counts[kind][verdict_name(decision)] += 1

    def noted(self, otherwise: Callable[[Frame], str]) -> Callable[[Frame], str]:
        """``note``, and where nothing is worn what another one says."""
        return lambda frame: self.note(frame) or otherwise(frame)

    def note(self, frame: Frame) -> str:
        """For the overlay: what both say now; empty where nothing is worn."""
        if not frame.drill:
            return ""
        with self._lock:
            last = self._last.get(frame.camera)
        if not last:
            return "DRILL"
        return f"DRILL  without defence: {last['undefended']}   with: {last['defended']}"

    def said(self) -> dict[str, dict[str, Any]]:
        """Of each camera in a drill: what both said last, how often they said what, and the seconds left."""
        with self._lock:
            now = self._clock()
            left = {camera: until - now for camera, (_, until) in self._going_on.items() if until > now}
            if self.always is not None:
                left = dict.fromkeys(self._last)  # type: ignore[assignment]
            return {
                camera: {
                    "seconds": None if seconds is None else round(seconds),
                    "last": dict(self._last.get(camera, {})),
                    "counts": {kind: dict(one.most_common(5)) for kind, one in self._counts.get(camera, {}).items()},
                }
                for camera, seconds in left.items()
            }

    def act(self) -> Act:
        """Decisions by what they say, most frequent first, for the summary."""
        with self._lock:
            both = [sum((one[kind] for one in self._counts.values()), Counter[str]()) for kind in _KINDS]
            before, after = (dict(counts.most_common()) for counts in both)
            return Act(name="drill", frames=len(self._frames), undefended=before, defended=after)


def embedded_glasses() -> Bytes:
    """Those of the demo."""
    asset = resources.files("realtime") / "assets" / "demo_glasses.png"
    return decode_wearable(asset.read_bytes(), "the demo's glasses")


def without_history(config: Config) -> Config:
    """No stored events, and so nothing sent: what is seen in a drill has not happened."""
    return config.model_copy(update={"events": config.events.model_copy(update={"folder": None})})
