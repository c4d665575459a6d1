"""Answers that never end: pictures of all cameras, of one camera, and events. A slow viewer slows nobody else.

Pictures of all cameras travel in one answer, because a browser opens only six connections to a server. Each
message is a length (4 bytes, big endian), that many bytes of JSON, and as many bytes of JPEG as its ``bytes`` says.
A viewer is sent a camera's newest picture whenever the connection takes more; nothing is queued for it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from realtime.cameras.states import CameraStatus
from realtime.outputs.events.log import EventLog
from realtime.outputs.events.types import Event, EventFilter
from realtime.outputs.web.live_pictures import Picture, Sources

MJPEG_BOUNDARY = "picture"
_STATES_EVERY = 0.5
_HEARTBEAT = 5.0
_PATIENCE = 20.0  # seconds a connection may refuse data before it is given up
_REPLAY = 100  # events sent again after a lost connection


class Viewers:
    """Counts the endless answers and refuses more than ``limit``."""

    def __init__(self, limit: int) -> None:
        self.limit, self.count = limit, 0
        self.stopping = asyncio.Event()

    def refusal(self) -> Response | None:
        """The answer for one viewer too many."""
        if self.count < self.limit:
            return None
        return JSONResponse({"error": f"too many viewers (at most {self.limit}); close a page"}, 503)


class Stream(Response):
    """Sends what ``chunks`` gives until it ends, the other side leaves or does not read, or the server stops."""

    def __init__(self, chunks: AsyncGenerator[bytes, None], media_type: str, viewers: Viewers) -> None:
        self._chunks, self._viewers, self._begun = chunks, viewers, False
        self.status_code = 200
        self.background = None
        self.body = b""
        self.media_type = media_type
        self.init_headers({"x-accel-buffering": "no"})
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run until the first of the ends."""
        self._viewers.count += 1
        ends = [
            asyncio.ensure_future(self._pump(send)),
            asyncio.ensure_future(_disconnected(receive)),
            asyncio.ensure_future(self._viewers.stopping.wait()),
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
            self._viewers.count -= 1
        if self._viewers.stopping.is_set() and self._begun:
            with suppress(TimeoutError, OSError):  # a proper end, where the other side still takes it
                await asyncio.wait_for(send({"type": "http.response.body", "body": b""}), 0.3)

    async def _pump(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        self._begun = True
        async with aclosing(self._chunks) as chunks:
            async for chunk in chunks:
                part = {"type": "http.response.body", "body": chunk, "more_body": True}
                await asyncio.wait_for(send(part), _PATIENCE)
        await send({"type": "http.response.body", "body": b""})


async def all_pictures(
    sources: Sources, extra: Callable[[], dict[str, Any]], rate: float
) -> AsyncGenerator[bytes, None]:
    """Messages with the cameras' states twice a second, and with each camera's newest picture at most ``rate`` times.

    ``extra`` is sent along with the states.
    """
    sent: dict[str, int] = {}
    next_states = 0.0
    while True:
        began = time.monotonic()
        if began >= next_states:
            next_states = began + _STATES_EVERY
            cameras = await asyncio.to_thread(sources.cameras)
            sent = {camera.name: sent.get(camera.name, -1) for camera in cameras}
            yield message({"cameras": [camera_as_dict(camera) for camera in cameras], **extra()})
        for camera in sent:
            picture = await _newer(sources, camera, sent[camera])
            if picture is not None:
                sent[camera] = picture.sequence
                age = round(time.monotonic() - picture.captured_at, 4)
                yield message({"picture": camera, "sequence": picture.sequence, "age": age}, picture.jpeg)
        await asyncio.sleep(max(0.0, began + 1 / rate - time.monotonic()))


async def one_camera(sources: Sources, camera: str, rate: float) -> AsyncGenerator[bytes, None]:
    """Parts of a ``multipart/x-mixed-replace`` answer (MJPEG), for viewers other than the page."""
    sent = -1
    while True:
        began = time.monotonic()
        picture = await _newer(sources, camera, sent)
        if picture is not None:
            sent = picture.sequence
            head = f"--{MJPEG_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture.jpeg)}\r\n\r\n"
            yield head.encode() + picture.jpeg + b"\r\n"
        await asyncio.sleep(max(0.0, began + 1 / rate - time.monotonic()))


async def events(log: EventLog, last_id: int | None) -> AsyncGenerator[bytes, None]:
    """Server-sent events. With ``last_id`` first what came after it (a browser that lost its connection)."""
    loop, arrived = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        loop.call_soon_threadsafe(arrived.set)

    subscription = log.subscribe(wake)
    newest = last_id if last_id is not None else 0
    try:
        yield b"retry: 2000\n\n"
        if last_id is not None:
            wanted = EventFilter(after_id=last_id, limit=_REPLAY)
            for event in await asyncio.to_thread(log.query, wanted):
                newest = max(newest, event.id)
                yield _server_sent(event)
        while True:
            try:
                await asyncio.wait_for(arrived.wait(), _HEARTBEAT)
            except TimeoutError:
                yield b": still here\n\n"
            arrived.clear()
            for event in subscription.take():
                new = event.id > newest
                newest = max(newest, event.id)
                yield _server_sent(event, with_id=new)
    finally:
        subscription.close()


def message(header: dict[str, Any], payload: bytes = b"") -> bytes:
    """One message of the answer with all pictures."""
    text = json.dumps({**header, "bytes": len(payload)}).encode()
    return len(text).to_bytes(4, "big") + text + payload


def camera_as_dict(camera: CameraStatus) -> dict[str, Any]:
    """What the page is told of a camera. No address, no credentials."""
    return {
        "name": camera.name,
        "state": camera.state.value,
        "cause": camera.cause.value if camera.cause is not None else None,
        "message": camera.message,
        "advice": camera.advice or None,
        "age": None if camera.frame_age is None else round(camera.frame_age, 3),
        "since": round(camera.since, 1),
        "fps": round(camera.fps, 1),
        "dropped": sum(camera.dropped.values()),
        "reconnects": camera.reconnects,
        "node": camera.node or None,
    }


def _server_sent(event: Event, *, with_id: bool = True) -> bytes:
    head = f"id: {event.id}\n" if with_id else ""
    return f"{head}event: event\ndata: {json.dumps(event.as_dict(probabilities=False))}\n\n".encode()


async def _newer(sources: Sources, camera: str, sent: int) -> Picture | None:
    if sources.newest(camera) <= sent:
        return None
    return await asyncio.to_thread(sources.picture, camera)  # encodes, if nobody asked for this one before


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
