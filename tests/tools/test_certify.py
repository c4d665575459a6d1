"""The certified policy: the lowest floor that certifies enough, by hand, and the command."""

import json

import cv2
import numpy as np
import pytest
from small_people import crops, make_recogniser, trained_on, write_people
from typer.testing import CliRunner

from models.bundle import load_bundle
from models.crop.zones import COVER
from models.errors import BadInput
from models.policy import Policy
from models.recogniser import load_recogniser
from realtime.assembly import recogniser_of
from realtime.settings.config import load_config
from tools import certify
from tools.certify import app
from tools.crafting.attacked_faces import NOBODY
from tools.tuning.certified import certified, curve
from tools.tuning.policy import Views

#: Views that only veto below 0.1 and alarm below nothing: what is known hangs on the floor alone.
START = Policy(threshold=0.5, zone_threshold=0.5, zone_confirm=0.1, zone_dissent=0.0, further_confirm=0.0, floor=0.0)


def faces(*of_two_views, labels):
    """Faces of two people: what either view gives person 0 and person 1; the raw view gives person 0 all."""
    views = np.float32(of_two_views)
    raw = np.tile(np.float32([0.9, 0.05]), (len(views), 1))
    return Views(raw, raw, views, np.array(labels))


#: The second view of the third face gives person 1 0.305: so much it would give them whatever is worn.
CLEAN = faces(
    [[0.9, 0.05], [0.8, 0.05]],
    [[0.7, 0.05], [0.6, 0.05]],
    [[0.6, 0.05], [0.5, 0.305]],
    [[0.9, 0.0], [0.2, 0.0]],
    labels=[0] * 4,
)
STRANGERS = faces([[0.05, 0.0], [0.3, 0.0]], [[0.01, 0.0], [0.455, 0.0]], labels=[NOBODY] * 2)


def test_the_floor_is_the_lowest_at_which_no_view_gives_anybody_else_enough_on_so_many_faces():
    assert certified(START, CLEAN, STRANGERS, 1.0).floor == pytest.approx(0.46)  # above the second stranger's 0.455
    assert certified(START, CLEAN, STRANGERS, 0.5).floor == pytest.approx(0.31)
    assert certified(START, CLEAN, STRANGERS, 0.0).floor == 0


def test_the_curve_says_what_each_floor_buys_and_costs():
    low, high = curve(START, CLEAN, STRANGERS, (0.0, 0.46))
    assert low["certified_strangers"]["right"] == 0
    assert high["certified_people"]["right"] == 4
    assert high["certified_strangers"]["right"] == 2
    assert (low["people"]["known_rightly"]["right"], high["people"]["known_rightly"]["right"]) == (4, 3)


def test_the_command_writes_a_policy_over_the_whole_cover_that_a_configuration_takes(narrow, tmp_path, monkeypatch):
    monkeypatch.setattr(certify, "TEST_LOG", tmp_path / "looks.jsonl")
    recogniser = make_recogniser(tmp_path / "small")
    mine, others = write_people(recogniser, tmp_path / "mine"), tmp_path / "others" / "Some Body"
    trained_on(recogniser, mine)
    others.mkdir(parents=True)
    for number, crop in enumerate(crops(4, seed=9)):
        cv2.imwrite(str(others / f"{number}.png"), crop)
    asked = [
        "find",
        mine,
        "--strangers",
        others.parent,
        "--bundle",
        tmp_path / "small",
        "--least",
        0.5,
        "--every-stranger",
    ]
    asked += ["--aligned", "--engine", "onnxruntime-cpu", "--json", tmp_path / "c.json"]
    done = CliRunner().invoke(app, [str(one) for one in asked])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "c.json").read_text())["found"]
    policy = load_bundle(tmp_path / "small").info.certified
    assert policy.zones == COVER
    assert policy.floor == found["floor"]
    assert min(found[group]["share"] for group in ("certified_people", "certified_strangers")) >= 0.5
    text = f"recognition: {{bundle: {tmp_path / 'small'}, engine: torch}}\ndefence: {{certified: true}}"
    (tmp_path / "my.yaml").write_text(text)
    tested = write_people(recogniser, tmp_path / "tested", seed=6, count=12)
    asked = ["report", tested, "--strangers", others.parent, "--bundle", tmp_path / "small", "--aligned"]
    done = CliRunner().invoke(app, [str(one) for one in [*asked, "--json", tmp_path / "r.json"]])
    assert done.exit_code == 0, done.output
    reported = json.loads((tmp_path / "r.json").read_text())["test"]
    assert (reported["floor"], reported["people"]["known_rightly"]["n"]) == (policy.floor, 12)
    configured = recogniser_of(load_config(tmp_path / "my.yaml"))
    assert (configured.zones, configured.policy) == (COVER, policy.policy)


def test_a_bundle_without_one_says_so(narrow_bundle):
    with pytest.raises(BadInput, match=r"has no certified policy; find one with python -m tools\.certify"):
        load_recogniser(narrow_bundle.folder, "torch").certify()


def test_zones_and_certified_are_not_given_together(tmp_path):
    (tmp_path / "my.yaml").write_text("defence: {certified: true, zones: [eyewear]}")
    with pytest.raises(BadInput, match="certified: has zones of its own"):
        load_config(tmp_path / "my.yaml")
