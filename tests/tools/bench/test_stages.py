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


def test_every_core_has_something_to_do_meanwhile_and_nothing_afterwards():
    myself = psutil.Process()
    with busy_cores():
        others = myself.children()
        before = [sum(other.cpu_times()[:2]) for other in others]
        time.sleep(0.5)
        spent = [sum(other.cpu_times()[:2]) - one for other, one in zip(others, before, strict=True)]
    assert len(others) == usable_cores()
    assert sum(spent) > 0.1  # whatever else the machine does
    assert not any(other.is_running() for other in others)


def test_every_stage_costs_something_and_the_planner_reads_it(narrow, tmp_path):
    bundle = make_recogniser(tmp_path / "small").bundle.folder
    found = measure(
        (1,), Case(bundle=str(bundle), threads=1, engine="onnxruntime-cpu"), tmp_path, frames=20, decisions=4
    )
    (row,) = found["frames"]
    assert 0.3 < row["faces_followed"] <= 1  # a track begins with the second search
    assert min(row["decode"], row["detect"], row["draw"], found["decision"]["cpu"]) > 0
    assert row["detect"] > row["follow"]
    from realtime.system.command_line import write_json

    write_json(tmp_path / "stages.json", {"results": found})
    assert read_costs(tmp_path / "stages.json").of_frame("draw", 1) == row["draw"]
