"""Reads what a client sends: JSON of a few kilobytes, or a form with pictures, within stated limits."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from models.errors import BadInput
from realtime.people.sources import Shot, Skipped, shot_of

MOST_BYTES = 64 << 20
MOST_PICTURES = 50
_SECONDS = 60.0
_LONGEST_JSON = 64 << 10


async def read_json(request: Request) -> dict[str, Any]:
    """A JSON object. Raises a 400 or 413 that says what is wrong."""
    body = await read_body(request, _LONGEST_JSON, what="body")
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is no JSON") from None
    if not isinstance(found, dict):
        raise HTTPException(400, "the body is no JSON object")
    return found


async def read_form(request: Request) -> tuple[dict[str, str], list[tuple[str, bytes]]]:
    """A multipart form: its words, and its files as (name, content)."""
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()):
        raise HTTPException(411, "the form's length is missing")
    if int(length) > MOST_BYTES:
        raise HTTPException(413, f"the pictures are larger than {MOST_BYTES >> 20} MiB together; send fewer at a time")
    words: dict[str, str] = {}
    files: list[tuple[str, bytes]] = []
    try:
        async with asyncio.timeout(_SECONDS), request.form(max_files=MOST_PICTURES, max_fields=20) as form:
            for key, value in form.multi_items():
                if isinstance(value, UploadFile):
                    files.append((value.filename or key, await value.read()))
                else:
                    words[key] = value
    except TimeoutError:
        raise HTTPException(408, "the form takes too long to arrive; send it again") from None
    return words, files


def shots_in(files: list[tuple[str, bytes]]) -> list[Shot | Skipped]:
    """The files as pictures; what is none is skipped with its reason."""
    found: list[Shot | Skipped] = []
    for name, content in files:
        try:
            found.append(shot_of(content, name))
        except BadInput as error:
            found.append(Skipped(name, str(error).removeprefix(name).split(";")[0].strip().removeprefix("is ")))
    return found


async def read_body(request: Request, most: int, *, what: str) -> bytes:
    """The whole body, of at most so many bytes and within ten seconds. Raises a 413 or 408 that says so of ``what``."""
    body = b""
    try:
        async with asyncio.timeout(10):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise HTTPException(413, f"the {what} is too long")
    except TimeoutError:
        raise HTTPException(408, f"the {what} takes too long to arrive; send it again") from None
    return body
