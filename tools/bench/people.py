"""How long one change of the people takes: the whole command, and until a running recogniser knows somebody new."""

from __future__ import annotations

import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypedDict

import numpy as np

from models.errors import BadInput
from models.gallery.gallery import Gallery, Person
from models.gallery.store import GalleryStore
from models.recogniser import Recogniser, load_recogniser
from realtime.people.follow import GalleryFollower
from realtime.people.photo import SUFFIXES
from tools.bench.timing import Spread, spread
from tools.bench.whole_command import seconds_of

_PATIENCE = 120.0  # seconds for a running recogniser to notice


@dataclass(frozen=True)
class Plan:
    """``pictures``: a folder of one person's. ``people``: how many there are before, some of them made up."""

    pictures: Path
    people: int = 50
    repeats: int = 5
    threads: int | None = None


class Row(TypedDict):
    """Seconds of the whole command (a process, from its start to its end) and of the take-up."""

    pictures: int
    people_before: int
    whole_command_seconds: Spread
    until_a_run_knows_them_seconds: Spread


def measure(plan: Plan) -> list[Row]:
    """One row.

    Raises:
        BadInput: the folder holds no pictures, or the command fails.
    """
    count = sum(path.suffix.lower() in SUFFIXES for path in plan.pictures.iterdir()) if plan.pictures.is_dir() else 0
    if not count:
        raise BadInput(f"--people {plan.pictures}: holds no pictures; give a folder of one person's")
    recogniser = load_recogniser(threads=plan.threads)
    took: list[float] = []
    noticed: list[float] = []
    with tempfile.TemporaryDirectory(prefix="spectaclear-people-") as folder:
        for round_ in range(1 + plan.repeats):  # the first one builds what is kept between commands
            file = Path(folder) / f"{round_}.npz"
            start = partial(crowd, recogniser, plan.people)
            GalleryStore(file).change(lambda before: before, start=start)
            watch = _TakeUp(recogniser, file)
            add = ("people", "add", "Somebody New", str(plan.pictures), "--i-have-consent")
            whole = seconds_of(*add, "--gallery", str(file))
            until = watch.seconds()
            if round_:
                took.append(whole)
                noticed.append(until)
    return [
        {
            "pictures": count,
            "people_before": plan.people,
            "whole_command_seconds": spread(took),
            "until_a_run_knows_them_seconds": spread(noticed),
        }
    ]


def crowd(recogniser: Recogniser, people: int) -> Gallery:
    """The bundle's people, and as many made-up ones as are wanted beside them."""
    embedded = recogniser.bundle.gallery
    assert embedded is not None
    random, shape = np.random.default_rng(0), embedded.people[0].means.shape
    made_up = [
        Person.of(f"Made up {n}", random.normal(size=(5, *shape)).astype(np.float32), [f"{n}-{i}" for i in range(5)])
        for n in range(people - len(embedded))
    ]
    return Gallery((*embedded.people[:people], *made_up), embedded.trunk, embedded.cover, embedded.views)


class _TakeUp:
    """A recogniser that decides all the time and follows the file: from the file's change until it knows everybody."""

    def __init__(self, recogniser: Recogniser, file: Path) -> None:
        self._recogniser, self._file = recogniser, file
        before = GalleryStore(file).read()
        recogniser.use_gallery(before)
        self._people, self._mark = len(before), file.stat().st_mtime_ns
        self._changed_at = self._known_at = 0.0
        self._over = threading.Event()
        self._follower = GalleryFollower(recogniser, file)
        self._follower.__enter__()
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._decide, self._look)]
        for thread in self._threads:
            thread.start()

    def seconds(self) -> float:
        """Wait for it."""
        self._over.wait(_PATIENCE)
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._follower.__exit__()
        if not self._known_at:
            raise BadInput("the running recogniser has not noticed the change")
        return self._known_at - self._changed_at

    def _decide(self) -> None:
        side = self._recogniser.input_size
        crop = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), np.uint8)
        while not self._over.wait(0.05):
            self._recogniser.defend(crop, quick=True)

    def _look(self) -> None:
        while not self._over.wait(0.002):
            with suppress(OSError):
                if not self._changed_at and self._file.stat().st_mtime_ns != self._mark:
                    self._changed_at = time.perf_counter()
            if self._changed_at and len(self._recogniser.labels) > self._people:
                self._known_at = time.perf_counter()
                self._over.set()
