"""Events, their delivery and the live page as one thing that a run opens and closes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from models.arrays import Bytes
from realtime.cameras.states import CameraState, CameraStatus
from realtime.metrics import Meter
from realtime.outputs.delivery.delivery import Delivery, Surroundings
from realtime.outputs.delivery.outbox import OutboxSender
from realtime.outputs.events.feed import EventFeed
from realtime.outputs.events.log import EventLog
from realtime.outputs.events.types import EventSettings, Explain, FindFaces
from realtime.types import Frame

if TYPE_CHECKING:
    from realtime.drill import Drill
    from realtime.outputs.web import LivePictures, WebPage
    from realtime.people.live_desk import LiveDesk


@dataclass(frozen=True)
class PageSettings:
    """Where the live page is served; see ``web.WebPage``."""

    host: str = "127.0.0.1"
    port: int = 8080
    token: str | None = field(default=None, repr=False)
    certificate: tuple[Path, Path] | None = None


@dataclass(frozen=True)
class ServiceSettings:
    """What of all this a run wants. ``folder`` None: no events are kept, and nothing is delivered.

    ``find_faces``: a detector of the event log's own, for ``pixelate_others``. ``deliveries``: see their registry.
    """

    folder: Path | None = None
    events: EventSettings = field(default_factory=EventSettings)
    find_faces: FindFaces | None = None
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)
    page: PageSettings | None = None


class Services:
    """Opens what the settings ask for; give ``feed`` and ``show`` to the pipeline, and close at the end.

    Closing takes at most about three seconds: page, deliveries (what is unsent stays in the outbox), then the log.
    ``explain`` is for the event log, ``desk`` and ``drill`` are the page's. Raises ``BadInput`` where a folder, an
    address or a package is wrong; whatever was opened is closed again.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        statuses: Callable[[], Sequence[CameraStatus]],
        meter: Meter | None = None,
        explain: Explain | None = None,
        desk: LiveDesk | None = None,
        drill: Drill | None = None,
    ) -> None:
        self.events: EventLog | None = None
        self.feed: EventFeed | None = None
        self.page: WebPage | None = None
        self._pictures: LivePictures | None = None
        self._desk, self._drill = desk, drill
        self._senders: list[OutboxSender] = []
        with ExitStack() as stack:
            if settings.folder is not None:
                self._open_events(settings, settings.folder, explain, statuses, stack)
            if settings.page is not None:
                self._open_page(settings.page, statuses, meter, stack)
            self._stack = stack.pop_all()

    def show(self, frame: Frame, picture: Bytes) -> None:
        """For the pipeline: a picture was drawn. It must not be changed afterwards."""
        if self._pictures is not None:
            self._pictures.show(frame, picture)
        if self.events is not None and self.events.follow_up.clips is not None:
            self.events.follow_up.clips.put(frame)

    def finish(self, given_up: Callable[[], bool]) -> None:
        """Nothing more will be offered: let the log store what waits, however long that takes while it gets on."""
        if self.events is not None:
            self.events.flush(30.0, given_up=given_up)

    def close(self) -> None:
        """Close everything; may be called twice."""
        self._stack.close()

    def __enter__(self) -> Services:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_events(
        self,
        settings: ServiceSettings,
        folder: Path,
        explain: Explain | None,
        statuses: Callable[[], Sequence[CameraStatus]],
        stack: ExitStack,
    ) -> None:
        names, find_faces = list(settings.deliveries), settings.find_faces
        ends = [name for name, delivery in settings.deliveries.items() if delivery.tells_ends]
        log = EventLog(
            folder, settings.events, deliver_to=names, tell_ends=ends, explain=explain, find_faces=find_faces
        )
        stack.callback(log.close)
        around = Surroundings(log.picture, lambda: {one.name: one.state is CameraState.LIVE for one in statuses()})
        for name, delivery in settings.deliveries.items():
            stack.callback(delivery.close)
            delivery.begin(around)
            sender = OutboxSender(log.store, name, delivery.deliver)
            stack.callback(sender.stop)
            sender.start()
            self._senders.append(sender)
        self.events, self.feed = log, EventFeed(log)

    def _open_page(
        self,
        settings: PageSettings,
        statuses: Callable[[], Sequence[CameraStatus]],
        meter: Meter | None,
        stack: ExitStack,
    ) -> None:
        from realtime.outputs.web import LivePictures, WebPage

        self._pictures = LivePictures(statuses)
        self.page = WebPage(
            self._pictures,
            self.events,
            settings.host,
            settings.port,
            settings.token,
            certificate=settings.certificate,
            meter=meter,
            desk=self._desk,
            drill=self._drill,
            senders=self._senders,
        )
        self.page.start()
        stack.callback(self.page.stop)
