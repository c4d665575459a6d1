"""A five-second clip of one face through the whole line: what was looked at, and what was said, picture by picture.

The clip is made from one picture (``tools.fault_drill.drift``), written as H.264, and read back frame by frame through
detector, tracker, recogniser and verdicts, as ``--every-frame`` does. What came of it is kept in a file for each
picture, so that a run that was interrupted goes on, and whatever is counted later needs no second run.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.arrays import Bytes, Floats, read_arrays
from models.evidence import CropEvidence
from models.policy import Decision
from models.recogniser import Recogniser
from realtime.assembly import detector_of, finder_of
from realtime.cameras.from_config import capture_from
from realtime.cameras.states import CameraStatus
from realtime.faces.detect import FaceDetector
from realtime.metrics import Meter
from realtime.pipeline import run_every_frame
from realtime.settings.config import CameraConfig, Config
from realtime.system.command_line import write_whole
from realtime.types import FaceCrop, FacesInFrame, Frame
from realtime.verdicts.verdict import Verdict
from tools.evaluation.answered import views_only
from tools.fan_out.fan import Fan
from tools.fault_drill.drift import COUNT, Drift, drifting
from tools.fault_drill.scenes import read_portrait, write_clip

NOTHING: Final = -2  # said of a face: nothing as current
UNKNOWN: Final = -1
ALARM: Final = -3
_ARRAYS = ("said", "moments", "raw", "masked", "views")


@dataclass(frozen=True)
class Subject:
    """One picture, of ``name`` ("": a stranger); ``seed`` of its drift."""

    path: Path
    name: str
    seed: int


@dataclass(frozen=True)
class Looks:
    """One clip, F pictures of which D were decided on; K people, V zones.

    ``said`` is what a viewer sees as current in each picture: a label's place, ``UNKNOWN``, ``ALARM`` or ``NOTHING``.
    """

    said: npt.NDArray[np.int16]  # (F,)
    moments: npt.NDArray[np.float64]  # (D,) seconds
    raw: Floats  # (D, K)
    masked: Floats  # (D, K)
    views: Floats  # (D, V, K)

    def evidence(self, labels: tuple[str, ...], zones: tuple[str, ...]) -> list[CropEvidence]:
        """What each decision was made on."""
        return views_only(labels, self.raw, self.masked, self.views, zones)


def kept_looks(
    recogniser: Recogniser,
    subjects: Sequence[Subject],
    folder: Path,
    *,
    frames: int = COUNT,
    fan: Fan | None = None,
    done: Callable[[int], object] = lambda count: None,
) -> dict[int, Looks]:
    """Of each subject, by its place, the looks: made now or kept from an earlier run; without those in whose picture
    no face is found.

    Raises:
        BadInput: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{_key(recogniser, one, frames)}.npz" for one in subjects]
    found: dict[int, Looks] = {}
    for place, file in enumerate(files):
        kept = read_arrays(file, *_ARRAYS)
        if kept is not None:
            found[place] = _unpacked(kept)
    missing = [place for place in range(len(subjects)) if place not in found]
    done(len(found))
    for number, looks in _made((recogniser, frames), [subjects[place] for place in missing], fan):
        place = missing[number]
        _keep(files[place], looks)
        found[place] = looks
        done(1)
    return {place: looks for place, looks in sorted(found.items()) if len(looks.said)}


def _made(shared: tuple[Recogniser, int], subjects: Sequence[Subject], fan: Fan | None) -> Iterator[tuple[int, Looks]]:
    if fan is not None and subjects:
        yield from fan.map(looks_of, shared, subjects)
        return
    for place, one in enumerate(subjects):
        yield place, looks_of(shared, one)


def looks_of(shared: tuple[Recogniser, int], subject: Subject) -> Looks:
    """Make the clip, run it, forget it; without a face in the picture there is nothing in it."""
    recogniser, frames = shared
    detector = _detector()
    portrait = read_portrait(subject.path, detector, subject.name)
    watch = _Watch(recogniser.labels)
    if portrait is not None:
        with tempfile.TemporaryDirectory(prefix="spectaclear-clips-") as name:
            clip = drifting(portrait, seed=subject.seed, count=frames)
            _run(write_clip(Path(name) / "clip.mp4", clip, seed=subject.seed), recogniser, detector, watch)
    return watch.looks(len(recogniser.labels), len(recogniser.zones))


def _run(path: Path, recogniser: Recogniser, detector: FaceDetector, watch: _Watch) -> None:
    camera = CameraConfig(name="clip", source=str(path), every_frame=True)
    config = Config(cameras=[camera])
    run_every_frame(
        capture_from(camera),
        finder_of(config, detector, recogniser.input_size),
        recogniser,
        rules=config.verdict,
        meter=Meter(recogniser.engine),
        draw=watch.draw,
        show=lambda frame, picture: None,
        on_decision=[watch.decided],
    )


@lru_cache(maxsize=1)
def _detector() -> FaceDetector:
    return detector_of(Config().detection)


@dataclass
class _Watch:
    """Told of every decision and every picture."""

    labels: tuple[str, ...]
    said: list[int] = field(default_factory=list)
    decisions: list[tuple[float, CropEvidence]] = field(default_factory=list)

    def decided(self, crop: FaceCrop, evidence: CropEvidence, undefended: Decision, defended: Decision) -> None:
        self.decisions.append((crop.frame.moment, evidence))

    def draw(
        self, frame: Frame, found: FacesInFrame | None, verdicts: Mapping[int, Verdict], camera: CameraStatus
    ) -> Bytes:
        """In the place of the overlay. Of several tracks over one face the loudest counts: an alarm, then a name."""
        told = [self._code(verdict) for verdict in verdicts.values() if not verdict.stale]
        self.said.append(ALARM if ALARM in told else max(told, default=NOTHING))
        return frame.bgr

    def _code(self, verdict: Verdict) -> int:
        if verdict.state == "suspected_attack":
            return ALARM
        return self.labels.index(verdict.identity) if verdict.identity in self.labels else UNKNOWN

    def looks(self, people: int, views: int) -> Looks:
        seen = [one for _, one in self.decisions]
        return Looks(
            np.array(self.said, np.int16),
            np.array([at for at, _ in self.decisions], np.float64),
            np.stack([one.raw for one in seen]) if seen else np.zeros((0, people), np.float32),
            np.stack([one.defended for one in seen]) if seen else np.zeros((0, people), np.float32),
            np.stack([one.views for one in seen]) if seen else np.zeros((0, views, people), np.float32),
        )


def _key(recogniser: Recogniser, subject: Subject, frames: int) -> str:
    """Everything that decides the looks: the recogniser and its policy, the picture, the drift, the verdict's rules."""
    bundle = recogniser.bundle
    made_with: dict[str, object] = {
        "bundle": [bundle.checksum, bundle.cover, recogniser.engine],
        "labels": recogniser.labels,
        "zones": recogniser.zones,
        "policy": asdict(recogniser.policy),
        "mask": asdict(recogniser.mask_parameters),
        "rules": Config().verdict.model_dump(),
        "drift": asdict(Drift()),
        "subject": [subject.name, subject.seed, frames],
    }
    digest = hashlib.sha256(json.dumps(made_with, sort_keys=True, default=str).encode())
    digest.update(subject.path.read_bytes())
    return f"{subject.path.parent.name}-{subject.path.stem}-{digest.hexdigest()[:16]}"


def _keep(file: Path, looks: Looks) -> None:
    content = io.BytesIO()
    small = {name: getattr(looks, name).astype(np.float16) for name in ("raw", "masked", "views")}
    np.savez_compressed(content, said=looks.said, moments=looks.moments, **small)
    write_whole(file, content.getvalue())


def _unpacked(kept: Mapping[str, npt.NDArray[Any]]) -> Looks:
    wide = {name: kept[name].astype(np.float32) for name in ("raw", "masked", "views")}
    return Looks(kept["said"], kept["moments"], **wide)
