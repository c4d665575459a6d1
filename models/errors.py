"""The one exception for what a user can mend: it becomes one line on stderr and exit code 2."""

from __future__ import annotations

from collections.abc import Iterable


class BadInput(Exception):
    """Something given from outside is wrong; the message says what, where and how to mend it."""


def first_line(error: Exception) -> str:
    """What the error says, in one line of at most 200 characters; its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def refuse_unknown(option: str, *names: str, known: Iterable[str]) -> None:
    """Raises ``BadInput`` for the first of the names given with ``option`` that is none of those known."""
    choice = list(known)
    for name in names:
        if name not in choice:
            raise BadInput(f"{option} {name!r}: unknown, give one of {', '.join(choice)}")
