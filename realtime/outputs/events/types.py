"""What the event log speaks of: sightings that come in, events that come out."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from models.arrays import Bytes, Floats
from models.evidence import CropEvidence
from realtime.types import DetectedFace, TrackedFace
from realtime.verdicts.verdict import Verdict

Kind = Literal["known", "unknown", "suspected_attack", "same_name_twice"]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: Finds the faces of a frame (H, W, 3) BGR, ``FaceDetector.detect``
FindFaces = Callable[[Bytes], Sequence[DetectedFace]]
#: (crop (S, S, 3) RGB, its evidence) -> the evidence with the saliency looked at, ``Recogniser.explain``
Explain = Callable[[Bytes, CropEvidence], CropEvidence]

#: Evidence and its file names. The crop pictures are lossless, the whole frame is a JPEG; the clip comes later.
PICTURES: Mapping[str, str] = {
    "frame": "frame.jpg",
    "before": "before.png",
    "saliency": "saliency.png",
    "mask": "mask.png",
    "after": "after.png",
    "clip": "clip.mp4",
}


@dataclass(frozen=True)
class Sighting:
    """One face of a frame and what its track is taken to be.

    ``verdict`` is None where nothing was decided yet (the face still counts for pixelation). ``crop`` is the
    canonical crop, (S, S, 3) RGB, on which ``verdict.evidence`` was computed: the "before" picture.
    """

    track: TrackedFace
    verdict: Verdict | None = None
    crop: Bytes | None = None

    @property
    def name(self) -> str | None:
        """The person this verdict names as present (known) or as claimed (attack)."""
        return None if self.verdict is None else self.verdict.identity or self.verdict.claimed

    @property
    def names(self) -> frozenset[str]:
        """Everybody this verdict mentions."""
        if self.verdict is None:
            return frozenset()
        return frozenset(n for n in (self.verdict.identity, self.verdict.claimed, self.verdict.likely) if n)


@dataclass(frozen=True)
class EventSettings:
    """When something becomes an event, and how long it is kept.

    ``again_after`` seconds must pass before the same track gives the same event again; ``reappear_after`` before
    the same known person does on a new track of the same camera; ``settle`` is how long a stranger must have been
    one, ``same_name_settle`` how long two tracks must have shared a name. ``max_age_days`` bounds how
    long an event is kept. Beyond ``max_bytes``, or where the disk has less than ``min_free_bytes`` left, pictures of
    acknowledged events go, and then events are kept without pictures.
    ``pixelate_others`` hides, in the stored frame, every face that the event is not about. ``clip_seconds``: length of
    a clip around the event, 0: none.
    """

    kinds: frozenset[Kind] = frozenset(KINDS)
    again_after: float = 300.0
    reappear_after: float = 60.0
    settle: float = 1.0
    same_name_settle: float = 0.5
    max_age_days: float = 30.0
    max_bytes: int = 5_000_000_000
    min_free_bytes: int = 1_000_000_000
    pixelate_others: bool = False
    clip_seconds: float = 0.0
    frame_max_side: int = 1280
    jpeg_quality: int = 88
    queue_size: int = 16


@dataclass(frozen=True)
class PendingEvent:
    """An event that was noticed and is not written yet. ``bgr`` belongs to it alone.

    ``clip_at``: where in a file that is worked on frame by frame, seconds.
    """

    kind: Kind
    camera: str
    wall_time: float
    bgr: Bytes
    subject: Sighting
    other: Sighting | None
    bystanders: tuple[Floats, ...]  # boxes (4,) x1, y1, x2, y2 of the other faces that are followed
    people: frozenset[str]  # everybody who is named in this frame
    clip_at: float | None = None
    key: str = field(default_factory=lambda: uuid.uuid4().hex)

    def explained(self, explain: Explain) -> PendingEvent:
        """The event with the saliency of its crop looked at, if that is not done yet and there is a crop."""
        verdict, crop = self.subject.verdict, self.subject.crop
        if verdict is None or verdict.evidence is None or verdict.evidence.explained or crop is None:
            return self
        evidence = explain(crop, verdict.evidence)
        return replace(self, subject=replace(self.subject, verdict=replace(verdict, evidence=evidence)))


@dataclass(frozen=True)
class Event:
    """A stored event. ``box`` is x1, y1, x2, y2 as shares of the frame's width and height.

    ``confidence``, ``raw_probability`` and ``view_probability`` are the verdict's.

    ``probabilities`` is None without evidence; otherwise it has ``labels``, ``raw``, ``masked`` (equally long; after
    the saliency mask, None where that was not looked at), ``zones`` and ``views``, one such list for each zone hidden,
    None for one that was not looked at.
    ``pictures`` are the names, out of ``PICTURES``, for which there is a file. Times are seconds since the epoch.
    It went on until ``last_seen``, over ``looks`` decisions; ``ended_at`` None: it still does. ``clip_at``: where in
    the file, of one that was worked on frame by frame, seconds.
    """

    id: int
    key: str
    kind: Kind
    camera: str
    track_id: int
    other_track_id: int | None
    wall_time: float
    identity: str | None
    claimed: str | None
    likely: str | None
    confidence: float
    raw_probability: float | None
    view_probability: float | None
    reason: str
    dissent: str | None
    box: tuple[float, float, float, float]
    probabilities: dict[str, Any] | None = field(repr=False, default=None)
    pictures: tuple[str, ...] = ()
    acknowledged_at: float | None = None
    last_seen: float | None = None
    ended_at: float | None = None
    looks: int = 1
    note: str = ""
    clip_at: float | None = None

    @property
    def phase(self) -> str:
        """start, update or end."""
        return "end" if self.ended_at is not None else "update" if self.last_seen is not None else "start"

    @property
    def text(self) -> str:
        """The event as one sentence."""
        if self.kind == "known":
            return f"{self.identity} appeared"
        if self.kind == "suspected_attack":
            tail = f", likely {self.likely}" if self.likely else ""
            if self.dissent and self.likely == self.claimed:
                tail = f", but the view without the {self.dissent.replace('_', ' ')} disagrees"
            return f"Suspected attack: passes for {self.claimed}{tail}"
        if self.kind == "same_name_twice":
            return f"{self.identity} on two tracks at once"
        return "Unknown person" + (f": {self.reason}" if self.reason else "")

    def as_dict(self, *, probabilities: bool = True) -> dict[str, Any]:
        """Ready for JSON. Without ``probabilities`` it is short enough for a list."""
        values: dict[str, Any] = {
            "id": self.id,
            "key": self.key,
            "kind": self.kind,
            "text": self.text,
            "camera": self.camera,
            "track_id": self.track_id,
            "other_track_id": self.other_track_id,
            "time": _iso(self.wall_time),
            "phase": self.phase,
            "last_seen": _iso(self.last_seen if self.last_seen is not None else self.wall_time),
            "ended": None if self.ended_at is None else _iso(self.ended_at),
            "looks": self.looks,
            "clip_at": self.clip_at,
            "identity": self.identity,
            "claimed": self.claimed,
            "likely": self.likely,
            "confidence": self.confidence,
            "raw_probability": self.raw_probability,
            "view_probability": self.view_probability,
            "reason": self.reason,
            "dissent": self.dissent,
            "box": list(self.box),
            "pictures": list(self.pictures),
            "picture_url": f"/api/events/{self.id}/frame" if "frame" in self.pictures else None,
            "acknowledged": self.acknowledged_at is not None,
            "note": self.note,
        }
        if probabilities:
            values["probabilities"] = self.probabilities
        return values


def _iso(wall_time: float) -> str:
    return datetime.fromtimestamp(wall_time, UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class EventFilter:
    """Which events to list, newest first; ``person`` matches identity, claimed and likely name."""

    kinds: frozenset[Kind] | None = None
    camera: str | None = None
    person: str | None = None
    since: float | None = None
    until: float | None = None
    acknowledged: bool | None = None
    before_id: int | None = None
    after_id: int | None = None
    limit: int = 50
