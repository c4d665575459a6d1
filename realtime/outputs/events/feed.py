"""Between the pipeline and the event log: finds for each verdict the crop on which its evidence was computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from models.arrays import Bytes
from models.evidence import CropEvidence
from models.policy import Decision
from realtime.outputs.events.log import EventLog
from realtime.outputs.events.types import Sighting
from realtime.types import FaceCrop, FacesInFrame
from realtime.verdicts.verdict import Verdict

_REMEMBERED = 16  # crops a track: more than the decisions that a verdict looks back on
_Track = tuple[str, int, int]


class EventFeed:
    """The log's two listeners in the pipeline: ``on_decision`` and ``on_verdicts``. Both never wait.

    A verdict carries the evidence of an earlier crop, and evidence does not hold the crop itself; so the crops of
    every track's last decisions are remembered until the track is gone. For one thread only, that of the decisions.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._crops: dict[_Track, deque[tuple[CropEvidence, Bytes]]] = {}

    def on_decision(self, crop: FaceCrop, evidence: CropEvidence, undefended: Decision, defended: Decision) -> None:
        """Remember the crop behind a piece of evidence."""
        key = (crop.frame.camera, crop.track.track_id, crop.track.epoch)
        self._crops.setdefault(key, deque(maxlen=_REMEMBERED)).append((evidence, crop.pixels))

    def on_verdicts(self, found: FacesInFrame, verdicts: Mapping[int, Verdict]) -> None:
        """Offer a frame's verdicts to the log, with everybody in view; a drill has not happened."""
        if found.frame.drill:
            return
        camera = found.frame.camera
        present = {(camera, crop.track.track_id, crop.track.epoch) for crop in found.crops}
        self._crops = {key: kept for key, kept in self._crops.items() if key[0] != camera or key in present}
        sightings = []
        for crop in found.crops:
            verdict = verdicts.get(crop.track.track_id)
            sightings.append(Sighting(crop.track, verdict, self._crop_of(camera, crop, verdict)))
        self._log.offer(found.frame, sightings, found.frame.now())

    def _crop_of(self, camera: str, crop: FaceCrop, verdict: Verdict | None) -> Bytes | None:
        if verdict is None or verdict.evidence is None:
            return crop.pixels
        remembered = self._crops.get((camera, crop.track.track_id, crop.track.epoch), ())
        return next((pixels for evidence, pixels in remembered if evidence is verdict.evidence), None)
