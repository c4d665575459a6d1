"""The measurement itself on embeddings whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.errors import BadInput
from realtime.system.command_line import typer as typer_of_cli
from tools import ceiling


def embeddings(noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of four people, forty each, around four fixed ones."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(4), 40)
    found = np.eye(32, dtype=np.float32)[labels] + random.normal(0, noise, (160, 32)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True), labels


def test_people_whose_embeddings_lie_apart_are_told_apart_and_others_are_not():
    for noise, low, high in ((0.05, 1.0, 1.0), (5.0, 0.1, 0.5)):
        figure = ceiling.told_apart(*embeddings(noise, 0), *embeddings(noise, 1))
        assert low <= figure["share"] <= high
        assert figure["n"] == 160


def test_an_unknown_zone_is_refused_before_anything_is_read(tmp_path: Path):
    arguments = [str(tmp_path / "nowhere"), "--teacher", str(tmp_path / "no.onnx"), "--zone", "hat"]
    with pytest.raises(BadInput, match="eyewear, lower_face"):
        typer_of_cli.main.get_command(ceiling.app).main(arguments, standalone_mode=False)
