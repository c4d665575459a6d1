"""How long ``identify`` takes: one picture in a command, and many in one, as their user waits for them."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import cv2

from realtime.cameras.demo_scene import ACTS, DemoScene
from tools.bench.timing import Spread, spread
from tools.bench.whole_command import seconds_of

MANY = 100


class Row(TypedDict):
    """Seconds of whole commands with so many ``pictures``; what is kept between commands was there already."""

    pictures: int
    seconds: Spread


def measure(folder: Path, *, bundle: str | None, engine: str | None, repeats: int) -> list[Row]:
    """Pictures of 640 x 480 with one face each; one in three wears adversarial glasses: alarms are among them."""
    scene, pictures = DemoScene(), folder / "pictures"
    pictures.mkdir()
    for number in range(MANY):
        cv2.imwrite(str(pictures / f"{number:03}.png"), scene.frame(5 * number, number % len(ACTS)))
    given = [*(["--bundle", bundle] if bundle else []), *(["--engine", engine] if engine else [])]
    one = str(pictures / "000.png")
    seconds_of("identify", one, *given)  # builds what is kept between commands
    return [
        Row(pictures=count, seconds=spread([seconds_of("identify", what, *given) for _ in range(times)]))
        for count, what, times in ((1, one, repeats), (MANY, str(pictures), max(1, repeats // 5)))
    ]
