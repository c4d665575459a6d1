"""What is derived from weights (a bundle's graphs, the choice of an engine, the detector's), kept in one folder.

Weights are kept once; everything built from them can be built again. Losing or forbidding
the cache therefore costs time only: nothing here fails because of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import platformdirs

from models.files import whole_file

log = logging.getLogger(__name__)

KEPT_BYTES = 1 << 30  # of all files together: those of a bundle are some 120 MB, those of a small one much less
_FOLDER_VARIABLE = "SPECTACLEAR_CACHE"


def cache_folder() -> Path:
    """``$SPECTACLEAR_CACHE`` or the user's cache folder."""
    return Path(os.environ.get(_FOLDER_VARIABLE) or platformdirs.user_cache_dir("spectaclear", appauthor=False))


def code_version(*modules: ModuleType) -> str:
    """Changes whenever one of the modules' source does, so that no stale graph outlives an update."""
    digest = hashlib.sha256()
    for module in modules:
        try:
            digest.update(Path(str(module.__file__)).read_bytes())
        except OSError:  # packed into an archive: the name and the installed version must do
            digest.update(module.__name__.encode())
    return digest.hexdigest()


def cached(kind: str, key: Mapping[str, object], build: Callable[[], bytes]) -> bytes:
    """What ``build`` returns, from the cache if it was built before with the same ``key``.

    Two processes may build at once: each writes a file of its own and moves it into place. A damaged file
    is built again; a folder that cannot be read or written only costs the building.

    Args:
        kind: beginning of the file's name.
        key: everything that the result depends on (the bundle's checksum, parameters, code versions).
    """
    name = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()[:24]
    path = cache_folder() / f"{kind}-{name}.bin"
    content = _read(path)
    if content is None:
        content = build()
        _write(path, content)
    return content


def _read(path: Path) -> bytes | None:
    try:
        stored = path.read_bytes()
        digest, content = stored[:32], stored[32:]
        if hashlib.sha256(content).digest() == digest:
            with contextlib.suppress(OSError):  # somebody else's cache may be read all the same
                os.utime(path)  # the oldest are dropped first
            return content
        log.warning("cache: %s is damaged and is built again", path)
    except FileNotFoundError:
        pass
    except OSError as error:
        log.info("cache: %s cannot be read (%s)", path, error.strerror)
    return None


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, permissions=0o600) as file:
            file.write(hashlib.sha256(content).digest() + content)
        _drop_oldest(path.parent)
    except OSError as error:
        log.info("cache: %s cannot be written (%s); it is built at every start", path, error.strerror)


def _drop_oldest(folder: Path) -> None:
    files = [(path.stat(), path) for path in folder.glob("*-*.bin")]
    kept = 0
    for state, path in sorted(files, key=lambda file: file[0].st_mtime_ns, reverse=True):
        kept += state.st_size
        if kept > KEPT_BYTES:
            path.unlink(missing_ok=True)
