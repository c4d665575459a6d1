"""CompreFace's recognition paths, so that programs which speak to it (Double Take, Frigate) can ask this one.

Source: CompreFace's REST API description (docs/Rest-API-description.md of exadel-inc/CompreFace, 1.2). What its
answers have not: ``state`` and ``reason`` of each face. A face under alarm scores 0 for every subject, and one that is
not known scores what its weakest view gives. ``x-api-key`` is the page's token.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.errors import BadInput
from models.gallery.names import checked_name, key_of
from realtime.outputs.web.gallery_api import Route
from realtime.outputs.web.upload import MOST_BYTES, read_form, read_json, shots_in
from realtime.people.live_desk import LiveDesk, Seen
from realtime.people.photo import decode_photo

PREFIX = "/api/v1/recognition"
_NO_FACE, _NOT_FOUND, _BAD = 28, 42, 21  # CompreFace's own numbers


class CompreFace:
    """The handlers. A subject that was made without a face is remembered until it has one."""

    def __init__(self, desk: LiveDesk | None) -> None:
        self._desk_or_none = desk
        self._waiting: dict[str, str] = {}

    def routes(self) -> list[Route]:
        """For the application."""
        subjects, faces = f"{PREFIX}/subjects", f"{PREFIX}/faces"
        return [
            (f"{PREFIX}/recognize", self.recognize, ["POST"]),
            (subjects, self.subjects, ["GET"]),
            (subjects, self.add_subject, ["POST"]),
            (f"{subjects}/{{subject}}", self.rename_subject, ["PUT"]),
            (f"{subjects}/{{subject}}", self.delete_subject, ["DELETE"]),
            (faces, self.faces, ["GET"]),
            (faces, self.add_face, ["POST"]),
            (faces, self.delete_faces, ["DELETE"]),
        ]

    async def recognize(self, request: Request) -> Response:
        desk = self._desk()
        bgr = await self._picture(request)
        seen = await run_in_threadpool(desk.recognise, bgr)
        limit, count = _number(request, "limit", 0), _number(request, "prediction_count", 1)
        least = _share(request, "det_prob_threshold")
        seen = [one for one in seen if one.face.score >= least]
        if not seen:
            return _refused(400, _NO_FACE, "No face is found in the given image")
        return JSONResponse({"result": [as_result(one, count) for one in (seen[:limit] if limit else seen)]})

    async def subjects(self, request: Request) -> Response:
        people = await run_in_threadpool(self._desk().people.gallery)
        return JSONResponse({"subjects": [*people.labels, *self._waiting.values()]})

    async def add_subject(self, request: Request) -> Response:
        desk, given = self._desk(), await read_json(request)
        try:
            name = checked_name(str(given.get("subject", "")))
        except BadInput as error:
            return _refused(400, _BAD, str(error))
        people = await run_in_threadpool(desk.people.gallery)
        if people.find(name) is not None or key_of(name) in self._waiting:
            return _refused(400, 43, f"Subject {name} already exists")
        if len(self._waiting) > 1000:
            self._waiting.clear()
        self._waiting[key_of(name)] = name
        return JSONResponse({"subject": name}, 201)

    async def rename_subject(self, request: Request) -> Response:
        desk, old, given = self._desk(), request.path_params["subject"], await read_json(request)
        new = str(given.get("subject", ""))
        if key_of(old) in self._waiting:
            del self._waiting[key_of(old)]
            self._waiting[key_of(new)] = new
            return JSONResponse({"updated": True})
        people = await run_in_threadpool(desk.people.gallery)
        taken = people.find(new) is not None and key_of(new) != key_of(old)
        return await self._changed(
            {"updated": True}, lambda: desk.people.merge(new, old) if taken else desk.people.rename(old, new)
        )

    async def delete_subject(self, request: Request) -> Response:
        desk, name = self._desk(), request.path_params["subject"]
        if self._waiting.pop(key_of(name), None) is not None:
            return JSONResponse({"subject": name})
        return await self._changed({"subject": name}, lambda: desk.people.remove(name))

    async def faces(self, request: Request) -> Response:
        people = await run_in_threadpool(self._desk().people.gallery)
        wanted = request.query_params.get("subject")
        found = [
            {"image_id": digest, "subject": person.name}
            for person in people.people
            for digest in person.digests
            if wanted is None or key_of(wanted) == key_of(person.name)
        ]
        size, page = _number(request, "size", 20) or 20, _number(request, "page", 0)
        return JSONResponse(
            {
                "faces": found[page * size : (page + 1) * size],
                "page_number": page,
                "page_size": size,
                "total_pages": math.ceil(len(found) / size),
                "total_elements": len(found),
            }
        )

    async def add_face(self, request: Request) -> Response:
        desk, name = self._desk(), request.query_params.get("subject", "")
        shots = shots_in([("file", await self._content(request))])

        def learn() -> str:
            more = desk.people.gallery().find(name) is not None
            desk.add(name, shots, more=more, keep=False)
            return str(desk.people.gallery().person(name).digests[-1])

        try:
            digest = await run_in_threadpool(learn)
        except BadInput as error:
            code = _NO_FACE if "no face found" in str(error) else _BAD
            return _refused(400, code, "No face is found in the given image" if code == _NO_FACE else str(error))
        self._waiting.pop(key_of(name), None)
        return JSONResponse({"image_id": digest, "subject": name}, 201)

    async def delete_faces(self, request: Request) -> Response:
        """All of one subject, who goes with them."""
        desk, name = self._desk(), request.query_params.get("subject", "")
        people = await run_in_threadpool(desk.people.gallery)
        person = people.find(name)
        if person is None:
            return JSONResponse({"deleted": 0})
        return await self._changed({"deleted": len(person.digests)}, lambda: desk.people.remove(name))

    async def _changed(self, answer: dict[str, Any], change: Any) -> Response:
        try:
            await run_in_threadpool(change)
        except BadInput as error:
            missing = "nobody has that name" in str(error)
            return _refused(404 if missing else 400, _NOT_FOUND if missing else _BAD, str(error))
        return JSONResponse(answer)

    async def _picture(self, request: Request) -> Any:
        content = await self._content(request)
        try:
            return await run_in_threadpool(decode_photo, content, "file")
        except BadInput as error:
            raise HTTPException(400, str(error)) from None

    async def _content(self, request: Request) -> bytes:
        """The picture: a form's ``file``, or JSON with it in base64."""
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            _, files = await read_form(request)
            if not files:
                raise HTTPException(400, "file is missing")
            return files[0][1]
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MOST_BYTES:
            raise HTTPException(413, "the picture is too large")
        try:
            return base64.b64decode(json.loads(await request.body())["file"], validate=True)
        except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
            raise HTTPException(400, "give a form with file, or JSON with file in base64") from None

    def _desk(self) -> LiveDesk:
        if self._desk_or_none is None:
            raise HTTPException(404, "this run has no gallery to recognise by")
        return self._desk_or_none


def as_result(seen: Seen, count: int) -> dict[str, Any]:
    """One face as CompreFace says it, with our ``state`` and ``reason``."""
    x1, y1, x2, y2 = (int(edge) for edge in seen.face.box.round())
    box = {"probability": round(seen.face.score, 5), "x_max": x2, "y_max": y2, "x_min": x1, "y_min": y1}
    return {
        "box": box,
        "landmarks": [[int(x), int(y)] for x, y in seen.face.landmarks.round()],
        "subjects": _scores(seen, count),
        "state": seen.decision.state,
        "reason": seen.decision.reason,
    }


def _scores(seen: Seen, count: int) -> list[dict[str, Any]]:
    """The best names with what the weakest view gives them; 0 for all where an attack is suspected."""
    evidence = seen.evidence
    if evidence is None:
        return []
    weakest = evidence.raw if not len(evidence.views) else evidence.views.min(axis=0).clip(max=evidence.raw)
    if seen.decision.state == "suspected_attack":
        weakest = weakest * 0
    order = sorted(range(len(evidence.labels)), key=lambda i: (-float(weakest[i]), -float(evidence.raw[i])))
    return [{"subject": evidence.labels[i], "similarity": round(float(weakest[i]), 5)} for i in order[: max(1, count)]]


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else default


def _share(request: Request, name: str) -> float:
    try:
        value = float(request.query_params.get(name) or 0.0)
    except ValueError:
        return 0.0
    return value if 0 <= value <= 1 else 0.0


def _refused(status: int, code: int, message: str) -> Response:
    return JSONResponse({"message": message, "code": code}, status)
