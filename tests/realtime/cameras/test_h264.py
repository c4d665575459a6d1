"""A missing picture shows in the frame numbers of real H.264; a whole stream shows none."""

from __future__ import annotations

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.cameras.h264 import FrameNumbers


def _units(profile, x264="", frames=60, key_every=25):
    from fractions import Fraction

    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = 64, 48, "yuv420p"
    codec.framerate, codec.time_base, codec.gop_size = 25, Fraction(1, 25), key_every
    codec.options = {"preset": "veryfast", "profile": profile, "x264-params": x264}
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    packets = []
    for number in range(frames):
        frame = av.VideoFrame.from_ndarray(np.roll(noise, number, 1), "bgr24")
        frame.pts = number
        packets += codec.encode(frame)
    return [bytes(packet) for packet in [*packets, *codec.encode(None)]]


@pytest.mark.parametrize("profile", ["baseline", "main", "high"])
@pytest.mark.parametrize("x264", ["bframes=0", "bframes=3:b-pyramid=normal", "slices=4", "ref=4:bframes=2"])
def test_a_whole_stream_has_no_gap(profile, x264):
    if profile == "baseline":
        x264 = "bframes=0"
    numbers = FrameNumbers()
    assert not any(numbers.is_gap_before(unit) for unit in _units(profile, x264))


@pytest.mark.parametrize("profile", ["baseline", "main", "high"])
@pytest.mark.parametrize("lost", [3, 20, 30])
def test_a_missing_picture_is_a_gap_before_the_next(profile, lost):
    units = _units(profile, "bframes=0")
    numbers = FrameNumbers()
    gaps = [i for i, unit in enumerate(units) if i != lost and numbers.is_gap_before(unit)]
    assert gaps == [lost + 1]


def test_a_missing_picture_before_a_key_frame_does_no_harm():
    units = _units("high", "bframes=0:scenecut=0", key_every=10)
    numbers = FrameNumbers()
    assert not any(numbers.is_gap_before(unit) for i, unit in enumerate(units) if i != 9)


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_bytes_are_read_without_error(units):
    numbers = FrameNumbers()
    for unit in units:
        assert numbers.is_gap_before(b"\x00\x00\x01" + unit) in (True, False)
