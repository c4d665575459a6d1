"""Sums of costs, worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from models.errors import BadInput
from tools.planning.costs import (
    Costs,
    Limits,
    Scene,
    against_cluster,
    against_live,
    cameras_per_node,
    cores_of_cameras,
    decisions_per_second,
    read_costs,
)
from tools.planning.site import Wishes, planned

#: A frame takes 4 ms of decoding and drawing, 2 of following; a search 8 more; a decision 100, an alarm 150 more.
COSTS = Costs(
    (1.0, 4.0),
    {"decode": (1.0, 1.0), "detect": (10.0, 16.0), "follow": (2.0, 5.0), "draw": (3.0, 6.0)},
    100.0,
    150.0,
    5,
)
ONE = Scene(faces=1, fps=10, alarms=0.0)


def test_between_measured_numbers_of_faces_costs_lie_on_the_line_and_beyond_on_its_end():
    assert [COSTS.of_frame("draw", faces) for faces in (0, 1, 2.5, 4, 7)] == [3, 3, 4.5, 6, 9]


def test_a_camera_takes_its_frames_and_its_searches():
    # ten frames of 6 ms, two searches of 8 ms more
    assert cores_of_cameras(COSTS, ONE, 1) == pytest.approx(0.060 + 0.016)
    # a hundred cameras would search for 1.6 s a second: half a core is the most
    assert cores_of_cameras(COSTS, ONE, 100) == pytest.approx(6.0 + 0.5)


def test_what_is_left_of_the_cores_goes_to_decisions_up_to_one_a_frame():
    assert decisions_per_second(COSTS, ONE, cores=1) == pytest.approx((1 - 0.076) / 0.1)
    assert decisions_per_second(COSTS, replace(ONE, alarms=0.4), cores=1) == pytest.approx((1 - 0.076) / 0.16)
    assert decisions_per_second(COSTS, ONE, cores=2) == 10  # a decision wants a newer frame
    assert decisions_per_second(COSTS, ONE, cores=0.03) == 0


def test_cameras_are_added_until_the_share_that_may_be_busy_is_used():
    # each takes 0.076 + 2 decisions of 0.1 = 0.276 of the 0.8 cores
    assert cameras_per_node(COSTS, ONE, cores=1, per_face=2, busy=0.8) == 2
    assert cameras_per_node(COSTS, ONE, cores=1, per_face=2, busy=0.2) == 0


def test_live_runs_are_reckoned_with_the_cores_that_they_had():
    row = {"faces": 1, "cameras": 1, "captured_fps": {"cam1": 10.0}, "cpu_percent_of_a_core": 50.0}
    row |= {"decisions": 20, "full_decisions": 0, "decisions_per_second": 4.0}
    alone, shared = against_live(COSTS, [row], 1.0)[0], against_live(COSTS, [row], None)[0]
    assert (alone["reckoned"], shared["reckoned"]) == (9.24, 4.24)
    assert (alone["error"], shared["error"]) == (1.31, 0.06)


def test_costs_are_read_from_the_benchmarks_file(tmp_path):
    frames = [{"faces": n, "decode": 1, "detect": 10, "follow": 2, "draw": 3} for n in (4, 1)]
    file = tmp_path / "stages.json"
    file.write_text(
        json.dumps({"results": {"frames": frames, "decision": {"cpu": 100, "alarm": 5}, "detect_every": 5}})
    )
    assert read_costs(file).faces == (1, 4)
    file.write_text('{"results": []}')
    with pytest.raises(BadInput, match="--what stages"):
        read_costs(file)


def test_a_site_has_a_node_to_spare_and_loses_one_without_losing_verdicts():
    wishes = Wishes(cores=4, scene=replace(ONE, faces=0.5), stay=4, busy=0.6, seconds=30)
    site = planned(COSTS, wishes, 60)
    each = cameras_per_node(COSTS, wishes.scene, cores=4, per_face=wishes.per_face, busy=0.6)
    assert site["nodes"] == -(-60 // each) + 1
    assert site["calm"]["faces"] < site["rush"]["faces"]
    assert site["calm"]["until_verdict"]["p50"] <= site["rush"]["until_verdict"]["p50"] < 1.5
    assert site["node_lost"]["until_verdict"]["worst"] > site["rush"]["until_verdict"]["worst"]


def test_a_node_too_small_for_one_camera_is_bad_input():
    with pytest.raises(BadInput, match="--cores 1: not even one camera"):
        planned(COSTS, Wishes(cores=1, scene=replace(ONE, faces=9)), 10)


def test_a_cluster_is_reckoned_as_one_process_is_with_its_own_scene() -> None:
    side = {"alarms": 0.0, "decisions_per_second": 4.0}
    results = {"cores": 1, "cameras": 1, "fps": 20, "detect_every": 1, "one_process": side, "cluster": side}
    alone, spread = against_cluster(COSTS, results)
    # 20 frames of 6 ms, and 8 ms more for each of the five searches that a second has: 160 ms; the rest decides
    assert alone["reckoned"] == spread["reckoned"] == pytest.approx(8.4)
    assert (alone["where"], spread["where"]) == ("one process", "cluster")
    assert alone["error"] == pytest.approx(8.4 / 4 - 1)


def test_following_and_searching_have_limits_by_the_clock_that_a_thread_gets_two_thirds_of_on_two_cores() -> None:
    crowd = Scene(faces=4, fps=100, alarms=0.0)
    wide = Limits.of_live(2)
    assert (wide.searching, wide.following) == pytest.approx((1 / 3, 1 / 3))
    assert Limits.of_live(1).searching == pytest.approx(0.125)
    assert cores_of_cameras(COSTS, crowd, 10, wide) == pytest.approx(10 * 100 * 0.007 + 2 / 3)
