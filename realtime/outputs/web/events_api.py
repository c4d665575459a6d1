"""Stored events, over HTTP: the list, one event and its pictures, export, acknowledging, and events as they happen."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, Callable
from typing import cast

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from realtime.outputs.events import changes
from realtime.outputs.events import export as event_export
from realtime.outputs.events.log import EventLog
from realtime.outputs.events.types import KINDS, PICTURES, EventFilter, Kind
from realtime.outputs.web import streams
from realtime.outputs.web.gallery_api import Route
from realtime.outputs.web.upload import read_json

#: (chunks, media type) -> an answer that does not end
Streaming = Callable[[AsyncGenerator[bytes, None], str], Response]


class EventsApi:
    """The handlers. ``log`` None: events are not recorded in this run."""

    def __init__(self, log: EventLog | None, stream: Streaming) -> None:
        self._log, self._stream = log, stream

    def routes(self) -> list[Route]:
        """For the application."""
        get, post = ["GET"], ["POST"]
        return [
            ("/api/events", self.events, get),
            ("/api/events/stream", self.event_stream, get),
            ("/api/events/export.{fmt}", self.export, get),
            ("/api/events/acknowledge", self.acknowledge_all, post),
            ("/api/events/unacknowledge", self.unacknowledge, post),
            ("/api/events/{id:int}", self.event, get),
            ("/api/events/{id:int}/note", self.note, post),
            ("/api/events/{id:int}/acknowledge", self.acknowledge, post),
            ("/api/events/{id:int}/{picture}", self.picture, get),
            ("/api/people", self.people, get),
        ]

    async def events(self, request: Request) -> Response:
        found = await run_in_threadpool(self._events().query, _filter(request))
        return JSONResponse({"events": [event.as_dict(probabilities=False) for event in found]})

    async def event_stream(self, request: Request) -> Response:
        text = request.headers.get("last-event-id", "")
        last = int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None
        return self._stream(streams.events(self._events(), last), "text/event-stream")

    async def export(self, request: Request) -> Response:
        fmt, log, wanted = request.path_params["fmt"], self._events(), _filter(request)
        if fmt not in event_export.FORMATS:
            raise HTTPException(404, f"formats are {', '.join(event_export.FORMATS)}")
        file = io.StringIO()
        await run_in_threadpool(event_export.write, log.store, file, fmt, wanted)
        media_type = "text/csv" if fmt == "csv" else "application/jsonl"
        name = f"spectaclear-events.{fmt}"
        return Response(
            file.getvalue(), media_type=media_type, headers={"content-disposition": f'attachment; filename="{name}"'}
        )

    async def event(self, request: Request) -> Response:
        event = await run_in_threadpool(self._events().get, _number(request))
        if event is None:
            raise HTTPException(404, "there is no such event")
        return JSONResponse(event.as_dict())

    async def picture(self, request: Request) -> Response:
        name = request.path_params["picture"]
        found = None
        if name in PICTURES:
            found = await run_in_threadpool(self._events().picture, _number(request), name)
        if found is None:
            raise HTTPException(404, "there is no such picture")
        headers = {"cache-control": "private, max-age=3600, immutable"}
        media_type = {"frame": "image/jpeg", "clip": "video/mp4"}.get(name, "image/png")
        return Response(found, media_type=media_type, headers=headers)

    async def acknowledge(self, request: Request) -> Response:
        event = await run_in_threadpool(self._events().acknowledge, _number(request))
        if event is None:
            raise HTTPException(404, "there is no such event")
        return JSONResponse(event.as_dict(probabilities=False))

    async def acknowledge_all(self, request: Request) -> Response:
        """All that the address's filter matches and nobody has seen; ``unacknowledge`` takes the ids back."""
        log, wanted = self._events(), _filter(request)
        done = await run_in_threadpool(changes.acknowledge_all, log.store, wanted)
        await run_in_threadpool(log.changed, done)
        return JSONResponse({"ids": done})

    async def unacknowledge(self, request: Request) -> Response:
        log, ids = self._events(), (await read_json(request)).get("ids")
        if not isinstance(ids, list) or not all(type(one) is int and 0 < one < 2**63 for one in ids):
            raise HTTPException(400, "ids: give a list of numbers of events")
        done = await run_in_threadpool(changes.unacknowledge, log.store, ids)
        await run_in_threadpool(log.changed, done)
        return JSONResponse({"ids": done})

    async def note(self, request: Request) -> Response:
        log, number, text = self._events(), _number(request), (await read_json(request)).get("note")
        if not isinstance(text, str):
            raise HTTPException(400, "note is missing")
        try:
            there = await run_in_threadpool(changes.note, log.store, number, text)
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
        event = await run_in_threadpool(log.get, number)
        if not there or event is None:
            raise HTTPException(404, "there is no such event")
        await run_in_threadpool(log.changed, [number])
        return JSONResponse(event.as_dict(probabilities=False))

    async def people(self, request: Request) -> Response:
        return JSONResponse({"people": await run_in_threadpool(self._events().people)})

    def _events(self) -> EventLog:
        if self._log is None:
            raise HTTPException(404, "events are not recorded in this run")
        return self._log


def _number(request: Request) -> int:
    number = int(request.path_params["id"])
    if number >= 2**63:  # more than SQLite's integers hold
        raise HTTPException(404, "there is no such event")
    return number


def _filter(request: Request) -> EventFilter:
    """The filter in an address. Raises a 400 that says which parameter is wrong."""
    given = request.query_params
    kinds = [kind for value in given.getlist("kind") for kind in value.split(",") if kind]
    for kind in kinds:
        if kind not in KINDS:
            raise HTTPException(400, f"kind must be one of {', '.join(KINDS)}")

    def number(name: str, low: float, high: float) -> float | None:
        text = given.get(name)
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise HTTPException(400, f"{name} must be a number from {low:g} to {high:g}")
        return value

    def whole(name: str, high: float) -> int | None:
        value = number(name, 0, high)
        return None if value is None else int(value)

    return EventFilter(
        kinds=frozenset(cast("list[Kind]", kinds)) if kinds else None,
        camera=given.get("camera") or None,
        person=given.get("person") or None,
        since=number("since", 0, 1e11),
        until=number("until", 0, 1e11),
        acknowledged={"yes": True, "no": False}.get(given.get("acknowledged", "")),
        before_id=whole("before_id", 2**53),
        after_id=whole("after_id", 2**53),
        limit=whole("limit", 200) or 50,
    )
