"""Commands on stored events, also while a run writes them: list, export, acknowledge, note, forget."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from models.errors import BadInput
from realtime.outputs.events import changes, retention
from realtime.outputs.events import export as event_export
from realtime.outputs.events.database import unusable, unusable_folder
from realtime.outputs.events.since import Since, moment_of
from realtime.outputs.events.store import EventStore
from realtime.outputs.events.types import KINDS, Event, EventFilter, Kind
from realtime.system.command_line import JsonFile, check_writable, console, write_json

app = typer.Typer(help="Stored events: list, export, acknowledge, note, forget.", rich_markup_mode=None)

Folder = Annotated[Path, typer.Option("--folder", help="Where the run writes its events.")]
Kinds = Annotated[list[str] | None, typer.Option("--kind", help=f"One of {', '.join(KINDS)}; may be repeated.")]
CameraName = Annotated[str | None, typer.Option("--camera", help="Only this camera.")]
Person = Annotated[str | None, typer.Option("--person", help="Only events that name this person.")]


@app.command("list")
def list_events(
    folder: Folder,
    kind: Kinds = None,
    camera: CameraName = None,
    person: Person = None,
    since: Since = None,
    until: Since = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many, newest first.")] = 20,
    json_file: JsonFile = None,
) -> None:
    """Show the newest events."""
    check_writable(json_file)
    with _opened(folder, write=False) as store:
        found = store.query(replace(_filter(kind, camera, person, since, until), limit=limit))
    table = Table("id", "time", "camera", "event", "acknowledged")
    for event in found:
        moment = str(event.as_dict(probabilities=False)["time"])
        done = "yes" if event.acknowledged_at is not None else ""
        more = [line for line in (_lasted(event), event.note) if line]
        table.add_row(str(event.id), moment, Text(event.camera), Text("\n".join([event.text, *more])), done)
    write_json(json_file, {"events": [event.as_dict() for event in found]})
    console.print(table)


@app.command()
def export(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", help="The file to write: .jsonl (everything) or .csv (one row each).")],
    kind: Kinds = None,
    camera: CameraName = None,
    person: Person = None,
    since: Since = None,
    until: Since = None,
    json_file: JsonFile = None,
) -> None:
    """Write events to a file, oldest first."""
    check_writable(json_file)
    with _opened(folder, write=False) as store:
        count = event_export.export(store, out, out.suffix.lstrip("."), _filter(kind, camera, person, since, until))
    write_json(json_file, {"events": count, "out": str(out)})
    console.print(f"{count} events: {out}")


@app.command()
def acknowledge(
    folder: Folder,
    event_ids: Annotated[
        list[int] | None, typer.Argument(min=1, max=2**63 - 1, help="The events' numbers; none: see --all.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All that match the filters and nobody has seen.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take the last acknowledgement back, also of many.")] = False,
    kind: Kinds = None,
    camera: CameraName = None,
    person: Person = None,
    since: Since = None,
    until: Since = None,
    json_file: JsonFile = None,
) -> None:
    """Mark events as seen, one, some or all that match; or take it back."""
    check_writable(json_file)
    if (event_ids is not None and len(event_ids) > 0) + every + undo != 1:
        raise BadInput("give numbers of events, or --all (with filters), or --undo")
    with _opened(folder) as store:
        if missing := [number for number in event_ids or () if store.get(number) is None]:
            raise BadInput(f"{folder}: there is no event {missing[0]}; list shows those there are")
        if undo:
            done = changes.undo_acknowledge(store)
        elif every:
            done = changes.acknowledge_all(store, _filter(kind, camera, person, since, until))
        else:
            done = [number for number in event_ids or () if store.acknowledge(number) is not None]
    write_json(json_file, {"undone" if undo else "acknowledged": done})
    console.print(f"{len(done)} events {'are open again' if undo else 'acknowledged'}")


@app.command()
def note(
    folder: Folder,
    event_id: Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The event's number.")],
    text: Annotated[str, typer.Argument(help='What there is to say; "" erases it.')],
    json_file: JsonFile = None,
) -> None:
    """Write a note to an event."""
    check_writable(json_file)
    with _opened(folder) as store:
        try:
            there = changes.note(store, event_id, text)
        except ValueError as error:
            raise BadInput(f"event {event_id}: {error}; shorten it") from None
        event = store.get(event_id)
    if not there or event is None:
        raise BadInput(f"{folder}: there is no event {event_id}; list shows those there are")
    write_json(json_file, event.as_dict())
    console.print(Text(f"{event.text}: {event.note or 'no note'}"))


@app.command()
def forget(
    folder: Folder,
    person: Annotated[str, typer.Option("--person", help="Exactly as the events name them.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Delete everything about one person from rows, pictures and probabilities. It cannot be undone."""
    check_writable(json_file)
    with _opened(folder) as store:
        others = [name for name in retention.same_name(store, person) if name != person]
        count = retention.count_about(store, person)
        if others and not count:
            raise BadInput(
                f"--person {person}: the events name {' and '.join(others)}; give the name as it stands there"
            )
        question = f"Delete {count} events about {person}, their pictures and every trace? It cannot be undone."
        if not yes and not _can_be_asked():
            raise BadInput(f"{folder}: nothing is deleted unasked; add --yes ({count} events about {person})")
        if not yes and not typer.confirm(question):
            raise typer.Exit(1)
        count = retention.forget_person(store, person)
        aside = retention.set_aside(store)
    write_json(json_file, {"deleted": count})
    console.print(Text(f"{count} events about {person} are deleted"))
    if aside:
        place = folder / "evidence" / "lost+found"
        console.print(Text(f"{place}: nobody knows whom the pictures of {aside} folders show; look at them yourself"))


def _can_be_asked() -> bool:
    return sys.stdin.isatty()


@contextmanager
def _opened(folder: Path, *, write: bool = True) -> Iterator[EventStore]:
    store = EventStore(folder, owner=False, write=write)
    try:
        yield store
    except sqlite3.DatabaseError as error:
        raise unusable(folder, error) from None
    except OSError as error:
        raise unusable_folder(folder, error) from None
    except UnicodeEncodeError:
        raise BadInput("a name or camera is not UTF-8; give it in a terminal that is") from None
    finally:
        store.close()


def _filter(
    kind: list[str] | None, camera: str | None, person: str | None, since: str | None, until: str | None
) -> EventFilter:
    after, before = (None if text is None else moment_of(text) for text in (since, until))
    return EventFilter(_kinds(kind), camera, person, since=after, until=before)


def _lasted(event: Event) -> str:
    if event.last_seen is None:
        return ""
    goes_on = "" if event.ended_at is not None else ", goes on"
    return f"{event.last_seen - event.wall_time:.0f} s, {event.looks} looks{goes_on}"


def _kinds(given: list[str] | None) -> frozenset[Kind] | None:
    for kind in given or ():
        if kind not in KINDS:
            raise BadInput(f"--kind {kind}: there is no such kind; choose among {', '.join(KINDS)}")
    return frozenset(kind for kind in KINDS if kind in given) if given else None
