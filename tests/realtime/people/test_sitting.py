"""A person's pictures while they are taken."""

from dataclasses import replace

import numpy as np
import pytest

from models.errors import BadInput
from realtime.people.judge import GoodFace
from realtime.people.sitting import Judged, Sitting, Sittings
from realtime.people.sources import Skipped


def face(number: int, turn: float = 0.0, tilt: float = 0.55, moving: bool = True) -> GoodFace:
    return GoodFace(f"{number}", np.zeros((4, 4, 3), np.uint8), f"{number}", 0.5, moving, turn, tilt)


def test_left_and_right_are_the_persons_own() -> None:
    sitting = Sitting("Ada", "yes")
    assert sitting.take(face(1, turn=0.2)).pose == "left"  # the nose to the image's right
    assert sitting.take(face(2, turn=-0.2)).pose == "right"
    assert sitting.take(face(3, turn=0.1)).pose == "straight"


def test_up_is_told_by_the_persons_own_straight_look() -> None:
    sitting = Sitting("Ada", "yes")
    assert sitting.take(face(1, tilt=0.62)).pose == "straight"
    assert sitting.take(face(2, tilt=0.52)).pose == "up"
    other = Sitting("Bob", "yes")
    assert other.take(face(1, tilt=0.52)).pose == "straight"
    assert other.take(face(2, tilt=0.46)).pose == "straight"
    assert other.take(face(3, tilt=0.42)).pose == "up"


def test_files_are_all_kept_and_a_camera_gives_no_more_than_is_asked_for() -> None:
    sitting = Sitting("Ada", "yes")
    taken = [sitting.take(face(number, turn=0.2)) for number in range(2)]
    assert (taken[1].number, taken[1].reason) == (None, "enough that look left")
    assert sitting.take(face(3, turn=0.2, moving=False)).number == 2
    assert sitting.missing() == {"straight": 2, "right": 1, "up": 1}


def test_what_cannot_be_used_keeps_its_reason() -> None:
    assert Sitting("Ada", "yes").take(Skipped("a.jpg", "blurred")) == Judged("a.jpg", reason="blurred")


def test_an_abandoned_sitting_is_forgotten_and_a_used_one_stays() -> None:
    now = [0.0]
    sittings = Sittings(lambda: now[0])
    used, left = sittings.begin(Sitting("Ada", "yes")), sittings.begin(Sitting("Bob", "yes"))
    now[0] = 400.0
    assert sittings.get(used.id) is used
    now[0] = 700.0
    assert sittings.get(used.id) is used
    with pytest.raises(BadInput, match="begin again"):
        sittings.get(left.id)


def test_there_are_never_more_than_sixteen() -> None:
    now = [0.0]
    sittings = Sittings(lambda: now[0])
    first = sittings.begin(Sitting("first", "yes"))
    for number in range(16):
        now[0] += 1
        sittings.begin(Sitting(f"{number}", "yes"))
    with pytest.raises(BadInput):
        sittings.get(first.id)


def test_faces_without_figures_look_straight() -> None:
    assert Sitting("Ada", "yes").take(replace(face(1), turn=None, tilt=None)).pose == "straight"
