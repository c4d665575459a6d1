import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from small_trainings import draw, random_trunk, run, three_people

from models.bundle import load_bundle, write_bundle
from models.bundle_info import BundleInfo, DefenceInfo, TrunkInfo
from models.errors import BadInput
from models.network.vgg16 import VGG16
from models.training.trunks import read_trunk
from realtime.faces.align import crop_face

pytestmark = pytest.mark.slow

ASTRONAUT_LANDMARKS = np.array([(204, 103), (246, 104), (224, 127), (203, 140), (243, 141)], dtype=np.float32)


@pytest.fixture(scope="module")
def trunk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_trunk(tmp_path_factory.mktemp("trunk") / "random.npz")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return three_people(tmp_path_factory.mktemp("data") / "prepared")


@pytest.fixture(scope="module")
def portrait(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The astronaut's one portrait as a prepared folder."""
    folder = tmp_path_factory.mktemp("portrait")
    (folder / "Eileen_Collins").mkdir()
    picture = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
    crop = crop_face(picture, ASTRONAUT_LANDMARKS, 40)
    cv2.imwrite(str(folder / "Eileen_Collins" / "portrait.png"), crop[..., ::-1])
    (folder / "prepare.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def fitted(untried: None, tmp_path_factory: pytest.TempPathFactory, data: Path, portrait: Path, trunk: Path) -> Path:
    """A folder with the bundle ``b``, the work ``w`` and the result ``fit.json`` of one training."""
    folder = tmp_path_factory.mktemp("fitted")
    sizes = ("--input-size", 32, "--hidden", 32, "--versions", 1, "--epochs", 60, "--seed", 2, "--threads", 1)
    places = ("--out", folder / "b", "--work", folder / "w", "--json", folder / "fit.json")
    run("fit", data, portrait, "--trunk", trunk, "--allow-single", *sizes, *places)
    return folder


def test_a_fit_writes_a_bundle_that_knows_the_people_and_how_it_was_made(fitted: Path) -> None:
    bundle = load_bundle(fitted / "b")
    assert bundle.info.labels == ("Ada Lovelace", "Eileen Collins", "Grace Hopper", "Mary Jackson")
    record = bundle.info.training
    assert record["crops"] == {"Ada Lovelace": 8, "Eileen Collins": 1, "Grace Hopper": 8, "Mary Jackson": 8}
    assert record["single"] == ["Eileen Collins"]
    assert record["validation"]["clean"]["n"] == 6  # two of eight each, nobody's single portrait
    assert bundle.info.calibration["n"] == 6
    assert str(fitted) not in (fitted / "b" / "bundle.yaml").read_text()


def test_a_fit_on_a_slim_trunk_makes_a_slim_bundle(untried: None, tmp_path: Path, data: Path) -> None:
    trunk = TrunkInfo(source="untrained", mean=(0, 0, 0), scale=(1, 1, 1), channel_order="BGR")
    defence = DefenceInfo(threshold=0.9, iterations=1, min_area=2)
    info = BundleInfo(name="s", labels=("a", "b"), input_size=32, hidden=16, slim=8, trunk=trunk, defence=defence)
    slim = VGG16(classes=2, input_size=32, hidden=16, slim=8, spec=trunk.spec)
    write_bundle(tmp_path / "s", slim, info)
    sizes = ("--input-size", 32, "--hidden", 16, "--versions", 1, "--epochs", 1, "--threads", 1)
    run("fit", data, "--trunk", tmp_path / "s", *sizes, "--out", tmp_path / "b", "--work", tmp_path / "w")
    assert load_bundle(tmp_path / "b").info.slim == 8
    before, after = (read_trunk(tmp_path / name).arrays for name in ("s", "b"))
    assert all(np.allclose(after[name], before[name], atol=1e-6) for name in before)


def test_what_was_exported_is_what_was_trained(fitted: Path) -> None:
    outcome = json.loads((fitted / "fit.json").read_text())
    assert outcome["validation"]["exported"]["right"] == outcome["validation"]["clean"]["right"]
    assert outcome["validation"]["clean"]["right"] >= 5


def test_the_report_has_its_curves_and_its_confusion_matrix(fitted: Path) -> None:
    for name in ("learning_curves.png", "confusion.png"):
        picture = cv2.imread(str(fitted / "w" / name))
        assert picture is not None
        assert picture.std() > 5  # something is drawn
    assert json.loads((fitted / "w" / "report.json").read_text())["stages"]["head"][0]["epoch"] == 1


def test_validation_is_scored_on_the_crops_that_were_held_out(fitted: Path, data: Path, portrait: Path) -> None:
    run("score", fitted / "b", data, portrait, "--split", "validation", "--json", fitted / "v.json", "--threads", 1)
    scored = json.loads((fitted / "v.json").read_text())
    exported = json.loads((fitted / "fit.json").read_text())["validation"]["exported"]
    assert scored["accuracy"] == exported
    assert np.sum(scored["confusion"]) == 6


def test_other_data_than_that_of_the_training_is_refused_as_validation(fitted: Path, tmp_path: Path) -> None:
    draw(tmp_path / "other", "Ada_Lovelace", 0, 9)
    with pytest.raises(BadInput, match="not the pictures that the bundle was trained and validated on"):
        run("score", fitted / "b", tmp_path / "other", "--split", "validation")


def test_a_part_of_what_was_trained_on_is_refused_as_a_test(fitted: Path, data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "Ada_Lovelace", tmp_path / "test" / "Ada_Lovelace")
    draw(tmp_path / "test", "Grace_Hopper", 3, 2)
    (tmp_path / "test" / "prepare.json").write_text("{}")
    with pytest.raises(BadInput, match="8 of these 10 pictures are among those that the bundle was trained"):
        run("score", fitted / "b", tmp_path / "test", "--split", "test", "--log", tmp_path / "log.jsonl")
    assert not (tmp_path / "log.jsonl").exists()


def test_a_plot_that_cannot_be_written_is_refused_before_the_test_split_is_looked_at(
    fitted: Path, tmp_path: Path
) -> None:
    log, plot = tmp_path / "log.jsonl", tmp_path / "c.txt"
    with pytest.raises(BadInput, match=r"c\.txt: a PNG is written"):
        run("score", fitted / "b", tmp_path, "--split", "test", "--log", log, "--plot", plot)
    assert not log.exists()


def test_each_look_at_a_test_split_is_logged(fitted: Path, tmp_path: Path) -> None:
    draw(tmp_path / "test", "Grace_Hopper", 3, 3)
    (tmp_path / "log.jsonl").write_text('{"earlier": true}\n')
    for _ in range(2):
        run("score", fitted / "b", tmp_path / "test", "--split", "test", "--log", tmp_path / "log.jsonl", "--defended")
    earlier, first, second = (json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines())
    assert earlier == {"earlier": True}
    assert set(first) == set(second) == {"date", "commit", "command", "result"}
    assert first["result"]["accuracy"]["n"] == 3
    states = first["result"]["defended"]
    counted = ("known_rightly", "known_wrongly", "suspected_attack", "unknown")
    assert sum(states[state]["right"] for state in counted) == 3


def test_looking_at_validation_logs_nothing(fitted: Path, data: Path, portrait: Path, tmp_path: Path) -> None:
    run("score", fitted / "b", data, portrait, "--split", "validation", "--log", tmp_path / "log.jsonl")
    assert not (tmp_path / "log.jsonl").exists()


def test_a_person_whom_the_bundle_does_not_know_is_named(fitted: Path, tmp_path: Path) -> None:
    draw(tmp_path / "test", "Nobody", 3, 2)
    with pytest.raises(BadInput, match="does not know Nobody"):
        run("score", fitted / "b", tmp_path / "test", "--split", "test", "--log", tmp_path / "log.jsonl")
    assert not (tmp_path / "log.jsonl").exists()
