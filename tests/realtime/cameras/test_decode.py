"""Damage is seen, dropped and counted; dark, foggy and covered pictures are not taken for damage."""

from __future__ import annotations

import gc
import random
import re
from fractions import Fraction

import av
import numpy as np
import pytest
from av.packet import Packet
from av.video.frame import VideoFrame

from realtime.cameras.decode import PictureDecoder, is_decoder_grey
from realtime.cameras.packets import Arrival


class _Stream:
    """A container whose packets are edited on their way to the decoder."""

    def __init__(self, container, edit):
        self._container, self._edit = container, edit
        self.streams = container.streams

    def demux(self, stream):
        for index, packet in enumerate(self._container.demux(stream)):
            content = bytes(packet) if packet.size else b""
            edited = self._edit(index, content) if content else content
            if edited is None:
                continue
            if edited != content:
                changed = av.Packet(edited)
                changed.stream, changed.pts, changed.dts = packet.stream, packet.pts, packet.dts
                changed.time_base = packet.time_base
                packet = changed
            yield packet


def _decoded(path, edit=lambda index, content: content):
    with av.open(str(path)) as container:
        decoder = PictureDecoder(_Stream(container, edit))
        return list(decoder.pictures()), decoder.dropped


@pytest.fixture(scope="session")
def stream(kit, tmp_path_factory):
    return kit.write_video(tmp_path_factory.mktemp("stream") / "clip.mkv", range(50), key_every=10)


def _flip(content, seed, bits=3):
    rng, changed = random.Random(seed), bytearray(content)
    for _ in range(bits):
        changed[rng.randrange(len(changed) // 4, len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def test_an_undamaged_stream_comes_through_whole(kit, stream):
    pictures, dropped = _decoded(stream)
    assert [kit.number_of(picture.bgr) for picture in pictures] == list(range(50))
    assert not dropped
    assert [picture.time for picture in pictures] == pytest.approx([i / 25 for i in range(50)], abs=0.002)


def _is_clean(kit, picture):
    number = round(picture.time * 25)
    return np.abs(picture.bgr.astype(int) - kit.numbered_picture(number)).mean() < 12


@pytest.mark.parametrize("seed", range(12))
def test_no_smeared_picture_comes_through_after_flipped_bits(kit, stream, seed):
    pictures, dropped = _decoded(stream, lambda i, content: _flip(content, seed) if i == 23 else content)
    assert all(_is_clean(kit, picture) for picture in pictures)
    assert len(pictures) + dropped["corrupt"] == 50
    assert len(pictures) >= 43  # from the damage to the next key frame, no longer


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
def test_a_truncated_picture_and_what_builds_on_it_are_dropped(kit, stream, cut):
    pictures, dropped = _decoded(stream, lambda i, c: c[: max(int(len(c) * cut), 8)] if i == 23 else c)
    assert all(_is_clean(kit, picture) for picture in pictures)
    assert 1 <= dropped["corrupt"] <= 7


def test_good_pictures_come_again_from_the_next_key_frame(kit, stream):
    pictures, _ = _decoded(stream, lambda i, content: content[:12] if i == 23 else content)
    numbers = [round(picture.time * 25) for picture in pictures]
    assert numbers == [*range(23), *range(30, 50)]


@pytest.mark.parametrize(("key_every", "again"), [(16, 16), (40, 34)])
def test_after_a_loss_nothing_comes_before_the_key_frame_though_that_is_sixteen_seconds_away(
    kit, tmp_path, key_every, again
):
    """At a picture a second; after thirty seconds without one a stream is taken to have mended itself row by row."""
    path = kit.write_video(tmp_path / "slow.ts", range(38), fps=1, key_every=key_every)
    pictures, dropped = _decoded(path, lambda i, content: None if i == 3 else content)
    assert [kit.number_of(picture.bgr) for picture in pictures] == [0, 1, 2, *range(again, 38)]
    assert dropped["corrupt"] == again - 4


def test_a_key_picture_that_comes_in_pieces_is_put_together(kit, tmp_path):
    """As from GStreamer with several slices and config-interval=-1: the parameters stand before each slice."""
    path = kit.write_video(tmp_path / "clip.h264", range(30), slices=2)
    start = b"\0\0\0\1"
    with av.open(str(path)) as container:
        units = [bytes(packet) for packet in container.demux(video=0) if packet.size]
        parts = []
        for at, unit in enumerate(units):
            nals = [nal for nal in re.split(b"\0*\0\0\1", unit) if nal]
            sets = [nal for nal in nals if nal[0] & 31 in (7, 8)]
            slices = [nal for nal in nals if nal[0] & 31 == 5]
            pieces = [start + start.join([*sets, one]) for one in slices] or [unit]
            parts += [(at, piece) for piece in pieces]
        assert len(parts) == 33  # three key pictures of two slices each

        def arrivals():
            for at, piece in parts:
                packet = av.Packet(piece)
                packet.stream, packet.pts, packet.time_base = container.streams.video[0], at, Fraction(1, 25)
                packet.is_keyframe = piece.startswith(start + b"\x67")
                yield Arrival(packet, at / 25)

        pictures = list(PictureDecoder(container, packets=arrivals()).pictures())
    assert [kit.number_of(picture.bgr) for picture in pictures] == list(range(30))
    assert all(np.abs(p.bgr.astype(int) - kit.numbered_picture(n)).mean() < 12 for n, p in enumerate(pictures))


def test_a_damaged_jpeg_costs_itself_only(kit, tmp_path):
    path = kit.write_video(tmp_path / "clip.avi", range(20), codec="mjpeg")
    pictures, dropped = _decoded(path, lambda i, c: c[: len(c) // 2] if i == 7 else c)
    assert [kit.number_of(picture.bgr) for picture in pictures] == [i for i in range(20) if i != 7]
    assert dropped["corrupt"] == 1


def test_a_change_of_resolution_is_survived(kit, tmp_path):
    small = kit.write_video(tmp_path / "small.h264", range(10)).read_bytes()
    large = kit.write_video(tmp_path / "large.h264", range(10, 20), size=(320, 240)).read_bytes()
    (tmp_path / "both.h264").write_bytes(small + large)
    pictures, _ = _decoded(tmp_path / "both.h264")
    assert [kit.number_of(picture.bgr) for picture in pictures] == list(range(20))
    assert [picture.bgr.shape for picture in pictures] == [(120, 160, 3)] * 10 + [(240, 320, 3)] * 10


def _flat(luma, u=128, v=128):
    frame = av.VideoFrame(64, 48, "yuv420p")
    for plane, value in zip(frame.planes, (luma, u, v), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame


def test_the_decoders_filling_is_grey_and_other_flat_pictures_are_not():
    assert is_decoder_grey(_flat(128))
    assert is_decoder_grey(_flat(127, 129, 128))
    for other in (_flat(16), _flat(235), _flat(120), _flat(128, 100, 128), _flat(128, 128, 140)):
        assert not is_decoder_grey(other)


def _scene(kind, number):
    rng = np.random.default_rng(number)
    shape = (120, 160, 1)
    if kind == "night":
        picture = 18 + rng.normal(0, 3, shape)
    elif kind == "covered lens":
        picture = 4 + rng.normal(0, 0.5, shape)
    else:
        picture = 128 + np.linspace(-8, 8, 160)[None, :, None] + rng.normal(0, 1, shape)
    return np.clip(picture, 0, 255).astype(np.uint8).repeat(3, 2)


@pytest.mark.parametrize("kind", ["night", "fog", "covered lens"])
def test_night_fog_and_a_covered_lens_come_through(kit, tmp_path, kind):
    path = kit.write_video(tmp_path / "clip.mp4", [_scene(kind, i) for i in range(50)])
    pictures, dropped = _decoded(path)
    assert len(pictures) == 50
    assert not dropped


def test_grey_filling_is_dropped_and_counted(kit, tmp_path):
    grey = np.full((120, 160, 3), 130, np.uint8)  # becomes luma 128
    path = kit.write_video(tmp_path / "clip.mp4", [0, 1, grey, grey, 4])
    pictures, dropped = _decoded(path)
    assert [kit.number_of(picture.bgr) for picture in pictures] == [0, 1, 4]
    assert dropped == {"grey": 2}


def test_what_was_decoded_is_freed_without_the_garbage_collector(kit, stream):
    def alive():
        return sum(isinstance(one, VideoFrame | Packet | Arrival) for one in gc.get_objects())

    gc.collect()
    before = alive()
    gc.disable()
    try:
        with av.open(str(stream)) as container:
            film = container.streams.video[0]
            arrivals = (
                Arrival(packet, number / 25, taken_at=number / 25)
                for number, packet in enumerate(container.demux(film))
            )
            taken = [picture.taken_at for picture in PictureDecoder(container, film, packets=arrivals).pictures()]
            assert len(taken) > 40
            assert taken == sorted(taken)
            assert alive() - before < 10
    finally:
        gc.enable()
