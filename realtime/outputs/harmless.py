"""Outputs may fail; the line from camera to verdict goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

_log = logging.getLogger(__name__)
_COMPLAIN_EVERY = 60.0
Given = ParamSpec("Given")
Answer = TypeVar("Answer")


def harmless(output: Callable[Given, None]) -> Callable[Given, None]:
    """``output`` without its exceptions: they are logged, with the first one's traceback, at most once a minute."""
    return or_else(output, lambda *places, **names: None)


def or_else(output: Callable[Given, Answer], instead: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """``output``, and where it fails, which is logged likewise, what ``instead`` gives."""
    complain = _complaints(getattr(output, "__qualname__", repr(output)))

    def tried(*places: Given.args, **names: Given.kwargs) -> Answer:
        try:
            return output(*places, **names)
        except Exception as error:
            complain(error)
            return instead(*places, **names)

    return tried


def _complaints(name: str) -> Callable[[Exception], Any]:
    failures, next_complaint = 0, 0.0

    def complain(error: Exception) -> None:
        nonlocal failures, next_complaint
        failures += 1
        now = time.monotonic()
        if now >= next_complaint:
            next_complaint = now + _COMPLAIN_EVERY
            trace = error if failures == 1 else None
            _log.error("%s failed (%d times so far), the run goes on: %s", name, failures, error, exc_info=trace)

    return complain
