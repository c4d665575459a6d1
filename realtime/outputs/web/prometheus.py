"""The figures for Prometheus, in a registry of their own. People's names never become labels."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Sequence

import psutil
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from realtime.cameras.states import CameraState
from realtime.metrics import Meter
from realtime.outputs.delivery.outbox import OutboxSender
from realtime.outputs.events.log import EventLog
from realtime.outputs.web.live_pictures import LivePictures, Sources

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_AGES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
_STATES = {"Known": "known", "SuspectedAttack": "suspected_attack", "Unknown": "unknown"}


class Prometheus(Collector):
    """What ``/metrics`` answers, gathered at the moment of asking. ``senders`` empty the outboxes of ``events``."""

    def __init__(
        self,
        sources: Sources,
        events: EventLog | None = None,
        meter: Meter | None = None,
        senders: Sequence[OutboxSender] = (),
    ) -> None:
        self._sources, self._events, self._meter = sources, events, meter
        self._senders = tuple(senders)
        self._process = psutil.Process()
        self._registry = CollectorRegistry(auto_describe=False)
        self._ages = Histogram(
            "spectaclear_frame_age_seconds",
            "Age of a frame when it was displayed",
            ["camera"],
            buckets=_AGES,
            registry=self._registry,
        )
        self._registry.register(self)

    def displayed(self, camera: str, age: float) -> None:
        """A frame was displayed; for ``LivePictures.on_displayed``."""
        self._ages.labels(camera).observe(max(0.0, age))

    @property
    def registry(self) -> CollectorRegistry:
        """For a server of its own."""
        return self._registry

    def text(self) -> bytes:
        """The answer to a scrape."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """For the registry."""
        yield from self._of_cameras()
        yield from self._of_decisions()
        yield from self._of_events()
        yield from self._of_process()

    def _of_cameras(self) -> Iterator[Metric]:
        captured = CounterMetricFamily("spectaclear_frames_captured", "Frames taken from the camera", labels=["camera"])
        dropped = CounterMetricFamily(
            "spectaclear_frames_dropped", "Frames not let through, by reason", labels=["camera", "reason"]
        )
        reconnects = CounterMetricFamily("spectaclear_reconnects", "Connections after the first", labels=["camera"])
        fps = GaugeMetricFamily("spectaclear_fps", "Frames per second of the last seconds", labels=["camera", "what"])
        age = GaugeMetricFamily("spectaclear_newest_frame_age_seconds", "Age of the newest frame", labels=["camera"])
        state = GaugeMetricFamily("spectaclear_camera_state", "1 for the present state", labels=["camera", "state"])
        displayed = CounterMetricFamily("spectaclear_frames_displayed", "Frames displayed", labels=["camera"])
        for camera in self._sources.cameras():
            captured.add_metric([camera.name], camera.captured)
            reconnects.add_metric([camera.name], camera.reconnects)
            fps.add_metric([camera.name, "captured"], camera.fps)
            for reason, count in camera.dropped.items():
                dropped.add_metric([camera.name, reason], count)
            if camera.frame_age is not None:
                age.add_metric([camera.name], camera.frame_age)
            for one in CameraState:
                state.add_metric([camera.name, one.value], float(camera.state is one))
            if isinstance(self._sources, LivePictures):
                displayed.add_metric([camera.name], self._sources.displayed().get(camera.name, 0))
                fps.add_metric([camera.name, "displayed"], self._sources.rate(camera.name))
        yield from (captured, displayed, dropped, reconnects, fps, age, state)

    def _of_decisions(self) -> Iterator[Metric]:
        if self._meter is None:
            return
        counts = self._meter.counts()
        yield CounterMetricFamily("spectaclear_decisions", "Crops decided on", value=counts["decisions"])
        verdicts = CounterMetricFamily("spectaclear_verdicts", "Decisions by state", labels=["state"])
        by_state: Counter[str] = Counter()
        for name, count in counts["verdicts"].items():
            by_state[_STATES.get(name.partition("(")[0], "other")] += count
        for state, count in by_state.items():
            verdicts.add_metric([state], count)
        overtaken = CounterMetricFamily(
            "spectaclear_frames_not_displayed",
            "Captured frames that were not displayed, by reason",
            labels=["camera", "reason"],
        )
        for camera, reasons in counts["dropped"].items():
            for reason, count in reasons.items():
                overtaken.add_metric([camera, reason], count)
        unanswered = CounterMetricFamily(
            "spectaclear_crops_unanswered", "Crops that a recogniser elsewhere did not answer about", labels=["reason"]
        )
        for reason, count in counts["unanswered"].items():
            unanswered.add_metric([reason], count)
        engine = GaugeMetricFamily("spectaclear_engine", "The engine that really runs", labels=["engine"])
        engine.add_metric([self._meter.engine or "none"], 1)
        yield from (verdicts, overtaken, unanswered, engine)

    def _of_events(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily("spectaclear_queue_depth", "Things waiting", labels=["queue"])
        deliveries = CounterMetricFamily(
            "spectaclear_deliveries",
            "Events sent, refused and given up, and failed attempts",
            labels=["target", "outcome"],
        )
        for sender in self._senders:
            for outcome, count in sender.counts().items():
                deliveries.add_metric([sender.target, outcome], count)
            with contextlib.suppress(sqlite3.Error):  # a broken database must not take the other figures along
                depth.add_metric([sender.target], sender.waiting())
        yield deliveries
        if self._events is not None:
            counts = self._events.counts()
            depth.add_metric(["events"], counts.pop("queued"))
            events = CounterMetricFamily("spectaclear_events", "Events by what became of them", labels=["outcome"])
            for outcome, count in counts.items():
                events.add_metric([outcome], count)
            yield events
        yield depth

    def _of_process(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("spectaclear_threads", "Threads of the process", value=threading.active_count())
        with contextlib.suppress(OSError, psutil.Error):  # /proc cannot be read: the other figures can be told
            rss = self._process.memory_info().rss
            yield GaugeMetricFamily("process_resident_memory_bytes", "Resident memory", value=rss)
            if hasattr(self._process, "num_fds"):
                yield GaugeMetricFamily("process_open_fds", "Open file descriptors", value=self._process.num_fds())
