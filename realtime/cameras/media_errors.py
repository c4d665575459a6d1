"""What an FFmpeg error means for a camera."""

from __future__ import annotations

import errno

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
_NO_ROUTE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EADDRNOTAVAIL}


def explain(error: BaseException, *, waited: float = 0.0, timeout: float | None = None) -> tuple[Cause, str]:
    """The cause, and a half-sentence to stand behind the camera's name.

    ``waited``: seconds that the failed call took, of ``timeout``; libav's RTSP hides the reply that our time-out
    interrupted behind other errors. Never libav's own words: they may hold the address with its password.
    """
    if timeout is not None and waited >= timeout:
        return Cause.TIMEOUT, "does not answer in time"
    for kind, cause, words in _BY_TYPE:
        if isinstance(error, kind):
            return cause, words
    number = getattr(error, "errno", None)
    if number in _NO_ROUTE:
        return Cause.UNREACHABLE, "cannot be reached (no route to it)"
    if number == errno.EIO:  # also what libav gives where a host name has no address
        return Cause.UNREACHABLE, "cannot be reached (no such host, or the connection broke)"
    return Cause.DECODE_ERROR, f"cannot be read ({type(error).__name__})"
