import json
import mmap
import sys
import threading

import psutil
import pytest

from models.policy import Decision
from realtime.metrics import STAGES, Meter, verdict_name

ADA = Decision.known("Ada", 0.9)
NOBODY = Decision.unknown("stranger", 0.3)
ATTACK = Decision.suspected("Bob", 0.9, likely="Ada", reason="not borne out", dissent="saliency")


def test_a_summary_has_exactly_the_promised_keys():
    assert list(Meter().summary()) == [
        "engine",
        "frames_captured",
        "frames_displayed",
        "displayed_fps",
        "frame_age_ms",
        "verdict_age_ms",
        "stale_verdicts",
        "decisions",
        "full_decisions",
        "light_decisions",
        "decisions_per_second",
        "stage_ms",
        "verdicts",
        "faces",
        "acts",
        "cameras",
        "peak_rss_mb",
    ]


def test_a_run_without_frames_sums_up_to_nothing_and_is_valid_json():
    summary = Meter("none").summary()
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summary["displayed_fps"] == 0
    assert summary["frame_age_ms"] == {"p50": None, "p95": None, "p99": None}
    assert summary["stage_ms"] == dict.fromkeys(STAGES)


def test_rates_and_ages_are_those_of_the_events():
    meter = Meter("onnxruntime (CPU)")
    for index in range(101):
        captured = 100 + index / 25
        meter.frame_captured(captured)
        meter.frame_displayed(captured, captured + 0.040)
        if index % 5 == 0:
            meter.decided(ADA, captured + 0.030, full=index % 10 == 0, light=index % 3 == 0)
    meter.frame_dropped("door", "decode error", 3)
    meter.frame_dropped("yard")
    summary = meter.summary()
    assert (summary["frames_captured"], summary["frames_displayed"], summary["decisions"]) == (101, 101, 21)
    assert summary["full_decisions"] == 11
    assert summary["light_decisions"] == 7
    assert summary["displayed_fps"] == pytest.approx(25, abs=0.01)
    assert summary["decisions_per_second"] == pytest.approx(21 / 4, abs=0.01)
    assert summary["frame_age_ms"] == {p: pytest.approx(40, rel=0.006) for p in ("p50", "p95", "p99")}
    assert meter.counts()["dropped"] == {"door": {"decode error": 3}, "yard": {"overtaken": 1}}


def test_a_display_that_stops_while_capture_goes_on_lowers_the_rate():
    meter = Meter()
    for index in range(100):
        meter.frame_captured(index / 10)
        if index < 50:
            meter.frame_displayed(index / 10, index / 10)
    assert meter.summary()["displayed_fps"] == pytest.approx(49 / 9.9, abs=0.01)


def test_loading_before_the_first_picture_is_no_slow_display():
    meter = Meter()
    meter.frame_captured(0.0)
    for index in range(11):
        meter.frame_displayed(10 + index, 10 + index)
    assert meter.summary()["displayed_fps"] == 1.0


def test_the_current_rate_is_that_of_the_last_seconds():
    meter = Meter()
    for index in range(10):
        meter.frame_displayed(0.0, float(index))
    for index in range(51):
        meter.frame_displayed(0.0, 10 + index / 25)
    assert meter.fps(12.0) == pytest.approx(25)
    assert meter.fps(60.0) == 0.0


def test_stage_times_are_medians_by_stage():
    meter = Meter()
    for value in (10.0, 20.0, 300.0):
        meter.stages({"detect": value, "track": 1.0})
    stages = meter.summary()["stage_ms"]
    assert list(stages) == [*STAGES, "track"]
    assert stages["detect"] == pytest.approx(20, rel=0.006)
    assert stages["saliency"] is None


@pytest.mark.parametrize(
    ("decision", "name"), [(ADA, "Known(Ada)"), (ATTACK, "SuspectedAttack(Bob)"), (NOBODY, "Unknown")]
)
def test_verdicts_are_counted_by_state_and_name(decision, name):
    meter = Meter()
    meter.decided(decision)
    assert verdict_name(decision) == name
    assert meter.counts()["verdicts"] == {name: 1}


def test_events_of_many_threads_are_all_counted():
    meter = Meter()

    def work():
        for _ in range(500):
            meter.frame_captured(1.0)
            meter.decided(ADA, 1.0)
            meter.stage("detect", 5.0)

    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(switch)
    counts = meter.counts()
    assert (counts["captured"], counts["decisions"]) == (4000, 4000)


def test_names_made_from_data_do_not_eat_the_memory():
    meter = Meter()
    for index in range(1000):
        meter.stage(f"stage {index}", 1.0)
        meter.frame_dropped("door", f"cause {index}")
    summary = meter.summary()
    assert len(summary["stage_ms"]) < 80
    assert len(meter.counts()["dropped"]["door"]) < 80
    assert sum(meter.counts()["dropped"]["door"].values()) == 1000


def test_the_peak_memory_is_kept_after_it_has_been_given_back():
    # Anonymous memory of its own, not the allocator's: a block that was freed earlier may be handed out again.
    meter = Meter()
    with mmap.mmap(-1, 100_000_000) as block:
        block.write(b"x" * len(block))
        while_held = psutil.Process().memory_info().rss / 1e6
        meter.frame_captured()
    assert meter.summary()["peak_rss_mb"] > while_held - 10


def test_a_memory_that_cannot_be_looked_at_ends_no_run(monkeypatch):
    meter = Meter()

    def no_descriptor():
        raise OSError(24, "Too many open files", "/proc/1/statm")

    monkeypatch.setattr(meter._process, "memory_info", no_descriptor)
    meter.frame_captured(1.0)
    meter.frame_displayed(1.0, 1.1)
    assert meter.summary()["frames_displayed"] == 1
