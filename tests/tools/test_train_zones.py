"""Training with zones and strangers, and what is refused before it: on narrow networks, whose answers are no matter."""

import json
from pathlib import Path

import pytest
from small_trainings import draw, random_trunk, run, three_people

from models.bundle import load_bundle
from models.errors import BadInput
from models.recogniser import load_recogniser
from tools.common.report import proportion


@pytest.fixture(scope="module")
def trunk(narrow: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_trunk(tmp_path_factory.mktemp("trunk") / "random.npz")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return three_people(tmp_path_factory.mktemp("data") / "prepared")


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("strangers") / "prepared"
    for person, name in enumerate(("Emmy_Noether", "Joan_Clarke", "Rosa_Parks"), start=1):
        draw(folder, name, person, 3)
    return folder


def test_a_fit_with_a_zone_writes_a_bundle_whose_policy_looks_at_it(
    data: Path, strangers: Path, trunk: Path, tmp_path: Path
) -> None:
    sizes = ("--input-size", 32, "--hidden", 32, "--versions", 1, "--epochs", 8, "--threads", 1)
    places = ("--out", tmp_path / "b", "--work", tmp_path / "w", "--name", "hardened", "--zone", "eyewear")
    others = ("--strangers", strangers, "--strangers-left-out", 1)
    run("fit", data, "--trunk", trunk, "--aligned", *sizes, *places, *others)
    info = load_bundle(tmp_path / "b").info
    assert info.policy.zones == ("eyewear",)
    assert info.training["strangers_seen"] == ["Emmy Noether", "Joan Clarke"]  # the last by name was kept back
    assert info.training["validation"]["hidden eyewear"]["n"] == 6
    assert load_recogniser(tmp_path / "b", "onnxruntime-cpu", threads=1).zones == ("eyewear",)
    run("score", tmp_path / "b", data, "--split", "validation", "--json", tmp_path / "v.json", "--aligned")
    hidden = json.loads((tmp_path / "v.json").read_text())["hidden"]
    assert hidden == {"eyewear": info.training["validation"]["hidden eyewear"]}


def test_an_unknown_zone_and_too_many_strangers_left_out_are_refused(data: Path, trunk: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="'nose': unknown"):
        run("fit", data, "--trunk", trunk, "--out", tmp_path / "b", "--zone", "nose", "--aligned")
    with pytest.raises(BadInput, match="3 of them cannot be left out"):
        run("fit", data, "--trunk", trunk, "--out", tmp_path / "b", "--strangers", data, "--strangers-left-out", 3)


def test_a_bundle_without_a_name_is_refused_before_it_is_trained(data: Path, trunk: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no name"):
        run("fit", data, "--trunk", trunk, "--out", tmp_path / "b", "--work", tmp_path / "w", "--name", " ")
    assert not (tmp_path / "w").exists()


def test_transfer_counts_the_people_left_out_as_strangers(data: Path, trunk: Path, tmp_path: Path) -> None:
    sizes = ("--input-size", 32, "--versions", 0, "--epochs", 20, "--threads", 1)
    run("transfer", data, "--trunk", trunk, "--known", 2, *sizes, "--work", tmp_path, "--json", tmp_path / "t.json")
    outcome = json.loads((tmp_path / "t.json").read_text())
    assert len(outcome["known"]) == 2
    assert len(outcome["strangers"]) == 1
    assert outcome["points"][0]["strangers_named"] == proportion(8, 8)  # threshold 0 names everybody
    named = [point["strangers_named"]["right"] for point in outcome["points"]]
    assert named == sorted(named, reverse=True)
    assert (tmp_path / "transfer.png").is_file()
