"""What is known right now about every camera: the meeting point of the threads, each of which only looks and notes."""

from __future__ import annotations

import threading

from models.arrays import Floats
from models.evidence import CropEvidence
from models.policy import Decision, Policy
from realtime.faces.likeness import LEAST_LIKENESS, likeness, thumbnail
from realtime.schedule import TrackKey, key_of
from realtime.types import FaceCrop, FacesInFrame
from realtime.verdicts.agreement import VerdictRules
from realtime.verdicts.verdict import Verdict, VerdictKeeper, changing


class Board:
    """The newest faces and verdicts of each camera. Every method may be called from any thread.

    ``policy``: the recogniser's.
    """

    def __init__(self, cameras: list[str], rules: VerdictRules, policy: Policy | None = None) -> None:
        self._changed = threading.Condition()
        self._faces: dict[str, FacesInFrame] = {}
        self._keepers = {camera: VerdictKeeper(rules, policy) for camera in cameras}
        self._news = False
        self._decided: dict[TrackKey, Floats] = {}  # how the face looked that was decided on last
        self._changed_faces: set[TrackKey] = set()

    def put_faces(self, found: FacesInFrame, now: float) -> None:
        """Note the faces of a frame; refused crops count as unknown decisions at once.

        What was decided on tracks that are gone is forgotten: one that is found again starts anew in any case.
        """
        keeper = self._keepers[found.frame.camera]
        for crop in found.crops:
            if crop.refusal is not None:
                track = crop.track
                keeper.refuse(track.track_id, track.epoch, crop.refusal, found.frame.moment, now)
        with self._changed:
            self._look_for_changes(found)
            self._faces[found.frame.camera] = found
            self._news = True
            self._changed.notify_all()
        keeper.keep_only(crop.track.track_id for crop in found.crops)

    def put_decision(self, crop: FaceCrop, decision: Decision, evidence: CropEvidence, now: float) -> bool:
        """Note what was decided on a crop; gives whether its face may be another than before."""
        track, frame = crop.track, crop.frame
        with self._changed:
            self._decided[key_of(crop)] = thumbnail(crop.pixels)
            now_shown = self._faces.get(frame.camera)
            if now_shown is not None:
                self._look_for_changes(now_shown)
        return self._keepers[frame.camera].add(track.track_id, track.epoch, decision, evidence, frame.moment, now)

    def changed(self, crop: FaceCrop) -> bool:
        """Whether the crop's face looks otherwise than when it was decided on last, so that it may be another."""
        with self._changed:
            return key_of(crop) in self._changed_faces

    def _look_for_changes(self, found: FacesInFrame) -> None:
        """Compare the camera's faces with those that were decided on; under the lock."""
        camera, keys = found.frame.camera, {key_of(crop) for crop in found.crops}
        self._decided = {key: face for key, face in self._decided.items() if key[0] != camera or key in keys}
        self._changed_faces = {key for key in self._changed_faces if key[0] != camera}
        for crop in found.crops:
            before = self._decided.get(key_of(crop))
            if before is not None and likeness(before, thumbnail(crop.pixels)) < LEAST_LIKENESS:
                self._changed_faces.add(key_of(crop))

    def wait_for_faces(self, timeout: float) -> bool:
        """Wait until faces were noted since the last call; False where none came within ``timeout`` seconds."""
        with self._changed:
            came = self._changed.wait_for(lambda: self._news, timeout)
            self._news = False
            return came

    def crops(self) -> list[FaceCrop]:
        """The newest crops of all cameras."""
        with self._changed:
            return [crop for found in self._faces.values() for crop in found.crops]

    def faces(self, camera: str) -> FacesInFrame | None:
        """The newest faces of one camera."""
        with self._changed:
            return self._faces.get(camera)

    def verdicts(self, camera: str, now: float) -> dict[int, Verdict]:
        """The verdict of each track of the camera's newest faces, where there is one."""
        found = self.faces(camera)
        keeper = self._keepers[camera]
        verdicts = {}
        for crop in found.crops if found is not None else ():
            verdict = keeper.verdict(crop.track.track_id, now, crop.track.epoch)
            if verdict is not None and verdict.state != "unknown" and self.changed(crop):
                verdict = changing(verdict)
            if verdict is not None:
                verdicts[crop.track.track_id] = verdict
        return verdicts
