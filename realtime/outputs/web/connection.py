"""A connection to the page that does not wait for its client for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from realtime.outputs.web.door import Door


class Connection(H11Protocol):
    """Ends when a request, once the connection is open or its first byte has come, is not complete in time.

    Args:
        patience: seconds for a request's head and body.
        door: is told whether the connection is idle.
        given: what uvicorn gives to its protocol.
    """

    def __init__(self, *, patience: float, door: Door, **given: Any) -> None:
        super().__init__(**given)
        self._patience, self._door = patience, door
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_the_rest()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait_for_the_rest()
        self._tell_the_door()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._tell_the_door()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_waiting()

    def _wait_for_the_rest(self) -> None:
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._stop_waiting()
        elif self._waiting is None:  # further bytes give no further time
            self._waiting = self.loop.call_later(self._patience, self.transport.close)

    def _tell_the_door(self) -> None:
        guest = self._door.guests.get(self.transport.get_extra_info("socket").fileno())
        if guest is not None:
            answering = self.cycle is not None and not self.cycle.response_complete
            guest.idle = not answering or self.conn.their_state is h11.SEND_BODY

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose servers give a TLS handshake ``patience`` seconds: asyncio gives a minute.

    uvicorn cannot be told; on Windows it is the loop that accepts through ``Door`` as well.
    """

    def __init__(self, patience: float) -> None:
        super().__init__()
        self._patience = patience

    async def create_server(self, *places: Any, **given: Any) -> asyncio.Server:
        if given.get("ssl") is not None:
            given["ssl_handshake_timeout"] = self._patience
        return await super().create_server(*places, **given)
