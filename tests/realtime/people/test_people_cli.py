"""``people`` on the command line, with a real face and a network of random weights."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import cv2
import numpy as np
import pytest
from skimage.data import astronaut
from typer.testing import CliRunner, Result

from models.bundle import Bundle
from models.errors import BadInput
from realtime.people.commands import app
from realtime.system.command_line import console

FACE = np.ascontiguousarray(astronaut()[:300, 100:400, ::-1])
Run = Callable[..., Any]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three pictures of one face, one of nobody, and a text."""
    folder = tmp_path / "Eileen_Collins"
    folder.mkdir()
    for number, gain in enumerate((1.0, 0.9, 0.8)):
        cv2.imwrite(str(folder / f"{number}.jpg"), (FACE * gain).astype(np.uint8))
    cv2.imwrite(str(folder / "wall.jpg"), np.full((200, 200, 3), 90, np.uint8))
    (folder / "notes.txt").write_text("x")
    return folder


@pytest.fixture
def run(small_gallery_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on a gallery of the test's own; gives what --json wrote, raises what it raises."""
    monkeypatch.setattr(console, "width", 200)

    def ran(*arguments: str | Path, json_file: bool = True) -> Any:
        out = tmp_path / "out.json"
        given = [*map(str, arguments), "--gallery", str(tmp_path / "people.npz")]
        given += ["--bundle", str(small_gallery_bundle.folder)] + (["--json", str(out)] if json_file else [])
        given += ["--engine", "onnxruntime"] if arguments[0] in ("add", "add-folders") else []
        result: Result = CliRunner().invoke(app, given)
        if result.exception is not None:
            raise result.exception
        return json.loads(out.read_text()) if json_file else result.output

    return ran


def names(found: dict[str, Any]) -> list[str]:
    return [person["name"] for person in found["people"]]


def test_a_person_is_added_listed_renamed_merged_removed_and_brought_back(run: Run, pictures: Path) -> None:
    added = run("add", "Eileen", pictures, "--i-have-consent", "--from-scratch")
    assert (added["pictures"], added["left_out"]["tried"]) == (3, 3)
    assert {one["name"]: one["reason"] for one in added["skipped"]} == {
        "notes.txt": ".txt is no kind of picture that is read",
        "wall.jpg": "no face found",
    }
    listed = run("list")
    assert names(listed) == ["Eileen"]
    assert "stated on the command line" in listed["people"][0]["consent"]
    assert names(run("rename", "eileen", "Commander Collins")) == ["Commander Collins"]
    run("add", "Other", pictures / "0.jpg", "--i-have-consent", "--anyway")
    assert names(run("merge", "Commander Collins", "Other")) == ["Commander Collins"]
    assert names(run("remove", "Commander Collins")) == []
    assert names(run("undo")) == ["Commander Collins"]


def test_without_consent_nobody_is_added(run: Run, pictures: Path) -> None:
    with pytest.raises(BadInput, match="--i-have-consent"):
        run("add", "Eileen", pictures)


def test_a_picture_without_a_face_says_so_and_adds_nobody(run: Run, pictures: Path) -> None:
    with pytest.raises(BadInput, match=r"Eileen: no picture can be used \(.*wall.jpg: no face found\)"):
        run("add", "Eileen", pictures / "wall.jpg", "--i-have-consent")
    assert "Eileen" not in names(run("list"))


def test_a_name_that_would_be_a_path_is_refused_before_any_picture_is_read(run: Run, pictures: Path) -> None:
    with pytest.raises(BadInput, match="without slashes"):
        run("add", "../Eileen", pictures, "--i-have-consent")


def test_many_folders_at_once_add_who_can_be_added(run: Run, pictures: Path, tmp_path: Path) -> None:
    twin = tmp_path / "Twin"
    twin.mkdir()
    (twin / "a.jpg").write_bytes((pictures / "0.jpg").read_bytes())
    with pytest.raises(BadInput, match="1 of 2 people could not be added"):
        run("add-folders", tmp_path, "--i-have-consent", "--from-scratch")
    assert names(run("list")) == ["Eileen Collins"]


def test_a_gallery_is_exported_and_imported_and_a_person_gets_all_that_is_stored(
    run: Run, pictures: Path, tmp_path: Path
) -> None:
    run("add", "Eileen", pictures, "--i-have-consent", "--from-scratch", "--keep-pictures")
    run("export", tmp_path / "mine.zip", "Eileen", json_file=False)
    with ZipFile(tmp_path / "mine.zip") as archive:
        about = json.loads(archive.read("person.json"))
        kept = [name for name in archive.namelist() if name.startswith("pictures/")]
    assert (about["name"], about["pictures"], len(kept)) == ("Eileen", 3, 3)
    run("export", tmp_path / "all.npz", json_file=False)
    run("remove", "Eileen", "--for-good")
    with pytest.raises(BadInput, match="nothing to undo"):
        run("undo")
    assert names(run("import", tmp_path / "all.npz")) == ["Eileen"]


def test_show_reports_on_one_person(run: Run, pictures: Path) -> None:
    run("add", "Eileen", pictures, "--i-have-consent", "--from-scratch")
    shown = run("show", "EILEEN")
    assert (shown["name"], shown["kept_pictures"], shown["report"]["people"][0]["tried"]) == ("Eileen", 0, 3)
