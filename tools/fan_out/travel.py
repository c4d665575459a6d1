"""How a recogniser comes to a worker: its bundle's files, its people and its settings, checked where they arrive."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from models.bundle_info import DESCRIPTION
from models.crop.zones import Zone
from models.errors import BadInput
from models.files import whole_file
from models.gallery.gallery import Gallery
from models.graphs.cache import cache_folder
from models.policy import Policy
from models.recogniser import Recogniser, load_recogniser
from models.saliency_mask import MaskParameters


@dataclass(frozen=True)
class Luggage:
    """A recogniser on its way; ``runs`` is what its engine said of itself where it comes from."""

    folder: Path
    files: dict[str, bytes]
    gallery: Gallery | None
    policy: Policy
    mask_parameters: MaskParameters
    zones: tuple[Zone, ...]
    engine: str
    threads: int
    runs: str


def packed(recogniser: Recogniser, engine: str, threads: int) -> Luggage:
    """A recogniser that was loaded with this engine and these threads."""
    bundle = recogniser.bundle
    files = {name: (bundle.folder / name).read_bytes() for name in (DESCRIPTION, *bundle.info.sha256)}
    settings = (recogniser.policy, recogniser.mask_parameters, recogniser.zones)
    return Luggage(bundle.folder, files, recogniser.gallery, *settings, engine, threads, recogniser.engine)


def arrived(luggage: Luggage) -> Recogniser:
    """The same recogniser here; its files' checksums are verified as of any bundle.

    Raises:
        BadInput: this machine runs another engine than the one that the figures begun with.
    """
    folder = _unpacked(luggage.folder, luggage.files)
    recogniser = _loaded(folder, luggage.engine, luggage.threads)
    if recogniser.engine != luggage.runs:
        raise BadInput(
            f"--ray: a node runs {recogniser.engine} where {luggage.runs} began; install the same packages on every"
            " node, and give --engine instead of auto"
        )
    found = Recogniser(recogniser.bundle, recogniser._engine)
    found.policy, found.mask_parameters, found.zones = luggage.policy, luggage.mask_parameters, luggage.zones
    if luggage.gallery is not None:
        found.use_gallery(luggage.gallery)
    return found


def _unpacked(folder: Path, files: dict[str, bytes]) -> Path:
    """The bundle's folder where this machine has it, otherwise a copy in the cache."""
    description = files[DESCRIPTION]  # it holds everybody else's checksum
    with suppress(OSError):
        if (folder / DESCRIPTION).read_bytes() == description:
            return folder
    copy = cache_folder() / "bundles" / hashlib.sha256(description).hexdigest()[:24]
    copy.mkdir(parents=True, exist_ok=True)
    for name, content in sorted(files.items(), key=lambda file: file[0] == DESCRIPTION):
        if not (copy / name).exists():
            with whole_file(copy / name) as file:
                file.write(content)
    return copy


@lru_cache(maxsize=4)
def _loaded(folder: Path, engine: str, threads: int) -> Recogniser:
    """One engine per bundle and worker, however often a recogniser on it arrives."""
    return load_recogniser(folder, engine, threads=threads)
