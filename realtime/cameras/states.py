"""What can be said about a camera: its state, the cause of a trouble, and the error that carries it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from models.errors import BadInput


class CameraState(StrEnum):
    """``STALE``: connected, but no new timestamp for longer than ``max_frame_age``; never "equal pixels"."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALE = "stale"
    LOST = "lost"
    REFUSED = "refused"


class Cause(StrEnum):
    """Why a camera gives no pictures."""

    TIMEOUT = "timeout"
    UNAUTHORISED = "unauthorised"
    NOT_FOUND = "not_found"
    UNREACHABLE = "unreachable"  # nobody listens there, no such host, no route
    DISCONNECTED = "disconnected"  # it was there and ended the connection
    DECODE_ERROR = "decode_error"
    END_OF_FILE = "end_of_file"

    @property
    def state(self) -> CameraState:
        """The camera answered and said no (refused), or it is gone (lost)."""
        return CameraState.REFUSED if self in (Cause.UNAUTHORISED, Cause.NOT_FOUND) else CameraState.LOST


ADVICE: dict[Cause, str] = {
    Cause.TIMEOUT: "check that the camera is on and its address right, or raise open_timeout / read_timeout",
    Cause.UNAUTHORISED: "check user name and password; special characters are safest percent-encoded (@ is %40)",
    Cause.NOT_FOUND: "check the path of the stream, the camera's number or the file's name",
    Cause.UNREACHABLE: "check host name and port, and that the camera is on this network",
    Cause.DISCONNECTED: "check the camera, its cable and how many viewers it allows",
    Cause.DECODE_ERROR: "check that it is a video; ffmpeg -i IN -c copy OUT mends many damaged files",
    Cause.END_OF_FILE: "nothing to mend: the file has ended",
}


class CameraError(Exception):
    """A camera gives no (more) pictures.

    ``permanent``: trying again cannot help (a file that ended, is missing or broken).
    ``message`` holds no credentials; ``str(error)`` is ``message``.
    """

    def __init__(self, cause: Cause, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.permanent = permanent

    @property
    def state(self) -> CameraState:
        return self.cause.state

    def as_bad_input(self) -> BadInput:
        """The one line for a user: what, where, how to mend it."""
        return BadInput(f"{self.message}; {ADVICE[self.cause]}")


@dataclass(frozen=True)
class CameraStatus:
    """One camera at one moment, for the overlay, the metrics and the page.

    ``captured`` frames reached the newest-frame buffer; ``dropped`` counts, by reason, pictures that the
    camera sent and that were not let through (corrupt, grey, repeated); ``frame_age`` and ``since`` (in this
    state) are seconds; ``fps`` is the rate of the last seconds. ``message`` holds no credentials.
    """

    name: str
    state: CameraState
    cause: Cause | None = None
    message: str = ""
    since: float = 0.0
    frame_age: float | None = None
    fps: float = 0.0
    captured: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    connections: int = 0
    abandoned: int = 0

    @property
    def reconnects(self) -> int:
        return max(self.connections - 1, 0)
