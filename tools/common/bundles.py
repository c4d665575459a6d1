"""Writing into a bundle that is there."""

from __future__ import annotations

from pathlib import Path

from models.bundle import BundleInfo, write_description
from models.errors import BadInput


def rewrite(folder: Path, info: BundleInfo, *, otherwise: str = "") -> None:
    """Put this description in the place of the bundle's own.

    Args:
        otherwise: what to do where that cannot be done.

    Raises:
        BadInput: it cannot be written.
    """
    try:
        write_description(folder, info)
    except OSError as error:
        raise BadInput(f"bundle {folder}: cannot be written ({error.strerror}){otherwise}") from error
