"""The page's programming interface as an OpenAPI document: one row for each address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any, NamedTuple

_JSON, _FORM = "application/json", "multipart/form-data"
_NAME = {"type": "string", "maxLength": 100}
_YES = {"type": "string", "enum": ["yes", "no"]}
_TICK = {"type": "boolean"}
_NUMBER = {"type": "integer"}
_FILE = {"type": "string", "format": "binary"}
_PEOPLE = {"type": "array", "items": _NAME}


class _Row(NamedTuple):
    """One address. ``body``: its fields, all of them needed but for those in ``may``; a file makes it a form."""

    method: str
    path: str
    summary: str
    body: Mapping[str, Any] = MappingProxyType({})
    may: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    status: int = 200


_EVENTS, _PERSON, _ASK = "/api/events", "/api/gallery/people", "/api/v1/recognition"
_SITTINGS = "/api/gallery/sittings"
_FILTER = ("kind", "camera", "person", "since", "until", "acknowledged", "before_id", "after_id", "limit")
_THIS_IS = {"name": _NAME, "consent": _TICK, "confirmed": _TICK, "keep": _TICK}
_PICTURES = {"type": "array", "items": _FILE}
_ADD = {"name": _NAME, "consent": _YES, "pictures": _PICTURES, "more": _YES, "keep": _YES, "anyway": _YES}
_ROWS = (
    _Row("get", "/api/cameras", "All cameras and what this run offers"),
    _Row("get", "/api/live", "Pictures and states of all cameras, endless"),
    _Row("get", _EVENTS, "Stored events, newest first", query=_FILTER),
    _Row("get", f"{_EVENTS}/stream", "Events as they happen (server-sent events)"),
    _Row("get", f"{_EVENTS}/export.{{fmt}}", "Events as csv or jsonl", query=_FILTER),
    _Row("get", f"{_EVENTS}/{{id}}", "One event with its probabilities"),
    _Row("get", f"{_EVENTS}/{{id}}/explanation", "Why: in words, and what each view gave"),
    _Row("get", f"{_EVENTS}/{{id}}/explanation.png", "The same as one picture, with every view"),
    _Row("get", f"{_EVENTS}/{{id}}/{{picture}}", "frame, before, saliency, mask, after (pictures) or clip (MP4)"),
    _Row("post", f"{_EVENTS}/{{id}}/acknowledge", "Note that somebody has seen it"),
    _Row("post", f"{_EVENTS}/acknowledge", "Note that somebody has seen all that match", query=_FILTER),
    _Row("post", f"{_EVENTS}/unacknowledge", "Take that back of these", {"ids": {"type": "array", "items": _NUMBER}}),
    _Row("post", f"{_EVENTS}/{{id}}/note", "Write a note to it; an empty one erases it", {"note": {"type": "string"}}),
    _Row(
        "post",
        f"{_EVENTS}/{{id}}/person",
        "This is ...: learn the event's face; 409 asks to confirm one under alarm",
        _THIS_IS,
        may=("confirmed", "keep"),
        status=201,
    ),
    _Row("get", "/api/people", "Everybody whom stored events name, with counts"),
    _Row("get", "/api/gallery", "Everybody who is to be known"),
    _Row("post", _PERSON, "Learn a person from pictures", _ADD, may=("more", "keep", "anyway"), status=201),
    _Row("get", f"{_PERSON}/{{name}}", "One person, with the report on their pictures"),
    _Row("get", "/api/gallery/report", "Everybody: pictures that fit nobody, look-alikes, pictures twice"),
    _Row("get", f"{_PERSON}/{{name}}/export", "All that is stored of one person (zip)"),
    _Row("get", f"{_PERSON}/{{name}}/pictures/{{digest}}", "A face crop that was kept (PNG)"),
    _Row("delete", f"{_PERSON}/{{name}}/pictures/{{digest}}", "Take one picture out"),
    _Row("delete", f"{_PERSON}/{{name}}", "Remove a person", query=("for_good", "history")),
    _Row("post", f"{_PERSON}/{{name}}/rename", "Call a person by another name", {"name": _NAME}),
    _Row("post", f"{_PERSON}/{{name}}/merge", "Others are this person too", {"others": _PEOPLE}),
    _Row("post", "/api/gallery/undo", "Take the last change back"),
    _Row(
        "post",
        _SITTINGS,
        "Take a person's pictures one by one, held in memory until finished",
        {"name": _NAME, "consent": _TICK, "more": _TICK, "keep": _TICK},
        may=("more", "keep"),
        status=201,
    ),
    _Row("get", f"{_SITTINGS}/{{sitting}}", "What is good so far, and where to look next"),
    _Row("delete", f"{_SITTINGS}/{{sitting}}", "Give it up; nothing is kept"),
    _Row("post", f"{_SITTINGS}/{{sitting}}/pictures", "Judge a picture file (the body)", query=("name", "moving")),
    _Row("post", f"{_SITTINGS}/{{sitting}}/look", "Judge what a running camera sees now", {"camera": _NAME}),
    _Row("get", f"{_SITTINGS}/{{sitting}}/pictures/{{number}}", "The face of a good picture (PNG)"),
    _Row("delete", f"{_SITTINGS}/{{sitting}}/pictures/{{number}}", "Take a picture out"),
    _Row("post", f"{_SITTINGS}/{{sitting}}/finish", "Learn the person", {"anyway": _TICK}, may=("anyway",), status=201),
    _Row("post", "/api/drill/{name}", "Put glasses onto a camera's faces for two minutes (body: RGBA PNG, or none)"),
    _Row("delete", "/api/drill/{name}", "Take them off"),
    _Row("get", "/api/openapi.json", "This document"),
    _Row(
        "post",
        f"{_ASK}/recognize",
        "CompreFace: who is in a picture; a suspected attack scores 0 for everybody",
        {"file": _FILE},
        query=("limit", "prediction_count", "det_prob_threshold"),
    ),
    _Row("get", f"{_ASK}/subjects", "CompreFace: everybody"),
    _Row("post", f"{_ASK}/subjects", "CompreFace: a name, faces to come", {"subject": _NAME}, status=201),
    _Row("put", f"{_ASK}/subjects/{{subject}}", "CompreFace: rename", {"subject": _NAME}),
    _Row("delete", f"{_ASK}/subjects/{{subject}}", "CompreFace: remove"),
    _Row("get", f"{_ASK}/faces", "CompreFace: all pictures", query=("page", "size", "subject")),
    _Row("post", f"{_ASK}/faces", "CompreFace: learn from a picture", {"file": _FILE}, query=("subject",), status=201),
    _Row("delete", f"{_ASK}/faces", "CompreFace: all of a subject", query=("subject",)),
)


def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for row in _ROWS:
        named = [{"name": name, "in": "path", "required": True} for name in re.findall(r"{(\w+)}", row.path)]
        asked: list[dict[str, Any]] = [{"name": name, "in": "query"} for name in row.query]
        operation: dict[str, Any] = {
            "summary": row.summary,
            "parameters": [one | {"schema": {"type": "string"}} for one in named + asked],
            "responses": {
                str(row.status): {"description": "done"},
                "4XX": {"description": "refused; the answer's error (CompreFace: message) says why"},
            },
        }
        if row.body:
            needed = [name for name in row.body if name not in row.may]
            schema = {"type": "object", "properties": dict(row.body), "required": needed}
            kind = _FORM if _FILE in row.body.values() or _PICTURES in row.body.values() else _JSON
            operation["requestBody"] = {"required": True, "content": {kind: {"schema": schema}}}
        paths.setdefault(row.path, {})[row.method] = operation
    schemes = {
        "token": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Spectaclear", "version": _version()},
        "paths": paths,
        "components": {"securitySchemes": schemes},
        "security": [{"token": []}, {"key": []}],
    }


def _version() -> str:
    try:
        return version("spectaclear")
    except PackageNotFoundError:  # run from its folder
        return "0"
