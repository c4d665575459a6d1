"""What stamps and arrival tell of a packet's age: queues are seen, odd clocks are not taken for queues."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.cameras.stream_clock import StreamClock

STAMPS = np.arange(100) / 25


def delays(stamps, arrivals):
    clock = StreamClock()
    return np.array([at - clock.taken_at(stamp, at) for stamp, at in zip(stamps, arrivals, strict=True)])


def test_what_arrives_at_its_pace_is_new():
    assert delays(STAMPS + 7000, STAMPS + 3).max() < 1e-6


def test_what_a_stall_held_up_is_as_old_as_the_stall():
    arrivals = STAMPS.copy()
    arrivals[50:80] = np.maximum(arrivals[50:80], arrivals[50] + 2.0)  # two seconds of silence, then all at once
    found = delays(STAMPS, arrivals)
    assert found[50] == pytest.approx(2.0, abs=0.01)
    assert found[75] == pytest.approx(1.0, abs=0.01)
    assert found[99] == pytest.approx(0.0, abs=0.01)


def test_a_queue_that_grows_is_seen_growing():
    found = delays(STAMPS, 1.5 * STAMPS)
    assert found[99] == pytest.approx(99 / 25 / 2, abs=0.01)


@pytest.mark.parametrize("change", [-10.0, -9800.0, 3600.0])
def test_a_clock_that_is_set_makes_nothing_older_or_newer(change):
    arrivals = np.where(np.arange(100) >= 20, STAMPS + 0.8, STAMPS)  # something has waited since
    stamps = np.where(np.arange(100) >= 60, STAMPS + change, STAMPS)
    found = delays(stamps, arrivals)
    assert found[20:] == pytest.approx(np.full(80, 0.8), abs=0.01)


@pytest.mark.parametrize("hours", [-3, 3])
def test_one_stamp_that_is_hours_away_changes_nothing(hours):
    stamps = STAMPS + np.where(np.arange(100) % 30 == 17, 3600.0 * hours, 0)
    assert delays(stamps, STAMPS).max() < 0.05


def test_a_clock_that_stands_still_makes_nothing_old():
    assert delays(np.zeros(500), np.arange(500) / 25).max() < 1e-6


def test_pictures_that_share_a_stamp_are_not_old():
    assert delays(np.repeat(STAMPS[::2], 2), STAMPS).max() < 0.05


def test_pictures_out_of_order_are_older_by_their_order_only():
    stamps = STAMPS.reshape(-1, 4)[:, [1, 0, 3, 2]].ravel()
    assert delays(stamps, STAMPS).max() < 0.1


def test_a_slow_quartz_is_not_taken_for_a_queue():
    hour = np.arange(0, 3600, 0.2)
    assert delays(hour, hour * 1.0001).max() < 0.01


@pytest.mark.parametrize("rate", [0.995, 0.6])
def test_a_camera_that_counts_pictures_instead_of_time_is_live_in_the_end(rate):
    minutes = np.arange(0, 180, 0.1)
    assert delays(minutes * rate, minutes)[-600:].max() < 0.1


def test_a_clock_that_paused_is_followed_after_half_a_minute():
    stamps = np.arange(0, 90, 0.1)
    found = delays(stamps, np.where(stamps > 10, stamps + 3, stamps))
    assert found[stamps < 30].max() == pytest.approx(3.0, abs=0.02)
    assert found[-300:].max() < 0.1


def test_a_stream_without_stamps_has_only_its_arrival():
    assert StreamClock().taken_at(None, 5.0) == 5.0
