"""Figures that are measured again by the commands they name."""

from __future__ import annotations

import json
import shlex
import shutil

import pytest
from typer.testing import CliRunner

from models.errors import BadInput
from tools.maintain.remeasure import FIGURES, app, command_of, with_options


@pytest.fixture
def figures(tmp_path):
    """Two real figures: what a site costs is computed from the stages' and the live run's."""
    folder = tmp_path / "figures"
    folder.mkdir()
    for name in ("capacity.json", "stages.json", "live.json"):
        shutil.copyfile(FIGURES / name, folder / name)
    return folder


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=True)


def test_a_figure_is_made_again_by_its_own_command(figures, tmp_path):
    before = json.loads((figures / "capacity.json").read_text())
    (figures / "capacity.json").write_text(json.dumps({"command": before["command"]}))
    ended = run("capacity.json", "--data", FIGURES, "--work", tmp_path / "w", "--figures", figures)
    assert ended.exit_code == 0, ended.output
    after = json.loads((figures / "capacity.json").read_text())
    assert after["command"] == before["command"]
    assert set(after) == set(before)


def test_what_was_measured_is_not_measured_again(figures, tmp_path):
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "capacity.json").write_text('{"kept": true}')
    (tmp_path / "w" / "capacity.done").write_text(shlex.join(command_of(figures / "capacity.json")))
    assert run("capacity.json", "--data", FIGURES, "--work", tmp_path / "w", "--figures", figures).exit_code == 0
    assert json.loads((figures / "capacity.json").read_text()) == {"kept": True}


def test_a_command_that_fails_leaves_the_figure_and_says_where_to_look(figures, tmp_path):
    before = (figures / "capacity.json").read_bytes()
    ended = run("capacity.json", "--data", tmp_path, "--work", tmp_path / "w", "--figures", figures)
    assert isinstance(ended.exception, BadInput)
    assert "capacity.json" in str(ended.exception)
    assert (figures / "capacity.json").read_bytes() == before
    assert "stages.json" in (tmp_path / "w" / "capacity.log").read_text()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("[]", "no command"),
        ('{"command": "rm -rf x"}', "no command"),
        ('{"command": "python -m http.server --json a"}', "no command"),
        ('{"facts": {"command": "python -m tools.evaluate test"}}', "wrote no JSON"),
    ],
)
def test_what_cannot_be_run_again_is_refused_by_name(tmp_path, content, words):
    file = tmp_path / "x.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(BadInput, match=rf"x\.json: .*{words}"):
        command_of(file)


def test_the_words_are_those_of_the_command_without_its_file(tmp_path):
    (tmp_path / "x.json").write_text(
        json.dumps(
            {"facts": {"command": "python -m tools.evaluate test --attack 'zones double' --json a.json --pairs 3"}}
        )
    )
    assert command_of(tmp_path / "x.json") == [
        "-m",
        "tools.evaluate",
        "test",
        "--attack",
        "zones double",
        "--pairs",
        "3",
    ]


def test_an_added_option_takes_the_place_of_the_commands_own():
    words = shlex.split("-m tools.evaluate test --attack 'zones double' --threads 2 --no-detect --attack zones --out a")
    added = shlex.split("--threads 1 --attack sharif --attack pgd")
    assert with_options(words, added) == shlex.split(
        "-m tools.evaluate test --no-detect --out a --threads 1 --attack sharif --attack pgd"
    )
