"""How many files and sockets this process may have open."""

from __future__ import annotations

import contextlib

_ENOUGH = 65_536  # cameras, viewers and models need hundreds; without a bound some libraries count to a billion


def allow_many_open_files() -> None:
    """Raise the soft limit to what the system allows anyway; shells and systemd start programs with 1,024."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    with contextlib.suppress(OSError, ValueError):  # macOS allows less than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
