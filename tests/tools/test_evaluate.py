"""The evaluation's command, on an untrained bundle."""

from __future__ import annotations

import base64
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_people import NAMES as PEOPLE
from small_people import crops, write_people

from models.bundle import write_description
from models.errors import BadInput
from models.recogniser import Recogniser, load_recogniser
from realtime.system.command_line import typer as typer_of_cli
from tools import evaluate as command
from tools.attacks import Sharif
from tools.crafting.store import read_png
from tools.evaluation.certificates import JITTERS
from tools.evaluation.defences import NAMES, make_defences
from tools.evaluation.tables import tables_of


def run(recogniser: Recogniser, *options: object) -> None:
    arguments = [*options, "--bundle", recogniser.bundle.folder, "--engine", "onnxruntime-cpu"]
    arguments += ["--aligned", "--threads", 1, "--shape", "wide"]
    typer_of_cli.main.get_command(command.app).main([str(one) for one in arguments], standalone_mode=False)


OPTIONS = (
    "--pairs",
    3,
    "--dodges",
    3,
    "--steps",
    6,
    "--adaptive-pairs",
    2,
    "--adaptive-steps",
    2,
    "--clean",
    4,
    "--no-detect",
)

EVERY_ROW = [word for name in NAMES for word in ("--defence", name)]


@pytest.fixture(scope="module")
def evaluated(tuned, zoned, people, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("evaluated")
    run(tuned, people, "--out", out, *OPTIONS, *EVERY_ROW, "--hardened", zoned)
    return out


def test_the_command_writes_every_row_with_n_and_intervals(evaluated, tuned):
    result = json.loads((evaluated / "evaluation.json").read_text())
    assert list(result["attacks"]) == ["sharif", "dodge", "A1 on published", "A1 on tuned"]
    assert list(result["clean"]) == ["none", "published", "tuned", "random", "sobel", "entropy", "gradient", "fill",
                                     "band", "hardened", "zones"]  # fmt: skip
    sharif = result["attacks"]["sharif"]["rows"]
    for row in sharif.values():
        for key in ("accuracy", "targeted_success", "defence_success_of_all", "abstained_at_threshold"):
            assert row[key]["n"] == 3
            assert row[key]["low"] <= row[key]["share"] <= row[key]["high"]
    assert result["attacks"]["A1 on tuned"]["n"] == 2
    assert set(result["worst_case"]) == {"published", "published, at 0.8", "tuned", "tuned, at 0.8"}
    assert result["facts"]["left out"] == "nothing"
    assert sharif["none"]["mask"]["recall"]["mean"] == 0


def test_the_full_plan_runs_the_strongest_attacks_again_for_longer(tuned, people, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "FULL", replace(command.FULL, strongest=1, strongest_pairs=3, strongest_steps=3))
    chosen = [word for name in ("sharif", "A1", "A2", "A8") for word in ("--attack", name)]
    (tmp_path / "per_identity.png").write_bytes(b"of an earlier run")
    run(tuned, people, "--full", "--out", tmp_path, *OPTIONS, *chosen, "--defence", "tuned")
    result = json.loads((tmp_path / "evaluation.json").read_text())
    short, long = result["worst_case"]["tuned"], result["worst_case"]["tuned, long"]
    assert short["attacks"] == ["A0", "A1", "A2"]  # A8 is no threat
    reached = {kind: result["attacks"][f"{kind} on tuned"]["rows"]["tuned"]["targeted_success"]["right"] for kind in
               ("A1", "A2")}  # fmt: skip
    stronger = max(reached, key=reached.__getitem__)
    assert long["attacks"] == ["A0", stronger]
    again = result["attacks"][f"{stronger} on tuned, long"]
    assert (again["n"], again["settings"]["steps"]) == (3, 3)
    assert long["any_attack_success"]["right"] >= long["strongest_success"]["right"]
    assert result["worst_case"]["tuned, long, at 0.8"]["any_attack_success"]["n"] == 3
    table = (tmp_path / "evaluation.md").read_text()
    assert "abstained at 0.8" in table
    assert cv2.imread(str(tmp_path / "per_identity.png")) is not None


def test_pages_of_an_earlier_run_do_not_stay_beside_an_interrupted_one(evaluated, tuned, people, tmp_path, monkeypatch):
    out = tmp_path / "out"
    shutil.copytree(evaluated, out)

    def interrupted(*_: object, **__: object) -> None:
        raise RuntimeError("cut off")

    monkeypatch.setattr(command, "evaluate", interrupted)
    with pytest.raises(RuntimeError, match="cut off"):
        run(tuned, people, "--out", out, *OPTIONS, "--defence", "tuned")
    assert {path.name for path in out.iterdir() if path.is_file()} <= {"band.npz"}


def test_a_full_disk_is_one_line_and_leaves_no_result(evaluated, tuned, people, tmp_path, full_disk):
    out = tmp_path / "out"
    shutil.copytree(evaluated, out)
    full_disk("evaluation.html")
    with pytest.raises(BadInput, match="No space left on device") as caught:
        run(tuned, people, "--out", out, *OPTIONS, "--defence", "tuned")
    assert "\n" not in str(caught.value)
    assert not {"evaluation.json", "evaluation.html"} & {path.name for path in out.iterdir()}


def test_an_unfinished_attack_leaves_its_cells_blank_in_the_table(evaluated, tuned):
    figures = json.loads((evaluated / "evaluation.json").read_text())
    defences = make_defences(tuned, ["none", "published", "tuned"], band_model=None, seed=0)

    def cells(weaker: bool) -> list[str]:
        figures["attacks"]["A1 on tuned"]["status"] |= {"shown": not weaker, "at_least_as_good_as_A0": not weaker}
        (table,) = [one for one in tables_of(figures, defences, 0.8) if one.title == "Adaptive attacks"]
        (found,) = [row for row in table.rows if row[0] == "A1 on tuned"]
        assert len(found) == len(table.columns)
        return list(found)

    assert all(cells(weaker=False)[1:8])
    blank = cells(weaker=True)
    assert blank[1] == "2 x 2"
    assert not any(blank[2:-1])
    assert blank[-1] == "unfinished: weaker than the oblivious attack"


def test_certificates_and_verdicts_of_the_zone_views_are_counted_by_the_policy(evaluated, zoned):
    result = json.loads((evaluated / "evaluation.json").read_text())
    (folder,) = (evaluated / "attacks").glob("sharif-*")
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("pairs/*/record.json"))]
    crops = np.stack([read_png(p) for p in sorted(folder.glob("pairs/*/adversarial_0.png"))])
    decisions = load_recogniser(zoned, "onnxruntime-cpu", threads=1).decide(crops)
    fell = sum(decision.identity == record["target"] for decision, record in zip(decisions, records, strict=True))
    assert result["attacks"]["sharif"]["rows"]["zones"]["states"]["known_target"]["right"] == fell
    certified = result["certificates"]
    assert certified["no_impersonation"]["n"] == 4
    assert set(certified["jitters"]) == set(JITTERS)
    for kind in ("no_impersonation", "identity"):
        for worst in certified["jitters"].values():
            assert worst[kind]["n"] == 4
            assert worst[kind]["right"] <= certified[kind]["right"]
    (mouth,) = certified["further"]
    assert (mouth["zone"], mouth["no_impersonation"]["n"]) == ("lower_face", 4)
    assert "lower_face: no impersonation" in (evaluated / "evaluation.md").read_text()


def test_other_things_worn_and_the_policy_itself_are_attacked(tuned, zoned, people, tmp_path):
    for number, crop in enumerate(crops(8, seed=9)):  # every second person is kept for calibration
        (tmp_path / "strangers" / f"Person {number % 4}").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "strangers" / f"Person {number % 4}" / f"{number}.png"), crop)
    attacks = ("patch", "zones", "zones strangers", "zones patch")
    chosen = [word for name in attacks for word in ("--attack", name)]
    numbers = ("--accessory-pairs", 2, "--zone-pairs", 3, "--zone-steps", 4, "--clean", 4, "--no-detect")
    more = ("--defence", "zones", "--hardened", zoned, "--strangers", tmp_path / "strangers")
    run(tuned, people, "--out", tmp_path / "out", *chosen, *numbers, *more)
    result = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert list(result["attacks"]) == ["patch", "zones on zones", "zones strangers on zones", "zones patch on zones"]
    shapes = [attack["settings"]["shape"] for attack in result["attacks"].values()]
    assert shapes == ["patch", "wide", "wide", "patch"]
    assert [attack["n"] for attack in result["attacks"].values()] == [2, 3, 3, 3]
    found = result["worst_case"]["zones, Known(target)"]
    assert list(found) == ["zones", "zones strangers", "zones patch"]
    assert result["certificates"]["strangers"]["no_impersonation"]["n"] == 4
    by_strangers = result["attacks"]["zones strangers on zones"]
    assert by_strangers["rows"]["zones"]["states"]["known_target"]["over_people"]["people"] >= 1
    assert by_strangers["status"]["ruled_out_by_fixed_views"] + by_strangers["status"]["won_without_a_step"] <= 3
    quiet = result["strangers"]["none"]["states"]
    assert quiet["known_other"]["right"] + quiet["unknown"]["right"] == quiet["unknown"]["n"] == 4
    assert "strangers: Known(anybody)" in (tmp_path / "out" / "evaluation.md").read_text()
    assert result["certificates"]["strangers"]["identity"] is None
    assert result["double_masking"]["certified"]["n"] == 4
    assert result["double_masking"]["targeted_success"]["n"] == 2
    assert "zones strangers on zones" in (tmp_path / "out" / "evaluation.md").read_text()


def test_strangers_whom_the_bundle_was_shown_are_not_measured_on(tuned, zoned, people, tmp_path):
    info = tuned.bundle.info
    folder = tmp_path / "shown"
    shutil.copytree(zoned, folder)
    write_description(folder, load_recogniser(zoned).bundle.info.model_copy(
        update={"training": info.training | {"strangers_seen": ["Person 0"]}}))  # fmt: skip
    (tmp_path / "strangers" / "Person 0").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "strangers" / "Person 0" / "0.png"), crops(1, seed=9)[0])
    options = ("--attack", "strangers", "--defence", "zones", "--hardened", folder, *OPTIONS)
    with pytest.raises(BadInput, match="was trained on all of them"):
        run(tuned, people, "--out", tmp_path / "out", "--strangers", tmp_path / "strangers", *options)


def test_a_second_bundle_without_zones_is_refused(tuned, people, tmp_path):
    with pytest.raises(BadInput, match="its policy hides no zone"):
        run(tuned, people, "--out", tmp_path, *OPTIONS, "--hardened", tuned.bundle.folder)


def test_a_second_bundle_that_was_shown_the_measured_faces_is_refused(tuned, zoned, people, tmp_path):
    shutil.copytree(zoned, tmp_path / "other")
    info = load_recogniser(zoned).bundle.info
    training = info.training | {"settings": info.training["settings"] | {"seed": 1}}  # another half was held out
    write_description(tmp_path / "other", info.model_copy(update={"training": training}))
    with pytest.raises(BadInput, match="trained and validated on"):
        run(tuned, people, "--out", tmp_path / "out", *OPTIONS, "--hardened", tmp_path / "other")


def test_other_zones_than_the_bundles_can_be_hidden_and_attacked(tuned, zoned, people, tmp_path):
    options = ("--attack", "zones forehead", "--zone-pairs", 2, "--zone-steps", 2, "--clean", 4, "--no-detect")
    second = ("--defence", "zones", "--hardened", zoned, "--zone", "forehead", "--zone", "eyewear")
    run(tuned, people, "--out", tmp_path, *options, *second)
    found = json.loads((tmp_path / "evaluation.json").read_text())["certificates"]
    assert [found["zone"], *(one["zone"] for one in found["further"])] == ["eyewear", "forehead"]
    (job,) = (tmp_path / "attacks").glob("zones_forehead_on_zones-*/job.json")
    assert json.loads(job.read_text())["defence"]["zones"] == ["eyewear", "forehead"]
    with pytest.raises(BadInput, match=r"unknown, give one of eyewear, .*lower_face"):
        run(tuned, people, "--out", tmp_path, *options, *second, "--zone", "hat")
    with pytest.raises(BadInput, match="give it as --hardened"):
        run(tuned, people, "--out", tmp_path, *options, "--zone", "forehead")


def test_success_is_counted_on_the_pictures_on_disk(evaluated, tuned):
    result = json.loads((evaluated / "evaluation.json").read_text())
    (folder,) = (evaluated / "attacks").glob("sharif-*")
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("pairs/*/record.json"))]
    said = tuned.classify(np.stack([read_png(p) for p in sorted(folder.glob("pairs/*/adversarial_0.png"))]))
    goals = [PEOPLE.index(record["target"]) for record in records]
    expected = int((said.argmax(axis=1) == goals).sum())
    assert result["attacks"]["sharif"]["rows"]["none"]["targeted_success"]["right"] == expected


def test_the_page_needs_nothing_from_outside_and_its_pictures_can_be_read(evaluated):
    page = (evaluated / "evaluation.html").read_text()
    assert not re.search(r"(src|href)=(?!['\"]?data:)", page)
    assert "<script" not in page
    pictures = re.findall(r"data:image/png;base64,([^']+)'", page)
    decoded = [cv2.imdecode(np.frombuffer(base64.b64decode(one), np.uint8), cv2.IMREAD_COLOR) for one in pictures]
    assert all(picture is not None for picture in decoded)
    assert len(decoded) == 3 + 3 * 5  # curves, and five pictures of each pair
    for heading in ("Beside the published table", "Verdicts under dodge", "Adaptive attacks", "Worst case"):
        assert heading in page
        assert heading in (evaluated / "evaluation.md").read_text()


def test_a_second_run_attacks_nobody_anew_finds_the_same_and_tells_where_each_pair_was_made(
    evaluated, tuned, zoned, people, monkeypatch
):
    before = json.loads((evaluated / "evaluation.json").read_text())
    (record,) = (evaluated / "attacks").glob("sharif-*/pairs/0001/record.json")
    record.write_text(json.dumps(json.loads(record.read_text()) | {"device": "cuda"}))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("attacked again")

    monkeypatch.setattr(Sharif, "run", refuse)
    run(tuned, people, "--out", evaluated, *OPTIONS, *EVERY_ROW, "--hardened", zoned)
    after = json.loads((evaluated / "evaluation.json").read_text())
    assert before["attacks"]["sharif"].pop("made_on") == ["cpu"]
    assert after["attacks"]["sharif"].pop("made_on") == ["cpu", "cuda"]
    for key in ("clean", "innocent", "attacks", "worst_case"):
        assert before[key] == after[key]


def test_looks_at_the_test_split_are_logged_before_and_after(tuned, people, tmp_path):
    other = write_people(tuned, tmp_path / "test", seed=11, count=12)
    log = tmp_path / "log.jsonl"
    options = ("--split", "test", "--log", log, "--attack", "sharif", "--defence", "published", *OPTIONS)
    worn = sorted(f"{path.parent.name}/{path.name}" for path in other.glob("*/*.png"))[:2]
    (tmp_path / "worn.txt").write_text("# seen by hand\n" + "\n".join(worn) + "\n")
    run(tuned, other, "--out", tmp_path / "out", *options, "--wearers", tmp_path / "worn.txt")
    begun, done = (json.loads(line) for line in log.read_text().splitlines())
    assert begun["result"]["begun"] == "evaluate"
    assert done["result"]["attacks"]["sharif"]["none"]["targeted_success"]["n"] == 3
    result = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert result["wearers"]["published"]["accuracy"]["n"] == 2  # they are in the folder of who the net says they are
    assert result["wearers"]["none"]["accuracy"]["right"] == 2
    (tmp_path / "worn.txt").write_text("Nobody/1.png\n")
    with pytest.raises(BadInput, match="none of its pictures is among these crops"):
        run(tuned, other, "--out", tmp_path / "no", *options, "--wearers", tmp_path / "worn.txt")
    with pytest.raises(BadInput, match="the bundle was trained and validated on"):
        run(tuned, people, "--out", tmp_path / "no", *options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--attack", "A9"), "--attack 'A9': unknown"),
        (("--defence", "prayer"), "--defence 'prayer': unknown"),
        (("--attack", "strangers"), "give their prepared crops with --strangers"),
        (("--attack", "A1", "--defence", "sobel"), "add --defence published or tuned"),
        (("--attack", "zones patch"), "add --hardened BUNDLE and --defence zones"),
    ],
)
def test_what_a_user_got_wrong_is_said_in_one_line(tuned, people, tmp_path, options, message):
    with pytest.raises(BadInput, match=message) as caught:
        run(tuned, people, "--out", tmp_path / "out", *options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
