"""How long a name stands over somebody else's face while faces change: the twenty clips, live and with every frame.

What counts is what a viewer sees: in each picture that is drawn, the verdicts that are drawn as current (not stale),
each against whose face is really there. A person who is known under another's name for one picture of 25 a second is
wrong for 0.04 s; pictures that were not drawn count as the last one that was. A change turns in its middle.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypedDict, get_args

import numpy as np

from models.arrays import Bytes
from models.errors import BadInput
from models.recogniser import Recogniser
from realtime.assembly import batch_of, detector_of, finder_of, realigner_of, recogniser_of, warm_up
from realtime.board import Board
from realtime.cameras.from_config import capture_from
from realtime.cameras.states import CameraError, CameraState, CameraStatus
from realtime.cameras.video_file import VideoFile
from realtime.decisions import decide_crops
from realtime.faces.detect import FaceDetector
from realtime.faces.find import FaceFinder
from realtime.faces.limits import QualityLimits
from realtime.faces.track import FaceTracker
from realtime.metrics import Meter
from realtime.pipeline import Pipeline, run_every_frame
from realtime.schedule import Schedule, key_of
from realtime.settings.config import CameraConfig, Config, load_config
from realtime.types import FaceCrop, FacesInFrame, Frame
from realtime.verdicts.verdict import Verdict
from tools.fault_drill.casting import cast_of
from tools.fault_drill.changes import changes
from tools.fault_drill.scenes import (
    FPS,
    TILE,
    Clip,
    Truth,
    write_clip,
)

MOST_WRONG = 0.5  # seconds in which a wrong name may be shown as current: the target, for one and two faces
Mode = Literal["live", "paced", "every frame"]
MODES: Final[dict[str, Mode]] = {mode: mode for mode in get_args(Mode)}
_NEAR = TILE / 2  # pixels: a box whose middle lies farther from every face is nobody's


class Row(TypedDict):
    """One clip in one mode: for how long a name, a wrong one, or an alarm was shown as current."""

    clip: str
    faces: int
    mode: Mode
    wrong_seconds: float
    right_seconds: float
    alarm_seconds: float
    seconds: float
    wrong_pictures: list[int]
    decisions_per_second: float | None
    pictures_drawn: int


class Wrong(TypedDict):
    """Seconds in which a wrong name was shown as current, over ``n`` clips."""

    n: int
    p50: float
    p95: float
    worst: float
    worst_by_faces: dict[str, float]
    on_target: bool


class Results(TypedDict):
    """``wrong_seconds`` by mode."""

    cast: list[str]
    engine: str
    zones: list[str]
    clips: list[Row]
    wrong_seconds: dict[str, Wrong]


@dataclass(frozen=True)
class Plan:
    """``people``: a folder for each person that the bundle knows; ``strangers``: one for each of others.

    ``live`` runs as fast as this machine can, beside whatever else it does. ``paced`` says what a live run shows where
    a decision on a face takes ``decision_ms``, on a clock of the file's own, so that a busy machine changes nothing.
    """

    people: Path
    strangers: Path
    bundle: str | None = None
    engine: str | None = None
    threads: int | None = None
    only: str = ""
    modes: Sequence[Mode] = ("live", "paced", "every frame")
    decision_ms: float = 120.0


@dataclass
class Shown:
    """Told of every picture that is drawn; notes what is said as current in it, by picture."""

    truth: Sequence[Sequence[Truth]]
    right: set[int] = field(default_factory=set)
    wrong: set[int] = field(default_factory=set)
    alarms: set[int] = field(default_factory=set)
    drawn: set[int] = field(default_factory=set)

    def draw(
        self, frame: Frame, found: FacesInFrame | None, verdicts: Mapping[int, Verdict], camera: CameraStatus
    ) -> Bytes:
        """In the place of the overlay."""
        self.drawn.add(frame.index)
        for crop in found.crops if found is not None else ():
            verdict = verdicts.get(crop.track.track_id)
            if verdict is None or verdict.stale or verdict.epoch != crop.track.epoch:
                continue
            box = crop.track.face.box
            there = whose(self.truth[min(frame.index, len(self.truth) - 1)], (box[:2] + box[2:]) / 2)
            if verdict.state == "suspected_attack":
                self.alarms.add(frame.index)
            elif verdict.state == "known" and there is not None:
                (self.right if verdict.identity == there else self.wrong).add(frame.index)
        return frame.bgr

    def seconds(self, numbers: Iterable[int]) -> float:
        """How long these pictures were seen: each until the next one that was drawn."""
        order = sorted(self.drawn)
        until = dict(zip(order, [*order[1:], len(self.truth)], strict=True))
        return sum(until[number] - number for number in numbers) / FPS


def whose(truth: Sequence[Truth], middle: np.ndarray) -> str | None:
    """Whose face has its middle nearest to this (2,); None where there is none near."""
    near = sorted((float(np.hypot(one.x - middle[0], one.y - middle[1])), one.name) for one in truth)
    return near[0][1] if near and near[0][0] <= _NEAR else None


def measure(plan: Plan, *, tell: Callable[[Row], None] = lambda row: None) -> Results:
    """A row per clip and mode, and the worst, p95 and p50 of each mode; ``tell`` gets every row at once.

    Raises:
        BadInput: the folders hold too few people whom the bundle knows, or nobody else; or no clip has such a name.
    """
    config = _config(plan)
    recogniser, detector = recogniser_of(config), detector_of(config.detection)
    warm_up(recogniser, detector)
    setting = Setting(config, recogniser, detector, batch_of(config, recogniser), plan.decision_ms / 1e3)
    cast = cast_of(plan.people, plan.strangers, recogniser, detector)
    clips = [clip for clip in changes(cast) if plan.only in clip.name]
    if not clips:
        raise BadInput(f"--only {plan.only}: no clip has this in its name; they are: {_names(changes(cast))}")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="spectaclear-time-") as folder:
        for number, clip in enumerate(clips):
            path = write_clip(Path(folder) / "clip.mp4", clip, seed=number)
            for mode in plan.modes:
                rows.append(_run(clip, path, setting, mode))
                tell(rows[-1])
    return {
        "cast": [one.name for one in (*cast.people, cast.stranger)],
        "engine": recogniser.engine,
        "zones": list(recogniser.zones),
        "clips": rows,
        "wrong_seconds": {
            mode: summary([row for row in rows if row["mode"] == mode])
            for mode in dict.fromkeys(r["mode"] for r in rows)
        },
    }


def summary(rows: Sequence[Row]) -> Wrong:
    """p50, p95 and worst over the clips, and the worst of those with so many faces."""
    wrong = [row["wrong_seconds"] for row in rows]
    counts = sorted({row["faces"] for row in rows})
    by_faces = {count: max(r["wrong_seconds"] for r in rows if r["faces"] == count) for count in counts}
    small = [seconds for count, seconds in by_faces.items() if count <= 2]
    return {
        "n": len(rows),
        "p50": round(float(np.percentile(wrong, 50)), 3),
        "p95": round(float(np.percentile(wrong, 95)), 3),
        "worst": max(wrong),
        "worst_by_faces": {str(count): seconds for count, seconds in by_faces.items()},
        "on_target": all(seconds <= MOST_WRONG for seconds in small),
    }


@dataclass(frozen=True)
class Setting:
    """What all clips are run with. ``seconds``: those of a paced decision."""

    config: Config
    recogniser: Recogniser
    detector: FaceDetector
    batch: int
    seconds: float


def _run(clip: Clip, path: Path, setting: Setting, mode: Mode) -> Row:
    recogniser = setting.recogniser
    camera = CameraConfig(name="clip", source=str(path), every_frame=mode != "live")
    config = setting.config.model_copy(update={"cameras": [camera]})
    shown = Shown([clip.truth(number) for number in range(clip.count)])
    meter, capture = Meter(recogniser.engine), capture_from(camera)
    finder = finder_of(config, setting.detector, recogniser.input_size)

    def show(frame: Frame, picture: Bytes) -> None:
        """Nobody looks but ``shown``."""

    if mode == "paced":
        run_paced(path, shown, setting)
    elif mode == "every frame":
        run_every_frame(capture, finder, recogniser, rules=config.verdict, meter=meter, draw=shown.draw, show=show)
    else:
        pipeline = Pipeline(
            [capture],
            {camera.name: finder},
            recogniser,
            rules=config.verdict,
            meter=meter,
            draw=shown.draw,
            show=show,
            batch=setting.batch,
        )
        pipeline.start()
        try:
            pipeline.wait(clip.count / FPS + 20)
        finally:
            pipeline.stop()
    figures = meter.summary()
    return {
        "clip": clip.name,
        "faces": clip.faces,
        "mode": mode,
        "wrong_seconds": round(shown.seconds(shown.wrong), 3),
        "right_seconds": round(shown.seconds(shown.right), 3),
        "alarm_seconds": round(shown.seconds(shown.alarms), 3),
        "seconds": round(clip.count / FPS, 2),
        "wrong_pictures": sorted(shown.wrong),
        "decisions_per_second": figures["decisions_per_second"] if mode == "live" else None,
        "pictures_drawn": len(shown.drawn),
    }


def run_paced(path: Path, shown: Shown, setting: Setting) -> None:
    """The line of a live run on the clip's own clock: one face at a time, its result after ``setting.seconds``."""
    recogniser, rules = setting.recogniser, setting.config.verdict
    finder = FaceFinder(
        setting.detector,
        FaceTracker(**setting.config.tracking.model_dump()),
        size=recogniser.input_size,
        limits=QualityLimits(**setting.config.quality.model_dump()),
        detect_every=setting.config.detection.detect_every,
        realigner=realigner_of(setting.config),
    )
    board = Board(["clip"], rules, recogniser.policy)
    schedule, meter = Schedule(1, within=rules.max_age), Meter()
    status = CameraStatus("clip", CameraState.LIVE)
    working: tuple[float, FaceCrop] | None = None
    with closing(VideoFile(path, name="clip", every_frame=True)) as film:
        while True:
            try:
                frame = film.read()
            except CameraError:
                return
            if working is not None and working[0] <= frame.moment:
                done = working[1]
                decide_crops(recogniser, [done], board, meter, (), schedule, now=working[0])
                working = None
            found = finder.find(frame)
            board.put_faces(found, frame.moment)
            if working is None:
                schedule.keep_only(key_of(crop) for crop in board.crops())
                chosen = schedule.pick(board.crops(), frame.moment, board.changed)
                working = (frame.moment + setting.seconds, chosen[0]) if chosen else None
            shown.draw(frame, found, board.verdicts("clip", frame.moment), status)


def _config(plan: Plan) -> Config:
    config = load_config()
    changed = {"bundle": plan.bundle, "engine": plan.engine, "threads": plan.threads}
    given = {key: value for key, value in changed.items() if value is not None}
    return config.model_copy(update={"recognition": config.recognition.model_copy(update=given)})


def _names(clips: Sequence[Clip]) -> str:
    return "; ".join(clip.name for clip in clips)
