"""The addresses of the page and what each answers. Who may ask is decided before (``access.Shield``)."""

from __future__ import annotations

import hashlib
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

from realtime.drill import Drill
from realtime.outputs.events.log import EventLog
from realtime.outputs.web import streams
from realtime.outputs.web.access import Access, client_of
from realtime.outputs.web.compreface import CompreFace
from realtime.outputs.web.drill_api import DrillApi, drill_as_dict
from realtime.outputs.web.events_api import EventsApi
from realtime.outputs.web.explanations import Explanations
from realtime.outputs.web.gallery_api import GalleryApi
from realtime.outputs.web.live_pictures import Sources
from realtime.outputs.web.openapi import document
from realtime.outputs.web.prometheus import CONTENT_TYPE, Prometheus
from realtime.outputs.web.sitting_api import SittingApi
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
        drill: Drill | None = None,
        engine: str = "",
        picture_rate: float = 20.0,
    ) -> None:
        self._sources, self._log, self._access = sources, events, access
        self._prometheus, self._viewers = prometheus, viewers
        self._engine, self._rate, self._desk = engine, picture_rate, desk
        self._drill = drill
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
            ("/api/openapi.json", self.openapi, get),
            *Explanations(self._log).routes(),
            *EventsApi(self._log, self._stream).routes(),
            *GalleryApi(self._desk, self._log).routes(),
            *SittingApi(self._desk, self._sources.frame).routes(),
            *DrillApi(self._drill, self._camera).routes(),
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

    async def openapi(self, request: Request) -> Response:
        return JSONResponse(document())

    def _about(self) -> dict[str, Any]:
        return {
            "engine": self._engine,
            "events": self._log is not None,
            "login": self._access.demanded,
            "people": self._desk is not None,
            "drill": None if self._drill is None else drill_as_dict(self._drill),
        }

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


async def _as_json(request: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _busy(request: Request, error: Exception) -> Response:
    message = f"the event log cannot be used now ({error}); try again, or look at its disk"
    return JSONResponse({"error": message}, 503, headers={"retry-after": "2"})


async def _failed(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "something went wrong here; see the log"}, 500)
