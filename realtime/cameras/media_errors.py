"""What an FFmpeg error means for a camera."""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import av.error

from realtime.cameras.states import Cause

_BY_TYPE: tuple[tuple[type[BaseException], Cause, str], ...] = (
    (av.error.ExitError, Cause.TIMEOUT, "does not answer in time"),  # our own time-out interrupted libav
    (av.error.TimeoutError, Cause.TIMEOUT, "does not answer in time"),
    (av.error.HTTPUnauthorizedError, Cause.UNAUTHORISED, "refuses the user name or password (401)"),
    (av.error.HTTPForbiddenError, Cause.UNAUTHORISED, "forbids access (403)"),
    (av.error.PermissionError, Cause.UNAUTHORISED, "may not be read (no permission)"),
    (av.error.HTTPNotFoundError, Cause.NOT_FOUND, "has no such stream (404)"),
    (av.error.FileNotFoundError, Cause.NOT_FOUND, "does not exist"),
    (av.error.IsADirectoryError, Cause.NOT_FOUND, "is a folder, not a video"),
    (av.error.ProtocolNotFoundError, Cause.NOT_FOUND, "has a scheme that is not supported"),
    (av.error.HTTPError, Cause.UNREACHABLE, "answers with an error"),
    (av.error.ConnectionRefusedError, Cause.UNREACHABLE, "refuses connections (nobody listens on that port)"),
    (av.error.EOFError, Cause.DISCONNECTED, "ended the connection"),
    (av.error.ConnectionResetError, Cause.DISCONNECTED, "cut the connection"),
    (av.error.ConnectionAbortedError, Cause.DISCONNECTED, "cut the connection"),
    (av.error.BrokenPipeError, Cause.DISCONNECTED, "cut the connection"),
    (av.error.InvalidDataError, Cause.DECODE_ERROR, "sends no video that can be decoded"),
    (av.error.LookupError, Cause.DECODE_ERROR, "uses a format that cannot be decoded"),
)
NO_HOST = "cannot be reached (no such host, or the connection broke)"
NO_VIDEO = (Cause.DECODE_ERROR, "offers no video, only sound", "choose a stream of this camera that has video")
NO_INTERFACE = (
    Cause.UNREACHABLE,
    "cannot be reached (no such address or network interface)",
    "check the address; one that begins with fe80: wants its interface as well, as in [fe80::1%eth0]",
)
SINGLE_PICTURE = (
    Cause.DECODE_ERROR,
    "is a single picture, not a stream",
    "give the address of its video; the camera's manual names it, often rtsp:// or .../video",
)
WEB_PAGE = (
    Cause.DECODE_ERROR,
    "is a web page, perhaps one to log in, not a video",
    "open it in a browser to see; give the address of the video itself, with user and password",
)
SHA256 = (
    Cause.UNSUPPORTED,
    "asks for digest authentication by SHA-256, which FFmpeg does not know (401)",
    "allow MD5 digest or basic authentication in the camera's settings",
)
_BY_STATUS = {
    400: (Cause.NOT_FOUND, "does not understand the request (400)", None),
    429: (Cause.BUSY, "is asked too often (429)", "wait, and let fewer programs ask this camera"),
    453: (Cause.BUSY, "has no room for one more viewer (453)", "close other viewers, or choose its smaller stream"),
    454: NO_VIDEO,  # to PLAY, where only video was asked for
    455: NO_VIDEO,
    461: (Cause.UNSUPPORTED, "does not send over this transport (461)", "set transport: udp, or back to tcp"),
    500: (Cause.UNREACHABLE, "has an error of its own (500)", "start the camera again"),
    503: (Cause.UNREACHABLE, "is not ready (503)", "wait; where it lasts, start the camera again"),
}
_STATUS = re.compile(r"failed: (\d{3})\b|HTTP error (\d{3})\b")
_NO_ROUTE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EADDRNOTAVAIL}


class Trouble(NamedTuple):
    """A cause, a half-sentence to stand behind the camera's name, and how to mend it (None: as usual)."""

    cause: Cause
    words: str
    advice: str | None = None


def explain(
    error: BaseException, *, waited: float = 0.0, timeout: float | None = None, log: Sequence[Any] = ()
) -> Trouble:
    """What an error of libav means.

    ``waited``: seconds that the failed call took, of ``timeout``; libav's RTSP hides the reply that our time-out
    interrupted behind other errors. ``log``: what libav wrote, for the status that its error does not bear. Never
    libav's own words: they may hold the address with its password.
    """
    if timeout is not None and waited >= timeout:
        return Trouble(Cause.TIMEOUT, "does not answer in time")
    for status in _statuses(log):
        if status in _BY_STATUS:
            return Trouble(*_BY_STATUS[status])
    for kind, cause, words in _BY_TYPE:
        if isinstance(error, kind):
            return Trouble(cause, words)
    number = getattr(error, "errno", None)
    if number in _NO_ROUTE:
        return Trouble(Cause.UNREACHABLE, "cannot be reached (no route to it)")
    if number == errno.EIO:  # also what libav gives where a host name has no address
        return Trouble(Cause.UNREACHABLE, NO_HOST)
    return Trouble(Cause.DECODE_ERROR, f"cannot be read ({type(error).__name__})")


def _statuses(log: Sequence[Any]) -> list[int]:
    """Statuses of RTSP and HTTP answers that libav wrote of, the last first."""
    found = [_STATUS.search(entry[2]) for entry in reversed(log)]
    return [int(match[1] or match[2]) for match in found if match]
