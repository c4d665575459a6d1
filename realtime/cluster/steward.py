"""What every node has one of: it gives out the evidence that lies here, and the node's figures for Prometheus."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import BadInput
from realtime.cameras.states import CameraStatus
from realtime.cluster.reports import Report
from realtime.outputs.events.rows import Row
from realtime.outputs.events.store import EventStore

_log = logging.getLogger(__name__)
_AT_ONCE = 20  # events with their pictures in one answer


@dataclass(frozen=True)
class Kept:
    """An event that lies on a node: the folder of its log, its number there, its row and its pictures' files."""

    log: str
    number: int
    row: Row
    pictures: Mapping[str, bytes]


class Steward:
    """``folder``: the node's evidence, a log for each group that has ever run here; None: no events are kept."""

    def __init__(self, node: str, folder: Path | None) -> None:
        self._node, self._folder = node, folder
        self._reports: tuple[float, Sequence[Report]] = (0.0, ())
        self._groups: Sequence[Any] = ()
        self._served: int | None = None
        self._lock = threading.Lock()

    def ready(self) -> str:
        """The node's name."""
        return self._node

    def follow(self, groups: Sequence[Any]) -> None:
        """The handles of the groups that run on this node."""
        self._groups = groups
        for group in groups:  # once it has been asked, a group is found also while the head is away
            group.report.remote()

    def kept(self, after: Mapping[str, int]) -> list[Kept]:
        """Events of this node that came after those numbers, by log, oldest first; not all at once."""
        found: list[Kept] = []
        for folder in sorted(self._folder.glob("*")) if self._folder is not None and self._folder.is_dir() else ():
            if not (folder / "events.sqlite").is_file() or len(found) >= _AT_ONCE:
                continue
            with contextlib.suppress(BadInput, sqlite3.Error, OSError):  # a log that is being made, or being moved
                found += self._of_log(folder, after.get(folder.name, 0), _AT_ONCE - len(found))
        return found

    def _of_log(self, folder: Path, after: int, limit: int) -> list[Kept]:
        store = EventStore(folder, owner=False, write=False)
        try:
            found = []
            for number, row in store.rows_after(after, limit):
                paths = {name: store.picture_path(number, name) for name in row.pictures}
                pictures = {name: path.read_bytes() for name, path in paths.items() if path is not None}
                found.append(Kept(folder.name, number, row, pictures))
            return found
        finally:
            store.close()

    def serve_metrics(self, port: int) -> int:
        """Answer Prometheus on loopback; gives the port. Raises ``BadInput`` where it is taken."""
        from prometheus_client import start_http_server

        from realtime.outputs.web.prometheus import Prometheus

        with self._lock:
            if self._served is None:
                figures = Prometheus(_Cameras(self), meter=_Meter(self))  # type: ignore[arg-type]
                try:
                    server, _ = start_http_server(port, addr="127.0.0.1", registry=figures.registry)
                except OSError as error:
                    raise BadInput(f"cluster.metrics_port {port}: {error.strerror}; choose another") from None
                self._served = int(server.server_port)
            return self._served

    def reports(self) -> Sequence[Report]:
        """How the node's groups are, at most a second old."""
        import ray

        asked, found = self._reports
        if time.monotonic() - asked > 1.0:
            refs = [group.report.remote() for group in self._groups]
            done, _ = ray.wait(refs, num_returns=len(refs), timeout=2.0) if refs else ([], [])
            found = []
            for ref in done:
                with contextlib.suppress(ray.exceptions.RayError):
                    found.append(ray.get(ref))
            self._reports = (time.monotonic(), found)
        return found


class _Cameras:
    """``Sources`` of the page, as far as figures are made of them."""

    def __init__(self, steward: Steward) -> None:
        self._steward = steward

    def cameras(self) -> Sequence[CameraStatus]:
        return [camera for report in self._steward.reports() for camera in report.cameras]


class _Meter:
    """The counts of all groups of a node together, as ``Meter`` gives them."""

    def __init__(self, steward: Steward) -> None:
        self._steward = steward

    @property
    def engine(self) -> str:
        return next((report.engine for report in self._steward.reports() if report.engine), "")

    def counts(self) -> dict[str, Any]:
        return summed([report.counts for report in self._steward.reports() if report.counts is not None])


def summed(counts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Several ``Meter.counts`` as one."""
    whole: dict[str, Any] = {name: sum(one[name] for one in counts) for name in ("captured", "displayed", "decisions")}
    for name in ("verdicts", "unanswered"):
        added: Counter[str] = Counter()
        for one in counts:
            added.update(one[name])
        whole[name] = dict(added)
    whole["dropped"] = {camera: reasons for one in counts for camera, reasons in one["dropped"].items()}
    return whole
