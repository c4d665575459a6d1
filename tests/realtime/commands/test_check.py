"""What ``check`` prints."""

from __future__ import annotations

import pytest

from realtime.commands.check import print_check
from realtime.system.command_line import console


@pytest.mark.parametrize("odd", ["door [new].mp4", "a[/b].mp4"])
def test_brackets_in_a_source_are_printed_as_they_are(odd: str) -> None:
    found = {
        "source": odd,
        "codec": "h264",
        "size": [640, 480],
        "native_fps": 25.0,
        "measured_fps": 25.0,
        "first_picture_ms": 3.0,
        "longest_gap_ms": 41.0,
        "pictures": 75,
        "dropped": {},
        "remarks": [],
    }
    with console.capture() as printed:
        print_check(found, console)
    assert printed.get().splitlines()[0].strip() == odd
