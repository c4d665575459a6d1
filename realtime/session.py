"""Puts the parts together for a run: from a configuration to a pipeline, its outputs, and the figures at the end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from models.errors import BadInput
from realtime.assembly import (
    Parts,
    desk_of,
    detector_of,
    parts_of,
    recogniser_of,
    recorded,
    recordings_of,
    service_settings,
)
from realtime.cameras.from_config import capture_from
from realtime.cameras.newest_frame import NewestFrame
from realtime.cameras.open import is_file, is_live, may_be_opened_twice, open_camera
from realtime.cameras.states import CameraError, CameraStatus, Cause
from realtime.decisions import OnDecision
from realtime.drill import Drill
from realtime.metrics import Summary
from realtime.outputs.drawing.mosaic import Mosaic
from realtime.outputs.recording.recordings import recording_files
from realtime.outputs.seen_so_far import seen_so_far
from realtime.outputs.services import Services
from realtime.outputs.window import Window, has_screen
from realtime.people.follow import GalleryFollower
from realtime.people.place import gallery_file
from realtime.pipeline import OnVerdicts, Pipeline, Show, run_every_frame
from realtime.settings.config import CameraConfig, Config
from realtime.system.command_line import console, refuse_overwriting
from realtime.system.memory import give_back_memory
from realtime.system.open_files import allow_many_open_files
from realtime.system.redact import redact
from realtime.system.service import told as telling_of
from realtime.system.signals import terminated_by_signal
from realtime.system.threads import calm_opencv
from realtime.telling import Told, pipeline_of, told_of
from realtime.types import Frame

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
    drill = drill or Drill(partial(detector_of, config.detection))
    capture = capture or partial(capture_from, worn=drill.worn)
    parts = parts_of(config, recogniser, [capture(camera) for camera in config.cameras])
    give_back_memory()
    with terminated_by_signal() as when_asked:
        with ExitStack() as stack:
            stack.enter_context(GalleryFollower(recogniser, gallery_file(config.recognition)))
            screen = Mosaic(parts.statuses)
            desk = desk_of(config, recogniser)
            services = stack.enter_context(
                Services(service_settings(config), parts.statuses, parts.meter, recogniser.explain, desk, drill)
            )
            if services.page is not None:
                console.print(f"live page: {services.page.url}")
            recordings = None
            if outputs.record is not None:
                recordings = stack.enter_context(recordings_of(outputs.record, config))
            told = told_of(
                config,
                parts,
                services,
                shows=[*outputs.shows, screen.put, *([recordings.show] if recordings is not None else [])],
                on_decision=[*outputs.on_decision, drill.count],
                on_verdicts=outputs.on_verdicts,
                note=drill.noted(outputs.note),
            )
            stack.enter_context(telling_of(told.heart))
            asked = threading.Event()
            if config.cameras[0].every_frame:
                when_asked(asked.set, parts.cameras[0].stop_soon)
                outputs.running(parts.cameras[0].stop_soon)
                failures = _every_frame(config, parts, told, outputs)
                ends = parts.statuses()
            else:
                pipeline = pipeline_of(config, parts, told)
                stack.callback(pipeline.stop)
                when_asked(asked.set, pipeline.stop_soon)
                outputs.running(pipeline.stop_soon)
                failures, ends = _live(pipeline, screen, outputs, asked.is_set)
            services.finish(asked.is_set)
        failures += recordings.failures() if recordings is not None else []
        failures += services.events.failures() if services.events is not None else []
        summary = parts.meter.summary()
        summary["cameras"] = [status.figures() for status in ends]
        ended = Ended(summary, recordings.finished() if recordings is not None else [], failures)
        outputs.report(ended)
    if failures:
        raise BadInput("; ".join(failures))
    return ended.summary


def _every_frame(config: Config, parts: Parts, told: Told, outputs: Outputs) -> list[str]:
    """Work on every frame of the one file; gives a line where it breaks off."""
    (camera,) = parts.cameras
    with seen_so_far() as seen:
        told = replace(told, shows=[*told.shows, seen])
        try:
            run_every_frame(
                camera,
                parts.finders[camera.name],
                parts.recogniser,
                rules=config.verdict,
                meter=parts.meter,
                draw=told.draw,
                show=told.show,
                on_decision=told.on_decision,
                on_verdicts=told.on_verdicts,
                seconds=outputs.seconds,
            )
        except BadInput as error:
            return [str(error)]
    return []


def _live(
    pipeline: Pipeline, screen: Mosaic, outputs: Outputs, asked: Callable[[], bool]
) -> tuple[list[str], list[CameraStatus]]:
    """Follow the cameras until it is over; gives a line for what went wrong, and how the cameras were at the end."""
    cameras = pipeline.cameras
    pipeline.start()
    if len(cameras) == 1:
        cameras[0].wait_for_news(outputs.seconds)  # the time to open it is not taken from the run's
    _until_over(pipeline, screen, outputs)
    ends = [camera.status() for camera in cameras]
    failures = _broken_ends(cameras)
    if not failures and not asked():
        failures += _nothing_seen(ends)
    pipeline.stop()
    return failures, ends


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


def window_wanted(*, headless: bool) -> bool:
    """Whether to open a window: not asked otherwise, and there is a screen."""
    return not headless and has_screen()
