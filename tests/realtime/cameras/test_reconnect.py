"""When a lost camera is tried again."""

from __future__ import annotations

import random

import pytest

from realtime.cameras.reconnect import BackOff


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def _waits(back_off, clock, count):
    waits = []
    for _ in range(count):
        waits.append(back_off.failed())
        clock.now += waits[-1]
    return waits


def test_steps_double_up_to_ten_seconds():
    clock = Clock()
    assert _waits(BackOff(jitter=0, clock=clock), clock, 8) == [0.5, 1, 2, 4, 8, 10, 10, 10]


def test_no_step_is_longer_than_ten_seconds_during_the_first_ten_minutes():
    clock = Clock()
    back_off = BackOff(clock=clock, rng=random.Random(1))
    while clock.now < 700:
        started = clock.now
        wait = back_off.failed()
        clock.now += wait
        if started < 700:
            assert wait <= 10


def test_after_ten_minutes_steps_grow_on_to_a_minute():
    clock = Clock()
    assert _waits(BackOff(jitter=0, clock=clock), clock, 100)[-1] == 60


def test_steps_are_jittered_and_never_longer():
    waits = [BackOff(rng=random.Random(seed)).failed() for seed in range(50)]
    assert len(set(waits)) == 50
    assert max(waits) <= 0.5
    assert min(waits) >= 0.35


def test_a_stable_minute_starts_the_steps_over():
    clock = Clock()
    back_off = BackOff(jitter=0, clock=clock)
    _waits(back_off, clock, 6)
    back_off.connected()
    clock.now += 60
    assert back_off.failed() == 0.5


def test_a_flapping_connection_does_not_start_the_steps_over():
    clock = Clock()
    back_off = BackOff(jitter=0, clock=clock)
    waits = []
    for _ in range(6):
        back_off.connected()
        clock.now += 5
        waits.append(back_off.failed())
    assert waits == [0.5, 1, 2, 4, 8, 10]


def test_a_camera_that_was_there_is_not_treated_as_long_dead():
    clock = Clock()
    back_off = BackOff(jitter=0, clock=clock)
    _waits(back_off, clock, 100)
    back_off.connected()
    clock.now += 5
    assert back_off.failed() == pytest.approx(10)
