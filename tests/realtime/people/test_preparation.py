import json
from dataclasses import replace
from pathlib import Path

import pytest

from realtime.people.preparation import REPORT, Outcome, earlier_outcomes, photographs_of, summary, was_interrupted

KEPT = Outcome("Ada", "0.jpg", True, "", "aa", 1)
DROPPED = Outcome("Ada", "1.jpg", False, "no face found", "bb")
HOW = {"size": 64}


def write(folder: Path, *outcomes: Outcome, complete: bool = True) -> None:
    (folder / REPORT).write_text(json.dumps(summary(HOW, outcomes, complete=complete)))


def test_the_record_counts_pictures_people_and_reasons() -> None:
    record = summary(HOW, [KEPT, DROPPED, Outcome("Bo", "0.jpg", False, "no face found", "cc")], complete=True)
    assert (record["people"], record["pictures"], record["kept"]) == (2, 3, 1)
    assert record["detected_share"] == pytest.approx(1 / 3)
    assert record["reasons"] == {"no face found": 2}
    assert [outcome["person"] for outcome in record["dropped"]] == ["Ada", "Bo"]


def test_outcomes_come_back_and_lose_their_digest_under_other_settings(tmp_path: Path) -> None:
    write(tmp_path, KEPT, DROPPED)
    assert earlier_outcomes(tmp_path, HOW) == {("Ada", "0.jpg"): KEPT, ("Ada", "1.jpg"): DROPPED}
    other = earlier_outcomes(tmp_path, {"size": 32})
    assert [outcome.digest for outcome in other.values()] == ["", ""]


def test_names_that_lead_out_of_the_folder_are_not_believed(tmp_path: Path) -> None:
    write(tmp_path, KEPT, Outcome("../..", "0.jpg", True, "", "aa"), Outcome("Ada", "../../0.jpg", True, "", "aa"))
    assert list(earlier_outcomes(tmp_path, HOW)) == [("Ada", "0.jpg")]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"outcomes": [{"who": 1}], "settings": {}}', None])
def test_a_record_that_cannot_be_read_is_none(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / REPORT).write_text(content)
    assert earlier_outcomes(tmp_path, HOW) == {}
    assert not was_interrupted(tmp_path)


def test_of_each_crop_the_photograph_is_known_by_its_content(tmp_path: Path) -> None:
    assert photographs_of(tmp_path) == {}
    write(tmp_path, replace(KEPT, digest="ab12"), DROPPED)
    assert photographs_of(tmp_path) == {"Ada/0.jpg.png": "ab12"}
    write(tmp_path, replace(KEPT, digest="no digest"))
    assert photographs_of(tmp_path) == {}


def test_a_record_says_whether_its_run_was_interrupted(tmp_path: Path) -> None:
    write(tmp_path, KEPT, complete=False)
    assert was_interrupted(tmp_path)
    write(tmp_path, KEPT)
    assert not was_interrupted(tmp_path)
