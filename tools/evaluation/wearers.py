"""People who really wear glasses, listed by hand: a picture per line, ``person/file``; ``#`` is a remark."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.errors import BadInput
from tools.faces.people import People


def wearers(people: People, file: Path) -> People:
    """Those of the people's pictures that the list names.

    Raises:
        BadInput: the list cannot be read, or names none of them.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--wearers {file}: cannot be read as text ({error}); give a list of person/file") from error
    listed = {line.strip() for line in lines if line.strip() and not line.startswith("#")}
    chosen = [place for place, picture in enumerate(people.pictures) if picture in listed]
    if not chosen:
        raise BadInput(f"--wearers {file}: none of its pictures is among these crops; its lines are person/file")
    return people.subset(np.array(chosen, np.int64))
