"""The simulated queue against formulas that were found without it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tools.planning.queue import Crowd, Habits, Loss, Site

ONE_LOOK = Habits(verdict=1, soon=0.0, within=math.inf)


def steady(rate: float, stay: float = 1e9) -> Crowd:
    return Crowd(lambda now: rate, rate, stay)


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_faces_that_want_one_decision_wait_as_in_a_queue_with_poisson_arrivals_and_equal_services(load):
    service = 0.1
    seen = Site(nodes=1, cameras=1, crowd=steady(load / service), seconds=lambda _: service, habits=ONE_LOOK).run(3000)
    expected = load * service / (2 * (1 - load))  # Pollaczek-Khinchine, M/D/1
    assert seen.between("waits", 200, 3000).mean() == pytest.approx(expected, rel=0.12)
    assert seen.between("busy", 200, 3000).sum() / 2800 == pytest.approx(load, rel=0.05)


def test_too_much_to_do_makes_decisions_rarer_and_no_queue_of_old_ones():
    # 20 faces stay and a decision takes 0.1 s: ten decisions a second, so each face has one every two seconds
    crowd = Crowd(lambda now: 200.0 if now < 0.1 else 0.0, 200.0, 1e9)
    site = Site(nodes=1, cameras=1, crowd=crowd, seconds=lambda _: 0.1, seed=3)
    seen = site.run(60)
    faces = len(seen.verdicts)
    gaps = seen.between("gaps", 30, 60)
    assert gaps.mean() == pytest.approx(faces * 0.1, rel=0.05)
    assert gaps.max() < 1.5 * faces * 0.1  # nobody is passed over


def test_a_face_alone_has_its_verdict_after_four_waits_and_a_decision():
    crowd = Crowd(lambda now: 0.01, 0.01, 1e9)
    seen = Site(nodes=1, cameras=1, crowd=crowd, seconds=lambda _: 0.02, habits=Habits(5, 0.15, 10.0)).run(600)
    first = min(seen.verdicts)[1]
    assert first == pytest.approx(4 * 0.15 + 0.02)


def test_the_number_of_faces_is_littles_law():
    # arrivals * stay = faces at once, each asks within 0.5 s: decisions = rate * (stay / 0.5) a second
    seen = Site(nodes=2, cameras=4, crowd=steady(0.25, 20), seconds=lambda _: 1e-3, habits=Habits(1, 0.5, 0.5)).run(600)
    per_second = len(seen.between("busy", 100, 600)) / 500
    assert per_second == pytest.approx(2 * 4 * 0.25 * 20 / 0.5, rel=0.12)


def test_a_lost_nodes_faces_begin_anew_elsewhere_and_the_others_have_more_to_do():
    site = Site(
        nodes=3,
        cameras=10,
        crowd=steady(0.1, 20),
        seconds=lambda cameras: 0.001 * cameras,
        habits=Habits(3, 0.1, 0.5),
        loss=Loss(at=100, after=10),
        seed=1,
    )
    seen = site.run(200)
    assert [node.alive for node in site.nodes] == [False, True, True]
    assert [node.cameras for node in site.nodes[1:]] == [15, 15]
    assert seen.between("busy", 50, 100).mean() == pytest.approx(0.010)
    assert seen.between("busy", 120, 200).mean() == pytest.approx(0.015)
    usual, after = (seen.between("verdicts", *span).max() for span in ((50, 100), (110, 125)))
    assert usual < 1 < after  # whoever was before its cameras waited for them


def test_the_same_seed_gives_the_same_hour():
    runs = [Site(nodes=1, cameras=3, crowd=steady(0.3, 5), seconds=lambda _: 0.02, seed=7).run(60) for _ in range(2)]
    assert runs[0] == runs[1]
    assert np.isfinite(runs[0].between("verdicts", 0, 60)).all()
