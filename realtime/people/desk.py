"""What the commands on people share: their configuration, their gallery, and the loaded network that adding needs."""

from __future__ import annotations

import sys
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from models.bundle import load_bundle
from models.errors import BadInput
from realtime.people.people import People
from realtime.people.place import data_folder, gallery_file
from realtime.people.words import lines_of
from realtime.settings.config import Config, load_config
from realtime.settings.paths import EMBEDDED

if TYPE_CHECKING:
    from realtime.people.sources import Skipped
from realtime.system.command_line import console


class Desk:
    """Loads what adding needs once: network, detector, and the people."""

    def __init__(
        self,
        config: str | None,
        gallery: str | None,
        bundle: str | None,
        engine: str | None,
        *,
        from_scratch: bool = False,
    ) -> None:
        from realtime.assembly import judge_of, recogniser_of

        settings = settings_of(config, gallery, bundle, engine)
        file = file_of(settings)
        plain = settings.recognition.model_copy(update={"gallery": EMBEDDED})
        self.recogniser = recogniser_of(settings.model_copy(update={"recognition": plain}))
        self.people = People(file, self.recogniser.bundle, from_scratch=from_scratch)
        self._judge = judge_of(settings, self.recogniser.input_size)

    def add(
        self,
        name: str,
        sources: list[str],
        consent: str,
        *,
        seconds: float = 10.0,
        more: bool = False,
        keep: bool = False,
        anyway: bool = False,
    ) -> dict[str, Any]:
        """Look, add, print, and give what was printed."""
        from realtime.people.enrol import look_at_sources

        started = time.monotonic()
        looked = look_at_sources(self._judge, sources, seconds=seconds)
        if not looked.faces:
            raise BadInput(_nothing_usable(name, looked.skipped))
        added = self.people.add(
            name, looked.faces, self.recogniser.embed, consent=consent, more=more, keep=keep, anyway=anyway
        )
        for line in lines_of(added, looked.skipped):
            console.print(line)
        return {
            "name": added.name,
            "pictures": added.pictures,
            "repeated": added.repeated,
            "skipped": looked.skipped,
            "left_out": added.trial,
            "report": added.report,
            "seconds": round(time.monotonic() - started, 2),
        }


def _nothing_usable(name: str, skipped: tuple[Skipped, ...]) -> str:
    reasons = list(dict.fromkeys(f"{one.name}: {one.reason}" for one in skipped))
    return f"{name}: no picture can be used ({'; '.join(reasons[:3])}{'; ...' if len(reasons) > 3 else ''})"


def consent_of(who: str, given: bool) -> str:
    """What is kept of it. Asks where somebody can answer."""
    if not given:
        if not sys.stdin.isatty():
            raise BadInput(f"{who}: recognising somebody needs their consent; where you have it give --i-have-consent")
        if not typer.confirm(f"Do you have the consent of {who} to be recognised?"):
            raise BadInput(f"{who}: not added, for there is no consent")
    return f"{date.today().isoformat()}, stated on the command line"


def settings_of(config: str | None, gallery: str | None, bundle: str | None, engine: str | None = None) -> Config:
    settings = load_config(config, sources=False)
    changes = {"gallery": gallery, "bundle": bundle, "engine": engine}
    given = {key: value for key, value in changes.items() if value is not None}
    return settings.model_copy(update={"recognition": settings.recognition.model_copy(update=given)})


def file_of(settings: Config) -> Path:
    if settings.recognition.gallery == EMBEDDED:
        raise BadInput("recognition.gallery is embedded: the bundle's people stay as they are; name a file to change")
    found = gallery_file(settings.recognition)
    if found is None:
        raise BadInput(
            f"--bundle {settings.recognition.bundle}: name the file of your people with --gallery as well; without a"
            f" bundle it is {data_folder() / 'people.npz'}"
        )
    return found


def people_at(config: str | None, gallery: str | None, bundle: str | None, *, from_scratch: bool = False) -> People:
    settings = settings_of(config, gallery, bundle)
    return People(file_of(settings), load_bundle(settings.recognition.bundle), from_scratch=from_scratch)
