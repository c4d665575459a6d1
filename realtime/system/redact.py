"""Keeps credentials out of everything that is written: logs, messages, reports, process titles.

Five nets, each for what the others miss:

1. user info of URLs in any text, also where the password holds ``@ : / ? # %`` unencoded, and of URLs that
   are percent-encoded themselves;
2. values of query parameters whose name sounds like a secret (``token=``, ``pwd=``, ``loginpas=``, ``p=``), and what
   follows such a name in a path (``/user=admin_password=...``);
3. passwords known from the sources that were opened (``remember_secret``), wherever they appear;
4. what stands before an ``@`` that is missing (``rtsp://user:password`` of a line that was cut at a ``#``);
5. ``user:password@host`` where the scheme is missing or mistyped (``rtsp:/user:password@host``).

Where a text can be read both as a credential and as a plain address, it is taken for a credential: a message
that names a host badly is better than a password in a log.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import warnings
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote, unquote

HIDDEN = "***"
_SHORTEST_SECRET = 6
_ORDINARY_WORD = re.compile(r"[a-z]{,11}|[0-9]{,7}")  # a password "live" or "1080" would punch holes into every report

_URL = re.compile(r"(?<![A-Za-z0-9+.-])(?P<scheme>[A-Za-z0-9+.-]+://)(?P<rest>\S+)")
_WORD = re.compile(r"\S+")
_ENCODED_URL = re.compile(r"(?<![A-Za-z0-9+.-])(?P<scheme>[A-Za-z0-9+.-]+%3A%2F%2F)(?P<rest>[^\s&]+)", re.IGNORECASE)
_SECRET_WORD = r"pas|pwd|token|secret|auth|key|sig|user|usr|login|credential|session|ticket|hash"
_SECRET_NAME = rf"(?:[\w.-]*(?:{_SECRET_WORD})[\w.-]*|u|p|pw|psw|_?sid)"
_SECRET_VALUE = re.compile(rf"(?P<name>[?&;/#]{_SECRET_NAME}=)(?P<value>[^&\s\"'<>]*)", re.IGNORECASE)
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)"
#: What is left of ``user:password@host`` that was cut before its ``@``: no port follows the colon, and no IPv6 address.
_CUT_USER_INFO = re.compile(r"(?!(?:[0-9A-Fa-f]*:){2})([^\s:/?#\[\]]+):(?!\d{1,5}(?!\w))\W*\w")
_PLAIN_WITH_QUERY = re.compile(rf"{_HOST}(?::\d{{1,5}})?(?:/[^@?#]*)?\?(?:[\w.-]+=[^&=]*)(?:&[\w.-]+=[^&=]*)*")
_NAME_AND_COLON = re.compile(r"(?<![\w.%+~$!-])[\w.%+~$!-]+:")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_TIME = re.compile(r"(?:\d{4}-\d\d-\d\d[T_])?\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?")
_HEADER = re.compile(r"(?P<name>\b(?:proxy-)?authorization:\s*(?:basic|digest|bearer)\s+)[^\r\n]+", re.IGNORECASE)

_known: set[str] = set()
_known_lock = threading.Lock()


def redact(text: str) -> str:
    """``text`` without credentials. Idempotent; text without an address or secret comes back unchanged."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _HEADER.sub(rf"\g<name>{HIDDEN}", text)
    text = _URL.sub(lambda m: m["scheme"] + _without_user_info(m["rest"]), text)
    text = _ENCODED_URL.sub(_encoded_without_user_info, text)
    text = _WORD.sub(_without_bare_user_info, text) if "@" in text else text
    return _SECRET_VALUE.sub(rf"\g<name>{HIDDEN}", text)


def _without_user_info(rest: str) -> str:
    """``user:pass@host/path`` -> ``***@host/path``; ``rest`` is what follows ``://``."""
    if "@" not in rest:
        cut = _CUT_USER_INFO.match(rest)
        return f"{cut[1]}:{HIDDEN}" if cut else rest
    before, _, address = rest.rpartition("@")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" not in authority and (":" not in before or _PLAIN_WITH_QUERY.fullmatch(rest)):
        return rest  # the @ belongs to the path or the query: no password can stand before it
    return f"{HIDDEN}@{address}"


def _encoded_without_user_info(match: re.Match[str]) -> str:
    rest = match["rest"]
    end = rest.rfind("%40")  # the sign has no other encoding
    return match[0] if end < 0 else f"{match['scheme']}{HIDDEN}{rest[end:]}"


def _without_bare_user_info(match: re.Match[str]) -> str:
    """``user:pass@host/path`` -> ``***@host/path``, up to where an address with its scheme begins."""
    word = match[0]
    url = _URL.search(word)
    end = word.rfind("@", 0, url.start() if url else None)
    start = _NAME_AND_COLON.search(word, 0, max(end, 0))
    if start is None or start.end() == end or not re.match(r"[\w\[]", word[end + 1 :]):
        return word
    found = word[start.start() : end]
    return word if _DRIVE.match(found) or _TIME.fullmatch(found) else word[: start.start()] + HIDDEN + word[end:]


def remember_secret(secret: str) -> None:
    """From now on ``secret`` is removed wherever it appears, as it is, percent-encoded and decoded.

    Short ones and ordinary words are not remembered: the patterns have to be enough for them.
    """
    forms = {secret, unquote(secret), quote(secret, safe=""), quote(secret)}
    with _known_lock:
        _known.update(form for form in forms if len(form) >= _SHORTEST_SECRET and not _ORDINARY_WORD.fullmatch(form))


def forget_secrets() -> None:
    """Forget every remembered secret (tests)."""
    with _known_lock:
        _known.clear()


def redact_all(value: Any) -> Any:
    """``value`` with every string inside its mappings and sequences redacted."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redact_all(key): redact_all(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact_all(item) for item in value]
    return value


class RedactingFormatter(logging.Formatter):
    """Formats as its parent does, then redacts the result: arguments, exception texts and stacks included."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message and, where there is one, the exception."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(redact_all(entry), ensure_ascii=False)


def setup_logging(level: int | str = logging.WARNING, style: Literal["text", "json"] = "text") -> None:
    """Log to stderr through redaction; warnings and exceptions of threads come along.

    Replaces the handlers of the root logger, so that none without redaction stays behind.
    """
    handler = logging.StreamHandler(sys.stderr)
    text = RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S%z")
    handler.setFormatter(JsonFormatter() if style == "json" else text)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    warnings.simplefilter("default" if logging.root.level <= logging.DEBUG else "ignore", DeprecationWarning)
    threading.excepthook = _log_thread_exception


def _log_thread_exception(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is SystemExit or args.exc_value is None:
        return
    name = args.thread.name if args.thread else "a thread"
    logging.getLogger("spectaclear").error(
        "%s ended unexpectedly", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
    )
