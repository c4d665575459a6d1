"""Which verdicts become events. Pure state over time: no files, no threads, no clock of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from models.arrays import Bytes
from realtime.faces.boxes import overlap
from realtime.outputs.events.types import EventSettings, Kind, PendingEvent, Sighting
from realtime.types import Frame
from realtime.verdicts.agreement import NOT_ENOUGH_EVIDENCE
from realtime.verdicts.verdict import Verdict

_FORGET_AFTER = 600.0  # seconds without a sighting after which a track is dropped from memory
_ONE_FACE = 0.5  # two boxes that overlap more than this are one face detected twice, not two people

Noticed = tuple[Kind, Sighting, Sighting | None]


@dataclass
class _TrackMemory:
    """``said``: when each event was last given. ``since``: when the present verdict began."""

    seen: float
    since: float
    saying: tuple[str, str]
    said: dict[tuple[Kind, str], float] = field(default_factory=dict)


class EventRules:
    """Notices what matters in the sightings of each frame, once. Not safe to share between threads."""

    def __init__(self, settings: EventSettings) -> None:
        self.settings = settings
        self._tracks: dict[tuple[str, int], _TrackMemory] = {}
        self._appeared: dict[tuple[str, str], float] = {}
        self._pairs: dict[tuple[str, str], tuple[float, float]] = {}  # (since, seen)
        self._swept = 0.0

    def notice(self, camera: str, sightings: Sequence[Sighting], now: float) -> list[Noticed]:
        """The new events of one frame, with their subject (and the other track for a shared name).

        Stale verdicts, and those that only say that nothing is known yet, are no news. ``now`` is monotonic.
        """
        noticed = [*self._by_track(camera, sightings, now), *self._shared_names(camera, sightings, now)]
        self._sweep(now)
        return [found for found in noticed if found[0] in self.settings.kinds]

    def remember(self, camera: str, name: str, at: float) -> None:
        """Somebody else told at this moment that the person appeared; monotonic seconds."""
        self._appeared[camera, name] = max(at, self._appeared.get((camera, name), at))

    def unsaid(self, camera: str, found: Noticed) -> None:
        """An event that was noticed last could not be taken: it is to be noticed again with the next frame."""
        kind, subject, other = found
        name = subject.name or ""
        tracks = [one.track.track_id for one in (subject, other) if one is not None]
        self._tracks[camera, min(tracks)].said.pop((kind, name), None)
        if kind == "known":
            self._appeared.pop((camera, name), None)

    def _by_track(self, camera: str, sightings: Sequence[Sighting], now: float) -> Iterator[Noticed]:
        for sighting in sightings:
            verdict = sighting.verdict
            if verdict is None or verdict.is_stale(now):
                continue
            saying = (verdict.state, verdict.identity or verdict.claimed or "")
            memory = self._memory(camera, sighting.track.track_id, saying, now)
            if not self._matters(camera, verdict, now - memory.since, now):
                continue
            what: tuple[Kind, str] = (verdict.state, saying[1])
            last = memory.said.get(what)
            if last is not None and now - last < self.settings.again_after:
                continue
            memory.said[what] = now
            if verdict.state != "known" or self._reappears(camera, saying[1], now):
                yield verdict.state, sighting, None
        for sighting in sightings:  # a person in view the whole time does not appear again on a new track
            verdict = sighting.verdict
            if verdict is not None and verdict.identity and not verdict.is_stale(now):
                self._appeared[camera, verdict.identity] = now

    def _memory(self, camera: str, track_id: int, saying: tuple[str, str], now: float) -> _TrackMemory:
        memory = self._tracks.setdefault((camera, track_id), _TrackMemory(now, now, saying))
        if memory.saying != saying:
            memory.saying, memory.since = saying, now
        memory.seen = now
        return memory

    def _matters(self, camera: str, verdict: Verdict, lasted: float, now: float) -> bool:
        if verdict.state != "unknown":
            return True
        return verdict.evidence is not None and verdict.reason != NOT_ENOUGH_EVIDENCE and lasted >= self.settings.settle

    def _reappears(self, camera: str, name: str, now: float) -> bool:
        last = self._appeared.get((camera, name))
        self._appeared[camera, name] = now
        return last is None or now - last >= self.settings.reappear_after

    def _shared_names(self, camera: str, sightings: Sequence[Sighting], now: float) -> Iterator[Noticed]:
        named = [s for s in sightings if s.verdict is not None and s.verdict.identity and not s.verdict.is_stale(now)]
        found: set[str] = set()
        for one, two in combinations(named, 2):
            name = one.name
            if name is None or name != two.name or name in found:
                continue
            if one.track.track_id == two.track.track_id or overlap(one.track.face.box, two.track.face.box) > _ONE_FACE:
                continue
            found.add(name)
            since, seen = self._pairs.get((camera, name), (now, now))
            if now - seen > 3.0:  # they were apart in between
                since = now
            self._pairs[camera, name] = (since, now)
            memory = self._tracks.get((camera, min(one.track.track_id, two.track.track_id)))
            what: tuple[Kind, str] = ("same_name_twice", name)
            if memory is None or now - since < self.settings.same_name_settle:
                continue
            last = memory.said.get(what)
            if last is None or now - last >= self.settings.again_after:
                memory.said[what] = now
                yield "same_name_twice", one, two

    def _sweep(self, now: float) -> None:
        if now - self._swept < 10.0:
            return
        self._swept = now
        longest = max(_FORGET_AFTER, self.settings.again_after, self.settings.reappear_after)
        self._tracks = {key: memory for key, memory in self._tracks.items() if now - memory.seen < longest}
        self._appeared = {key: seen for key, seen in self._appeared.items() if now - seen < longest}
        self._pairs = {key: times for key, times in self._pairs.items() if now - times[1] < longest}


def pending_of(frame: Frame, bgr: Bytes, found: Noticed, sightings: Sequence[Sighting]) -> PendingEvent:
    """The event with what belongs to it alone; ``bgr`` is a copy of the frame's."""
    kind, subject, other = found
    concerned = {subject.track.track_id} | ({other.track.track_id} if other is not None else set())
    own = Sighting(subject.track, subject.verdict, None if subject.crop is None else subject.crop.copy())
    return PendingEvent(
        kind=kind,
        camera=frame.camera,
        wall_time=frame.wall_time,
        bgr=bgr,
        subject=own,
        other=other,
        bystanders=tuple(s.track.face.box for s in sightings if s.track.track_id not in concerned),
        people=frozenset().union(*(s.names for s in sightings)),
        clip_at=frame.file_time,
    )
