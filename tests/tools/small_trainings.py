"""Drawn faces, a trunk with random weights, and the command that trains on them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from models.network.vgg16 import VGG16
from models.training.trunks import write_trunk
from tools import train as module

SKINS = [(220, 180, 150), (70, 50, 40), (80, 120, 220), (210, 70, 60)]


def random_trunk(path: Path) -> Path:
    """Written to the path."""
    torch.manual_seed(0)
    model = VGG16(classes=1, input_size=32, hidden=1)
    for layer in model.convolutions().values():
        torch.nn.init.kaiming_normal_(layer.weight)
    write_trunk(path, model)
    return path


def draw(folder: Path, name: str, person: int, count: int) -> None:
    """A prepared folder of ``count`` drawn faces."""
    random = np.random.default_rng(person)
    (folder / name).mkdir(parents=True)
    for index in range(count):
        crop = np.clip(np.array(SKINS[person]) + random.normal(0, 12, (40, 40, 3)), 0, 255).astype(np.uint8)
        crop[12 + 2 * person : 16 + 2 * person, 8:14] = crop[12 + 2 * person : 16 + 2 * person, 26:32] = 20
        cv2.imwrite(str(folder / name / f"{index}.png"), crop[..., ::-1])
    (folder / "prepare.json").write_text("{}")


def three_people(folder: Path) -> Path:
    """Eight drawn faces of each."""
    for person, name in enumerate(("Ada_Lovelace", "Grace_Hopper", "Mary_Jackson")):
        draw(folder, name, person, 8)
    return folder


def run(*arguments: object) -> None:
    """One command, as from the command line but in this process."""
    command = module.typer.main.get_command(module.app)
    command.main([str(argument) for argument in arguments], standalone_mode=False)
