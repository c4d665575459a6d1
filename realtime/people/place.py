"""Where the people to be known are kept, and which of them a run takes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from models.errors import BadInput
from models.gallery.store import GalleryStore
from realtime.settings.config import RecognitionConfig
from realtime.settings.paths import EMBEDDED

if TYPE_CHECKING:
    from models.recogniser import Recogniser

_FOLDER_VARIABLE = "SPECTACLEAR_DATA"
_FILE = "people.npz"


def data_folder() -> Path:
    """``$SPECTACLEAR_DATA`` or the user's data folder."""
    return Path(os.environ.get(_FOLDER_VARIABLE) or platformdirs.user_data_dir("spectaclear", appauthor=False))


def gallery_file(settings: RecognitionConfig) -> Path | None:
    """The file of the people whom the user has added; None where the bundle's are wanted as they come.

    That is so where a bundle is named and no file: ``--bundle plain`` knows whom ``plain`` knows.
    """
    if settings.gallery == EMBEDDED or (settings.gallery is None and settings.bundle is not None):
        return None
    return data_folder() / _FILE if settings.gallery is None else Path(settings.gallery)


def use_people(recogniser: Recogniser, settings: RecognitionConfig) -> Path | None:
    """Let the recogniser know the configured people; gives the file to follow, if any.

    Raises:
        BadInput: the file is damaged, or was made with another network or cover; or a file is named that is not there.
    """
    file = gallery_file(settings)
    if file is None or (settings.gallery is None and recogniser.gallery is None):
        return None
    if file.exists() or settings.gallery is not None:
        people = GalleryStore(file).read()
        try:
            recogniser.use_gallery(people)
        except BadInput as error:
            raise BadInput(
                f"{file}: {error}; or bring them over from kept pictures: spectaclear people refresh"
            ) from None
    return file
