"""A group of cameras in one process: capture, detection, tracking and drawing stay here; crops travel."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from realtime.assembly import Parts, detector_of, finder_of, service_settings
from realtime.cameras.from_config import capture_from
from realtime.cluster.remote import Known, RemoteRecogniser, asking_serve
from realtime.cluster.reports import Report, Seen
from realtime.metrics import Meter
from realtime.outputs.services import Services
from realtime.outputs.web.live_pictures import LivePictures
from realtime.settings.config import Config, DetectionConfig
from realtime.system.open_files import allow_many_open_files
from realtime.system.threads import calm_opencv

if TYPE_CHECKING:
    from realtime.pipeline import Pipeline

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order:
    """What a group has to do: its number, its cameras' configuration, and what was seen of them before.

    ``cores`` are the node's.
    """

    number: int
    config: Config
    cores: float
    known: Known
    at_once: int
    seen: Sequence[Seen] = ()


class CameraGroup:
    """The process of a group. Without an order it waits, with everything loaded: a spare. A move has few seconds."""

    def __init__(self, node: str, detection: DetectionConfig) -> None:
        import realtime.telling  # noqa: F401 - it and the tracker take seconds to import, and the keeper needs neither

        self._node = node
        self._detector = detector_of(detection)
        self._detector.detect(np.zeros((480, 640, 3), np.uint8))
        self._asking = asking_serve()
        self._order: Order | None = None
        self._pipeline: Pipeline | None = None
        self._parts: Parts | None = None
        self._pictures: LivePictures | None = None
        self._stack = ExitStack()
        self._gone = threading.Event()
        calm_opencv()
        allow_many_open_files()

    def ready(self) -> str:
        """The node's name, once everything is imported."""
        return self._node

    def stay(self) -> None:
        """Does not return before ``leave``; raises what the pipeline failed with."""
        while not self._gone.wait(0.2):
            if self._pipeline is not None:
                self._pipeline.wait(0)

    def take(self, order: Order) -> None:
        """Begin. Raises ``BadInput`` where a file or a folder of the configuration is wrong on this node."""
        from realtime.telling import pipeline_of, told_of

        config = order.config
        cameras = [capture_from(camera) for camera in config.cameras]
        recogniser = RemoteRecogniser(order.known, self._asking)
        size = recogniser.input_size
        finders = {
            camera.name: finder_of(config, self._detector, size, camera, cores=order.cores) for camera in config.cameras
        }
        parts = Parts(recogniser, Meter(recogniser.engine), cameras, finders, order.known.batch, order.at_once)
        self._pictures = LivePictures(parts.statuses)
        settings = service_settings(config)
        services = self._stack.enter_context(Services(settings, parts.statuses, parts.meter, recogniser.explain))
        if services.events is not None:
            now = time.monotonic()
            for one in order.seen:
                services.events.remember(one.camera, one.name, now - one.ago)
        told = told_of(config, parts, services, shows=[self._pictures.show])
        pipeline = pipeline_of(config, parts, told)
        self._stack.callback(pipeline.stop)
        pipeline.start()
        self._order, self._parts, self._pipeline = order, parts, pipeline

    def report(self) -> Report:
        """How it is."""
        if self._order is None or self._parts is None:
            return Report(None, self._node, os.getpid())
        parts = self._parts
        counts: dict[str, Any] = {**parts.meter.counts(), "summary": parts.meter.summary(time.monotonic())}
        number, engine = self._order.number, parts.recogniser.engine
        return Report(number, self._node, os.getpid(), tuple(parts.statuses()), counts, engine)

    def known(self) -> Known | None:
        """What its order says of the recognisers: a new keeper need not wait for one of them."""
        return None if self._order is None else self._order.known

    def picture(self, camera: str, newer_than: int) -> tuple[int, bytes, float] | None:
        """The newest picture of a camera: (sequence, JPEG, age in seconds); None where there is no newer one."""
        if self._pictures is None or self._pictures.newest(camera) <= newer_than:
            return None
        found = self._pictures.picture(camera)
        return None if found is None else (found.sequence, found.jpeg, time.monotonic() - found.captured_at)

    def leave(self) -> None:
        """End: events that wait are stored, and ``stay`` returns."""
        self._stack.close()
        self._gone.set()
