"""What is said of a decision, and that the figures beside it are the evidence's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.crop.zones import zone_mask
from models.evidence import CropEvidence
from models.policy import Policy, decide
from realtime.outputs.explanation.picture import SIDE, cells_of, picture_of, wrapped
from realtime.outputs.explanation.words import explained, percent

LABELS = ("Ada", "Bob", "Cyd")
SIZE = 112
CROP = np.random.default_rng(0).integers(0, 255, (SIZE, SIZE, 3), np.uint8)


def evidence(raw: list[float], eyes: list[float], mouth: list[float], *, looked: bool = True) -> CropEvidence:
    saliency = np.tile(np.linspace(0, 1, SIZE, dtype=np.float32), (SIZE, 1))
    given = np.array([raw, eyes, mouth], np.float32)
    return CropEvidence(
        LABELS, given[0], saliency, saliency > 0.9, CROP, given[0], given[1:], ("wide_eyewear", "lower_face"),
        np.array([True, looked]),
    )  # fmt: skip


KNOWN = evidence([0.95, 0.02, 0.01], [0.8, 0.1, 0.05], [0.7, 0.1, 0.1])
ATTACK = evidence([0.95, 0.02, 0.01], [0.03, 0.9, 0.01], [0.9, 0.05, 0.01])
STRANGER = evidence([0.3, 0.2, 0.1], [0.2, 0.2, 0.1], [0.3, 0.3, 0.1])
UNDECIDED = evidence([0.95, 0.02, 0.01], [0.3, 0.2, 0.1], [0.9, 0.05, 0.01])


def test_of_a_known_person_the_weakest_view_is_told() -> None:
    said = explained(CROP, decide(KNOWN, Policy()), KNOWN)
    assert said.heading == "Known: Ada"
    assert "The whole face looks like Ada (95 %)." in said.sentences
    assert "least with mouth and chin hidden (70 %)." in " ".join(said.sentences)


def test_of_an_attack_is_said_who_is_claimed_which_part_makes_it_and_who_is_beneath() -> None:
    said = explained(CROP, decide(ATTACK, Policy()), ATTACK)
    words = " ".join(said.sentences)
    assert said.heading == "Suspected attack: passes for Ada, likely Bob"
    assert "With the eyes hidden it does not: Ada gets 3 % there." in words
    assert "Beneath it is likely Bob." in words
    assert [view.against for view in said.views] == [False, True, False]


def test_of_a_stranger_and_of_an_undecided_face_no_name_is_confirmed() -> None:
    said = explained(CROP, decide(STRANGER, Policy()), STRANGER)
    assert said.sentences == (
        "This looks like nobody who is enrolled.",
        "The likeliest would be Ada, with only 30 %.",
    )
    undecided = explained(CROP, decide(UNDECIDED, Policy()), UNDECIDED)
    assert undecided.heading == "Unknown"
    assert "With the eyes hidden that can neither be confirmed nor denied (30 %)" in undecided.sentences[1]


@pytest.mark.parametrize("reason", ["too small", "cut off", "profile", "blurred"])
def test_a_refused_face_is_explained_without_evidence(reason: str) -> None:
    said = explained(CROP, decide(KNOWN, Policy()).unknown(reason), None)
    assert said.views == ()
    assert len(said.sentences[0].split()) > 3
    assert picture_of(said).shape[2] == 3


def test_each_view_shows_its_hidden_zone_and_gives_what_the_evidence_gives() -> None:
    policy = Policy(threshold=0.6, zone_confirm=0.4, further_confirm=0.2)
    said = explained(CROP, decide(KNOWN, policy), KNOWN, policy, fill=(1, 2, 3))
    hidden = zone_mask("lower_face", SIZE)
    mouth = said.views[2]
    assert (mouth.crop[hidden] == (1, 2, 3)).all()
    assert (mouth.crop[~hidden] == CROP[~hidden]).all()
    assert [(round(view.given, 2), view.needed) for view in said.views] == [(0.95, 0.6), (0.8, 0.4), (0.7, 0.2)]
    stated = said.as_dict()["views"]
    assert isinstance(stated, list)
    assert [one["given_to_name"] for one in stated[:3]] == pytest.approx([0.95, 0.8, 0.7])


def test_a_view_that_nobody_looked_at_says_so_and_is_never_the_weakest() -> None:
    quick = evidence([0.95, 0.02, 0.01], [0.8, 0.1, 0.05], [0, 0, 0], looked=False)
    said = explained(CROP, decide(quick.seen, Policy()), quick)
    assert said.views[2].words == "not looked at"
    assert "least with the eyes hidden (80 %)" in " ".join(said.sentences)


def test_the_picture_shows_every_look_and_without_saliency_the_views_alone() -> None:
    said = explained(CROP, decide(ATTACK, Policy()), ATTACK)
    assert [cell.title for cell in cells_of(said)][3:] == [
        "what the name hangs on", "the mask made of it", "after the mask",
    ]  # fmt: skip
    quick = replace(ATTACK, saliency=np.zeros((SIZE, SIZE), np.float32), mask=np.zeros((SIZE, SIZE), bool))
    bare = explained(CROP, decide(quick, Policy()), quick)
    assert len(cells_of(bare)) == 3
    assert picture_of(said).shape[0] > picture_of(bare).shape[0] + SIDE


def test_lines_fit_their_room_and_small_shares_keep_a_digit() -> None:
    from realtime.outputs.drawing.text import width

    text = "The whole face passes for somebody with a name that is remarkably long indeed"
    lines = wrapped(text, 14, 200)
    assert " ".join(lines) == text
    assert max(width(line, 14) for line in lines) <= 200
    assert [percent(0.5), percent(0.0234), percent(0.0005), percent(0)] == ["50 %", "2 %", "0.05 %", "0 %"]
