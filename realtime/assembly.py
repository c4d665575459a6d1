"""Builds each part of a run from its section of the configuration."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import SecretStr

from models import Recogniser, load_recogniser
from models.errors import BadInput
from realtime.cameras.newest_frame import NewestFrame
from realtime.cameras.open import may_be_opened_twice, open_camera
from realtime.cameras.states import CameraStatus
from realtime.faces.detect import SMALLEST_WORKING_FACE, FaceDetector
from realtime.faces.motion import MotionGate
from realtime.faces.realign import Realigner
from realtime.metrics import Meter
from realtime.outputs.events.types import EventSettings, FindFaces
from realtime.outputs.recording.recordings import Recordings
from realtime.outputs.recording.video_writer import FASTEST, SLOWEST
from realtime.outputs.services import PageSettings, ServiceSettings
from realtime.people.judge import Judge
from realtime.people.live_desk import LiveDesk, live_desk
from realtime.people.place import gallery_file, use_people
from realtime.recogniser import FaceRecogniser
from realtime.settings.config import CameraConfig, Config, DetectionConfig
from realtime.system.threads import thread_budget, usable_cores

if TYPE_CHECKING:
    from realtime.faces.find import FaceFinder

log = logging.getLogger(__name__)

DETECTION_SHARE = 0.5  # of one core at most, for all cameras together
_A_QUARTER = 0.25  # of all cores: what detection may take at most, and following too
CALM = 0.2  # seconds between two searches while nobody is new and nobody is lost: a new face waits no longer
_LONGEST_PASS = 0.15  # seconds: a face that comes while a pass runs waits for its end
_CLEARLY = 0.9  # a larger batch must cost less than this share per face


def recogniser_of(config: Config) -> Recogniser:
    """The configured bundle, people and engine, with the configuration's changes to the defence."""
    recognition = config.recognition
    recogniser = load_recogniser(
        recognition.bundle,
        recognition.engine,
        threads=thread_budget(inference=recognition.threads).inference,
        strict=recognition.strict,
    )
    use_people(recogniser, recognition)
    if config.defence.certified:
        recogniser.certify()
    if config.defence.zones is not None:
        recogniser.zones = tuple(config.defence.zones)
    try:
        recogniser.mask_parameters = replace(recogniser.mask_parameters, **config.defence.overrides())
    except ValueError as error:
        raise BadInput(f"defence: {error}") from error
    return recogniser


def detector_of(config: DetectionConfig) -> FaceDetector:
    """The configured face detector."""
    threshold: dict[str, Any] = {} if config.threshold is None else {"threshold": config.threshold}
    if config.detector == "yunet":
        from realtime.faces.yunet import YuNetDetector

        assert config.yunet_file is not None
        return YuNetDetector(
            Path(config.yunet_file),
            min_face=config.min_face,
            working_size=config.working_size,
            **threshold,
        )
    from realtime.faces.mtcnn_onnx import MtcnnOnnxDetector

    return MtcnnOnnxDetector(
        min_face=config.min_face,
        working_size=config.working_size,
        **threshold,
        threads=thread_budget(detection=config.threads).detection,
    )


def realigner_of(config: Config) -> Realigner | None:
    """The second look at where a face lies in its crop, if the configuration wants one."""
    return Realigner() if config.defence.second_look else None


def most_for_faces(cores: float) -> tuple[float, float]:
    """Of one core, by the clock, what searching for faces and following them may take, for all cameras together."""
    quarter = _A_QUARTER * cores
    return min(DETECTION_SHARE, quarter), min(1.0, quarter)


def finder_of(
    config: Config,
    detector: FaceDetector,
    size: int,
    camera: CameraConfig | None = None,
    *,
    cores: float | None = None,
) -> FaceFinder:
    """Detection, tracking and the quality gate for one camera; offline every frame is searched, whatever the clock.

    ``cores`` that these cameras have; None: those of this process.
    """
    from realtime.faces.find import FaceFinder  # the tracker takes a second to import: only who follows faces pays
    from realtime.faces.track import FaceTracker

    camera = config.cameras[0] if camera is None else camera
    offline = config.cameras[0].every_frame
    searching, following = most_for_faces(usable_cores() if cores is None else cores)
    return FaceFinder(
        detector,
        FaceTracker(**config.tracking.model_dump()),
        size=size,
        limits=config.quality,
        detect_every=1 if offline else camera.detect_every or config.detection.detect_every,
        share=1.0 if offline else searching / len(config.cameras),
        follow_share=1.0 if offline else following / len(config.cameras),
        calm=0.0 if offline else CALM,
        motion=MotionGate() if config.detection.on_motion and not offline else None,
        realigner=realigner_of(config),
        areas=camera.areas,
    )


@dataclass(frozen=True)
class Parts:
    """What the line from camera to verdict is made of.

    ``finders`` are by camera, ``batch`` is most faces per pass, ``at_once`` how many passes are asked for at a time.
    """

    recogniser: FaceRecogniser
    meter: Meter
    cameras: Sequence[NewestFrame]
    finders: Mapping[str, FaceFinder]
    batch: int
    at_once: int = 1

    def statuses(self) -> list[CameraStatus]:
        """How every camera is."""
        return [camera.status() for camera in self.cameras]


def parts_of(config: Config, recogniser: Recogniser, cameras: Sequence[NewestFrame]) -> Parts:
    """The parts of a run in one process, warmed up; the cameras are not yet started."""
    meter = Meter(recogniser.engine)
    detector = detector_of(config.detection)
    finders = {camera.name: finder_of(config, detector, recogniser.input_size, camera) for camera in config.cameras}
    meter.stages(warm_up(recogniser, detector))
    batch = 1 if config.cameras[0].every_frame else batch_of(config, recogniser)
    return Parts(recogniser, meter, cameras, finders, batch)


def warm_up(recogniser: Recogniser, detector: FaceDetector) -> dict[str, float]:
    """Run everything once before the first frame; returns the bare classification's time as a stage.

    While running, the first classification is part of a larger pass and cannot be timed by itself.
    """
    detector.detect(np.zeros((480, 640, 3), np.uint8))
    crop = np.random.default_rng(0).integers(0, 256, (1, recogniser.input_size, recogniser.input_size, 3), np.uint8)
    recogniser.warm_up()
    times = []
    for _ in range(5):
        started = time.perf_counter()
        recogniser.classify(crop)
        times.append((time.perf_counter() - started) * 1e3)
    return {"classify": sorted(times)[2]}


def batch_of(config: Config, recogniser: Recogniser) -> int:
    """Most faces per pass: as configured, otherwise the largest batch that pays, by a short measurement.

    On a processor one face usually fills the cores, and a larger batch only makes others wait.
    """
    if config.recognition.batch is not None:
        return config.recognition.batch
    best, cost = 1, _seconds_of_pass(recogniser, 1)
    for batch in (2, 4, 8, 16):
        took = _seconds_of_pass(recogniser, batch)
        if took > _LONGEST_PASS or took / batch > _CLEARLY * cost:
            break
        best, cost = batch, took / batch
    log.debug("%d faces per pass, %.0f ms each", best, cost * 1e3)
    return best


def _seconds_of_pass(recogniser: Recogniser, batch: int) -> float:
    shape = (batch, recogniser.input_size, recogniser.input_size, 3)
    crops = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    recogniser.defend(crops, quick=True)  # allocates for this batch
    times = []
    for _ in range(2):
        started = time.perf_counter()
        recogniser.defend(crops, quick=True)
        times.append(time.perf_counter() - started)
    return min(times)


def judge_of(config: Config, size: int) -> Judge:
    """The configured detector, second look and quality gate."""
    return Judge(detector_of(config.detection), size, realigner=realigner_of(config), limits=config.quality)


def desk_of(config: Config, recogniser: Recogniser) -> LiveDesk | None:
    """What the page changes people with, with a detector of its own; None where nobody can be added."""
    return live_desk(
        gallery_file(config.recognition),
        recogniser,
        partial(detector_of, config.detection),
        partial(realigner_of, config),
        config.quality,
    )


def recorded(config: Config) -> list[str]:
    """The cameras that are recorded. Raises ``BadInput`` where a recording is wanted of none."""
    names = [camera.name for camera in config.cameras if camera.record]
    if not names:
        raise BadInput(
            "a recording is wanted, and every camera has record: false; set it to true, or leave --record out"
        )
    return names


def recordings_of(path: Path, config: Config) -> Recordings:
    """At the configured rate; every frame of a file at the file's own."""
    names, fps, first = recorded(config), config.record.fps, config.cameras[0]
    if first.every_frame and may_be_opened_twice(first.source):
        file = open_camera(first.source, name=first.name, every_frame=True)
        file.close()
        fps = min(max(file.native_fps or fps, SLOWEST), FASTEST)  # one picture a frame, so every one is kept
    return Recordings(path, names, fps, every_frame=first.every_frame)


def service_settings(config: Config) -> ServiceSettings:
    """What the configuration asks for beside the pipeline: events, messages to others, the live page."""
    events, web = config.events, config.web
    certificate = (Path(web.certificate), Path(web.key)) if web.certificate and web.key else None
    return ServiceSettings(
        folder=None if events.folder is None else Path(events.folder),
        events=EventSettings(
            max_age_days=events.max_age_days,
            max_bytes=round(events.max_gigabytes * 1e9),
            min_free_bytes=round(events.min_free_gigabytes * 1e9),
            pixelate_others=events.pixelate_others,
            again_after=events.repeat_seconds,
            reappear_after=events.reappear_seconds,
            settle=events.settle_seconds,
            clip_seconds=events.clip_seconds,
        ),
        find_faces=_bystander_finder(config) if events.folder is not None and events.pixelate_others else None,
        deliveries={name: section.open() for name, section in config.deliveries().items()},
        page=PageSettings(web.host, web.port, _revealed(web.token), certificate) if web.enabled else None,
    )


def _bystander_finder(config: Config) -> FindFaces:
    """A detector for another thread than that of the faces, which also finds faces too small to be decided on."""
    return detector_of(config.detection.model_copy(update={"min_face": SMALLEST_WORKING_FACE})).detect


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
