"""From a frame to the crops of its faces: detection now and then, tracking always, alignment, the quality gate."""

from __future__ import annotations

import time

from realtime.faces.align import crop_face
from realtime.faces.detect import FaceDetector
from realtime.faces.motion import MotionGate
from realtime.faces.quality import QualityLimits, refusal
from realtime.faces.track import FaceTracker
from realtime.types import FaceCrop, FacesInFrame, Frame, TrackedFace


class FaceFinder:
    """The faces of one camera; used by one thread.

    Args:
        detector: may be shared by the cameras of one thread.
        tracker: this camera's own.
        size: side of the crops.
        detect_every: detection runs on every n-th frame that this finder sees; in between faces are followed.
        share: of one core's time that detection may take; where it takes longer it runs on fewer frames, so that
            many cameras, or large pictures, leave time for decisions.
        motion: skips detection while nothing moves and every face found is followed; None: never skips.
    """

    def __init__(
        self,
        detector: FaceDetector,
        tracker: FaceTracker,
        *,
        size: int,
        limits: QualityLimits,
        detect_every: int = 1,
        share: float = 1.0,
        motion: MotionGate | None = None,
    ) -> None:
        self._detector, self._tracker = detector, tracker
        self._size, self._limits, self._detect_every, self._share = size, limits, detect_every, share
        self._motion = motion
        self._all_followed = False  # every face of the last detection has a track, and every track a face
        self._shape: tuple[int, ...] | None = None
        self._frames_to_go = 0  # until detection is due again
        self._rests_until = 0.0

    def find(self, frame: Frame) -> FacesInFrame:
        """Every face that is followed in ``frame``, cut out, with the gate's refusal where there is one."""
        if frame.bgr.shape != self._shape:  # the camera changed its resolution: nothing can be followed across
            if self._shape is not None:
                self._tracker.reset()
            self._shape, self._frames_to_go = frame.bgr.shape, 0
        started = time.perf_counter()
        stage_ms: dict[str, float] = {}
        if self._frames_to_go <= 0 and started >= self._rests_until and not self._is_still(frame):
            faces = self._detector.detect(frame.bgr)
            took = time.perf_counter() - started
            stage_ms["detect"] = took * 1e3
            self._frames_to_go, self._rests_until = self._detect_every, started + took / self._share
            tracks = self._tracker.update(faces, frame)
            self._all_followed = len(faces) == len(tracks)
        else:
            tracks = self._tracker.carry(frame)
        self._frames_to_go -= 1
        found = time.perf_counter()
        crops = tuple(self._crop(track, frame) for track in tracks)
        if crops:
            stage_ms["align"] = (time.perf_counter() - found) * 1e3 / len(crops)
        return FacesInFrame(frame, crops, stage_ms)

    def _is_still(self, frame: Frame) -> bool:
        if self._motion is None:
            return False
        still = self._motion.is_still(frame.bgr, frame.captured_at) and self._all_followed
        if not still:
            self._motion.searched(frame.captured_at)
        return still

    def _crop(self, track: TrackedFace, frame: Frame) -> FaceCrop:
        pixels = crop_face(frame.bgr, track.face.landmarks, self._size)
        return FaceCrop(track, frame, pixels, refusal(pixels, track.face.landmarks, frame.bgr.shape, self._limits))
