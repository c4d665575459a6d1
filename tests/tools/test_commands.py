"""What the long commands have in common: where their figures go is looked at before anything else."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from models.errors import BadInput

#: Every command that measures for long, and what it cannot be called without. Nothing of it exists.
COMMANDS = {
    "precision": ("crops",),
    "train fit": ("crops", "--out", "bundle", "--trunk", "trunk.npz"),
    "train gallery": ("crops", "--network", "n.npz", "--cohort", "c.npz", "--out", "bundle"),
    "train score": ("bundle", "crops", "--split", "validation"),
    "train transfer": ("crops", "--trunk", "trunk.npz"),
    "tune_defence": ("crops", "--bundle", "bundle"),
    "tune_policy": ("crops", "--bundle", "bundle"),
    "faults": ("--only", "nothing"),
    "evaluate": ("crops", "--bundle", "bundle"),
    "new_people": ("train", "test", "--strangers", "others"),
    "drill": ("clip.mp4", "--wear", "texture.png", "--wearer", "Ada", "--target", "Bob"),
    "make_glasses": ("crops", "--bundle", "bundle"),
    "alignment": ("photos",),
    "maintain.train_realign": ("crops",),
    "maintain.live_view": (),
    "maintain.make_demo_glasses": (),
    "ceiling": ("crops", "--teacher", "t.onnx"),
}
#: What else they write only at the end.
FILES = [(command, "--json", "out.json") for command in COMMANDS]
FILES += [("train score", "--plot", "matrix.png")]
FILES += [("faults", "--markdown", "table.md"), ("maintain.train_realign", "--out", "net.onnx")]
FILES += [("maintain.live_view", "--out", "view.png")]


@pytest.mark.parametrize(("command", "option", "name"), FILES)
def test_a_file_in_a_missing_folder_is_refused_before_anything_else_is_done(
    command: str, option: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module, _, subcommand = command.partition(" ")
    app: typer.Typer = importlib.import_module(f"tools.{module}").app
    arguments = [*([subcommand] if subcommand else []), *COMMANDS[command], option, f"nowhere/{name}"]
    with pytest.raises(BadInput, match=f"cannot write nowhere/{name}: there is no folder nowhere"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert not list(tmp_path.iterdir())
