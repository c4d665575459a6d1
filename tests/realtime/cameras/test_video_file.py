"""Files: every frame or their own rate; truncated and unreadable ones are told."""

from __future__ import annotations

import os
import struct
import threading
import time

import av
import cv2
import numpy as np
import pytest

from realtime.cameras import CameraError, Cause, open_camera
from realtime.cameras.video_file import VideoFile
from realtime.session import refuse_bad_files
from realtime.settings.config import CameraConfig, Config


def test_every_frame_of_a_file_is_read_in_order(kit, video):
    frames, error = kit.read_all(VideoFile(video, every_frame=True))
    assert [kit.number_of(frame.bgr) for frame in frames] == list(range(25))
    assert [frame.index for frame in frames] == list(range(25))
    assert error.cause is Cause.END_OF_FILE
    assert error.permanent


@pytest.mark.parametrize("offset", [95440, 95442.5])  # the clock of a transport stream starts anew at 95443.7
def test_a_recording_over_whose_end_of_the_clock_times_go_below_nought_is_whole(kit, tmp_path, offset):
    options = {"output_ts_offset": str(offset), "mpegts_copyts": "1", "muxdelay": "0"}
    path = kit.write_video(tmp_path / "late.ts", range(50), options=options)
    frames, error = kit.read_all(VideoFile(path, every_frame=True))
    assert [kit.number_of(frame.bgr) for frame in frames] == list(range(50))
    assert frames[0].file_time < 0
    assert error.cause is Cause.END_OF_FILE


def test_pictures_are_those_that_another_decoder_gives(kit, video):
    frames, _ = kit.read_all(VideoFile(video, every_frame=True))
    capture = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG)
    for frame in frames:
        good, expected = capture.read()
        assert good
        assert np.abs(frame.bgr.astype(int) - expected).mean() < 2


def test_a_file_plays_at_its_own_rate(kit, tmp_path):
    camera = VideoFile(kit.write_video(tmp_path / "slow.mp4", range(16), fps=20))
    assert camera.native_fps == 20
    started = time.monotonic()
    frames, _ = kit.read_all(camera)
    late = np.array([frame.captured_at - started - index / 20 for index, frame in enumerate(frames)])
    assert len(late) == 16
    assert late.min() > -0.005  # none before its time
    assert late.max() < 5  # a busy machine is late, but not by so much
    assert np.diff(late).min() < 0.02  # and not one after the other slower


def test_a_reader_that_was_held_up_does_not_get_a_burst(kit, tmp_path):
    camera = VideoFile(kit.write_video(tmp_path / "clip.mp4", range(12), fps=20))
    camera.read()
    time.sleep(1.0)
    camera.read()
    started = time.monotonic()
    camera.read()
    camera.read()
    assert time.monotonic() - started >= 0.08


def test_capture_times_are_monotonic_and_wall_times_of_today(video):
    camera = VideoFile(video, every_frame=True)
    frame = camera.read()
    assert abs(frame.captured_at - time.monotonic()) < 1
    assert abs(frame.wall_time - time.time()) < 1


def test_what_is_read_as_fast_as_it_goes_bears_the_files_own_clock(video):
    camera = VideoFile(video, every_frame=True)
    first = camera.read()
    time.sleep(0.3)
    second = camera.read()
    assert second.captured_at - first.captured_at >= 0.3
    assert second.moment - first.moment == pytest.approx(1 / camera.native_fps, abs=1e-3)
    live = VideoFile(video).read()
    assert live.moment == live.captured_at


@pytest.mark.parametrize("suffix", ["mkv", "ts", "avi"])
def test_other_containers_are_read_too(kit, tmp_path, suffix):
    frames, error = kit.read_all(VideoFile(kit.write_video(tmp_path / f"clip.{suffix}"), every_frame=True))
    assert [kit.number_of(frame.bgr) for frame in frames] == list(range(25))
    assert error.cause is Cause.END_OF_FILE


def test_a_mp4_without_its_end_is_refused_at_once(video):
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])  # the index stands at the end
    with pytest.raises(CameraError, match="is not a video, or is truncated") as caught:
        VideoFile(video)
    assert caught.value.cause is Cause.DECODE_ERROR


def test_a_mp4_whose_index_stands_first_is_refused_when_truncated(kit, tmp_path):
    path = kit.write_video(tmp_path / "fast.mp4", range(100), options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(CameraError, match="is truncated: its index names pictures behind the end") as caught:
        VideoFile(path)
    assert caught.value.permanent


def test_a_truncated_mkv_gives_its_good_frames_and_then_tells(kit, tmp_path):
    path = kit.write_video(tmp_path / "clip.mkv", range(100))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames, error = kit.read_all(VideoFile(path, every_frame=True))
    assert 30 < len(frames) < 70
    assert [kit.number_of(frame.bgr) for frame in frames] == list(range(len(frames)))
    assert error.cause is Cause.DECODE_ERROR
    assert "of 4.0 seconds could be read" in error.message


@pytest.mark.parametrize(
    ("content", "cause"),
    [(b"", Cause.DECODE_ERROR), (b"hello, this is no video\n" * 50, Cause.DECODE_ERROR), (None, Cause.NOT_FOUND)],
)
def test_an_unreadable_or_absent_file_is_one_line_for_the_user(tmp_path, content, cause):
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CameraError) as caught:
        VideoFile(path)
    assert caught.value.cause is cause
    line = str(caught.value.as_bad_input())
    assert str(path) in line
    assert "check" in line
    assert "\n" not in line


def test_a_folder_is_no_video(tmp_path):
    with pytest.raises(CameraError, match="is a folder"):
        VideoFile(tmp_path)


def test_a_sound_file_holds_no_video(tmp_path):
    import wave

    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(8000))
    with pytest.raises(CameraError, match="holds no video"):
        VideoFile(tmp_path / "a.wav")


def test_a_name_with_a_colon_is_a_file_and_no_address(kit, video, tmp_path):
    path = video.rename(tmp_path / "http:clip @ 10.mp4")
    frames, _ = kit.read_all(VideoFile(path, every_frame=True))
    assert len(frames) == 25


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_a_picture_turned_by_its_header_is_shown_upright(kit, tmp_path, quarter):
    path = kit.write_video(tmp_path / "turned.mp4", [3])
    cosine, sine = round(np.cos(quarter * np.pi / 2)), round(np.sin(quarter * np.pi / 2))
    matrix = struct.pack(">9i", cosine << 16, sine << 16, 0, -sine << 16, cosine << 16, 0, 0, 0, 1 << 30)
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 44  # ISO 14496-12: the matrix in a version 0 track header
    content[start : start + 36] = matrix
    path.write_bytes(content)
    good, expected = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG).read()
    frame = VideoFile(path).read()
    assert good
    assert frame.bgr.shape == expected.shape
    assert np.abs(frame.bgr.astype(int) - expected).mean() < 2


def test_pictures_out_of_order_in_an_avi_keep_the_files_pace(tmp_path):
    """AVI has no presentation times; those made up from the order of its packets double the length of a film."""
    path = tmp_path / "recorder.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "2", "g": "25", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(50):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * index, np.uint8), "bgr24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    camera = VideoFile(path, every_frame=True)
    frames = [camera.read() for _ in range(45)]
    assert frames[-1].moment - frames[0].moment == pytest.approx(44 / 25, abs=0.1)


def test_a_pipe_is_read_once_and_whole(kit, video, tmp_path):
    path = tmp_path / "pipe.mkv"
    content = kit.write_video(tmp_path / "clip.mkv").read_bytes()
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(content,), daemon=True)
    writer.start()
    config = CameraConfig(name="pipe", source=str(path), every_frame=True)
    refuse_bad_files(Config(cameras=[config]))  # looks at files, and must leave a pipe alone
    camera = open_camera(config)
    frames, error = kit.read_all(camera)
    assert [kit.number_of(frame.bgr) for frame in frames] == list(range(25))
    assert error.cause is Cause.END_OF_FILE


def _part(path, start, pictures=50):
    """Two seconds of MPEG-TS whose clock starts at so many seconds."""
    with av.open(str(path), "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "10", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(pictures):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 + index, np.uint8), "bgr24")
            frame.pts = index + 25 * start
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()


@pytest.mark.parametrize("starts", [(0, 0), (0, 600), (600, 0)])
def test_where_joined_recordings_restart_or_jump_the_times_go_on(kit, tmp_path, starts):
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(_part(tmp_path / f"{number}.ts", start) for number, start in enumerate(starts)))
    frames, error = kit.read_all(VideoFile(path, every_frame=True))
    steps = np.diff([frame.moment for frame in frames])
    assert len(steps) > 80  # the decoder gives up a few pictures where the parts meet
    assert steps.min() > 0.03
    assert steps.max() <= 10.0
    assert error.cause is Cause.END_OF_FILE


def test_a_gap_of_minutes_is_not_waited_for(tmp_path, monkeypatch):
    slept = []
    path = tmp_path / "gap.ts"
    path.write_bytes(_part(tmp_path / "a.ts", 0, 10) + _part(tmp_path / "b.ts", 600, 20))
    camera = VideoFile(path)
    monkeypatch.setattr(time, "sleep", slept.append)
    for _ in range(15):
        camera.read()
    assert 5 < max(slept) < 11


def test_pictures_of_more_pixels_than_its_bytes_let_guess_are_refused_unread(tmp_path, monkeypatch):
    """Eleven kilobytes of FFV1 are 256 million grey pixels; here the limit is lower, and the test quick."""
    path = tmp_path / "large.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "gray"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((480, 640), np.uint8), "gray")))
        container.mux(stream.encode())
    assert VideoFile(path, every_frame=True).read().bgr.shape == (480, 640, 3)
    monkeypatch.setattr("realtime.cameras.decode.MAX_PIXELS", 500 * 500)
    with pytest.raises(CameraError, match="holds no picture that can be decoded"):  # where the header lies
        VideoFile(path, every_frame=True).read()
    monkeypatch.setattr("realtime.cameras.video_file.MAX_PIXELS", 500 * 500)
    with pytest.raises(CameraError, match="has pictures of 640 x 480 pixels, more than"):
        VideoFile(path, every_frame=True)
