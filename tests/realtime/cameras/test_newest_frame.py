"""The capture thread: the newest frame only, nobody delays it, troubles are seen, hangs are left behind."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from models.errors import BadInput
from realtime.cameras import BackOff, CameraError, CameraState, Cause

LOST = CameraError(Cause.DISCONNECTED, "rtsp://***@h/x cut the connection")


def test_a_slow_reader_gets_the_newest_frame_and_the_missed_ones_are_counted(kit, capture):
    source = capture([1, 0.5, *range(2, 50), 30.0])
    reader = source.reader()
    source.start()
    assert reader.next(2).index == 0
    assert kit.eventually(lambda: source.status().captured == 49)
    assert reader.next(2).index == 48
    assert (reader.taken, reader.missed) == (2, 47)
    assert source.status().captured == 49


def test_readers_do_not_disturb_each_other(kit, capture):
    source = capture([1, 0.3, 2, 0.3, 3, 0.3])
    fast, slow = source.reader("fast"), source.reader("slow")
    source.start()
    assert [frame.index for frame in kit.take_all(fast)[0]] == [0, 1, 2]
    assert [frame.index for frame in kit.take_all(slow)[0]] == [2]
    assert (slow.taken, slow.missed) == (1, 2)


def test_a_waiting_reader_is_woken_by_the_frame(capture):
    source = capture([0.2, 1, 30.0])
    reader = source.reader()
    source.start()
    frame = reader.next(5)
    assert time.monotonic() - frame.captured_at < 2  # not the five seconds that it would have waited


def test_a_reader_waits_no_longer_than_it_wants(capture):
    source = capture([30.0])
    source.start()
    started = time.monotonic()
    assert source.reader().next(0.1) is None
    assert time.monotonic() - started < 4


def test_every_frame_reaches_every_reader(capture):
    source = capture(list(range(40)), every_frame=True)
    readers = [source.reader(str(i)) for i in range(2)]
    source.start()
    results = [None, None]

    def read(i):
        frames = []
        while True:
            try:
                frames.append(readers[i].next(5).index)
            except CameraError:
                break
            time.sleep(0.002 * i)
        results[i] = frames

    threads = [threading.Thread(target=read, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == [list(range(40))] * 2


def test_the_end_is_told_after_the_last_frame_and_told_again(kit, capture):
    source = capture([1])
    reader = source.reader()
    source.start()
    frames, error = kit.take_all(reader)
    assert len(frames) == 1
    assert error.cause is Cause.END_OF_FILE
    with pytest.raises(CameraError):
        reader.next(1)
    assert source.ended
    assert source.status().state is CameraState.LOST
    assert len(source.opened) == 1  # an ended file is not opened again


def test_a_lost_camera_is_opened_again_and_frames_are_counted_on(kit, capture):
    source = capture([1, 2, LOST], [3, 30.0])
    reader = source.reader()
    source.start()
    assert kit.eventually(lambda: source.status().reconnects == 1)
    frame = reader.next(1)
    assert frame.index == 2
    status = source.status()
    assert (status.state, status.cause, status.captured) == (CameraState.LIVE, None, 3)
    assert source.opened[0].closed


@pytest.mark.parametrize(
    ("cause", "state"),
    [
        (Cause.TIMEOUT, CameraState.LOST),
        (Cause.UNREACHABLE, CameraState.LOST),
        (Cause.DISCONNECTED, CameraState.LOST),
        (Cause.DECODE_ERROR, CameraState.LOST),
        (Cause.UNAUTHORISED, CameraState.REFUSED),
        (Cause.NOT_FOUND, CameraState.REFUSED),
    ],
)
def test_a_camera_that_cannot_be_opened_shows_state_and_cause(kit, capture, cause, state):
    source = capture(CameraError(cause, "why"), back_off=BackOff(first=30))
    source.start()
    assert kit.eventually(lambda: source.status().cause is cause)
    status = source.status()
    assert (status.state, status.message) == (state, "why")


def test_a_camera_that_comes_later_becomes_live(kit, capture):
    source = capture(LOST, LOST, LOST, [1, 30.0])
    source.start()
    assert kit.eventually(lambda: source.status().state is CameraState.LIVE)
    assert source.status().reconnects == 0


def test_a_camera_that_is_lost_refused_or_back_is_one_line_each(kit, capture, caplog):
    refused = CameraError(Cause.UNAUTHORISED, "rtsp://***@h/x refuses the password")
    source = capture([1, LOST], LOST, LOST, refused, refused, [2, 30.0])
    source.start()
    assert kit.eventually(lambda: source.status().reconnects == 1)
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [line.split(":")[0].split(" after")[0] for line in lines] == [
        "door is lost",
        "door is refused",
        "door is back",
    ]
    assert "cut the connection; check the camera, its cable" in lines[0]


def test_a_file_that_ended_is_not_reported_as_lost(kit, capture, caplog):
    source = capture([1])
    source.start()
    assert kit.eventually(lambda: source.ended)
    assert not caplog.records


def test_a_frame_that_grows_old_makes_the_camera_stale_and_a_new_one_live_again(kit, capture):
    go_on = threading.Event()
    source = capture([1, lambda: go_on.wait(10), 2, 30.0], max_frame_age=0.5)
    source.start()
    source.wait_until_live(5)
    assert source.status().state is CameraState.LIVE
    assert kit.eventually(lambda: source.status().state is CameraState.STALE)
    assert source.status().frame_age >= 0.5
    go_on.set()
    assert kit.eventually(lambda: source.status().state is CameraState.LIVE)


def test_equal_pictures_with_new_timestamps_are_live(kit, capture):
    source = capture([7, 0.05] * 600, max_frame_age=0.4)
    source.start()
    assert kit.eventually(lambda: source.status().captured >= 12, within=20)  # at least 0.55 s of them
    assert kit.eventually(lambda: source.status().state is CameraState.LIVE)


def test_a_hanging_camera_is_left_behind_and_opened_anew(kit, capture):
    release = threading.Event()
    source = capture([1, lambda: release.wait(5)], [2, 30.0], stuck_after=0.3)
    source.start()
    assert kit.eventually(lambda: source.status().abandoned == 1)
    assert kit.eventually(lambda: source.status().state is CameraState.LIVE)
    assert source.reader().next(1).bgr[0, 0, 0] == 2
    release.set()
    assert kit.eventually(lambda: source.opened[0].closed)  # the hanging thread cleans up after itself
    assert source.status().captured == 2


def test_a_camera_that_hangs_every_time_does_not_fill_the_process(capture):
    release = threading.Event()
    before = threading.active_count()
    source = capture([lambda: release.wait(5)], stuck_after=0.05)
    source.start()
    time.sleep(1.0)
    assert threading.active_count() - before <= 6  # four left behind, one trying, one watching
    release.set()


def test_it_can_be_stopped_while_a_new_capture_thread_is_being_started(monkeypatch, capture):
    starting, start = threading.Event(), threading.Thread.start

    def start_slowly(thread):
        if thread.name == "capture door" and threading.current_thread().name == "watch door":
            starting.set()
            time.sleep(0.3)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_slowly)
    release = threading.Event()
    source = capture([lambda: release.wait(5), 1], stuck_after=0.05)
    source.start()
    assert starting.wait(5)
    assert source.stop(timeout=5)  # without an error, and the thread that was being started has ended too
    release.set()


def test_stopping_leaves_a_hanging_thread_behind_in_time(capture):
    release = threading.Event()
    source = capture([lambda: release.wait(5)])
    source.start()
    started = time.monotonic()
    assert not source.stop(timeout=0.2)
    assert time.monotonic() - started < 4  # not the five seconds of the hanging one
    release.set()


def test_stopping_ends_the_threads_and_closes_the_camera(capture):
    before = threading.active_count()
    source = capture([1, 0.01] * 1000)
    source.start()
    source.wait_until_live(5)
    assert source.stop()
    assert source.opened[0].closed
    assert threading.active_count() == before
    assert source.reader().next(1) is not None  # the last frame can still be had


def test_stopping_wakes_a_capture_that_waits_for_its_readers(capture):
    source = capture([1, 2, 3], every_frame=True)
    source.reader()
    source.start()
    source.wait_until_live(5)
    assert source.stop()


def test_the_first_attempt_of_a_single_source_is_bad_input_in_one_line(capture):
    source = capture(CameraError(Cause.UNREACHABLE, "rtsp://***@h/x refuses connections"))
    source.start()
    with pytest.raises(BadInput, match=r"rtsp://\*\*\*@h/x refuses connections; check host name and port"):
        source.wait_until_live(5)


def test_no_first_picture_in_time_is_bad_input(capture):
    source = capture([30.0])
    source.start()
    with pytest.raises(BadInput, match=r"door sent no picture within 0\.1 s; check"):
        source.wait_until_live(0.1)


def test_an_unexpected_exception_of_a_driver_is_this_cameras_trouble(kit, capture):
    source = capture(RuntimeError("driver rtsp://u:hunter22@h/x"), [1, 30.0])
    source.start()
    assert kit.eventually(lambda: source.status().state is CameraState.LIVE)


def test_two_hundred_reconnects_leave_no_thread_and_no_camera_open(kit, capture):
    before = threading.active_count()
    source = capture([1, LOST], back_off=BackOff(first=0.001, longest=0.001))
    source.start()
    assert kit.eventually(lambda: source.status().reconnects >= 200, within=20)
    assert threading.active_count() <= before + 2
    source.stop()
    assert all(camera.closed for camera in source.opened if camera)


def test_drops_of_former_connections_are_counted_on(kit, capture):
    source = capture([1, LOST], [2, 30.0])

    def dropping(open_camera=source._open_camera):
        camera = open_camera()
        camera.dropped["corrupt"] = 3
        return camera

    source._open_camera = dropping
    source.start()
    assert kit.eventually(lambda: source.status().reconnects == 1)
    assert source.status().dropped == {"corrupt": 6}


def test_drops_of_a_camera_that_sends_only_damaged_pictures_are_told(kit, capture):
    source = capture([lambda: source.opened[0].dropped.update(corrupt=3), 30.0])
    source.start()
    assert kit.eventually(lambda: source.status().dropped == {"corrupt": 3})
    assert source.status().captured == 0


def test_the_status_can_be_asked_for_while_the_camera_counts_a_drop_of_a_new_kind(capture):
    done = threading.Event()

    def count():
        for number in range(5_000):
            source.opened[0].dropped[f"reason {number}"] += 1
        done.set()

    source = capture([1, count, 30.0])
    source.start()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        while not done.is_set():
            source.status()
    finally:
        sys.setswitchinterval(interval)
    assert len(source.status().dropped) == 5_000


def test_the_rate_is_that_of_the_last_seconds(kit, capture):
    source = capture([1, 0.02] * 40 + [30.0])
    source.start()
    assert kit.eventually(lambda: source.status().captured == 40)
    assert 20 < source.status().fps <= 51


def test_frames_that_a_camera_left_out_are_gaps_and_not_captured(kit, capture):
    source = capture([1, 2, 3])

    def skipping(open_camera=source._open_camera):
        camera = open_camera()
        camera._index = 10
        return camera

    source._open_camera = skipping
    reader = source.reader()
    source.start()
    frames, _ = kit.take_all(reader)
    assert frames[-1].index == 12
    assert source.status().captured == 3
