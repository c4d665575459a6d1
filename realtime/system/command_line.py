"""What every command line shares: how it starts, how it fails, how it writes its result."""

from __future__ import annotations

import os

# Before anything imports torch or OpenCV: OpenMP threads that spin while idle slow every other pool down
# (MTCNN 344 ms instead of 42 ms), and FFmpeg inside OpenCV prints addresses with their passwords to stderr.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

import contextlib
import dataclasses
import enum
import errno
import io
import json
import logging
import re
import stat
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.console import Console

from models import files
from models.errors import BadInput
from realtime.system.redact import HIDDEN, redact, redact_all, setup_logging

# A library asks for the folder of temporary files as it is imported, and where none can be written to (a read-only
# system without /tmp) that is an error. It writes nothing there; whoever does is told so then.
try:
    tempfile.gettempdir()
except FileNotFoundError:
    tempfile.tempdir = os.sep

console = Console(markup=False, emoji=False)
"""Where results for people go; ``[brackets]`` and ``:colons:`` in names stay what they are. Machine-readable results
go through ``write_json``."""

JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the result here as well.")]

INTERRUPTED = 130  # 128 + SIGINT, as a shell says it

_ClickException: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


#: Credentials of an address that is one argument with a space in it: ``rtsp://user:pass word@host``.
_WITH_A_SPACE = re.compile(r"^(.*?://)(?=.*\s.*@).*(?=@)", re.DOTALL)

#: Names of files need not be UTF-8: the odd byte is written as ``\udce9``, which JSON reads back as the same name.
_ODD_NAMES = "backslashreplace"

#: What a full or read-only disk, a folder of somebody else's, or a file where a folder should be is answered with.
_NO_PLACE_TO_WRITE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
}


def run_app(app: typer.Typer) -> None:
    """Run a command line and leave the process with its exit code.

    0 success; 2 bad input (``BadInput`` or a wrong option: one line on stderr, no traceback); 1 failure;
    130 interrupted. Nothing that is printed here holds a credential. ``SPECTACLEAR_LOG`` says what is logged.
    """
    hide_credentials_of_this_process()
    setup_logging()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=_ODD_NAMES)
    code = _exit_code(app)
    if code == INTERRUPTED:
        # Threads may still be inside an engine, whose library would abort the process while Python takes it down.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def setup_logging_by_environment() -> None:
    """Logging as ``SPECTACLEAR_LOG`` asks for it: a level, and ``json`` for one object a line (``info,json``).

    Raises ``BadInput`` for anything else.
    """
    wish = os.environ.get("SPECTACLEAR_LOG", "")
    words = {word.strip().lower() for word in wish.split(",")} - {""}
    levels = words & {"debug", "info", "warning", "error"}
    if len(levels) > 1 or words - levels - {"json", "text"}:
        raise BadInput(
            f"SPECTACLEAR_LOG={wish}: expected debug, info, warning or error, and json or text, as in info,json"
        )
    setup_logging(levels.pop().upper() if levels else logging.WARNING, "json" if "json" in words else "text")


def _exit_code(app: typer.Typer) -> int:
    try:
        setup_logging_by_environment()
        result = typer.main.get_command(app).main(standalone_mode=False)
    except BadInput as error:
        return _fail(str(error), 2)
    except _ClickException as error:
        return _fail(_usage_line(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except typer.Exit as stop:
        return stop.exit_code
    except BrokenPipeError:
        # The reader of our output has gone (``| head``); Python would complain again while flushing at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NO_PLACE_TO_WRITE:
            place = "" if error.filename is None else f"{error.filename}: "
            if error.filename is not None and _may_not_be_read(error.filename):
                return _fail(f"{place}cannot be read ({error.strerror}); let this user read it, or give another", 2)
            return _fail(f"{place}cannot be written ({error.strerror}); give a writable place with room", 2)
        sys.stderr.write(redact(traceback.format_exc()))
        return _fail(f"unexpected {type(error).__name__}: {error}", 1)
    return result if isinstance(result, int) else 0


def _may_not_be_read(path: str | bytes) -> bool:
    """Whether there is something that this user may not read, or may be: its folder may not even be entered."""
    folder = os.path.dirname(os.path.abspath(path))
    return not os.access(path, os.R_OK) if os.path.lexists(path) else not os.access(folder, os.X_OK)


def _fail(message: str, code: int) -> int:
    line = " ".join(redact(message).split())
    sys.stderr.write(f"error: {line}\n")
    return code


def _usage_line(error: Exception) -> str:
    format_message = getattr(error, "format_message", None)
    message = str(format_message() if format_message else error) or "a command is missing"  # help was shown instead
    context = getattr(error, "ctx", None)
    return f"{message.rstrip('.')}; see {context.command_path} --help" if context is not None else message


def hide_credentials_of_this_process() -> None:
    """Take passwords out of the command line that other users see in ``ps``; sources remain as given."""
    hidden = [redact(_WITH_A_SPACE.sub(rf"\1{HIDDEN}", argument)) for argument in sys.argv]
    if hidden == sys.argv:
        return
    try:
        import setproctitle
    except ImportError:  # not built for this platform: the README says how to pass credentials by environment
        return
    setproctitle.setproctitle(" ".join([sys.executable, *hidden]))


def check_writable(*files: Path | None) -> None:
    """Minutes and hours of measuring must not end without their figures.

    Raises ``BadInput`` where a file is a folder, or its folder is missing or cannot be written to.
    """
    for file in files:
        if file is None:
            continue
        if file.is_dir() or not file.name:
            raise BadInput(f"cannot write {file}: it is a folder; give the name of a file")
        if _is_written_to_directly(file):
            continue
        folder = (Path(os.path.realpath(file)) if file.is_symlink() else file).parent
        if not folder.is_dir():
            raise BadInput(f"cannot write {file}: there is no folder {folder}; make it first")
        if not os.access(folder, os.W_OK):
            raise BadInput(f"cannot write {file}: the folder {folder} is read-only; give another")


def refuse_overwriting(sources: Sequence[Path], *files: Path | None) -> None:
    """Raises ``BadInput`` where one of the files to be written is one of those that are read."""
    for file in files:
        for source in sources:
            if file is not None and source.exists() and file.exists() and file.samefile(source):
                raise BadInput(f"cannot write {file}: it is what is read from; give another name")


def write_json(path: str | Path | None, payload: Any) -> None:
    """Write ``payload`` (mappings, sequences, dataclasses, numpy values) as JSON, whole or not at all.

    Without a path (no ``--json``) nothing is written. Raises ``BadInput`` where the folder is missing or cannot be
    written to.
    """
    if path is None:
        return
    text = json.dumps(redact_all(_plain(payload)), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(path, text.encode(errors=_ODD_NAMES))


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file whole or not at all, see ``whole_file``. Raises ``BadInput``."""
    with whole_file(path) as file:
        file.write(content)


@contextlib.contextmanager
def whole_file(path: str | Path, *, permissions: int = 0o666) -> Iterator[BinaryIO]:
    """``models.files.whole_file`` for a file that a user named.

    What is no ordinary file (a device, a pipe) and this process's own output are written to as
    they are: nothing can be moved onto them. Raises ``BadInput`` for every ``OSError`` within the block.
    """
    try:
        if not _is_written_to_directly(path):
            with files.whole_file(path, permissions=permissions) as file:
                yield file
            return
        own = _own_output(path)
        if own == 1:
            sys.stdout.flush()
        with open(os.open(path, os.O_WRONLY) if own is None else os.dup(own), "wb") as file:
            yield file
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"cannot write {path}: {reason}; give a file in a folder that exists and is writable") from None


def _is_written_to_directly(path: str | Path) -> bool:
    """Whether ``path`` is a device, a pipe, or wherever this process's own output goes (``/dev/stdout``)."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or _own_output(path) is not None


def _own_output(path: str | Path) -> int | None:
    """Which of stdout and stderr ``path`` is; opened anew it would be written from its beginning."""
    for number in (1, 2):
        with contextlib.suppress(OSError):  # one that is closed
            if os.path.samestat(os.stat(path), os.fstat(number)):
                return number
    return None


def _plain(value: Any) -> Any:
    """``value`` in JSON's own types; not-a-number becomes null, which every reader understands."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return _plain(value.tolist())
    if hasattr(value, "model_dump"):  # pydantic
        return _plain(value.model_dump())
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
