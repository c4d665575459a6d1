"""Outputs may fail; the line from camera to verdict goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import ParamSpec

_log = logging.getLogger(__name__)
_COMPLAIN_EVERY = 60.0
Given = ParamSpec("Given")


def harmless(output: Callable[Given, None]) -> Callable[Given, None]:
    """``output`` without its exceptions: they are logged, with the first one's traceback, at most once a minute."""
    failures, next_complaint = 0, 0.0

    def tried(*places: Given.args, **names: Given.kwargs) -> None:
        nonlocal failures, next_complaint
        try:
            output(*places, **names)
        except Exception as error:
            failures += 1
            now = time.monotonic()
            if now >= next_complaint:
                next_complaint = now + _COMPLAIN_EVERY
                name = getattr(output, "__qualname__", repr(output))
                trace = error if failures == 1 else None
                _log.error("%s failed (%d times so far), the run goes on: %s", name, failures, error, exc_info=trace)

    return tried
