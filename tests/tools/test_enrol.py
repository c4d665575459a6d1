import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from typer.testing import CliRunner

from models.bundle import load_bundle, write_description
from models.errors import BadInput
from models.recogniser import load_recogniser
from tools import enrol


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """One real face as two people: as it is, and with its colours turned round."""
    folder = tmp_path_factory.mktemp("photos")
    portrait = skimage.data.astronaut()[:300, 80:380]
    for name, picture in (("Eileen_Collins", portrait[..., ::-1]), ("Blue_Person", portrait)):
        (folder / name).mkdir()
        for number, factor in enumerate((1.0, 0.8, 0.6)):
            changed = np.clip(picture * factor, 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / name / f"{number}.jpg"), np.ascontiguousarray(changed))
    (folder / "Blue_Person" / "none.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def base(recogniser) -> Path:
    return recogniser.bundle.folder


def run(*arguments):
    result = CliRunner().invoke(enrol.app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_photographs_become_a_bundle_that_can_be_used(photos, base, tmp_path):
    options = ("--bundle", base, "--work", tmp_path / "work", "--versions", 1, "--threads", 1)
    result = run(photos, "--out", tmp_path / "mine", *options, "--json", tmp_path / "report.json")
    assert "6 of 7 pictures kept" in result.output
    assert "1 x not a readable picture" in result.output
    assert "nobody was shown as a stranger" in result.output
    recogniser = load_recogniser(tmp_path / "mine", "onnxruntime-cpu", threads=1)
    assert set(recogniser.labels) == {"Eileen Collins", "Blue Person"}
    assert recogniser.input_size == load_recogniser(base, "onnxruntime-cpu", threads=1).input_size
    assert json.loads((tmp_path / "report.json").read_text())["people"] == 2


def test_other_people_are_enrolled_with_the_same_work_folder(photos, base, tmp_path):
    others = tmp_path / "others"
    shutil.copytree(photos / "Eileen_Collins", others / "Ada_Lovelace")
    shutil.copytree(photos / "Blue_Person", others / "Green_Person")
    options = ("--bundle", base, "--work", tmp_path / "work", "--versions", 0, "--threads", 1)
    run(photos, "--out", tmp_path / "first", *options)
    run(others, "--out", tmp_path / "second", *options)
    assert set(load_bundle(tmp_path / "second").info.labels) == {"Ada Lovelace", "Green Person"}


def test_zones_mask_thresholds_and_temperature_are_those_of_the_bundle_it_starts_from(photos, base, tmp_path):
    shutil.copytree(base, tmp_path / "base")
    info = load_bundle(base).info
    defence = info.defence.model_copy(update={"threshold": 0.71, "fill": "inpaint"})
    policy = info.policy.model_copy(update={"zones": ("eyewear", "lower_face"), "zone_threshold": 0.93})
    changed = {"defence": defence, "policy": policy, "calibration": {"temperature": 0.25}}
    write_description(tmp_path / "base", info.model_copy(update=changed))
    options = ("--bundle", tmp_path / "base", "--work", tmp_path / "work", "--versions", 0, "--threads", 1)
    result = run(photos, "--out", tmp_path / "mine", *options)
    assert "tools.tune_policy" in result.output
    mine = load_bundle(tmp_path / "mine").info
    assert mine.policy.policy == policy.policy
    assert mine.policy.zones == ("eyewear", "lower_face")
    assert mine.defence.parameters == defence.parameters
    assert mine.policy.record["source"].startswith("taken over from")
    assert mine.calibration["temperature"] == 0.25  # four faces are too few to find one
    report = json.loads((tmp_path / "work" / "fit" / "report.json").read_text())
    assert {"hidden eyewear", "hidden lower_face"} <= set(report["validation"])  # the head was shown both


def test_people_with_one_picture_each_are_enrolled(photos, base, tmp_path):
    for person in ("Eileen_Collins", "Blue_Person"):
        (tmp_path / "photos" / person).mkdir(parents=True)
        shutil.copy(photos / person / "0.jpg", tmp_path / "photos" / person)
    options = ("--bundle", base, "--work", tmp_path / "work", "--versions", 0, "--threads", 1, "--allow-single")
    result = run(tmp_path / "photos", "--out", tmp_path / "mine", *options)
    assert "validation: not measured" in result.output
    assert len(load_bundle(tmp_path / "mine").info.labels) == 2


@pytest.mark.parametrize("with_strangers", [False, True])
def test_one_person_is_refused_since_everybody_would_be_taken_for_them(photos, base, tmp_path, with_strangers):
    shutil.copytree(photos / "Eileen_Collins", tmp_path / "one" / "Eileen_Collins")
    shutil.copytree(photos / "Blue_Person", tmp_path / "others" / "Blue_Person")
    options = ("--bundle", base, "--work", tmp_path / "work", "--threads", 1)
    others = ("--strangers", tmp_path / "others") if with_strangers else ()
    with pytest.raises(BadInput, match="enrol at least two"):
        run(tmp_path / "one", "--out", tmp_path / "mine", *others, *options)
    assert not (tmp_path / "mine").exists()


def test_strangers_are_trained_on_as_nobody(photos, base, tmp_path):
    shutil.copytree(photos / "Blue_Person", tmp_path / "others" / "Somebody_Else")
    options = ("--bundle", base, "--work", tmp_path / "work", "--versions", 0, "--threads", 1)
    result = run(photos, "--out", tmp_path / "mine", "--strangers", tmp_path / "others", *options)
    assert "nobody was shown" not in result.output
    training = load_recogniser(tmp_path / "mine", "onnxruntime-cpu", threads=1).bundle.info.training
    assert training["strangers"] == 3
    assert training["settings"]["head"]["strangers"] > 0


def test_strangers_can_be_given_when_the_same_people_are_enrolled_again(photos, base, tmp_path):
    shutil.copytree(photos / "Blue_Person", tmp_path / "others" / "Somebody_Else")
    options = ("--bundle", base, "--work", tmp_path / "work", "--versions", 0, "--threads", 1)
    assert "nobody was shown" in run(photos, "--out", tmp_path / "mine", *options).output
    run(photos, "--out", tmp_path / "mine", "--strangers", tmp_path / "others", *options)
    assert load_bundle(tmp_path / "mine").info.training["strangers"] == 3


def test_a_folder_without_people_is_refused(base, tmp_path):
    with pytest.raises(BadInput, match="no such folder"):
        run(tmp_path / "nowhere", "--out", tmp_path / "mine", "--bundle", base)
