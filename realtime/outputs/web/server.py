"""The page's web server, in a thread of its own with an event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

import uvicorn

from models.errors import BadInput
from realtime.drill import Drill
from realtime.metrics import Meter
from realtime.outputs.delivery.outbox import OutboxSender
from realtime.outputs.events.log import EventLog
from realtime.outputs.web.access import Access, Shield, is_loopback
from realtime.outputs.web.api import Api
from realtime.outputs.web.connection import Connection, Loop
from realtime.outputs.web.door import BACKLOG, Door
from realtime.outputs.web.live_pictures import LivePictures, Sources
from realtime.outputs.web.prometheus import Prometheus
from realtime.outputs.web.streams import Viewers
from realtime.people.live_desk import LiveDesk

_log = logging.getLogger(__name__)


class WebPage:
    """Serves ``sources`` and ``events`` on ``http://host:port`` between ``start`` and ``stop``.

    Args:
        sources: what to show; ``LivePictures`` for a pipeline.
        events: the event log, or None for a page with cameras only.
        port: 0 takes a free one (see ``url``).
        token: demanded beyond loopback, and wherever it is given; at least 16 characters.
        certificate: files with certificate chain and key, for https.
        meter: for decisions and verdicts in ``/metrics``.
        desk: to change who is known; None: the people of this run cannot be changed.
        drill: to put glasses onto a camera's faces; None: not offered.
        senders: for undelivered events in ``/metrics``.
        max_viewers: endless answers (pictures, events) at a time; an open page takes two.
        patience: seconds that a client has for a request; then the connection is closed.

    Raises:
        BadInput: beyond loopback without a token; the address is taken; a certificate that cannot be read.
    """

    def __init__(  # noqa: PLR0913 - what a page is made of
        self,
        sources: Sources,
        events: EventLog | None = None,
        host: str = "127.0.0.1",
        port: int = 8080,
        token: str | None = None,
        *,
        certificate: tuple[Path, Path] | None = None,
        meter: Meter | None = None,
        desk: LiveDesk | None = None,
        drill: Drill | None = None,
        senders: Sequence[OutboxSender] = (),
        max_viewers: int = 24,
        patience: float = 10.0,
        picture_rate: float = 20.0,
    ) -> None:
        self._host, self._port, self._certificate, self._patience = host, port, certificate, patience
        self.events = events
        ended = None if events is None else events.store.folder / "ended-sessions"
        access = Access(host, token, secure=certificate is not None, ended=ended)
        self.prometheus = Prometheus(sources, events, meter, senders)
        if isinstance(sources, LivePictures) and sources.on_displayed is None:
            sources.on_displayed = self.prometheus.displayed
        self._viewers = Viewers(max_viewers)
        api = Api(
            sources,
            events,
            access,
            self.prometheus,
            self._viewers,
            desk=desk,
            drill=drill,
            engine=meter.engine if meter is not None else "",
            picture_rate=picture_rate,
        )
        self._app = Shield(api.application(), access)
        self._socket: Door | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        if not is_loopback(host) and certificate is None:
            _log.warning("the page on %s is served without https: token and pictures can be read on the network", host)

    @property
    def url(self) -> str:
        """Where the page is, once started."""
        port = self._port if self._socket is None else self._socket.getsockname()[1]
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._certificate else 'http'}://{host}:{port}/"

    def start(self) -> None:
        """Listen; returns when connections are accepted."""
        # Of a viewer's connections two are endless, and a browser opens at most six.
        self._socket = Door(self._host, self._port, most=4 * self._viewers.limit + 16)
        config = uvicorn.Config(
            self._app,
            loop="asyncio",
            http=cast(type[asyncio.Protocol], partial(Connection, patience=self._patience, door=self._socket)),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=1,
            backlog=BACKLOG,
            h11_max_incomplete_event_size=16 * 1024,
            ssl_certfile=str(self._certificate[0]) if self._certificate else None,
            ssl_keyfile=str(self._certificate[1]) if self._certificate else None,
        )
        try:
            config.load()
        except OSError as error:  # ssl.SSLError is one
            self._socket.close()
            raise BadInput(f"the page's certificate or key cannot be used: {error}; give PEM files") from None
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="web-page", daemon=True)
        self._thread.start()
        end = time.monotonic() + 10.0
        while not self._server.started and self._thread.is_alive() and time.monotonic() < end:
            time.sleep(0.01)

    def stop(self) -> None:
        """End all answers and the server, within about a second and a half; may be called twice."""
        if self._server is None or self._thread is None:
            return
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._viewers.stopping.set)
        self._server.should_exit = True
        self._thread.join(2.5)
        if self._socket is not None:
            self._socket.close()

    def __enter__(self) -> WebPage:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _serve(self) -> None:
        try:
            with asyncio.Runner(loop_factory=partial(Loop, self._patience)) as runner:
                runner.run(self._serve_here())
        except Exception:
            _log.exception("the live page has ended unexpectedly")

    async def _serve_here(self) -> None:
        assert self._server is not None
        assert self._socket is not None
        self._loop = asyncio.get_running_loop()
        await self._server.serve(sockets=[self._socket])
