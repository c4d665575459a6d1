"""Follows faces over frames, so that detection need not run on every frame and a verdict stays with its face.

Association is ByteTrack's (Zhang et al. 2022) from the ``trackers`` library, on capture times instead of frame
counts, so that an uneven detection rate does no harm. ByteTrack returns the detections that it was given, in
another order and with a track number; each carries its index through, and so keeps its landmarks. A face has no
track before its second detection: what is seen once only is mostly not a face.

Boxes alone cannot tell two people apart who change places while nobody looks. So a track's ``epoch``, on which
all evidence rests, grows when the face was lost for longer than ``hold`` seconds, when it turns up away from where
it was followed to, and when it could not be followed (then it is also hidden until it is detected again).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv
from trackers import ByteTrackTracker

from realtime.faces.boxes import overlap
from realtime.faces.flow import follow
from realtime.types import DetectedFace, Frame, TrackedFace

_FRAME_RATE = 30.0  # ByteTrack's own unit of time; capture times are converted to it


@dataclass
class _Track:
    face: DetectedFace
    last_seen: float  # capture time of the last frame it was detected in
    epoch: int = 0
    missed: int = 0  # detections in a row that did not find it
    followed: bool = True  # since the last detection, without a break


class FaceTracker:
    """The tracks of one camera.

    Args:
        hold: seconds for which a face that detection no longer finds is still carried along.
        forget: seconds after which a lost face that returns is a new track.
        least_overlap: intersection over union between the box that was carried along and the one detected
            below which the track may have changed hands, so that its epoch grows.
    """

    def __init__(self, *, hold: float = 0.6, forget: float = 2.0, least_overlap: float = 0.2) -> None:
        if not 0 <= hold <= forget:
            raise ValueError(f"hold must lie between 0 and forget ({forget} s), got {hold}")
        self._hold = hold
        self._least_overlap = least_overlap
        self._tracker = ByteTrackTracker(
            lost_track_buffer=round(forget * _FRAME_RATE),
            frame_rate=_FRAME_RATE,
            track_activation_threshold=0.0,  # the detector has its own threshold
            high_conf_det_threshold=0.0,
            minimum_consecutive_frames=2,
            minimum_iou_threshold=0.1,
        )
        self._tracks: dict[int, _Track] = {}
        self._grey: npt.NDArray[np.uint8] | None = None
        self._time = float("-inf")
        self._updated_at = float("-inf")

    def update(self, faces: Sequence[DetectedFace], frame: Frame) -> list[TrackedFace]:
        """Take in what detection found in ``frame`` (also when it found nothing).

        Returns:
            The faces to decide on: those detected, with ``detected=True``, and those carried along. A frame not
            newer than the last one taken in changes nothing.
        """
        if frame.moment <= self._updated_at:
            return self._current(set())
        self._updated_at = frame.moment
        self._move_to(frame)
        seen: set[int] = set()
        for track_id, index in self._associate(faces, frame.moment):
            self._see(track_id, faces[index], frame.moment)
            seen.add(track_id)
        for track_id in self._tracks.keys() - seen:
            self._tracks[track_id].missed += 1
        alive = {tracklet.tracker_id for tracklet in self._tracker.tracks}
        self._tracks = {track_id: track for track_id, track in self._tracks.items() if track_id in alive}
        return self._current(seen)

    def carry(self, frame: Frame) -> list[TrackedFace]:
        """Move the known faces along to a frame on which no detection ran (all come with ``detected=False``)."""
        self._move_to(frame)
        return self._current(set())

    def reset(self) -> None:
        """Forget every track; the numbers of new ones go on (a number is never given twice)."""
        self._tracker.tracks = []
        self._tracks = {}
        self._grey = None

    def _move_to(self, frame: Frame) -> None:
        grey = np.asarray(cv2.cvtColor(frame.bgr, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
        for track in self._tracks.values():
            if not self._is_shown(track):
                continue
            moved = follow(track.face, self._grey, grey) if self._grey is not None else None
            if moved is None:
                track.followed = False  # hidden until detection finds it: a crop from a stale place would mislead
            else:
                track.face = moved
        self._grey, self._time = grey, frame.moment

    def _associate(self, faces: Sequence[DetectedFace], moment: float) -> list[tuple[int, int]]:
        """Pairs of track number and index into ``faces``."""
        detections = sv.Detections.empty()
        if faces:
            detections = sv.Detections(
                xyxy=np.stack([face.box for face in faces]).astype(np.float32),
                confidence=np.array([face.score for face in faces], dtype=np.float32),
                data={"index": np.arange(len(faces))},
            )
        tracked = self._tracker.update(detections, timestamp=moment)
        if tracked.tracker_id is None or len(tracked) == 0:
            return []
        pairs = zip(tracked.tracker_id, tracked.data["index"], strict=True)
        return [(int(track_id), int(index)) for track_id, index in pairs if track_id >= 0]

    def _see(self, track_id: int, face: DetectedFace, moment: float) -> None:
        track = self._tracks.get(track_id)
        if track is None:
            self._tracks[track_id] = _Track(face=face, last_seen=moment)
            return
        lost = track.missed > 0 and moment - track.last_seen > self._hold
        if lost or not track.followed or overlap(track.face.box, face.box) < self._least_overlap:
            track.epoch += 1
        track.face, track.last_seen, track.missed, track.followed = face, moment, 0, True

    def _is_shown(self, track: _Track) -> bool:
        return track.followed and (track.missed == 0 or self._time - track.last_seen <= self._hold)

    def _current(self, seen: set[int]) -> list[TrackedFace]:
        return [
            TrackedFace(track_id=track_id, face=replace(track.face), epoch=track.epoch, detected=track_id in seen)
            for track_id, track in sorted(self._tracks.items())
            if self._is_shown(track)
        ]
