"""What can be said about a camera: its state, the cause of a trouble, and the error that carries it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypedDict

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
    BUSY = "busy"  # no room for one more, or asked too often
    UNSUPPORTED = "unsupported"  # it wants what cannot be given: a transport, a kind of authentication
    END_OF_FILE = "end_of_file"

    @property
    def state(self) -> CameraState:
        """The camera answered and said no (refused), or it is gone (lost)."""
        refusals = (Cause.UNAUTHORISED, Cause.NOT_FOUND, Cause.BUSY, Cause.UNSUPPORTED)
        return CameraState.REFUSED if self in refusals else CameraState.LOST


ADVICE: dict[Cause, str] = {
    Cause.TIMEOUT: "check that the camera is on and its address right, or raise open_timeout / read_timeout",
    Cause.UNAUTHORISED: "check user name and password; special characters are safest percent-encoded (@ is %40)",
    Cause.NOT_FOUND: "check the path of the stream; the camera's page or its manual names it",
    Cause.UNREACHABLE: "check host name and port, and that the camera is on this network",
    Cause.DISCONNECTED: "check the camera, its cable and how many viewers it allows",
    Cause.DECODE_ERROR: "check that this is the address of its video, in H.264, H.265 or Motion JPEG",
    Cause.BUSY: "close other viewers of this camera",
    Cause.UNSUPPORTED: "look for another way in the camera's settings",
    Cause.END_OF_FILE: "nothing to mend: it has ended",
}
"""How to mend it, for a camera on the network; other kinds give their own with the error."""


class CameraError(Exception):
    """A camera gives no (more) pictures.

    ``permanent``: trying again cannot help (a file that ended, is missing or broken).
    ``message`` holds no credentials; ``str(error)`` is ``message``. ``advice``: how to mend it; None takes the
    usual one, and an empty one says that the message does so itself.
    """

    def __init__(self, cause: Cause, message: str, *, permanent: bool = False, advice: str | None = None) -> None:
        super().__init__(message)
        self.advice = ADVICE[cause] if advice is None else advice
        self.cause = cause
        self.message = message
        self.permanent = permanent

    @property
    def state(self) -> CameraState:
        return self.cause.state

    def as_bad_input(self) -> BadInput:
        """The one line for a user: what, where, how to mend it."""
        return BadInput(f"{self.message}; {self.advice}" if self.advice else self.message)

    def again(self) -> CameraError:
        """The same, to be raised once more: one raised twice grows its traceback, and keeps the frames in it alive."""
        return CameraError(self.cause, self.message, permanent=self.permanent, advice=self.advice)


@dataclass(frozen=True)
class CameraStatus:
    """One camera at one moment, for the overlay, the metrics and the page.

    ``captured`` frames reached the newest-frame buffer; ``dropped`` counts, by reason, pictures that the
    camera sent and that were not let through (corrupt, grey, repeated); ``frame_age`` and ``since`` (in this
    state) are seconds; ``fps`` is the rate of the last seconds. ``message`` holds no credentials, ``advice`` is how
    to mend it. ``node``: the one of a cluster that runs it.
    """

    name: str
    state: CameraState
    cause: Cause | None = None
    message: str = ""
    advice: str = ""
    since: float = 0.0
    frame_age: float | None = None
    fps: float = 0.0
    captured: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    connections: int = 0
    abandoned: int = 0
    node: str = ""

    @property
    def reconnects(self) -> int:
        return max(self.connections - 1, 0)

    def figures(self) -> CameraFigures:
        """For the report of a run."""
        return CameraFigures(
            name=self.name,
            state=self.state.value,
            cause=None if self.cause is None else self.cause.value,
            message=self.message,
            seconds_in_state=round(self.since, 1),
            frame_age=None if self.frame_age is None else round(self.frame_age, 3),
            fps=round(self.fps, 2),
            captured=self.captured,
            dropped=self.dropped,
            connections=self.connections,
            reconnects=self.reconnects,
        )


class CameraFigures(TypedDict):
    """A camera's state and what it did, ready for JSON; ages and times in seconds."""

    name: str
    state: str
    cause: str | None
    message: str
    seconds_in_state: float
    frame_age: float | None
    fps: float
    captured: int
    dropped: dict[str, int]
    connections: int
    reconnects: int
