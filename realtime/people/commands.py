"""``spectaclear people ...``: who is to be known."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from models.errors import BadInput
from models.gallery.file import decode, read_file
from models.gallery.gallery import Gallery
from models.gallery.names import checked_name
from realtime.outputs.events import retention
from realtime.outputs.events.store import EventStore
from realtime.people.desk import Desk, consent_of, people_at
from realtime.people.export import described, export_people
from realtime.people.words import people_table, print_report
from realtime.system.command_line import JsonFile, check_writable, console, refuse_overwriting, write_json

app = typer.Typer(help="Who is to be known: add, list, show, remove, rename, merge, undo.", rich_markup_mode=None)

GalleryFile = Annotated[
    str | None, typer.Option("--gallery", help="The file of your people; none: your own, in your data folder.")
]
ConfigFile = Annotated[str | None, typer.Option("--config", help="A YAML file, or webcam, cctv, published_method.")]
BundleName = Annotated[str | None, typer.Option("--bundle", help="Whose network to use; none: the embedded one.")]
EngineName = Annotated[str | None, typer.Option("--engine", help="auto, onnxruntime, torch, ...")]
Consent = Annotated[bool, typer.Option("--i-have-consent", help="They agree to be recognised; kept with the date.")]
Keep = Annotated[bool, typer.Option("--keep-pictures", help="Keep the face crops, not only vectors.")]
FromScratch = Annotated[bool, typer.Option("--from-scratch", help="Begin with nobody, not with the bundle's people.")]
More = Annotated[bool, typer.Option("--more", help="Add pictures to somebody who is there.")]
Anyway = Annotated[bool, typer.Option("--anyway", help="Also where the pictures are somebody else's already.")]
Seconds = Annotated[float, typer.Option("--seconds", min=0.5, max=600, help="How long to look at a camera.")]
EventsFolder = Annotated[Path | None, typer.Option("--events", help="The folder of stored events.")]


@app.command()
def add(  # noqa: PLR0913 - a command's options
    name: Annotated[str, typer.Argument(help="What the person is called.")],
    sources: Annotated[
        list[str], typer.Argument(help="Pictures, folders of them, videos, a webcam (0), rtsp://... addresses.")
    ],
    consent: Consent = False,
    keep_pictures: Keep = False,
    more: More = False,
    anyway: Anyway = False,
    from_scratch: FromScratch = False,
    seconds: Seconds = 10.0,
    gallery: GalleryFile = None,
    config: ConfigFile = None,
    bundle: BundleName = None,
    engine: EngineName = None,
    json_file: JsonFile = None,
) -> None:
    """Add a person from pictures; takes seconds, and a running pipeline knows them within two more."""
    check_writable(json_file)
    given = consent_of(checked_name(name), consent)
    desk = Desk(config, gallery, bundle, engine, from_scratch=from_scratch)
    found = desk.add(name, sources, given, seconds=seconds, more=more, keep=keep_pictures, anyway=anyway)
    write_json(json_file, found)


@app.command("add-folders")
def add_folders(
    folder: Annotated[Path, typer.Argument(help="Holds one folder of pictures per person, named as they are called.")],
    consent: Consent = False,
    keep_pictures: Keep = False,
    from_scratch: FromScratch = False,
    gallery: GalleryFile = None,
    config: ConfigFile = None,
    bundle: BundleName = None,
    engine: EngineName = None,
    json_file: JsonFile = None,
) -> None:
    """Add many people at once; who cannot be added is said, and the others are."""
    from realtime.people.pictures import people_of

    check_writable(json_file)
    folders = people_of(folder, least=1)
    given = consent_of(f"these {len(folders)} people", consent)
    desk = Desk(config, gallery, bundle, engine, from_scratch=from_scratch)
    results: list[dict[str, Any]] = []
    for name in folders:
        try:
            results.append(
                desk.add(" ".join(name.replace("_", " ").split()), [str(folder / name)], given, keep=keep_pictures)
            )
        except BadInput as error:
            console.print(str(error))
            results.append({"name": name, "refused": str(error)})
    write_json(json_file, {"people": results})
    refused = sum("refused" in one for one in results)
    if refused:
        raise BadInput(f"{folder}: {refused} of {len(results)} people could not be added, see above")


@app.command("list")
def list_people(
    gallery: GalleryFile = None, config: ConfigFile = None, bundle: BundleName = None, json_file: JsonFile = None
) -> None:
    """Who is known."""
    check_writable(json_file)
    people = people_at(config, gallery, bundle)
    found = people.gallery()
    write_json(json_file, {"file": str(people.store.path), "people": [described(one) for one in found.people]})
    console.print(people_table(found))
    where = str(people.store.path) if people.store.path.exists() else f"those of the bundle {people.bundle.info.name}"
    console.print(f"{len(found)} people, {where}")


@app.command()
def show(
    name: Annotated[str | None, typer.Argument(help="One person; none: everybody.")] = None,
    gallery: GalleryFile = None,
    config: ConfigFile = None,
    bundle: BundleName = None,
    json_file: JsonFile = None,
) -> None:
    """How well people are told apart: each picture left out once, look-alikes, duplicates, strangers."""
    check_writable(json_file)
    people = people_at(config, gallery, bundle)
    report = people.report()
    if name is None:
        write_json(json_file, report)
        print_report(report, console)
        return
    person = people.gallery().person(name)
    of_theirs, kept = report.of(person.name), len(people.kept.files(person))
    write_json(json_file, described(person) | {"kept_pictures": kept, "report": of_theirs})
    console.print(f"{person.name}: {person.counts} pictures, added {person.added}, {kept} kept as crops")
    console.print(f"consent: {person.consent or 'not recorded'}")
    print_report(of_theirs, console)


@app.command()
def remove(
    names: Annotated[list[str], typer.Argument(help="Who is to go.")],
    for_good: Annotated[bool, typer.Option("--for-good", help="From every state kept for undo, too.")] = False,
    history: Annotated[
        Path | None, typer.Option("--history", help="Delete the events that name them, in this folder, too.")
    ] = None,
    gallery: GalleryFile = None,
    config: ConfigFile = None,
    bundle: BundleName = None,
    json_file: JsonFile = None,
) -> None:
    """Remove people: their vectors and kept pictures; undo brings the vectors back unless it is for good."""
    check_writable(json_file)
    people = people_at(config, gallery, bundle)
    after = people.remove(*names, for_good=for_good)
    forgotten = 0
    if history is not None:
        with ExitStack() as stack:
            store = EventStore(history, owner=False)
            stack.callback(store.close)
            forgotten = sum(retention.forget_person(store, name) for name in names)
    _said(json_file, after, f"removed {', '.join(names)}" + (" for good" if for_good else ""), events=forgotten)
    if history is not None:
        console.print(f"{forgotten} events deleted in {history}")


@app.command()
def rename(
    name: Annotated[str, typer.Argument(help="What the person is called now.")],
    new: Annotated[str, typer.Argument(help="What they are called from now on.")],
    gallery: GalleryFile = None,
    config: ConfigFile = None,
    bundle: BundleName = None,
    json_file: JsonFile = None,
) -> None:
    """Call somebody by another name."""
    check_writable(json_file)
    _said(json_file, people_at(config, gallery, bundle).rename(name, new), f"{name} is {new} now")


@app.command()
def merge(
    name: Annotated[str, typer.Argument(help="Who they all are.")],
    others: Annotated[list[str], typer.Argument(help="Who is the same person.")],
    gallery: GalleryFile = None,
    config: ConfigFile = None,
    bundle: BundleName = None,
    json_file: JsonFile = None,
) -> None:
    """Make several entries of one person one."""
    check_writable(json_file)
    _said(json_file, people_at(config, gallery, bundle).merge(name, *others), f"{', '.join(others)} is {name} now")


@app.command()
def undo(
    gallery: GalleryFile = None, config: ConfigFile = None, bundle: BundleName = None, json_file: JsonFile = None
) -> None:
    """Take the last change back; up to ten, one after another."""
    check_writable(json_file)
    _said(json_file, people_at(config, gallery, bundle).undo(), "the last change is undone")


@app.command("export")
def export_command(
    out: Annotated[Path, typer.Argument(help=".npz: a gallery; .zip: all that is stored of one person.")],
    names: Annotated[list[str] | None, typer.Argument(help="Whom; none: everybody.")] = None,
    events: EventsFolder = None,
    gallery: GalleryFile = None,
    config: ConfigFile = None,
    bundle: BundleName = None,
) -> None:
    """Write people to a file: for another machine, or for the person themselves."""
    check_writable(out)
    people = people_at(config, gallery, bundle)
    refuse_overwriting([people.store.path], out)
    with ExitStack() as stack:
        store = None if events is None else EventStore(events, owner=False)
        if store is not None:
            stack.callback(store.close)
        console.print(export_people(people, out, names or [], store))


@app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="A gallery that people export wrote.")],
    more: More = False,
    from_scratch: FromScratch = False,
    gallery: GalleryFile = None,
    config: ConfigFile = None,
    bundle: BundleName = None,
    json_file: JsonFile = None,
) -> None:
    """Take the people of another gallery in."""
    check_writable(json_file)
    others = decode(read_file(file), file)
    after = people_at(config, gallery, bundle, from_scratch=from_scratch).take_in(others, str(file), join=more)
    _said(json_file, after, f"{len(others)} people taken in")


@app.command()
def refresh(
    gallery: GalleryFile = None,
    config: ConfigFile = None,
    bundle: BundleName = None,
    engine: EngineName = None,
    json_file: JsonFile = None,
) -> None:
    """After another network or cover: make everybody anew from their kept pictures."""
    check_writable(json_file)
    desk = Desk(config, gallery, bundle, engine)
    done, lost = desk.people.refresh(desk.recogniser.embed)
    write_json(json_file, {"refreshed": done, "lost": lost})
    console.print(f"made anew from kept pictures: {', '.join(done)}")
    if lost:
        console.print(f"no pictures were kept of {', '.join(lost)}: add them again, or go back with undo")


def _said(json_file: Path | None, after: Gallery, line: str, **more: Any) -> None:
    write_json(json_file, {"people": [described(person) for person in after.people], **more})
    console.print(f"{line}; {len(after)} people now")
