"""Pictures as a player shows them: square pixels, turned, mirrored; and of several videos the one that is meant."""

from __future__ import annotations

import struct
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest
from av.stream import Disposition

from realtime.cameras.upright import main_video, shown_size, turned
from realtime.cameras.video_file import VideoFile

LETTERS = np.arange(6, dtype=np.uint8).reshape(2, 3)[..., None].repeat(3, 2)  # 0 1 2 / 3 4 5


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((1, 0, 0, 1), [[0, 1, 2], [3, 4, 5]]),
        ((-1, 0, 0, 1), [[2, 1, 0], [5, 4, 3]]),  # a selfie
        ((1, 0, 0, -1), [[3, 4, 5], [0, 1, 2]]),
        ((-1, 0, 0, -1), [[5, 4, 3], [2, 1, 0]]),
        ((0, 1, 1, 0), [[0, 3], [1, 4], [2, 5]]),
        ((0, 1, -1, 0), [[3, 0], [4, 1], [5, 2]]),  # a quarter turn clockwise
        ((0, -1, 1, 0), [[2, 5], [1, 4], [0, 3]]),
        ((0, -1, -1, 0), [[5, 2], [4, 1], [3, 0]]),
    ],
)
def test_each_of_the_eight_matrices_is_followed(matrix, shown):
    assert turned(LETTERS, tuple(65536 * one for one in matrix))[..., 0].tolist() == shown


def test_a_mirrored_phone_video_is_shown_as_it_was_filmed(kit, tmp_path):
    path = kit.write_video(tmp_path / "selfie.mp4", [3])
    plain = VideoFile(path, every_frame=True).read().bgr
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 44  # ISO 14496-12: the matrix in a version 0 track header
    content[start : start + 36] = struct.pack(">9i", -1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    assert np.array_equal(VideoFile(path, every_frame=True).read().bgr, plain[:, ::-1])


@pytest.mark.parametrize(
    ("aspect", "size"),
    [(Fraction(16, 11), (512, 288)), (Fraction(1, 2), (352, 576)), (None, (352, 288)), (Fraction(255, 1), (352, 288))],
)
def test_pixels_become_square_and_none_is_lost(aspect, size):
    assert shown_size(352, 288, aspect) == size


def films(path, *wanted):
    """A Matroska file of flat films: (width, grey, disposition, pictures)."""
    with av.open(str(path), "w") as container:
        streams = []
        for width, _, disposition, _ in wanted:
            stream = container.add_stream("mjpeg", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, 48, "yuvj420p"
            stream.disposition = disposition
            stream.sample_aspect_ratio = Fraction(2, 1) if width == 100 else Fraction(1, 1)
            streams.append(stream)
        for stream, (width, grey, _, count) in zip(streams, wanted, strict=True):
            for number in range(count):
                frame = av.VideoFrame.from_ndarray(np.full((48, width, 3), grey, np.uint8), "bgr24")
                frame.pts = number
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


def shown(path):
    picture = VideoFile(path, every_frame=True).read().bgr
    return picture.shape[1], round(float(picture.mean()) / 10)


def test_the_video_that_is_marked_as_default_is_played(tmp_path):
    assert shown(films(tmp_path / "two.mkv", (128, 40, 0, 3), (64, 200, Disposition.default, 3))) == (64, 20)


def test_of_several_equal_ones_the_largest_is_played(tmp_path):
    assert shown(films(tmp_path / "two.mkv", (64, 40, 0, 3), (128, 200, 0, 3))) == (128, 20)


def test_a_cover_picture_is_not_taken_for_the_video():
    cover = SimpleNamespace(disposition=Disposition.attached_pic | Disposition.default, width=900, height=900)
    film = SimpleNamespace(disposition=Disposition(0), width=64, height=48)
    assert main_video(SimpleNamespace(streams=SimpleNamespace(video=[cover, film]))) is film
    with pytest.raises(LookupError):
        main_video(SimpleNamespace(streams=SimpleNamespace(video=[cover])))


def test_a_video_with_wide_pixels_is_shown_wide(tmp_path):
    assert shown(films(tmp_path / "wide.mkv", (100, 200, 0, 3)))[0] == 200
