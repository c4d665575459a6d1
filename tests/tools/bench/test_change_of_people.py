"""What is measured of a change of people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_up_bundle import made_up_bundle

from models.errors import BadInput
from models.gallery.gallery import Person
from models.gallery.store import GalleryStore
from tools.bench import people
from tools.bench.people import Plan, crowd, measure


class MadeUp:
    """Decides at once; the real thing follows the file."""

    input_size = 16

    def __init__(self) -> None:
        self.bundle = made_up_bundle()
        self.gallery = self.bundle.gallery

    @property
    def labels(self) -> tuple[str, ...]:
        return self.gallery.labels

    def use_gallery(self, gallery: object) -> None:
        self.gallery = gallery

    def defend(self, crops: object, *, quick: bool) -> None:
        pass


def test_a_crowd_has_the_bundles_people_first_and_as_many_as_are_wanted() -> None:
    recogniser = MadeUp()
    found = crowd(recogniser, 7)
    assert len(found) == 7
    assert found.labels[:4] == recogniser.bundle.gallery.labels
    recogniser.bundle.check_gallery(found)


def test_the_time_from_the_files_change_to_the_name_is_counted_and_the_first_round_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    rounds = []

    def command(*arguments: str) -> float:
        file = Path(arguments[-1])
        rounds.append(file)
        means = GalleryStore(file).read().people[0].means.shape
        new = Person.of(
            "Somebody New", np.random.default_rng(1).normal(size=(2, *means)).astype(np.float32), ["1", "2"]
        )
        GalleryStore(file).change(lambda before: before.add(new))
        return 99.0 if len(rounds) == 1 else 3.0

    monkeypatch.setattr(people, "seconds_of", command)
    monkeypatch.setattr(people, "load_recogniser", lambda *_, **__: MadeUp())
    (row,) = measure(Plan(tmp_path, people=6, repeats=2))
    assert (row["pictures"], row["people_before"]) == (1, 6)
    assert (row["whole_command_seconds"]["p95"], row["whole_command_seconds"]["n"]) == (3.0, 2)
    assert 0 <= row["until_a_run_knows_them_seconds"]["p50"] < 20


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no pictures"):
        measure(Plan(tmp_path))
