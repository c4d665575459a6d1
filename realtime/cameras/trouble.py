"""What is wrong with a camera, and what the log says of it: once for each reason, and once when it is back."""

from __future__ import annotations

import logging
import time

from models.errors import BadInput
from realtime.cameras.states import CameraError, Cause
from realtime.system.redact import redact

log = logging.getLogger(__name__)


def trouble_of(camera: str, error: Exception) -> CameraError:
    """What an error while it was opened or read says of this camera. Call it where the error is handled."""
    if isinstance(error, CameraError):
        return error
    if isinstance(error, BadInput):
        return CameraError(Cause.NOT_FOUND, str(error), permanent=True, advice="")
    log.exception("%s: unexpected error", camera)
    return CameraError(Cause.DECODE_ERROR, f"{camera}: unexpected {type(error).__name__}: {redact(str(error))}")


class Trouble:
    """One line where a camera is lost or refused, and one where the reason changes; not one for every attempt."""

    def __init__(self, camera: str) -> None:
        self._camera = camera
        self._told: Cause | None = None  # since it was last live
        self._away_since = 0.0

    def tell(self, error: CameraError) -> None:
        """It is lost, or an attempt to get it back failed."""
        if self._told == error.cause:
            return
        if self._told is None:
            self._away_since = time.monotonic()
        self._told = error.cause
        log.warning("%s is %s: %s; it is tried again until it comes", self._camera, error.state, error.as_bad_input())

    def over(self) -> None:
        """A picture came."""
        if self._told is not None:
            self._told = None
            log.warning("%s is back after %.0f s", self._camera, time.monotonic() - self._away_since)
