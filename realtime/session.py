"""Puts the parts together for a run: from a configuration to a pipeline, its outputs, and the figures at the end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from models.arrays import Bytes
from models.errors import BadInput
from realtime.assembly import (
    batch_of,
    desk_of,
    detector_of,
    finder_of,
    recogniser_of,
    recorded,
    recordings_of,
    service_settings,
    warm_up,
)
from realtime.cameras.from_config import capture_from
from realtime.cameras.newest_frame import NewestFrame
from realtime.cameras.open import is_file, is_live, may_be_opened_twice, open_camera
from realtime.cameras.states import CameraError, CameraStatus, Cause
from realtime.drill import Drill
from realtime.metrics import Meter, Summary
from realtime.outputs.drawing.mosaic import Mosaic
from realtime.outputs.drawing.overlay import LIVE, Overlay, Status
from realtime.outputs.harmless import harmless, or_else
from realtime.outputs.recording.recordings import Recordings, recording_files
from realtime.outputs.seen_so_far import seen_so_far
from realtime.outputs.services import Services
from realtime.outputs.window import Window, has_screen
from realtime.people.follow import GalleryFollower
from realtime.people.place import gallery_file
from realtime.pipeline import Draw, OnDecision, OnVerdicts, Pipeline, Show, run_every_frame
from realtime.settings.config import CameraConfig, Config
from realtime.system.command_line import console, refuse_overwriting
from realtime.system.memory import give_back_memory
from realtime.system.open_files import allow_many_open_files
from realtime.system.redact import redact
from realtime.system.service import Heart, told
from realtime.system.signals import terminated_by_signal
from realtime.system.threads import calm_opencv
from realtime.types import FacesInFrame, Frame
from realtime.verdicts.verdict import Verdict

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ended:
    """What a run leaves: its figures, the recordings that are whole, and a line for everything that went wrong."""

    summary: Summary
    recorded: Sequence[Path]
    failures: Sequence[str]


@dataclass(frozen=True)
class Outputs:
    """What a run shows and keeps.

    ``record``: an MP4 of what is displayed, see ``recording_files``. ``window``: where there is a screen.
    ``seconds``: None runs until the sources end or somebody stops it. ``shows`` are told of every picture shown.
    ``report`` is told of the end, also of one that raises for its failures, while no SIGTERM can cut it off.
    ``running`` is given what ends the run soon, from any thread, once there is something to end.
    """

    record: Path | None = None
    window: bool = False
    seconds: float | None = None
    on_decision: Sequence[OnDecision] = ()
    on_verdicts: Sequence[OnVerdicts] = ()
    shows: Sequence[Show] = ()
    note: Callable[[Frame], str] = field(default=lambda frame: "")
    report: Callable[[Ended], None] = field(default=lambda ended: None)
    running: Callable[[Callable[[], None]], None] = field(default=lambda stop_soon: None)


def run(
    config: Config,
    outputs: Outputs,
    *,
    capture: Callable[[CameraConfig], NewestFrame] | None = None,
    drill: Drill | None = None,
) -> Summary:
    """Run the configured cameras and return what happened.

    ``capture`` makes a camera's capture thread; None: the usual one. ``drill``: what faces wear; None: what the page
    puts on.

    Raises:
        BadInput: a bundle, a detector file or the recording cannot be opened; or all was done, closed and reported,
            but a file broke off, or a recording did, or no camera had sent a picture when its time was over.
    """
    refuse_bad_files(config)
    if outputs.record is not None:
        files = recording_files(outputs.record, recorded(config))
        refuse_overwriting(files_read(config), *files.values())
    calm_opencv()
    allow_many_open_files()
    recogniser = recogniser_of(config)
    meter = Meter(recogniser.engine)
    drill = drill or Drill(partial(detector_of, config.detection))
    capture = capture or partial(capture_from, worn=drill.worn)
    cameras = [capture(camera) for camera in config.cameras]
    detector = detector_of(config.detection)
    finders = {camera.name: finder_of(config, detector, recogniser.input_size, camera) for camera in config.cameras}
    meter.stages(warm_up(recogniser, detector))
    batch = 1 if config.cameras[0].every_frame else batch_of(config, recogniser)
    give_back_memory()
    rules = config.verdict
    recordings: Recordings | None = None
    failures: list[str] = []
    asked, heart = threading.Event(), Heart()
    with terminated_by_signal() as when_asked:
        with ExitStack() as stack:

            def statuses() -> list[CameraStatus]:
                return [camera.status() for camera in cameras]

            stack.enter_context(GalleryFollower(recogniser, gallery_file(config.recognition)))
            screen = Mosaic(statuses)
            services = stack.enter_context(
                Services(
                    service_settings(config), statuses, meter, recogniser.explain, desk_of(config, recogniser), drill
                )
            )
            shows: list[Show] = [screen.put, services.show, *outputs.shows]
            if services.page is not None:
                console.print(f"live page: {services.page.url}")
            on_decision, on_verdicts = [*outputs.on_decision, drill.count], list(outputs.on_verdicts)
            if services.feed is not None:
                on_decision.append(services.feed.on_decision)
                on_verdicts.append(services.feed.on_verdicts)
            if outputs.record is not None:
                recordings = stack.enter_context(recordings_of(outputs.record, config))
                shows.append(recordings.show)
            ages = {camera.name: camera.max_frame_age for camera in config.cameras}
            note = drill.noted(outputs.note)
            draw = drawer(Overlay(**config.overlay.model_dump()), recogniser.engine, meter, ages, note)

            def show(frame: Frame, picture: Bytes) -> None:
                heart.beat()
                for one in shows:
                    one(frame, picture)

            shows = [harmless(one) for one in shows]
            on_decision, on_verdicts = [harmless(one) for one in on_decision], [harmless(one) for one in on_verdicts]
            stack.enter_context(told(heart))
            if config.cameras[0].every_frame:
                when_asked(asked.set, cameras[0].stop_soon)
                outputs.running(cameras[0].stop_soon)
                shows.append(stack.enter_context(seen_so_far()))
                try:
                    run_every_frame(
                        cameras[0],
                        finders[cameras[0].name],
                        recogniser,
                        rules=rules,
                        meter=meter,
                        draw=draw,
                        show=show,
                        on_decision=on_decision,
                        on_verdicts=on_verdicts,
                        seconds=outputs.seconds,
                    )
                except BadInput as error:
                    failures.append(str(error))
                ends = statuses()
            else:
                pipeline = Pipeline(
                    cameras,
                    finders,
                    recogniser,
                    rules=rules,
                    meter=meter,
                    draw=draw,
                    show=show,
                    on_decision=on_decision,
                    on_verdicts=on_verdicts,
                    batch=batch,
                    heart=heart,
                )
                stack.callback(pipeline.stop)
                when_asked(asked.set, pipeline.stop_soon)
                outputs.running(pipeline.stop_soon)
                pipeline.start()
                if len(cameras) == 1:
                    cameras[0].wait_for_news(outputs.seconds)  # the time to open it is not taken from the run's
                _until_over(pipeline, screen, outputs)
                ends = statuses()
                failures += _broken_ends(cameras)
                if not failures and not asked.is_set():
                    failures += _nothing_seen(ends)
                pipeline.stop()
            services.finish(asked.is_set)
        failures += recordings.failures() if recordings is not None else []
        failures += services.events.failures() if services.events is not None else []
        summary = meter.summary()
        summary["cameras"] = [status.figures() for status in ends]
        ended = Ended(summary, recordings.finished() if recordings is not None else [], failures)
        outputs.report(ended)
    if failures:
        raise BadInput("; ".join(failures))
    return ended.summary


def files_read(config: Config) -> list[Path]:
    """Those of the sources that are files."""
    return [Path(camera.source) for camera in config.cameras if is_file(camera.source)]


def _broken_ends(cameras: Sequence[NewestFrame]) -> list[str]:
    """A line for each source that has ended as it should not, a damaged file; none while others go on."""
    if not all(camera.ended for camera in cameras):
        return []
    statuses = [camera.status() for camera in cameras]
    return [_line(one) for one in statuses if one.cause not in (None, Cause.END_OF_FILE)]


def refuse_bad_files(config: Config) -> None:
    """Look at the files among the sources before a model is loaded for nothing.

    Raises:
        BadInput: one is missing, or no video, or without a picture; or every frame is wanted of one of several, or
            of a live camera.
    """
    if len(config.cameras) > 1 and any(camera.every_frame for camera in config.cameras):
        raise BadInput("every_frame takes as long as it takes and works with one camera only; run one file at a time")
    for camera in config.cameras:
        if camera.every_frame and is_live(camera.source):
            source = redact(camera.source)
            raise BadInput(f"every_frame is for files, and {source} waits for nobody; run it without every_frame")
        if may_be_opened_twice(camera.source):
            try:
                with closing(open_camera(camera.source, name=camera.name, every_frame=True)) as file:
                    file.read()
            except CameraError as error:
                raise error.as_bad_input() from None


def _nothing_seen(statuses: Sequence[CameraStatus]) -> list[str]:
    """A line for each camera where none of them has sent a single picture."""
    if any(one.captured for one in statuses):
        return []
    return [_line(one) if one.cause is not None else f"{one.name} sent no picture in time" for one in statuses]


def _line(status: CameraStatus) -> str:
    return f"{status.message}; {status.advice}" if status.advice else status.message


def _until_over(pipeline: Pipeline, screen: Mosaic, outputs: Outputs) -> None:
    end = None if outputs.seconds is None else time.monotonic() + outputs.seconds
    with ExitStack() as stack:
        window = stack.enter_context(Window()) if outputs.window else None
        while end is None or time.monotonic() < end:
            left = 3600.0 if end is None else end - time.monotonic()
            if window is None:
                if pipeline.wait(max(0.0, left)):
                    return
            else:
                picture = screen.next(0.05)
                if picture is not None and not window.show(picture):
                    return
                if pipeline.wait(0):
                    return


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


def window_wanted(*, headless: bool) -> bool:
    """Whether to open a window: not asked otherwise, and there is a screen."""
    return not headless and has_screen()
