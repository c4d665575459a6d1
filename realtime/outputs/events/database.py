"""The database file of the event log: who may open it and how, and what is said where it cannot be."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

from models.errors import BadInput

_log = logging.getLogger(__name__)
_FULL = "no room is left on its disk; make room, or give another folder"
_READ_ONLY = "cannot be written to; give a folder that this user may write to"


def connect(path: Path, timeout: float) -> sqlite3.Connection:
    """Open for reading and writing, for its owner only; made where there is none."""
    # SQLite gives its -wal and -shm files the permissions of the database, so this one has to be made first.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    for_its_owner_only(path, 0o600)
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # takes effect in an empty database only
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def connect_read_only(path: Path, opened: contextlib.ExitStack) -> sqlite3.Connection:
    """Open for reading where nothing may be written: a read-only disk, a folder of somebody else's.

    SQLite needs to write beside a database in WAL mode, even to read it. Where it may not, the database is taken as
    one that nobody changes, or with its log from a copy; ``opened`` removes that.
    """
    with open(path, "rb"):
        pass  # says what is wrong in the system's own words: SQLite has one word for everything
    with contextlib.suppress(sqlite3.OperationalError):
        return _readable(f"{path.absolute().as_uri()}?mode=ro")
    log = path.with_name(f"{path.name}-wal")
    if not log.exists() or log.stat().st_size == 0:
        return _readable(f"{path.absolute().as_uri()}?mode=ro&immutable=1")
    folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="spectaclear-events-")))
    for file in (path, log):
        shutil.copyfile(file, folder / file.name)
    return _readable(f"{(folder / path.name).as_uri()}?mode=rw")


def _readable(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def take_lock(folder: Path) -> sqlite3.Connection:
    """An exclusive lock that ends with the process and works wherever SQLite does. Raises ``BadInput``."""
    path = folder / "writer.lock"
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    guard = sqlite3.connect(path, timeout=0.0, isolation_level=None, check_same_thread=False)
    try:
        guard.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        guard.close()
        if is_locked(error):
            raise BadInput(f"{folder}: another running program writes its events here; give this one its own") from None
        raise
    return guard


def for_its_owner_only(path: Path, mode: int) -> None:
    """Take everybody else's rights away, where that is ours to do."""
    if path.stat().st_mode & 0o777 == mode:
        return
    try:
        path.chmod(mode)
    except PermissionError:
        _log.warning(
            "%s belongs to somebody else, who decides who may read it; events should lie in a folder of "
            "this user's own",
            path,
        )


def is_locked(error: sqlite3.Error) -> bool:
    """Whether another program holds the database."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def unusable(folder: Path, error: sqlite3.Error) -> BadInput:
    """What to say of a database that cannot be used: in use, no room, not ours, or damaged."""
    code = _code(error)
    if is_locked(error):
        return BadInput(f"{folder}: another program holds events.sqlite locked; close that program")
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(folder)):
        return BadInput(f"{folder}: {_FULL}")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return BadInput(f"{folder}: {_READ_ONLY}")
    if code == sqlite3.SQLITE_IOERR:
        return BadInput(f"{folder}: its disk does not read or write ({error}); look at the disk")
    return BadInput(f"{folder}: the event log cannot be used ({error}); repair events.sqlite, or give another folder")


def unusable_folder(folder: Path, error: OSError) -> BadInput:
    """What to say of a folder that cannot be used: no room, not to be read, not to be written, or no folder."""
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BadInput(f"{folder}: {_FULL}")
    if error.errno in (errno.EACCES, errno.EPERM) and not _may_be_read(folder):
        return BadInput(
            f"{folder}: cannot be read ({reason}); run this as the user who owns it, or let this user read it"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return BadInput(f"{folder}: {_READ_ONLY.replace('to;', f'to ({reason});', 1)}")
    return BadInput(f"{folder}: {reason}; give a folder that can be written to")


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the extension


def _is_full(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return shutil.disk_usage(folder).free < 1_000_000
    return False


def _may_be_read(folder: Path) -> bool:
    database = folder / "events.sqlite"
    try:
        return os.access(database if database.exists() else folder, os.R_OK)
    except OSError:  # the folder above may not even be entered
        return False
