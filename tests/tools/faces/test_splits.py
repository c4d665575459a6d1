"""Who may be measured on, and who not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from models.errors import BadInput
from tools.faces.people import People
from tools.faces.splits import (
    CALIBRATED,
    SEEN,
    Half,
    Split,
    fingerprints,
    known_pictures,
    people_of_split,
    split,
    unseen,
)


def folk(count: int) -> People:
    labels = np.repeat(np.arange(count), 2)
    pictures = tuple(f"{number}.png" for number in range(len(labels)))
    return People(
        tuple(f"Person {number}" for number in range(count)), np.zeros((2 * count, 8, 8, 3), np.uint8), labels, pictures
    )


def bundle_that_saw(*names: str, calibrated: Sequence[str] = ()) -> SimpleNamespace:
    policy = SimpleNamespace(record={CALIBRATED: list(calibrated)})
    info = SimpleNamespace(training={"strangers_seen": list(names)}, policy=policy, certified=None)
    return SimpleNamespace(bundle=SimpleNamespace(info=info))


def test_strangers_for_calibration_and_for_measuring_are_different_people_and_none_was_trained_on() -> None:
    bundles = [bundle_that_saw("Person 0"), bundle_that_saw("Person 3")]
    everybody = unseen(folk(7), bundles)
    halves = [set(unseen(folk(7), bundles, half).names) for half in Half]
    assert halves[0] & halves[1] == set()
    assert halves[0] | halves[1] == set(everybody.names) == {f"Person {number}" for number in (1, 2, 4, 5, 6)}
    assert len(unseen(folk(7), bundles, Half.measuring)) == 4


def test_whom_thresholds_were_found_with_is_not_measured_on_beside_a_bundle_that_saw_others() -> None:
    one, other = bundle_that_saw("Person 0"), bundle_that_saw("Person 0", "Person 1")
    found_with = unseen(folk(9), [one], Half.calibration).names
    assert set(found_with) & set(unseen(folk(9), [one, other], Half.measuring).names)
    calibrated = bundle_that_saw("Person 0", calibrated=found_with)
    left = unseen(folk(9), [calibrated, other], Half.measuring).names
    assert left
    assert not set(found_with) & set(left)


@pytest.mark.parametrize(("saw", "half"), [(("Person 0", "Person 1"), None), (("Person 0",), Half.measuring)])
def test_where_nobody_is_left_it_says_so(saw: tuple[str, ...], half: Half | None) -> None:
    with pytest.raises(BadInput, match=r"all of them|too few are left"):
        unseen(folk(2), [bundle_that_saw(*saw)], half)


def test_nobody_is_measured_on_under_another_name_of_his() -> None:
    people = folk(4)
    people = People(("Ada", "Mary", "Mary Ward", "Zoe"), people.crops, people.labels, people.pictures)
    assert unseen(people, [], Half.calibration).names == ("Ada", "Mary Ward")
    assert unseen(people, [], Half.measuring).names == ("Zoe",)


@pytest.mark.parametrize(("prints", "message"), [(True, "12 of these 12 pictures"), (False, "was trained on; give")])
def test_a_bundle_knows_its_own_folders_with_fingerprints_and_without(prints: bool, message: str) -> None:
    people = folk(6)
    _, held = split(people.labels, share=0.5, seed=0)
    training = {
        "settings": {"validation_share": 0.5, "seed": 0},
        "validation": {"sha256_of_names": people.subset(held).digest()},
    }
    training |= {SEEN: fingerprints(people)} if prints else {}
    recogniser = SimpleNamespace(bundle=SimpleNamespace(info=SimpleNamespace(training=training)))
    assert known_pictures(recogniser, people) == (12 if prints else 0)
    with pytest.raises(BadInput, match=message):
        people_of_split(recogniser, people, Split.test)
    others = People(people.names, people.crops + 1, people.labels, tuple(f"new {n}" for n in range(12)))
    assert people_of_split(recogniser, others, Split.test) is others


def test_a_photograph_is_known_again_however_another_machine_cut_it() -> None:
    people = replace(folk(2), photographs=("aa" * 16, "bb" * 16, "cc" * 16, ""))
    recogniser = SimpleNamespace(bundle=SimpleNamespace(info=SimpleNamespace(training={SEEN: fingerprints(people)})))
    assert known_pictures(recogniser, people) == 4
    cut_elsewhere = replace(people, crops=people.crops + 1)
    assert known_pictures(recogniser, cut_elsewhere) == 3  # of the fourth only the crop is known
    assert (
        known_pictures(recogniser, replace(people, photographs=("dd" * 16,) * 4)) == 4
    )  # the crops are all one picture here
