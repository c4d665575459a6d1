"""Who is told what the pipeline does: what draws, what keeps events, what shows. None of them can stop it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from models.arrays import Bytes
from realtime.assembly import Parts
from realtime.cameras.states import CameraStatus
from realtime.decisions import OnDecision
from realtime.metrics import Meter
from realtime.outputs.drawing.overlay import LIVE, Overlay, Status
from realtime.outputs.harmless import harmless, or_else
from realtime.outputs.services import Services
from realtime.pipeline import Draw, OnVerdicts, Pipeline, Show
from realtime.settings.config import Config
from realtime.system.service import Heart
from realtime.types import FacesInFrame, Frame
from realtime.verdicts.verdict import Verdict


@dataclass(frozen=True)
class Told:
    """Who is told what the pipeline does. What of it fails is logged; the pipeline goes on."""

    draw: Draw
    shows: Sequence[Show]
    on_decision: Sequence[OnDecision]
    on_verdicts: Sequence[OnVerdicts]
    heart: Heart = field(default_factory=Heart)

    def show(self, frame: Frame, picture: Bytes) -> None:
        """A picture was drawn."""
        self.heart.beat()
        for one in self.shows:
            one(frame, picture)


def told_of(
    config: Config,
    parts: Parts,
    services: Services,
    *,
    shows: Sequence[Show] = (),
    on_decision: Sequence[OnDecision] = (),
    on_verdicts: Sequence[OnVerdicts] = (),
    note: Callable[[Frame], str] = lambda frame: "",
) -> Told:
    """The services of a run and whoever else listens. ``note`` gives a line to draw onto a picture."""
    ages = {camera.name: camera.max_frame_age for camera in config.cameras}
    feed = services.feed
    return Told(
        drawer(Overlay(**config.overlay.model_dump()), parts.recogniser.engine, parts.meter, ages, note),
        [harmless(one) for one in (services.show, *shows)],
        [harmless(one) for one in (*on_decision, *([feed.on_decision] if feed is not None else []))],
        [harmless(one) for one in (*on_verdicts, *([feed.on_verdicts] if feed is not None else []))],
    )


def pipeline_of(config: Config, parts: Parts, told: Told) -> Pipeline:
    """The live line from the parts to those who are told, not yet started."""
    return Pipeline(
        parts.cameras,
        parts.finders,
        parts.recogniser,
        rules=config.verdict,
        meter=parts.meter,
        draw=told.draw,
        show=told.show,
        on_decision=told.on_decision,
        on_verdicts=told.on_verdicts,
        batch=parts.batch,
        heart=told.heart,
        at_once=parts.at_once,
    )


def drawer(
    overlay: Overlay, engine: str, meter: Meter, max_ages: dict[str, float], note: Callable[[Frame], str]
) -> Draw:
    """Draws a frame with what is known of it; ``max_ages`` are seconds by camera."""

    def draw(frame: Frame, found: FacesInFrame | None, verdicts: dict[int, Verdict], camera: CameraStatus) -> Bytes:
        status = Status(
            camera=camera.name,
            state=camera.state.value if frame.file_time is None else LIVE,  # a file worked on is neither late nor lost
            engine=engine,
            fps=meter.fps() if len(max_ages) == 1 else camera.fps,  # the meter's is of all cameras together
            captured_at=frame.moment,
            wall_time=frame.wall_time,
            max_frame_age=max_ages[frame.camera],
            note=note(frame),
            now=frame.now(),
        )
        tracks = [crop.track for crop in found.crops] if found is not None else []
        return overlay.draw(frame.bgr, tracks, verdicts, status)

    return or_else(draw, lambda frame, *_: frame.bgr.copy())
