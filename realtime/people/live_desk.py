"""People as the live page changes them, beside a running pipeline: one thing at a time, one face at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from models import Recogniser
from models.arrays import Bytes, Floats
from models.errors import BadInput
from models.evidence import CropEvidence
from models.policy import Decision, decide
from realtime.faces.detect import FaceDetector
from realtime.faces.limits import QualityLimits
from realtime.faces.quality import refusal, sharpness
from realtime.faces.realign import Realigner, cut_face
from realtime.people.enrol import look_at
from realtime.people.export import described
from realtime.people.judge import GoodFace, Judge
from realtime.people.people import Added, People
from realtime.people.sitting import Judged, Sitting, Sittings
from realtime.people.sources import Shot, Skipped, digest_of_pixels
from realtime.types import DetectedFace


@dataclass(frozen=True)
class Seen:
    """A face of a picture that somebody asked about. ``evidence`` None: ``decision`` says why it was not looked at."""

    face: DetectedFace
    decision: Decision
    evidence: CropEvidence | None


class LiveDesk:
    """Shares the pipeline's recogniser; faces are looked at one by one, so that the pipeline waits for one at most.

    Args:
        make_detector, make_realigner: made on first use; the pipeline's own belong to its threads.
    """

    def __init__(
        self,
        people: People,
        recogniser: Recogniser,
        make_detector: Callable[[], FaceDetector],
        make_realigner: Callable[[], Realigner | None],
        limits: QualityLimits,
    ) -> None:
        self.people = people
        self._recogniser = recogniser
        self._make = (make_detector, make_realigner)
        self._limits = limits
        self.sittings = Sittings()
        self._tools: tuple[FaceDetector, Realigner | None] | None = None
        self._alone = threading.Lock()

    def listed(self) -> list[dict[str, Any]]:
        """Everybody, ready for JSON."""
        return [described(person) for person in self.people.gallery().people]

    def add(
        self, name: str, shots: Sequence[Shot | Skipped], *, more: bool, keep: bool, anyway: bool = False
    ) -> tuple[Added, tuple[Skipped, ...]]:
        """Learn a person from pictures.

        Raises:
            BadInput: none can be used, or as ``People.add``.
        """
        with self._alone:
            looked = look_at(self._judge(), shots)
            if not looked.faces:
                reasons = "; ".join(dict.fromkeys(one.reason for one in looked.skipped)) or "none was given"
                raise BadInput(f"{name}: no picture can be used ({reasons})")
            added = self._learn(name, looked.faces, more=more, keep=keep, anyway=anyway)
            return added, looked.skipped

    def begin(self, name: str, *, more: bool, keep: bool) -> Sitting:
        """A person's pictures are to be taken one by one; whoever does this has their consent.

        Raises:
            BadInput: it is no name, it is taken, or with ``more`` it is nobody's.
        """
        return self.sittings.begin(Sitting(self.people.checked_new(name, more=more), _consent(), more, keep))

    def look(self, sitting: Sitting, shot: Shot | Skipped) -> Judged:
        """Judge one picture and keep it, in memory, where it is good."""
        with self._alone:
            return sitting.take(shot if isinstance(shot, Skipped) else self._judge().look(shot))

    def finish(self, sitting: Sitting, *, anyway: bool = False) -> Added:
        """Learn what was taken. Asked for once more, because the answer was lost, it gives that again.

        Raises:
            BadInput: nothing good was taken, or as ``People.add``; the sitting goes on.
        """
        with sitting.finishing:
            if sitting.answer is None:
                faces = [face for face, _ in sitting.faces.values()]
                if not faces:
                    raise BadInput(f"{sitting.who}: no picture can be used yet; give at least one with a clear face")
                with self._alone:
                    sitting.answer = self.people.add(
                        sitting.who,
                        faces,
                        self._embed,
                        consent=sitting.consent,
                        more=sitting.more,
                        keep=sitting.keep,
                        anyway=anyway,
                    )
            return sitting.answer

    def this_is(self, name: str, crop: Bytes, *, keep: bool) -> Added:
        """Learn from the canonical crop (S, S, 3) RGB of an event; whoever has that name gets one picture more.

        Raises:
            BadInput: the crop is of another size than the network's, or as ``People.add``.
        """
        side = self._recogniser.input_size
        if crop.shape != (side, side, 3):
            raise BadInput(f"{name}: the stored face is {crop.shape[1]} pixels wide, this network's are {side}")
        with self._alone:
            face = GoodFace("event", crop, digest_of_pixels(crop), sharpness(crop))
            more = self.people.gallery().find(name) is not None
            return self._learn(name, [face], more=more, keep=keep)

    def recognise(self, bgr: Bytes) -> list[Seen]:
        """Decide on every face of a picture (H, W, 3) BGR, the largest first; none: an empty list."""
        with self._alone:
            detector, realigner = self._loaded()
            return [self._seen(bgr, face, realigner) for face in detector.detect(bgr)]

    def _seen(self, bgr: Bytes, face: DetectedFace, realigner: Realigner | None) -> Seen:
        crop = cut_face(bgr, face, self._recogniser.input_size, realigner)
        refused = refusal(crop, face.landmarks, bgr.shape, self._limits)
        if refused is not None:
            return Seen(face, Decision.unknown(refused), None)
        evidence = self._recogniser.defend(crop[None])[0]
        return Seen(face, decide(evidence, self._recogniser.policy), evidence)

    def _learn(self, name: str, faces: Sequence[GoodFace], *, more: bool, keep: bool, anyway: bool = False) -> Added:
        return self.people.add(name, faces, self._embed, consent=_consent(), more=more, keep=keep, anyway=anyway)

    def _judge(self) -> Judge:
        detector, realigner = self._loaded()
        return Judge(detector, self._recogniser.input_size, realigner=realigner, limits=self._limits)

    def _embed(self, crops: Bytes) -> Floats:
        return np.concatenate([self._recogniser.embed(crop[None]) for crop in crops])

    def _loaded(self) -> tuple[FaceDetector, Realigner | None]:
        if self._tools is None:
            detector, realigner = self._make
            self._tools = (detector(), realigner())
        return self._tools


def _consent() -> str:
    return f"{date.today().isoformat()}, stated on the page"


def live_desk(
    file: Path | None,
    recogniser: Recogniser,
    make_detector: Callable[[], FaceDetector],
    make_realigner: Callable[[], Realigner | None],
    limits: QualityLimits,
) -> LiveDesk | None:
    """None where nobody can be added: a closed set, or the bundle's people as they come."""
    if file is None or recogniser.gallery is None:
        return None
    return LiveDesk(People(file, recogniser.bundle), recogniser, make_detector, make_realigner, limits)
