import os
import threading
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from recorded import decoded, grey, record

from models.errors import BadInput
from realtime.outputs.recording import video_writer
from realtime.outputs.recording.video_writer import QUEUE_LENGTH, VideoRecorder


def test_a_recording_plays_in_another_decoder(tmp_path):
    path = tmp_path / "clip.mp4"
    record(path, [(grey(40 + 4 * index), index / 25) for index in range(40)])
    levels, fps = decoded(path)
    assert fps == 25
    assert levels == pytest.approx([40 + 4 * index for index in range(40)], abs=3)
    assert [file.name for file in tmp_path.iterdir()] == ["clip.mp4"]


def test_colours_survive(tmp_path):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:] = (30, 120, 200)
    record(tmp_path / "clip.mp4", [(picture, index / 25) for index in range(5)])
    _, shown = cv2.VideoCapture(str(tmp_path / "clip.mp4")).read()
    assert shown.reshape(-1, 3).mean(0) == pytest.approx([30, 120, 200], abs=4)


def test_slow_pictures_are_repeated_to_the_clock(tmp_path):
    record(tmp_path / "clip.mp4", [(grey(50 * index), index / 5) for index in range(5)])
    levels, _ = decoded(tmp_path / "clip.mp4")
    assert levels == pytest.approx([*sorted([0, 50, 100, 150] * 5), 200], abs=3)


def test_fast_pictures_are_thinned_to_the_clock(tmp_path):
    record(tmp_path / "clip.mp4", [(grey(index), index / 100) for index in range(201)])
    levels, _ = decoded(tmp_path / "clip.mp4")
    assert len(levels) == 51
    assert levels == pytest.approx([4 * index for index in range(51)], abs=5)


def test_irregular_times_keep_the_length(tmp_path):
    times = np.cumsum(np.random.default_rng(3).uniform(0.005, 0.09, 100))
    record(tmp_path / "clip.mp4", [(grey(100), at) for at in times])
    levels, _ = decoded(tmp_path / "clip.mp4")
    assert (len(levels) - 1) / 25 == pytest.approx(times[-1] - times[0], abs=0.021)


def test_a_gap_of_an_hour_is_cut_out(tmp_path):
    record(tmp_path / "clip.mp4", [(grey(20), 0.0), (grey(220), 3600.0), (grey(220), 3600.2)])
    levels, _ = decoded(tmp_path / "clip.mp4")
    assert levels == pytest.approx([20, *[220] * 6], abs=3)


def test_the_rate_may_be_broken(tmp_path):
    record(tmp_path / "clip.mp4", [(grey(100), index / 29.97) for index in range(30)], fps=30000 / 1001)
    levels, fps = decoded(tmp_path / "clip.mp4")
    assert (len(levels), round(fps, 2)) == (30, 29.97)


@pytest.mark.parametrize("size", [(64, 48), (65, 48), (64, 49), (65, 49), (640, 480)])
def test_odd_sizes_are_rounded_up_without_losing_a_line(tmp_path, size):
    record(tmp_path / "clip.mp4", [(grey(200, *size), index / 25) for index in range(3)])
    _, shown = cv2.VideoCapture(str(tmp_path / "clip.mp4")).read()
    width, height = size
    assert shown.shape[1::-1] == (width + width % 2, height + height % 2)
    assert shown[: height - 2, : width - 2].min() > 190


def test_a_change_of_size_is_fitted_into_the_first_one(tmp_path):
    record(tmp_path / "clip.mp4", [(grey(200, 64, 48), 0.0), (grey(200, 200, 48), 0.04), (grey(200, 64, 48), 0.08)])
    capture = cv2.VideoCapture(str(tmp_path / "clip.mp4"))
    shown = [capture.read()[1] for _ in range(3)]
    assert {picture.shape for picture in shown} == {(48, 64, 3)}
    assert shown[1][24].min() > 180
    assert shown[1][:8].max() < 40
    assert shown[1][-8:].max() < 40


def test_without_x264_the_recording_is_mpeg4(tmp_path, monkeypatch):
    monkeypatch.setattr(video_writer.av, "codecs_available", {"mpeg4"})
    record(tmp_path / "clip.mp4", [(grey(100), index / 25) for index in range(10)])
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert container.streams.video[0].codec.name == "mpeg4"
    assert decoded(tmp_path / "clip.mp4")[0] == pytest.approx([100] * 10, abs=3)


def test_an_exception_in_the_run_leaves_a_finished_file(tmp_path):
    def run():
        with VideoRecorder(tmp_path / "clip.mp4") as recorder:
            for index in range(5):
                recorder.write(grey(100), index / 25)
            raise RuntimeError("the run failed")

    with pytest.raises(RuntimeError, match="the run failed"):
        run()
    assert len(decoded(tmp_path / "clip.mp4")[0]) == 5


def test_the_picture_may_be_drawn_on_after_it_was_written(tmp_path):
    with VideoRecorder(tmp_path / "clip.mp4") as recorder:
        picture = grey(200)
        for index in range(5):
            picture[:] = 200
            recorder.write(picture, index / 25)
            picture[:] = 0
    assert decoded(tmp_path / "clip.mp4")[0] == pytest.approx([200] * 5, abs=3)


def test_a_stuck_encoder_never_delays_the_display(tmp_path, monkeypatch):
    release = threading.Event()
    original = video_writer._Encoder.add

    def stuck(self, bgr, at):
        release.wait(10)
        original(self, bgr, at)

    monkeypatch.setattr(video_writer._Encoder, "add", stuck)
    with VideoRecorder(tmp_path / "clip.mp4") as recorder:
        started = time.perf_counter()
        taken = [recorder.write(grey(100), index / 25) for index in range(500)]
        waited = time.perf_counter() - started
        release.set()
    assert waited < 1.0
    assert sum(taken) <= QUEUE_LENGTH + 1
    assert recorder.frames_dropped == taken.count(False) > 400


def test_a_name_with_a_colon_is_a_file_and_no_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recorder = record("2026-01-02T12:30:00.mp4", [(grey(100), index / 25) for index in range(5)])
    assert recorder.kept == Path("2026-01-02T12:30:00.mp4")
    assert len(decoded(tmp_path / recorder.kept)[0]) == 5


def test_a_recording_without_a_picture_leaves_no_file(tmp_path):
    with VideoRecorder(tmp_path / "clip.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_closing_twice_and_writing_afterwards_is_harmless(tmp_path):
    recorder = record(tmp_path / "clip.mp4", [(grey(100), 0.0)])
    recorder.close()
    assert not recorder.write(grey(100), 1.0)
    assert len(decoded(tmp_path / "clip.mp4")[0]) == 1


@pytest.mark.parametrize(
    ("name", "fps", "says"),
    [
        ("clip.avi", 25, "does not end in .mp4"),
        ("clip.mp4", 0, "outside 1-240"),
        ("clip.mp4", float("nan"), "outside 1-240"),
        ("folder.mp4", 25, "is a folder"),
        ("absent/clip.mp4", 25, "there is no folder"),
        ("file/clip.mp4", 25, "there is no folder"),
    ],
)
def test_a_recording_that_cannot_be_written_is_refused_at_once(tmp_path, name, fps, says):
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").write_text("")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BadInput, match=says):
        VideoRecorder(tmp_path / name, fps)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_read_only_folder_is_refused_and_left_as_it_was(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):  # root may write anyway: use a file system that nobody can write to
        folder = Path("/proc")
    if not folder.is_dir():
        pytest.skip("no read-only folder to be had here")
    with pytest.raises(BadInput, match="cannot write to"):
        VideoRecorder(folder / "clip.mp4")
    assert not (folder / "clip.mp4.part").exists()
