"""What people see of a cluster: the page with all cameras and nodes, and the one store of all events."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError

from models.files import whole_file
from realtime.assembly import service_settings
from realtime.cameras.states import CameraState, CameraStatus
from realtime.cluster.ray_here import NAMESPACE
from realtime.cluster.reports import Seen
from realtime.cluster.settings import ClusterConfig
from realtime.cluster.steward import Kept
from realtime.outputs.delivery.delivery import Delivery, Surroundings
from realtime.outputs.delivery.outbox import OutboxSender
from realtime.outputs.events.log import EventLog
from realtime.outputs.events.types import EventFilter
from realtime.outputs.web.live_pictures import Picture
from realtime.types import Frame

_log = logging.getLogger(__name__)
_EVERY = 1.0  # seconds between two rounds of collecting and looking
_PATIENCE = 3.0


class Front:
    """Collects as soon as there is something: an event is asked for until it is stored here, and stored once."""

    def __init__(self, config: ClusterConfig) -> None:
        self._config = config
        self._log: EventLog | None = None
        self._done: dict[str, int] = {}  # by node and log: the newest event that is here
        self._collecting = threading.Lock()
        self._stopping = threading.Event()
        self.sources = RemoteSources([camera.name for camera in config.cameras])
        self._page: Any = None
        settings = service_settings(config)
        if settings.folder is not None:
            self._log = EventLog(settings.folder, settings.events, deliver_to=list(settings.deliveries))
            self._marks = settings.folder / "collected.json"
            with contextlib.suppress(OSError, ValueError):
                self._done = json.loads(self._marks.read_text())
        self._senders = []
        self._deliveries: list[Delivery] = []
        for name, delivery in settings.deliveries.items() if self._log is not None else ():
            assert self._log is not None
            delivery.begin(Surroundings(self._log.picture, self._live))
            self._deliveries.append(delivery)
            self._senders.append(OutboxSender(self._log.store, name, delivery.deliver))
            self._senders[-1].start()
        if settings.page is not None:
            from realtime.outputs.web import WebPage

            page = settings.page
            where = (page.host, page.port, page.token)
            self._page = WebPage(
                self.sources, self._log, *where, certificate=page.certificate, senders=self._senders, picture_rate=4.0
            )
            self._page.start()
        self._thread = threading.Thread(target=self._collect_always, name="collect", daemon=True)
        self._thread.start()

    def _live(self) -> dict[str, bool]:
        return {camera.name: camera.state is CameraState.LIVE for camera in self.sources.cameras()}

    def url(self) -> str | None:
        """Where the page is."""
        return None if self._page is None else str(self._page.url)

    def collected(self) -> list[str]:
        """The keys of the events that are here."""
        if self._log is None:
            return []
        return [str(key) for (key,) in self._log.store.rows("SELECT key FROM events")]

    def seen_by(self, cameras: Sequence[str]) -> list[Seen]:
        """Whom those cameras saw last, so that nobody who stays appears twice."""
        if self._log is None:
            return []
        self._collect()
        now, longest = time.time(), self._log.settings.reappear_after
        wanted = [
            EventFilter(kinds=frozenset({"known"}), camera=one, since=now - longest, limit=500) for one in cameras
        ]
        events = [event for one in wanted for event in self._log.query(one)]
        return [Seen(one.camera, one.identity or "", max(0.0, now - one.wall_time)) for one in reversed(events)]

    def stop(self) -> None:
        """Collect what there is, and close."""
        self._collect()
        self._stopping.set()
        self._thread.join(_PATIENCE)
        for sender in self._senders:
            sender.stop()
        for delivery in self._deliveries:
            delivery.close()
        if self._page is not None:
            self._page.stop()
        if self._log is not None:
            self._log.close()

    def _collect_always(self) -> None:
        while not self._stopping.wait(_EVERY):
            try:
                self._collect()
                self.sources.look()
            except Exception as error:  # whatever happens to a node or to the head, it is tried again
                _log.warning("not collected: %s", str(error).splitlines()[0] if str(error) else type(error).__name__)
                time.sleep(1.0)

    def _collect(self) -> None:
        if self._log is None:
            return
        with self._collecting:
            stewards: dict[str, Any] = ray.get(ray.get_actor("keeper", NAMESPACE).stewards.remote(), timeout=_PATIENCE)
            asked = {name: one.kept.remote(self._after(name)) for name, one in stewards.items()}
            if asked:
                ray.wait(list(asked.values()), num_returns=len(asked), timeout=_PATIENCE)
            for name, ref in asked.items():
                with contextlib.suppress(RayError, GetTimeoutError):
                    self._take_in(name, ray.get(ref, timeout=0.01))

    def _after(self, node: str) -> dict[str, int]:
        return {key.partition("/")[2]: number for key, number in self._done.items() if key.startswith(f"{node}/")}

    def _take_in(self, node: str, found: Sequence[Kept]) -> None:
        assert self._log is not None
        for one in found:
            self._log.take_in(one.row, one.pictures)
            self._done[f"{node}/{one.log}"] = one.number
        if found:
            with whole_file(self._marks, permissions=0o600) as stream:
                stream.write(json.dumps(self._done).encode())


class RemoteSources:
    """``Sources`` of the page: states of all cameras, and a picture of one while somebody looks."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._groups: dict[str, Any] = {}
        self._statuses: dict[str, CameraStatus] = {}
        self._pictures: dict[str, Picture] = {}

    def look(self) -> None:
        """Ask which group has which camera, and how each is."""
        keeper = ray.get_actor("keeper", NAMESPACE)
        groups: list[tuple[tuple[str, ...], Any]] = ray.get(keeper.groups.remote(), timeout=_PATIENCE)
        self._groups = {name: actor for names, actor in groups for name in names}
        overview = ray.get(keeper.overview.remote(), timeout=2 * _PATIENCE)
        self._statuses = {one.name: one for report in overview.reports for one in report.on_its_node()}

    def cameras(self) -> Sequence[CameraStatus]:
        """See ``Sources``."""
        missing = "no node runs it"
        return [
            self._statuses.get(name) or CameraStatus(name, CameraState.LOST, message=missing) for name in self._names
        ]

    def newest(self, camera: str) -> int:
        """See ``Sources``: there may always be a newer one."""
        held = self._pictures.get(camera)
        return -1 if camera not in self._groups else 0 if held is None else held.sequence + 1

    def picture(self, camera: str) -> Picture | None:
        """See ``Sources``."""
        held, group = self._pictures.get(camera), self._groups.get(camera)
        if group is None:
            return held
        try:
            found = ray.get(group.picture.remote(camera, -1), timeout=_PATIENCE)
        except (RayError, GetTimeoutError):
            return held
        if found is None:
            return held
        _, jpeg, age = found
        sequence = 0 if held is None else held.sequence + 1  # a group that moved counts from 0 again
        self._pictures[camera] = Picture(sequence, jpeg, time.monotonic() - age)
        return self._pictures[camera]

    def frame(self, camera: str) -> Frame | None:
        """See ``Sources``: frames stay beside their cameras, so nobody is added from one of them."""
        return None
