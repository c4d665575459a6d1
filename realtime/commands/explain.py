"""Says why the faces of a picture are named, or not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from models.arrays import Bytes
from models.errors import BadInput
from realtime.commands.identify import Identifier
from realtime.outputs.explanation.page import page_of
from realtime.outputs.explanation.picture import picture_of
from realtime.outputs.explanation.words import Explanation, explained
from realtime.people.photo import read_photo
from realtime.settings.config import Config
from realtime.system.command_line import write_whole


def explain_photo(path: Path, config: Config, *, png: Path | None, html: Path | None) -> list[Explanation]:
    """Explain every face of a picture file, and write them as one picture and one page.

    Raises:
        BadInput: the file is no picture, or it shows no face; or nothing can be written.
    """
    found = explanations_of(Identifier(config), read_photo(path), str(path))
    if png is not None:
        done, encoded = cv2.imencode(".png", stacked([picture_of(one) for one in found]))
        assert done
        write_whole(png, encoded.tobytes())
    if html is not None:
        write_whole(html, page_of(path.name, found).encode())
    return found


def explanations_of(identifier: Identifier, picture: Bytes, where: str) -> list[Explanation]:
    """Of every face of a picture (H, W, 3) BGR, which messages call ``where``. Raises ``BadInput``: it shows none."""
    decided, recogniser = identifier.decided(picture, where), identifier.recogniser
    return [explained(one.crop, one.decision, one.evidence, recogniser.policy, recogniser.fill_rgb) for one in decided]


def files_of(photo: Path, png: Path | None, html: Path | None) -> tuple[Path, Path]:
    """What is written: as given, or named after the photo in the current folder."""
    found = (png or Path(f"{photo.stem}-explained.png"), html or Path(f"{photo.stem}-explained.html"))
    if found[0].suffix.lower() != ".png":
        raise BadInput(f"--png {found[0]}: end the name in .png")
    return found


def stacked(pictures: list[Bytes]) -> Bytes:
    """One above the other, (H, W, 3)."""
    wide = max(one.shape[1] for one in pictures)
    padded = [np.pad(one, ((0, 0), (0, wide - one.shape[1]), (0, 0))) for one in pictures]
    return np.concatenate(padded)
