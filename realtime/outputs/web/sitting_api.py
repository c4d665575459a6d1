"""A person's pictures taken one by one, over HTTP: from the browser's webcam, a running camera, or files.

A sitting is held in memory until it is finished: a page that loses its connection asks for it again, or leaves nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.errors import BadInput
from realtime.outputs.web.gallery_api import Route, added_as_dict, consented, done, text_of
from realtime.outputs.web.upload import read_body, read_json, shots_in
from realtime.people.live_desk import LiveDesk
from realtime.people.sitting import Judged, Sitting
from realtime.people.sources import Shot, Skipped, digest_of_pixels
from realtime.people.words import lines_of
from realtime.types import Frame

MOST_BYTES = 32 << 20
_OLDEST = 1.0  # seconds that a running camera's picture may be old
_BEGIN = "/api/gallery/sittings"
_SITTING = f"{_BEGIN}/{{sitting}}"


class SittingApi:
    """The handlers. ``frame_of`` gives a running camera's newest frame; ``desk`` None: nobody can be added."""

    def __init__(self, desk: LiveDesk | None, frame_of: Callable[[str], Frame | None]) -> None:
        self._desk_or_none, self._frame_of = desk, frame_of

    def routes(self) -> list[Route]:
        """For the application."""
        get, post, delete = ["GET"], ["POST"], ["DELETE"]
        return [
            (_BEGIN, self.begin, post),
            (_SITTING, self.show, get),
            (_SITTING, self.give_up, delete),
            (f"{_SITTING}/pictures", self.picture, post),
            (f"{_SITTING}/look", self.look, post),
            (f"{_SITTING}/pictures/{{number:int}}", self.thumbnail, get),
            (f"{_SITTING}/pictures/{{number:int}}", self.drop, delete),
            (f"{_SITTING}/finish", self.finish, post),
        ]

    async def begin(self, request: Request) -> Response:
        """JSON: name and consent; more (add to somebody who is there), keep (the face crops)."""
        desk, given = self._desk(), await read_json(request)
        consented(given.get("consent"))
        name, more, keep = text_of(given, "name"), given.get("more") is True, given.get("keep") is True
        sitting = await done(lambda: desk.begin(name, more=more, keep=keep))
        return JSONResponse(_state(sitting), 201)

    async def show(self, request: Request) -> Response:
        return JSONResponse(_state(self._sitting(request)))

    async def give_up(self, request: Request) -> Response:
        self._desk().sittings.end(request.path_params["sitting"])
        return JSONResponse({"kept": 0})

    async def picture(self, request: Request) -> Response:
        """The body is a picture file. ``?name=``: what it is called; ``?moving=yes``: one of a camera's many."""
        desk, sitting = self._desk(), self._sitting(request)
        content = await read_body(request, MOST_BYTES, what="picture")
        name, moving = request.query_params.get("name", "picture")[:200], "moving" in request.query_params

        def judged() -> Judged:
            (shot,) = shots_in([(name, content)])
            if isinstance(shot, Shot) and moving:
                shot = Shot(shot.name, shot.bgr, shot.digest, moving=True)
            return desk.look(sitting, shot)

        return _answer(sitting, await run_in_threadpool(judged))

    async def look(self, request: Request) -> Response:
        """JSON: camera. Looks at its newest picture."""
        desk, sitting = self._desk(), self._sitting(request)
        camera = text_of(await read_json(request), "camera")
        shot = await run_in_threadpool(self._seen_by, camera)
        return _answer(sitting, await run_in_threadpool(desk.look, sitting, shot))

    async def thumbnail(self, request: Request) -> Response:
        """The face that is to be learnt, as a PNG."""
        found = self._sitting(request).faces.get(request.path_params["number"])
        if found is None:
            raise HTTPException(404, "there is no such picture")
        _, encoded = cv2.imencode(".png", np.ascontiguousarray(found[0].crop[..., ::-1]))
        return Response(encoded.tobytes(), media_type="image/png")

    async def drop(self, request: Request) -> Response:
        sitting = self._sitting(request)
        if not sitting.drop(request.path_params["number"]):
            raise HTTPException(404, "there is no such picture")
        return JSONResponse(_state(sitting))

    async def finish(self, request: Request) -> Response:
        """JSON: anyway, also where the pictures are somebody else's already. May be asked again."""
        desk, sitting, given = self._desk(), self._sitting(request), await read_json(request)
        added = await done(lambda: desk.finish(sitting, anyway=given.get("anyway") is True))
        return JSONResponse(added_as_dict(added) | {"lines": lines_of(added, ())}, 201)

    def _seen_by(self, camera: str) -> Shot | Skipped:
        frame = self._frame_of(camera)
        if frame is None or time.monotonic() - frame.captured_at > _OLDEST:
            return Skipped(camera, "this camera has no picture of this moment")
        if frame.drill:
            return Skipped(camera, "a drill is on at this camera: nobody is learnt from what was drawn")
        return Shot(f"{camera}, picture {frame.index}", frame.bgr, digest_of_pixels(frame.bgr), moving=True)

    def _sitting(self, request: Request) -> Sitting:
        try:
            return self._desk().sittings.get(request.path_params["sitting"])
        except BadInput as error:
            raise HTTPException(404, str(error)) from None

    def _desk(self) -> LiveDesk:
        if self._desk_or_none is None:
            raise HTTPException(404, "the people of this run cannot be changed; give it --gallery")
        return self._desk_or_none


def _state(sitting: Sitting) -> dict[str, Any]:
    faces = [{"number": number, "name": face.name, "pose": pose} for number, (face, pose) in sitting.faces.items()]
    return {"id": sitting.id, "name": sitting.who, "good": faces, "missing": sitting.missing()}


def _answer(sitting: Sitting, judged: Judged) -> Response:
    picture = {"name": judged.name, "number": judged.number, "pose": judged.pose, "reason": judged.reason}
    return JSONResponse(_state(sitting) | {"picture": picture})
