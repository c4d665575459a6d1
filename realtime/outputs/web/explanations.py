"""Why an event was, over HTTP: in words and figures, and as one picture."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from realtime.outputs.events.log import EventLog
from realtime.outputs.explanation.picture import png_of
from realtime.outputs.explanation.stored import explanation_of
from realtime.outputs.explanation.words import Explanation
from realtime.outputs.web.gallery_api import Route


class Explanations:
    """The handlers. ``log`` None: a page with cameras only."""

    def __init__(self, log: EventLog | None) -> None:
        self._log = log

    def routes(self) -> list[Route]:
        """For the application, before the route of an event's pictures."""
        return [
            ("/api/events/{id:int}/explanation", self.words, ["GET"]),
            ("/api/events/{id:int}/explanation.png", self.picture, ["GET"]),
        ]

    async def words(self, request: Request) -> Response:
        found = await run_in_threadpool(self._explained, request.path_params["id"])
        return JSONResponse(found.as_dict())

    async def picture(self, request: Request) -> Response:
        found = await run_in_threadpool(self._explained, request.path_params["id"])
        content = await run_in_threadpool(png_of, found)
        return Response(content, media_type="image/png", headers={"cache-control": "private, max-age=60"})

    def _explained(self, number: int) -> Explanation:
        event = None if self._log is None or number >= 2**63 else self._log.get(number)
        if self._log is None or event is None:
            raise HTTPException(404, "there is no such event")
        found = explanation_of(event, self._log.picture)
        if found is None:
            raise HTTPException(404, "this event's face is not kept, so it cannot be explained")
        return found
