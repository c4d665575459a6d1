"""An attack of each kind, added by one line in the table, runs in every command from there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from models.recogniser import Recogniser
from realtime.system.command_line import typer as typer_of_cli
from tools import evaluate, make_glasses
from tools.attacks.base import Objective
from tools.attacks.batch import Batch
from tools.attacks.bpda import BPDA
from tools.attacks.pgd import MaskedPGD
from tools.attacks.registry import ATTACKS, AttackSpec
from tools.attacks.zone_policy import ZonePolicy

FEW = ("--pairs", 2, "--steps", 2, "--adaptive-pairs", 2, "--adaptive-steps", 2, "--zone-pairs", 2, "--zone-steps", 2)


class OneColour(MaskedPGD):
    """All that is worn has one colour, which takes the steps."""

    def update(self, batch: Batch, gradient: torch.Tensor, step: int) -> torch.Tensor:
        share = (gradient * batch.region).sum(dim=(2, 3), keepdim=True)
        return (batch.texture.mean(dim=(2, 3), keepdim=True) - 16 * share.sign()).clamp(0, 255).round() + 0 * gradient

    def start(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        return torch.full_like(batch.crops, 128.0)


class Backwards(BPDA):
    """Knows the mask, and does nothing with it but look."""

    def objective(self, model: nn.Module, pixels: torch.Tensor, batch: Batch, step: int) -> Objective:
        found = super().objective(model, pixels, batch, step)
        return replace(found, loss=0.5 * found.loss)


class Impatient(ZonePolicy):
    """Knows the policy, and tries once."""

    def __init__(self, **options: object) -> None:
        super().__init__(restarts=1, **options)  # type: ignore[arg-type]


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Callable[[AttackSpec], None]:
    return lambda spec: monkeypatch.setitem(ATTACKS, spec.name, spec)


def evaluated(recogniser: Recogniser, *options: object) -> dict:
    arguments = [*options, *FEW, "--clean", 3, "--no-detect", "--no-certify", "--aligned", "--threads", 1]
    arguments += ["--bundle", recogniser.bundle.folder, "--engine", "onnxruntime-cpu", "--shape", "wide"]
    run = typer_of_cli.main.get_command(evaluate.app).main
    run([str(one) for one in arguments], standalone_mode=False)
    return json.loads((Path(str(arguments[arguments.index("--out") + 1])) / "evaluation.json").read_text())


def test_one_that_knows_nothing_is_crafted_and_measured(added, tuned, people, tmp_path):
    added(AttackSpec("one-colour", OneColour))
    result = evaluated(tuned, people, "--out", tmp_path, "--attack", "one-colour", "--defence", "published")
    (name,) = result["attacks"]
    attack = result["attacks"][name]
    assert (name, attack["against"], attack["n"]) == ("one-colour", None, 2)
    assert set(attack["rows"]) == {"none", "published"}
    assert "Oblivious attack: one-colour" in (tmp_path / "evaluation.md").read_text()


def test_one_that_knows_the_mask_is_made_against_it(added, tuned, people, tmp_path):
    added(AttackSpec("backwards", Backwards, knows="mask", takes_gradients=False))
    chosen = ("--attack", "sharif", "--attack", "backwards", "--defence", "tuned")
    result = evaluated(tuned, people, "--out", tmp_path, *chosen)
    attack = result["attacks"]["backwards on tuned"]
    assert attack["against"] == "tuned"
    assert attack["status"]["gradient_check"] is None
    assert result["worst_case"]["tuned"]["attacks"] == ["A0", "backwards"]
    (job,) = (tmp_path / "attacks").glob("backwards_on_tuned-*/job.json")
    assert json.loads(job.read_text())["defence"]["threshold"] == 0.5  # another mask is another result


def test_one_that_knows_the_policy_is_made_against_it_with_everything_worn(added, tuned, zoned, people, tmp_path):
    added(AttackSpec("impatient", Impatient, knows="policy"))
    chosen = ("--attack", "impatient patch", "--hardened", zoned, "--defence", "zones")
    result = evaluated(tuned, people, "--out", tmp_path, *chosen)
    (name,) = result["attacks"]
    assert (name, result["attacks"][name]["settings"]["shape"]) == ("impatient patch on zones", "patch")
    assert list(result["worst_case"]["zones, Known(target)"]) == ["impatient patch"]


def test_the_glasses_command_knows_it_too(added, tuned, people, tmp_path):
    added(AttackSpec("one-colour", OneColour))
    arguments = [people, "--attack", "one-colour", "--pairs", 1, "--steps", 2, "--aligned", "--out", tmp_path / "out"]
    arguments += ["--bundle", tuned.bundle.folder, "--engine", "onnxruntime-cpu", "--threads", 1]
    run = typer_of_cli.main.get_command(make_glasses.app).main
    run([str(one) for one in arguments], standalone_mode=False)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert (manifest["settings"]["attack"], manifest["defence"]) == ("one-colour", None)
    assert manifest["pairs"][0]["iterations"] <= 2
