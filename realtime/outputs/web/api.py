"""The addresses of the page and what each answers. Who may ask is decided before (``access.Shield``)."""

from __future__ import annotations

import hashlib
import io
import sqlite3
from collections.abc import AsyncGenerator, Callable
from importlib import resources
from typing import Any, cast
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from realtime.outputs.events import export as event_export
from realtime.outputs.events.log import EventLog
from realtime.outputs.events.types import KINDS, PICTURES, EventFilter, Kind
from realtime.outputs.web import streams
from realtime.outputs.web.access import Access, client_of
from realtime.outputs.web.compreface import CompreFace
from realtime.outputs.web.gallery_api import GalleryApi
from realtime.outputs.web.live_pictures import Sources
from realtime.outputs.web.openapi import document
from realtime.outputs.web.prometheus import CONTENT_TYPE, Prometheus
from realtime.outputs.web.upload import read_body
from realtime.people.live_desk import LiveDesk

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".html": "text/html"}
_LONGEST_BODY = 4096
_WRONG = '<p role="alert">{}</p>'


class Api:
    """Holds what the handlers need. ``events`` None: a page with cameras only."""

    def __init__(
        self,
        sources: Sources,
        events: EventLog | None,
        access: Access,
        prometheus: Prometheus,
        viewers: streams.Viewers,
        *,
        desk: LiveDesk | None = None,
        engine: str = "",
        picture_rate: float = 20.0,
    ) -> None:
        self._sources, self._log, self._access = sources, events, access
        self._prometheus, self._viewers = prometheus, viewers
        self._engine, self._rate, self._desk = engine, picture_rate, desk
        folder = resources.files("realtime.outputs.web") / "static"
        self._files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}

    def application(self) -> Starlette:
        """The routes."""
        get, post = ["GET"], ["POST"]
        routes: list[tuple[str, Callable[..., Any], list[str]]] = [
            ("/", self.page, get),
            ("/login", self.login_form, get),
            ("/login", self.login, post),
            ("/logout", self.logout, post),
            ("/static/{name}", self.static, get),
            ("/healthz", self.healthz, get),
            ("/readyz", self.readyz, get),
            ("/metrics", self.metrics, get),
            ("/api/cameras", self.cameras, get),
            ("/api/live", self.live, get),
            ("/cameras/{name}.mjpg", self.mjpeg, get),
            ("/cameras/{name}.jpg", self.still, get),
            ("/api/events", self.events, get),
            ("/api/events/stream", self.event_stream, get),
            ("/api/events/export.{fmt}", self.export, get),
            ("/api/events/{id:int}", self.event, get),
            ("/api/events/{id:int}/acknowledge", self.acknowledge, post),
            ("/api/events/{id:int}/{picture}", self.picture, get),
            ("/api/people", self.people, get),
            ("/api/openapi.json", self.openapi, get),
            *GalleryApi(self._desk, self._log).routes(),
            *CompreFace(self._desk).routes(),
        ]
        return Starlette(
            routes=[Route(path, handler, methods=methods) for path, handler, methods in routes],
            exception_handlers={
                HTTPException: cast(Any, _as_json),
                sqlite3.OperationalError: cast(Any, _busy),
                500: cast(Any, _failed),
            },
        )

    async def page(self, request: Request) -> Response:
        return self._file("index.html")

    async def login_form(self, request: Request) -> Response:
        if not self._access.demanded:
            return RedirectResponse("/", 303)
        return self._login_page("", 200)

    async def login(self, request: Request) -> Response:
        client = client_of(request.scope)
        wait = self._access.wait(client)
        if wait > 0:
            page = self._login_page(f"Too many wrong tokens. Try again in {wait:.0f} seconds.", 429)
            page.headers["retry-after"] = f"{wait:.0f}"
            return page
        fields = parse_qs((await read_body(request, _LONGEST_BODY, what="form")).decode("utf-8", "replace"))
        if not self._access.right_token(fields.get("token", [""])[0], client):
            return self._login_page("That is not the token.", 403)
        answer = RedirectResponse("/", 303)
        answer.headers["set-cookie"] = self._access.new_session()
        return answer

    async def logout(self, request: Request) -> Response:
        answer = RedirectResponse("/login" if self._access.demanded else "/", 303)
        answer.headers["set-cookie"] = await run_in_threadpool(self._access.end_session, request.headers)
        return answer

    async def static(self, request: Request) -> Response:
        answer = self._file(request.path_params["name"])
        answer.headers["cache-control"] = "no-cache"
        answer.headers["etag"] = f'"{hashlib.sha256(answer.body).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == answer.headers["etag"]:
            return Response(status_code=304, headers={"etag": answer.headers["etag"]})
        return answer

    async def healthz(self, request: Request) -> Response:
        return Response("ok\n", media_type="text/plain")

    async def readyz(self, request: Request) -> Response:
        cameras = await run_in_threadpool(self._sources.cameras)
        ready = any(camera.state.value == "live" for camera in cameras) and (self._log is None or self._log.alive)
        return Response("ready\n" if ready else "not ready\n", 200 if ready else 503, media_type="text/plain")

    async def metrics(self, request: Request) -> Response:
        return Response(await run_in_threadpool(self._prometheus.text), media_type=CONTENT_TYPE)

    async def cameras(self, request: Request) -> Response:
        cameras = await run_in_threadpool(self._sources.cameras)
        return JSONResponse({"cameras": [streams.camera_as_dict(camera) for camera in cameras], **self._about()})

    async def live(self, request: Request) -> Response:
        return self._stream(streams.all_pictures(self._sources, self._about, self._rate), "application/octet-stream")

    async def mjpeg(self, request: Request) -> Response:
        pictures = streams.one_camera(self._sources, await self._camera(request), self._rate)
        return self._stream(pictures, f"multipart/x-mixed-replace; boundary={streams.MJPEG_BOUNDARY}")

    async def still(self, request: Request) -> Response:
        picture = await run_in_threadpool(self._sources.picture, await self._camera(request))
        if picture is None:
            raise HTTPException(404, "no picture yet")
        return Response(picture.jpeg, media_type="image/jpeg")

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
        return Response(found, media_type="image/jpeg" if name == "frame" else "image/png", headers=headers)

    async def acknowledge(self, request: Request) -> Response:
        event = await run_in_threadpool(self._events().acknowledge, _number(request))
        if event is None:
            raise HTTPException(404, "there is no such event")
        return JSONResponse(event.as_dict(probabilities=False))

    async def people(self, request: Request) -> Response:
        return JSONResponse({"people": await run_in_threadpool(self._events().people)})

    async def openapi(self, request: Request) -> Response:
        return JSONResponse(document())

    def _about(self) -> dict[str, Any]:
        return {
            "engine": self._engine,
            "events": self._log is not None,
            "login": self._access.demanded,
            "people": self._desk is not None,
        }

    def _events(self) -> EventLog:
        if self._log is None:
            raise HTTPException(404, "events are not recorded in this run")
        return self._log

    async def _camera(self, request: Request) -> str:
        name = str(request.path_params["name"])
        if name not in [camera.name for camera in await run_in_threadpool(self._sources.cameras)]:
            raise HTTPException(404, "there is no such camera")
        return name

    def _stream(self, chunks: AsyncGenerator[bytes, None], media_type: str) -> Response:
        return self._viewers.refusal() or streams.Stream(chunks, media_type, self._viewers)

    def _file(self, name: str) -> Response:
        content = self._files.get(name)
        suffix = name[name.rfind(".") :]
        if content is None or suffix not in _TYPES:
            raise HTTPException(404, "there is no such file")
        return Response(content, media_type=_TYPES[suffix])

    def _login_page(self, wrong: str, status: int) -> Response:
        alert = _WRONG.format(wrong).encode() if wrong else b""
        return Response(self._files["login.html"].replace(b"<!--alert-->", alert), status, media_type="text/html")


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


async def _as_json(request: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _busy(request: Request, error: Exception) -> Response:
    message = f"the event log cannot be used now ({error}); try again, or look at its disk"
    return JSONResponse({"error": message}, 503, headers={"retry-after": "2"})


async def _failed(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "something went wrong here; see the log"}, 500)
