"""The drill, over HTTP: glasses are drawn onto the faces of one camera for two minutes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.arrays import Bytes
from realtime.drill import MAX_BYTES, Drill, decode_wearable, embedded_glasses
from realtime.outputs.web.gallery_api import Route, done
from realtime.outputs.web.upload import read_body


class DrillApi:
    """The handlers. ``camera_of`` gives the camera that a request names, or a 404; ``drill`` None: not offered."""

    def __init__(self, drill: Drill | None, camera_of: Callable[[Request], Awaitable[str]]) -> None:
        self._drill_or_none, self._camera_of = drill, camera_of
        self._given: Bytes | None = None

    def routes(self) -> list[Route]:
        """For the application."""
        return [("/api/drill/{name}", self.begin, ["POST"]), ("/api/drill/{name}", self.end, ["DELETE"])]

    async def begin(self, request: Request) -> Response:
        """The body is a picture as ``tools.make_glasses`` writes it; none: the last one, or the demo's glasses."""
        drill, camera = self._drill(), await self._camera_of(request)
        content = await read_body(request, MAX_BYTES, what="picture")
        if content:
            self._given = await done(lambda: decode_wearable(content, "the picture"))
        worn = self._given if self._given is not None else await run_in_threadpool(embedded_glasses)
        drill.begin(camera, worn)
        return JSONResponse(drill_as_dict(drill), 201)

    async def end(self, request: Request) -> Response:
        drill, camera = self._drill(), await self._camera_of(request)
        drill.end(camera)
        return JSONResponse(drill_as_dict(drill))

    def _drill(self) -> Drill:
        if self._drill_or_none is None:
            raise HTTPException(404, "this page offers no drill")
        if self._drill_or_none.always is not None:
            raise HTTPException(409, "this whole run is a drill (--wear)")
        return self._drill_or_none


def drill_as_dict(drill: Drill) -> dict[str, Any]:
    """``whole_run``: begun with the run, and cannot be ended here; ``cameras``: see ``Drill.said``."""
    return {"whole_run": drill.always is not None, "cameras": drill.said()}
