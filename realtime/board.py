"""What is known right now about every camera: the meeting point of the threads, each of which only looks and notes."""

from __future__ import annotations

import threading

from models.evidence import CropEvidence
from models.policy import Decision
from realtime.types import FaceCrop, FacesInFrame
from realtime.verdicts.agreement import VerdictRules
from realtime.verdicts.verdict import Verdict, VerdictKeeper


class Board:
    """The newest faces and verdicts of each camera. Every method may be called from any thread."""

    def __init__(self, cameras: list[str], rules: VerdictRules) -> None:
        self._changed = threading.Condition()
        self._faces: dict[str, FacesInFrame] = {}
        self._keepers = {camera: VerdictKeeper(rules) for camera in cameras}
        self._news = False

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
            self._faces[found.frame.camera] = found
            self._news = True
            self._changed.notify_all()
        keeper.keep_only(crop.track.track_id for crop in found.crops)

    def put_decision(self, crop: FaceCrop, decision: Decision, evidence: CropEvidence, now: float) -> None:
        """Note what was decided on a crop."""
        track, frame = crop.track, crop.frame
        self._keepers[frame.camera].add(track.track_id, track.epoch, decision, evidence, frame.moment, now)

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
            if verdict is not None:
                verdicts[crop.track.track_id] = verdict
        return verdicts
