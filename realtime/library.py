"""What a Python program calls: ``realtime.explain`` a picture, ``realtime.stream`` what cameras show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.arrays import Bytes
from realtime.outputs.explanation.words import Explanation
from realtime.settings.config import Config, load_config


def explain(
    photo: str | Path | Bytes,
    *,
    config: str | Path | None = None,
    bundle: str | None = None,
    gallery: str | None = None,
    engine: str | None = None,
) -> list[Explanation]:
    """Why each face of a picture is named, or not.

    ``realtime.outputs.explanation.picture.picture_of`` makes a picture of an explanation, ``page.page_of`` a page.

    Args:
        photo: a file, or (H, W, 3) uint8 BGR.
        config, bundle, gallery, engine: as on the command line.

    Raises:
        BadInput: the file is no picture, or it shows no face.
    """
    from realtime.commands.explain import explanations_of
    from realtime.commands.identify import Identifier
    from realtime.people.photo import read_photo

    settings = _settings(config, bundle=bundle, gallery=gallery, engine=engine)
    given = isinstance(photo, str | Path)
    picture = read_photo(Path(photo)) if isinstance(photo, str | Path) else photo
    return explanations_of(Identifier(settings), picture, str(photo) if given else "the picture")


def _settings(config: str | Path | None, *, sources: bool = False, **recognition: str | None) -> Config:
    settings = load_config(config, sources=sources)
    changes: dict[str, Any] = {key: value for key, value in recognition.items() if value is not None}
    return settings.model_copy(update={"recognition": settings.recognition.model_copy(update=changes)})
