"""The thread budget: what was asked for stays, the rest follows from the cores that may be used."""

import os
from pathlib import Path

import pytest

from realtime.system.threads import _cores_of_quota, thread_budget, usable_cores


@pytest.mark.parametrize(("cores", "detection", "inference"), [(1, 1, 1), (2, 1, 2), (4, 1, 3), (8, 2, 7), (64, 2, 16)])
def test_inference_gets_what_detection_leaves_and_all_of_a_small_machine(
    cores: int, detection: int, inference: int
) -> None:
    budget = thread_budget(cores=cores)
    assert (budget.detection, budget.inference) == (detection, inference)


def test_what_the_user_asks_for_is_taken_as_it_is() -> None:
    budget = thread_budget(detection=3, inference=5, cores=2)
    assert (budget.detection, budget.inference) == (3, 5)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity to set")
def test_cores_that_this_process_may_not_use_are_not_counted() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(("content", "cores"), [("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1)])
def test_a_containers_share_of_the_machine_counts(tmp_path: Path, content: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(content + "\n")
    assert _cores_of_quota(tmp_path / "cpu.max") == cores


@pytest.mark.parametrize("content", ["max 100000", "", "garbage"])
def test_no_limit_is_no_limit(tmp_path: Path, content: str) -> None:
    (tmp_path / "cpu.max").write_text(content)
    assert _cores_of_quota(tmp_path / "cpu.max") > 1000
    assert _cores_of_quota(tmp_path / "absent") > 1000
