"""Settings that name files: ``~`` is the home, and what is relative lies beside the configuration."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from realtime.settings.yaml_file import FOLDER

#: In place of a gallery's file: the people who come with the bundle.
EMBEDDED = "embedded"


def _beside(text: str, info: ValidationInfo) -> str:
    """``text`` as a path from the configuration's folder; as it is where no file was read, or nothing is named."""
    if info.context is None or not text:
        return text
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:  # ~somebody, who has no home here
        raise ValueError(f"{text} cannot be found ({error}); give a path without ~") from None
    return os.path.normpath(Path(info.context[FOLDER], path))


def _source(text: str, info: ValidationInfo) -> str:
    """A camera's number, an address and a word (``demo``) stay; a file is taken from the configuration's folder."""
    if info.context is None or "://" in text or text.isdigit():
        return text
    is_path = any(sign in text for sign in "/\\.") or os.path.isfile(info.context[FOLDER] / text)
    return _beside(text, info) if is_path else text


def _bundle(text: str, info: ValidationInfo) -> str:
    """The name of an embedded bundle stays."""
    embedded = Path(str(resources.files("models"))) / "bundles" / text
    return text if os.path.isdir(embedded) else _beside(text, info)


def _people(text: str, info: ValidationInfo) -> str:
    """The word for the people who come with a bundle stays."""
    return text if text == EMBEDDED else _beside(text, info)


FilePath = Annotated[str, AfterValidator(_beside)]
PeoplePath = Annotated[str, AfterValidator(_people)]
SourcePath = Annotated[str, AfterValidator(_source)]
BundlePath = Annotated[str, AfterValidator(_bundle)]
