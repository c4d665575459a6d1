"""Whatever happens to a run or to the disk, what was recorded is not lost."""

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from recorded import decoded, grey, record

from realtime.outputs.recording import video_writer
from realtime.outputs.recording.video_writer import VideoRecorder

REPOSITORY = Path(__file__).parents[3]
PROGRAM = textwrap.dedent("""
    import signal, sys, time
    import numpy as np
    from realtime.outputs.recording.video_writer import VideoRecorder
    if "polite" in sys.argv:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    recorder = VideoRecorder(sys.argv[1])
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    for index in range(100_000):
        recorder.write(np.roll(noise, index, 1), index / 25)
        if index == 300:
            print("recording", flush=True)
        time.sleep(0.002)
""")


def killed(path, number, *options):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path), *options], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "recording\n"
        process.send_signal(number)
        return process.wait(10)
    finally:
        process.kill()
        process.stdout.close()


def test_a_failing_disk_ends_the_recording_but_not_the_run(tmp_path, monkeypatch, caplog):
    def full(self, picture):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(video_writer._Encoder, "_encode", full)
    with VideoRecorder(tmp_path / "clip.mp4") as recorder:
        recorder.write(grey(100), 0.0)
        recorder._thread.join(5)
        assert not recorder.write(grey(100), 0.04)
    assert recorder.error == f"recording {tmp_path / 'clip.mp4'} stopped: No space left on device"
    assert recorder.kept is None
    assert "No space left on device" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_what_was_recorded_before_the_disk_was_full_is_kept(tmp_path, monkeypatch):
    encode = video_writer._Encoder._encode

    def full_after_five(self, picture):
        if self.frames == 5:
            raise OSError(28, "No space left on device")
        encode(self, picture)

    monkeypatch.setattr(video_writer._Encoder, "_encode", full_after_five)
    with VideoRecorder(tmp_path / "clip.mp4") as recorder:
        for index in range(8):
            recorder.write(grey(100), index / 25)
    assert recorder.error is not None
    assert len(decoded(tmp_path / "clip.mp4")[0]) == 5


def test_a_recording_that_cannot_be_finished_says_where_its_beginning_lies(tmp_path, monkeypatch):
    def full(self):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(video_writer._Encoder, "close", full)
    with VideoRecorder(tmp_path / "clip.mp4") as recorder:
        for index in range(60):
            while not recorder.write(grey(2 * index), index / 25):
                time.sleep(0.001)
    assert recorder.error is not None
    assert recorder.kept == tmp_path / "clip.mp4.part"
    assert len(decoded(recorder.kept)[0]) > 20


def test_what_was_recorded_before_under_the_same_name_is_kept_beside_it(tmp_path, caplog):
    path = tmp_path / "clip.mp4"
    for level in (40, 100, 160):
        record(path, [(grey(level), 0.0)])
    found = {file.name: decoded(file)[0][0] for file in tmp_path.iterdir()}
    assert found == {
        name: pytest.approx(level, abs=3)
        for name, level in zip(("clip-1.mp4", "clip-2.mp4", "clip.mp4"), (40, 100, 160), strict=True)
    }
    assert "clip.mp4 was there already and is now" in caplog.text


def test_what_a_killed_run_left_is_kept_also_where_nothing_more_is_recorded(tmp_path):
    record(tmp_path / "clip.mp4", [(grey(40), 0.0)])
    (tmp_path / "clip.mp4").rename(tmp_path / "clip.mp4.part")
    VideoRecorder(tmp_path / "clip.mp4").close()
    assert [file.name for file in tmp_path.iterdir()] == ["clip-1.mp4"]
    assert decoded(tmp_path / "clip-1.mp4")[0] == pytest.approx([40], abs=3)


def test_sigterm_turned_into_an_exit_leaves_a_finished_file(tmp_path):
    assert killed(tmp_path / "clip.mp4", signal.SIGTERM, "polite") == 0
    assert len(decoded(tmp_path / "clip.mp4")[0]) > 200
    assert [file.name for file in tmp_path.iterdir()] == ["clip.mp4"]


def test_after_kill_9_all_but_the_last_seconds_can_be_played(tmp_path):
    assert killed(tmp_path / "clip.mp4", signal.SIGKILL) == -signal.SIGKILL
    assert len(decoded(tmp_path / "clip.mp4.part")[0]) > 200
