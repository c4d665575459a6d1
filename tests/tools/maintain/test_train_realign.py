"""What the net of the second look is trained on."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
import typer

from models.errors import BadInput
from realtime.faces.realign import SIDE, UNITS, Displacement, Realigner
from tools.maintain import train_realign as module
from tools.maintain.train_realign import displaced


def smooth(count: int, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 6, 6, 3), dtype=np.uint8)
    return np.stack([cv2.resize(one, (128, 128), interpolation=cv2.INTER_CUBIC) for one in coarse])


def test_what_is_asked_for_brings_a_displaced_crop_back():
    crops = smooth(6)
    levels = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
    moved, wanted = displaced(levels, torch.Generator().manual_seed(1))
    for crop, picture, (x, y, degrees, size) in zip(crops, moved, (wanted * torch.tensor(UNITS)).tolist(), strict=True):
        back = Displacement(x, y, degrees, math.exp(size)).matrix(SIDE)
        again = cv2.warpAffine(picture.permute(1, 2, 0).numpy(), back, (SIDE, SIDE))
        right = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
        inner = slice(45, 67)  # whatever the displacement, this part was never outside
        assert np.abs(again[inner, inner] - right[inner, inner]).mean() < 6
        assert np.abs(again[inner, inner] - right[inner, inner]).mean() < 0.5 * np.abs(right[inner, inner]).mean()


def test_a_short_training_writes_a_graph_that_runs(tmp_path):
    for person in ("Ada", "Grace", "Mary"):
        (tmp_path / "crops" / person).mkdir(parents=True)
        for number, crop in enumerate(smooth(3, seed=len(person))):
            cv2.imwrite(str(tmp_path / "crops" / person / f"{number}.png"), crop)
    run = typer.main.get_command(module.app).main
    options = ["--steps", "3", "--batch", "4", "--held-out", "1", "--threads", "1"]
    run([str(tmp_path / "crops"), "--out", str(tmp_path / "r.onnx"), *options], standalone_mode=False)
    found = Realigner(model=(tmp_path / "r.onnx").read_bytes()).displacements(smooth(2)[:, :SIDE, :SIDE])
    assert len(found) == 2
    with pytest.raises(BadInput, match="there are 9 crops"):
        run([str(tmp_path / "crops"), "--held-out", "9"], standalone_mode=False)
