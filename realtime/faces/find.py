"""From a frame to the crops of its faces: detection now and then, tracking always, alignment, the quality gate."""

from __future__ import annotations

import time

import numpy as np

from models.arrays import Bytes
from realtime.faces.align import Matrix, crop_face, cut, inverse, similarity
from realtime.faces.areas import Areas
from realtime.faces.detect import FaceDetector
from realtime.faces.limits import QualityLimits
from realtime.faces.motion import MotionGate, Region, grown, touches
from realtime.faces.quality import refusal
from realtime.faces.realign import Realigner, compose
from realtime.faces.track import FaceTracker
from realtime.types import DetectedFace, FaceCrop, FacesInFrame, Frame, TrackedFace

_TICK = 1e-3  # seconds: clocks of cameras are not exact
_SOUGHT_EVERY = 1.0  # seconds: seeking takes a tenth of one on one core


class FaceFinder:
    """The faces of one camera; used by one thread.

    Args:
        detector: may be shared by the cameras of one thread.
        tracker: this camera's own.
        size: side of the crops.
        detect_every: detection runs on every n-th frame that this finder sees; in between faces are followed.
        share: of one core's time that detection may take; where it takes longer it runs on fewer frames, so that
            many cameras, or large pictures, leave time for decisions.
        follow_share: the same of following, cutting out and judging faces; see ``resting``.
        calm: seconds between two searches while every face that was found is followed.
        realigner: looks a second time where the face lies in its crop, without its glasses; None: landmarks decide. It
            seeks a new face from many sides, and a known one again every ``_SOUGHT_EVERY`` seconds; in between it looks
            after what it found where the face was detected; while the face is followed that goes along.
        areas: parts of the picture where faces count; None: everywhere.
        motion: while every face found is followed, detection looks only where something moved; None: everywhere.
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
        follow_share: float = 1.0,
        calm: float = 0.0,
        motion: MotionGate | None = None,
        realigner: Realigner | None = None,
        areas: Areas | None = None,
    ) -> None:
        self._detector, self._tracker = detector, tracker
        self._size, self._limits = size, limits
        self._detect_every, self._share, self._follow_share, self._calm = detect_every, share, follow_share, calm
        self._motion, self._realigner, self._areas = motion, realigner, areas if areas else None
        self._all_followed = False  # every face of the last detection has a track, and every track a face
        self._tracks: list[TrackedFace] = []
        self._kind: tuple[tuple[int, ...], bool] | None = None
        self._frames_to_go = 0  # until detection is due again
        self._rests_until = self._calm_until = self._follows_at = 0.0
        # By track and epoch: from the landmarks' crop to ours, and when it was sought.
        self._looked_again: dict[tuple[int, int], tuple[Matrix, float]] = {}

    @property
    def resting(self) -> bool:
        """Whether the frames before took their share: the next ones may pass by, so that there is time to decide."""
        return time.perf_counter() < self._follows_at

    def find(self, frame: Frame) -> FacesInFrame:
        """Every face that is followed in ``frame``, cut out, with the gate's refusal where there is one."""
        kind = (frame.bgr.shape, frame.drill)
        if kind != self._kind:  # another resolution, or a drill begins or ends: nothing can be followed across
            if self._kind is not None:
                self._tracker.reset()
            self._kind, self._frames_to_go, self._rests_until = kind, 0, 0.0
        started = time.perf_counter()
        stage_ms: dict[str, float] = {}
        due = self._frames_to_go <= 0 and started >= self._rests_until
        if self._all_followed and self._tracks:
            due = due and frame.captured_at >= self._calm_until
        region = self._region(frame) if due else None
        if region is not None:
            faces = self._detect(frame, region)
            if self._areas is not None:
                faces = self._areas.keep(faces, frame.bgr.shape)
            took = time.perf_counter() - started
            stage_ms["detect"] = took * 1e3
            self._frames_to_go, self._rests_until = self._detect_every, started + took / self._share
            self._calm_until = frame.captured_at + self._calm - _TICK
            self._tracks = self._tracker.update(faces, frame)
            self._all_followed = len(faces) == len(self._tracks)
        else:
            followed = len(self._tracks)
            self._tracks = self._tracker.carry(frame)
            self._all_followed = self._all_followed and len(self._tracks) == followed
        self._frames_to_go -= 1
        found = time.perf_counter()
        crops = tuple(self._crop(track, frame) for track in self._tracks)
        shown = {(track.track_id, track.epoch) for track in self._tracks}
        self._looked_again = {key: again for key, again in self._looked_again.items() if key in shown}
        ended = time.perf_counter()
        if crops:
            stage_ms["align"] = (ended - found) * 1e3 / len(crops)
        following = ended - started - stage_ms.get("detect", 0.0) / 1e3
        self._follows_at = ended + following * (1 / self._follow_share - 1)
        return FacesInFrame(frame, crops, stage_ms)

    def _region(self, frame: Frame) -> Region | None:
        """Where to search: all of the picture unless every face is followed and most of it has not changed."""
        height, width = frame.bgr.shape[:2]
        whole = (0, 0, width, height)
        if self._motion is None:
            return whole
        region = self._motion.changed(frame.bgr, frame.captured_at)
        if not self._all_followed:
            region = whole
        if region is None:
            return None
        found = True
        while found:  # a face is searched as a whole or not at all
            faces = [grown(track.face.box, 0.25 * _side(track), frame.bgr.shape) for track in self._tracks]
            joined = [box for box in (region, *faces) if touches(box, region)]
            larger = (*np.min(joined, axis=0)[:2].tolist(), *np.max(joined, axis=0)[2:].tolist())
            found, region = larger != region, larger
        self._motion.searched(region, frame.captured_at, frame.bgr.shape)
        return region

    def _detect(self, frame: Frame, region: Region) -> list[DetectedFace]:
        """The faces in the region, and those outside it where they were: nothing has changed there."""
        x1, y1, x2, y2 = region
        if region == (0, 0, frame.bgr.shape[1], frame.bgr.shape[0]):
            return self._detector.detect(frame.bgr)
        here = self._detector.detect(np.ascontiguousarray(frame.bgr[y1:y2, x1:x2]))
        corner = np.array([x1, y1], np.float32)
        moved = [DetectedFace(face.box + np.tile(corner, 2), face.landmarks + corner, face.score) for face in here]
        return moved + [track.face for track in self._tracks if not touches(track.face.box, region)]

    def _crop(self, track: TrackedFace, frame: Frame) -> FaceCrop:
        pixels = self._cut(track, frame)
        return FaceCrop(track, frame, pixels, refusal(pixels, track.face.landmarks, frame.bgr.shape, self._limits))

    def _cut(self, track: TrackedFace, frame: Frame) -> Bytes:
        """The canonical crop (S, S, 3) RGB, by a second look at a face that was detected, or by the last one."""
        landmarks, key = track.face.landmarks, (track.track_id, track.epoch)
        if self._realigner is None:
            return crop_face(frame.bgr, landmarks, self._size)
        by_landmarks = similarity(landmarks, self._size)
        again, sought_at = self._looked_again.get(key, (None, 0.0))
        if again is not None and not track.detected:
            return cut(frame.bgr, compose(again, by_landmarks), self._size)
        if again is not None and frame.captured_at - sought_at < _SOUGHT_EVERY:
            pixels, matrix = self._realigner.look_after(frame.bgr, compose(again, by_landmarks), self._size)
        else:
            pixels, matrix = self._realigner.crop(frame.bgr, track.face, self._size)
            sought_at = frame.captured_at
        self._looked_again[key] = (compose(matrix, inverse(by_landmarks)), sought_at)
        return pixels


def _side(track: TrackedFace) -> float:
    box = track.face.box
    return float(max(box[2] - box[0], box[3] - box[1]))
