import pytest

from realtime.outputs.events.clock import NEVER_SET_BEFORE, ProvenClock

DAY = 86_400.0
NOW = NEVER_SET_BEFORE + 300 * DAY


def days(clock, count, offset):
    """The program runs for so many days, a tick an hour, under a clock that is ``offset`` seconds off the proven."""
    begin = clock.proven + offset
    return sum(clock.tick(begin + hour * 3600, 3600) for hour in range(1, 24 * count + 1))


def test_a_clock_that_goes_with_the_program_is_followed_and_small_steps_are_believed():
    clock = ProvenClock(NOW)
    assert clock.tick(NOW + 60, 60) == 0
    assert clock.proven == NOW + 60
    assert clock.tick(NOW + 60 + DAY / 2, 0) == 0  # half a day without power
    assert clock.proven == NOW + 60 + DAY / 2
    assert clock.tick(NOW + DAY / 2, 10) == 0  # set right by a minute
    assert clock.proven == NOW + DAY / 2 + 70


@pytest.mark.parametrize("offset", [60 * DAY, -60 * DAY, 2 * DAY, -NOW], ids=["60 d ahead", "behind", "2 d", "1970"])
def test_for_less_than_three_days_another_time_moves_nothing(offset):
    clock = ProvenClock(NOW)
    assert days(clock, 2, offset) == 0
    assert clock.proven == NOW + 2 * DAY
    assert clock.tick(NOW + 2 * DAY + 60, 60) == 0  # set right again
    assert clock.proven == NOW + 2 * DAY + 60
    assert (clock.on_trial, clock.tried) == (None, 0)


def test_weeks_without_power_count_once_the_clock_has_proven_itself_and_nothing_is_dated_anew():
    clock = ProvenClock(NOW)
    assert days(clock, 4, 40 * DAY) == 0
    assert clock.proven == NOW + 44 * DAY


def test_the_three_days_may_be_spread_over_several_starts():
    clock = ProvenClock(NOW)
    for start in range(8):
        begin = NOW + 40 * DAY + start * DAY  # ten hours a day
        for hour in range(11):
            assert clock.tick(begin + hour * 3600, 3600 if hour else 0) == 0
        clock = ProvenClock(clock.proven, clock.on_trial, clock.tried)
    assert clock.proven == begin + 10 * 3600


def test_a_clock_that_jumps_about_never_proves_itself():
    clock = ProvenClock(NOW)
    for start in range(8):
        assert days(clock, 1, (40 + 5 * start) * DAY) == 0
    assert clock.proven == NOW + 8 * DAY


def test_a_box_that_began_in_1970_dates_its_events_anew_when_it_learns_the_time():
    clock = ProvenClock(100.0)
    later = days(clock, 4, NOW)
    assert clock.proven == 100.0 + NOW + 4 * DAY
    assert later == pytest.approx(NOW)  # an event of an hour ago is one of an hour ago


def test_a_clock_that_was_ahead_from_the_beginning_is_corrected_with_its_events():
    clock = ProvenClock(NOW + 60 * DAY)
    assert days(clock, 4, -60 * DAY) == pytest.approx(-60 * DAY)
    assert clock.proven == NOW + 4 * DAY


def test_where_events_are_kept_for_an_hour_a_step_of_half_a_day_is_not_believed_at_once():
    clock = ProvenClock(NOW, step=360.0)
    clock.tick(NOW + DAY / 2, 0)
    assert clock.proven == NOW
