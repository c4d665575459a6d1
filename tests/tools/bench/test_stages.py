"""What is measured of each stage."""

from __future__ import annotations

import time

import psutil
from small_people import make_recogniser

from realtime.system.threads import usable_cores
from tools.bench.live import Case
from tools.bench.stages import Spent, busy_cores, measure
from tools.planning.costs import read_costs


def test_what_warms_up_is_not_counted():
    spent = Spent()
    for value in (100, 100, 100, 100, 100, 1, 3):
        spent.note("draw", value)
    assert spent.mean("draw") == 2
    assert spent.mean("never") == 0


def spent(processes):
    return sum(sum(one.cpu_times()[:2]) for one in processes)


def test_every_core_has_something_to_do_meanwhile_and_nothing_afterwards():
    myself = psutil.Process()
    earlier = myself.children()  # of other tests
    with busy_cores():
        others = [child for child in myself.children() if child not in earlier]
        before, deadline = spent(others), time.monotonic() + 60  # whatever else the machine does
        while spent(others) < before + 0.1 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert spent(others) >= before + 0.1
    assert len(others) == usable_cores()
    assert not any(other.is_running() for other in others)


def test_every_stage_costs_something_and_the_planner_reads_it(narrow, tmp_path):
    bundle = make_recogniser(tmp_path / "small").bundle.folder
    found = measure(
        (1,), Case(bundle=str(bundle), threads=1, engine="onnxruntime-cpu"), tmp_path, frames=80, decisions=4
    )
    (row,) = found["frames"]
    assert 0 < row["faces_followed"] <= 1  # a track begins with the second search
    assert min(row["decode"], row["detect"], row["draw"], found["decision"]["cpu"]) > 0
    assert row["detect"] > row["follow"]
    from realtime.system.command_line import write_json

    write_json(tmp_path / "stages.json", {"results": found})
    assert read_costs(tmp_path / "stages.json").of_frame("draw", 1) == row["draw"]
