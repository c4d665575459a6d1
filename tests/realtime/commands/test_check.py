"""What ``check`` prints."""

from __future__ import annotations

import pytest

from models.errors import BadInput
from realtime.commands.check import check_cameras, print_check, print_checks
from realtime.settings.config import CameraConfig
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


def test_all_configured_cameras_are_checked_and_told_by_name() -> None:
    cameras = [
        CameraConfig(name="front", source="demo"),
        CameraConfig(name="roof", source="rtsp://admin:hunter22@127.0.0.1:1/x"),
    ]
    found = check_cameras(cameras, seconds=0.1)
    assert [one["name"] for one in found] == ["front", "roof"]
    assert found[0]["size"] == [640, 480]
    with console.capture() as printed, pytest.raises(BadInput, match="1 of 2 cameras failed: roof: rtsp") as told:
        print_checks(found, console)
    assert "refuses connections" in str(told.value)
    assert "front" in printed.get()
    assert "hunter22" not in str(told.value) + printed.get() + str(found)
