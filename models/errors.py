"""The one exception for what a user can mend: it becomes one line on stderr and exit code 2."""

from __future__ import annotations


class BadInput(Exception):
    """Something given from outside is wrong; the message says what, where and how to mend it."""
