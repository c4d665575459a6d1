"""Taking people out: a gallery for another machine, or everything that is stored of one person."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import BadInput
from models.gallery.file import encode
from models.gallery.gallery import Person
from realtime.outputs.events.store import EventStore
from realtime.outputs.events.types import EventFilter
from realtime.people.people import People
from realtime.system.command_line import write_whole

_MOST_EVENTS = 100_000


def export_people(people: People, out: Path, names: list[str], events: EventStore | None = None) -> str:
    """Write people to a file; gives a line that says what it holds.

    Args:
        out: ``.npz``: a gallery (``people import`` takes it in). ``.zip``: all that is stored of one person, to read:
            description, vectors, kept crops, and with ``events`` the events that name them, with their pictures.
        names: none: everybody.

    Raises:
        BadInput: nobody has a name, ``out`` is neither, or cannot be written.
    """
    gallery = people.gallery()
    chosen = [gallery.person(name) for name in names] or list(gallery.people)
    if out.suffix == ".npz":
        write_whole(out, encode(replace(gallery, people=tuple(chosen))))
        return f"{out}: {len(chosen)} people, to be taken in with: spectaclear people import {out}"
    if out.suffix != ".zip":
        raise BadInput(f"{out}: give a name that ends in .npz (a gallery) or .zip (all that is stored of a person)")
    if len(chosen) != 1:
        raise BadInput(f"{out}: a .zip holds all that is stored of one person; name one")
    content, count = everything_of(people, chosen[0].name, events)
    write_whole(out, content)
    return f"{out}: all that is stored of {chosen[0].name}, {count} files"


def described(person: Person) -> dict[str, Any]:
    """A person in words and figures, ready for JSON; no vector."""
    return {
        "name": person.name,
        "pictures": person.counts,
        "added": person.added,
        "consent": person.consent,
        "digests": list(person.digests),
    }


def everything_of(people: People, name: str, events: EventStore | None) -> tuple[bytes, int]:
    """All that is stored of one person as a .zip, and how many files it holds.

    Raises:
        BadInput: nobody has that name.
    """
    person = people.gallery().person(name)
    stream, count = io.BytesIO(), 2
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        about = described(person) | {"trunk": people.bundle.checksum, "views": ["whole", *people.gallery().views]}
        archive.writestr("person.json", json.dumps(about, ensure_ascii=False, indent=2))
        vectors = io.BytesIO()
        np.savez(vectors, means=person.means, vectors=person.vectors)
        archive.writestr("vectors.npz", vectors.getvalue())
        for file in people.kept.files(person):
            archive.write(file, f"pictures/{file.name}")
            count += 1
        found = [] if events is None else events.query(EventFilter(person=person.name, limit=_MOST_EVENTS))
        if found:
            lines = [json.dumps(event.as_dict(), ensure_ascii=False) for event in found]
            archive.writestr("events.jsonl", "\n".join(lines))
            count += 1
        for event in found:
            for picture in event.pictures:
                path = events.picture_path(event.id, picture) if events is not None else None
                if path is not None and path.is_file():
                    archive.write(path, f"events/{event.id}/{path.name}")
                    count += 1
    return stream.getvalue(), count
