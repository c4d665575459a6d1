"""Which kind of camera a source string means."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from models.errors import BadInput
from realtime.cameras import CameraError, Cause, is_file, open_camera, register_camera
from realtime.cameras.from_config import capture_from
from realtime.cameras.open import _kinds, is_live
from realtime.settings.config import CameraConfig


def test_a_file_is_opened_by_its_path(kit, video):
    camera = open_camera(str(video), every_frame=True, name="clip")
    assert camera.read().camera == "clip"
    assert not camera.real_time
    camera.close()


def test_a_file_address_is_a_file_too(kit, video):
    assert kit.number_of(open_camera(f"file://{video}", every_frame=True).read().bgr) == 0


def test_a_registered_word_has_its_own_kind(kit, monkeypatch):
    monkeypatch.setattr("realtime.cameras.open._kinds", list(_kinds))
    register_camera("demo", lambda name: kit.ScriptedCamera([5], name))
    assert open_camera("demo", name="scene").name == "scene"
    assert not is_file("demo")


@pytest.mark.parametrize(
    ("source", "file", "live"),
    [
        ("clip.mp4", True, False),
        ("file:///films/clip.mp4", True, False),
        ("demo", False, False),
        ("0", False, True),
        ("/dev/video0", False, True),
        ("rtsp://host/stream", False, True),
    ],
)
def test_a_source_is_a_file_or_live_or_a_word(source, file, live):
    assert (is_file(source), is_live(source)) == (file, live)


def test_udevs_names_and_links_to_a_device_are_webcams(tmp_path):
    (tmp_path / "front").symlink_to("/dev/null")  # a device everywhere
    for source in ("/dev/v4l/by-id/usb-046d_C920-video-index0", str(tmp_path / "front")):
        assert (is_file(source), is_live(source)) == (False, True)


@pytest.mark.skipif(not sys.platform.startswith("linux") or Path("/dev/video99").exists(), reason="Linux without it")
@pytest.mark.parametrize("source", ["99", "/dev/video99"])
def test_an_absent_webcam_is_one_line(capfd, source):
    with pytest.raises(CameraError) as caught:
        open_camera(source)
    assert caught.value.cause is Cause.NOT_FOUND
    assert "99" in str(caught.value.as_bad_input())
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("rstp://u:hunter22@h/x", r"rstp://\*\*\*@h/x has an unknown scheme 'rstp'; did you mean rtsp://\?"),
        ("gopher://h/x", "unknown scheme 'gopher'; use one of rtsp"),
        ("  ", "the source is empty"),
        ("rtsp://", "names no host"),
    ],
)
def test_a_string_that_is_no_source_is_bad_input(source, line):
    with pytest.raises(BadInput, match=line):
        open_camera(source)


def test_a_missing_file_is_permanent(tmp_path):
    with pytest.raises(CameraError) as caught:
        open_camera(str(tmp_path / "nothing.mp4"))
    assert caught.value.permanent


def test_a_configured_file_gives_every_frame_to_its_reader(kit, video):
    source = capture_from(CameraConfig(name="clip", source=str(video), every_frame=True))
    reader = source.reader()
    source.start()
    frames, error = kit.take_all(reader)
    assert [kit.number_of(frame.bgr) for frame in frames] == list(range(25))
    assert error.cause is Cause.END_OF_FILE
    assert source.stop()


def test_a_configured_file_in_real_time_keeps_up(kit, video):
    source = capture_from(CameraConfig(source=str(video)))
    reader = source.reader()
    source.start()
    kit.take_all(reader)
    assert reader.taken + reader.missed == 25
    assert reader.taken >= 20


def test_a_wrong_address_in_a_configuration_ends_the_camera_with_its_line():
    source = capture_from(CameraConfig(source="rstp://u:hunter22@h/x"))
    source.start()
    with pytest.raises(BadInput, match="unknown scheme"):
        source.wait_until_live(5)
    source.stop()
