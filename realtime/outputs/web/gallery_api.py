"""Who is to be known, over HTTP: list, show, add, rename, merge, remove, undo, and "This is ..." on an event's face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import cv2
import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.errors import BadInput
from realtime.outputs.events import retention
from realtime.outputs.events.log import EventLog
from realtime.outputs.events.types import Event
from realtime.outputs.web.upload import read_form, read_json, shots_in
from realtime.people.export import described, everything_of
from realtime.people.live_desk import LiveDesk
from realtime.people.people import Added
from realtime.people.words import lines_of

#: (address, handler, methods)
Route = tuple[str, Callable[..., Any], list[str]]
#: What the command line says of its options, as a page says it.
_IN_A_PAGE = {
    "add pictures to them with --more": "tick that they are added to somebody who is there",
    "add to them with --more": "tick that they are added to somebody who is there",
    ", or add them with --anyway": ", or add them all the same",
}
_YES = ("yes", "true", "1", "on")
_ALARM = "this face was under alarm: whoever wore something may be learnt as somebody else; confirm once more"


class GalleryApi:
    """The handlers. ``desk`` None: this run's people cannot be changed."""

    def __init__(self, desk: LiveDesk | None, log: EventLog | None) -> None:
        self._desk_or_none, self._log = desk, log

    def routes(self) -> list[Route]:
        """For the application."""
        get, post, delete = ["GET"], ["POST"], ["DELETE"]
        return [
            ("/api/gallery", self.listed, get),
            ("/api/gallery/people", self.add, post),
            ("/api/gallery/report", self.report, get),
            ("/api/gallery/people/{name}", self.show, get),
            ("/api/gallery/people/{name}/export", self.export, get),
            ("/api/gallery/people/{name}/pictures/{digest}", self.crop, get),
            ("/api/gallery/people/{name}/pictures/{digest}", self.remove_picture, delete),
            ("/api/gallery/people/{name}", self.remove, delete),
            ("/api/gallery/people/{name}/rename", self.rename, post),
            ("/api/gallery/people/{name}/merge", self.merge, post),
            ("/api/gallery/undo", self.undo, post),
            ("/api/events/{id:int}/person", self.this_is, post),
        ]

    async def listed(self, request: Request) -> Response:
        return JSONResponse({"people": await run_in_threadpool(self._desk().listed)})

    async def show(self, request: Request) -> Response:
        desk = self._desk()

        def found() -> dict[str, Any]:
            person = desk.people.gallery().person(request.path_params["name"])
            kept = [digest for digest in person.digests if desk.people.kept.has(digest)]
            report = asdict(desk.people.report().of(person.name))
            return described(person) | {"kept_pictures": len(kept), "kept": kept, "report": report}

        return JSONResponse(await done(found, missing=404))

    async def report(self, request: Request) -> Response:
        """Everybody's: pictures that fit nobody, look-alikes, pictures twice."""
        desk = self._desk()
        return JSONResponse(await done(lambda: asdict(desk.people.report())))

    async def export(self, request: Request) -> Response:
        """All that is stored of one person, as a .zip."""
        desk, store = self._desk(), None if self._log is None else self._log.store
        content, _ = await done(lambda: everything_of(desk.people, request.path_params["name"], store), missing=404)
        return Response(
            content, media_type="application/zip", headers={"content-disposition": 'attachment; filename="person.zip"'}
        )

    async def crop(self, request: Request) -> Response:
        """A face crop that was kept, as a PNG."""
        desk = self._desk()

        def found() -> bytes | None:
            person, digest = desk.people.gallery().person(request.path_params["name"]), request.path_params["digest"]
            return desk.people.kept.content(digest) if digest in person.digests else None

        content = await done(found, missing=404)
        if content is None:
            raise HTTPException(404, "this picture was not kept")
        return Response(content, media_type="image/png")

    async def remove_picture(self, request: Request) -> Response:
        desk, given = self._desk(), request.path_params
        after = await done(lambda: desk.people.remove_picture(given["name"], given["digest"]), missing=404)
        return JSONResponse({"people": list(after.labels)})

    async def add(self, request: Request) -> Response:
        """A form: name, consent=yes, pictures (files); more=yes, keep=yes, anyway=yes."""
        desk = self._desk()
        words, files = await read_form(request)
        consented(words.get("consent"))
        ticked = {key: words.get(key, "").lower() in _YES for key in ("more", "keep", "anyway")}
        added, skipped = await done(lambda: desk.add(words.get("name", ""), shots_in(files), **ticked))
        said = added_as_dict(added) | {"skipped": [asdict(one) for one in skipped], "lines": lines_of(added, skipped)}
        return JSONResponse(said, 201)

    async def rename(self, request: Request) -> Response:
        desk, given = self._desk(), await read_json(request)
        after = await done(lambda: desk.people.rename(request.path_params["name"], text_of(given, "name")))
        return JSONResponse({"people": list(after.labels)})

    async def merge(self, request: Request) -> Response:
        desk, given = self._desk(), await read_json(request)
        others = given.get("others")
        if not isinstance(others, list) or not all(isinstance(one, str) for one in others):
            raise HTTPException(400, "others: give a list of names")
        after = await done(lambda: desk.people.merge(request.path_params["name"], *others))
        return JSONResponse({"people": list(after.labels)})

    async def remove(self, request: Request) -> Response:
        """``?for_good=yes``: from every state kept for undo; ``?history=yes``: the events that name them too."""
        desk, name = self._desk(), request.path_params["name"]
        for_good, history = (request.query_params.get(key, "") in _YES for key in ("for_good", "history"))
        after = await done(lambda: desk.people.remove(name, for_good=for_good), missing=404)
        forgotten = 0
        if history and self._log is not None:
            forgotten = await run_in_threadpool(retention.forget_person, self._log.store, name)
        return JSONResponse({"people": list(after.labels), "events": forgotten})

    async def undo(self, request: Request) -> Response:
        desk = self._desk()
        after = await done(desk.people.undo)
        return JSONResponse({"people": list(after.labels)})

    async def this_is(self, request: Request) -> Response:
        """JSON: name, consent, and confirmed where the face was under alarm."""
        desk, given = self._desk(), await read_json(request)
        event = await run_in_threadpool(self._event, request.path_params["id"])
        consented(given.get("consent"))
        if event.kind == "suspected_attack" and given.get("confirmed") is not True:
            return JSONResponse({"error": _ALARM, "confirm": True}, 409)
        content = None if self._log is None else await run_in_threadpool(self._log.picture, event.id, "before")
        if content is None:
            raise HTTPException(409, "this event has no face that was kept")
        crop = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if crop is None:
            raise HTTPException(409, "this event's face cannot be read")
        rgb = np.ascontiguousarray(crop[..., ::-1]).astype(np.uint8)
        added = await done(lambda: desk.this_is(text_of(given, "name"), rgb, keep=given.get("keep") is True))
        return JSONResponse(added_as_dict(added) | {"lines": lines_of(added, ())}, 201)

    def _event(self, number: int) -> Event:
        event = None if self._log is None or number >= 2**63 else self._log.get(number)
        if event is None:
            raise HTTPException(404, "there is no such event")
        return event

    def _desk(self) -> LiveDesk:
        if self._desk_or_none is None:
            raise HTTPException(404, "the people of this run cannot be changed; give it --gallery")
        return self._desk_or_none


async def done(change: Callable[[], Any], *, missing: int = 400) -> Any:
    """What the change gives, off the event loop; a refusal becomes an answer that says why."""
    try:
        return await run_in_threadpool(change)
    except BadInput as error:
        said = str(error)
        for words, other in _IN_A_PAGE.items():
            said = said.replace(words, other)
        raise HTTPException(missing if "nobody has that name" in said else 400, said) from None


def consented(given: object) -> None:
    """Raises a 400 where consent is not stated."""
    if given is not True and str(given).lower() not in _YES:
        raise HTTPException(400, "recognising somebody needs their consent; tick that you have it (consent=yes)")


def text_of(given: dict[str, Any], key: str) -> str:
    """Raises a 400 where it is missing."""
    value = given.get(key)
    if not isinstance(value, str) or not value.strip():
        raise HTTPException(400, f"{key} is missing")
    return value


def added_as_dict(added: Added) -> dict[str, Any]:
    """Ready for JSON."""
    return {
        "name": added.name,
        "pictures": added.pictures,
        "repeated": added.repeated,
        "left_out": asdict(added.trial),
        "report": asdict(added.report),
    }
