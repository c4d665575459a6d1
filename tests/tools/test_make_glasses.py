"""The command and its parts on a small untrained bundle."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data
from small_people import NAMES, SIZE, crops, make_recogniser, trained_on, write_people
from typer.testing import CliRunner

from models.crop.wearables import frame_mask
from models.errors import BadInput
from realtime.faces.align import crop_face
from realtime.faces.detect import MtcnnDetector
from realtime.people.crops import prepare
from realtime.types import DetectedFace
from tools import make_glasses as command
from tools.attacks import SCENE, Sharif
from tools.attacks.registry import ATTACKS
from tools.attacks.settings import Settings
from tools.crafting import attackers
from tools.crafting.job import make_glasses
from tools.crafting.pairs import Pair
from tools.crafting.records import summary
from tools.crafting.store import Store, read_png
from tools.crafting.texture import make_texture


@pytest.fixture(scope="module")
def folder(recogniser, tmp_path_factory) -> Path:
    place = write_people(recogniser, tmp_path_factory.mktemp("people"), count=16)
    assert len(list(place.iterdir())) >= 2
    return place


def run(recogniser, *options: object):
    return CliRunner().invoke(
        command.app,
        [str(o) for o in (*options, "--bundle", recogniser.bundle.folder, "--aligned", "--threads", 1)],
    )


def test_a_run_leaves_everything_behind_and_counts_what_it_wrote(recogniser, folder, tmp_path):
    out = tmp_path / "out"
    result = run(recogniser, folder, "--out", out, "--pairs", 3, "--steps", 20, "--shape", "wide", "--seed", 4)
    assert result.exit_code == 0, result.output
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["bundle"]["checksum"] == recogniser.bundle.checksum
    assert manifest["settings"]["seed"] == 4
    assert len(manifest["pairs"]) == 3
    assert (out / "contact_sheet.png").is_file()
    opaque = frame_mask("wide", SIZE) >= 0.5
    for record in manifest["pairs"]:
        place = out / "pairs" / f"{record['pair']:04d}"
        assert record["named_before"] == [record["attacker"]]
        original, attacked = read_png(place / "original_0.png"), read_png(place / "adversarial_0.png")
        np.testing.assert_array_equal(original[~opaque], attacked[~opaque])
        texture = cv2.imread(str(place / "texture.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(texture[..., 3] > 0, opaque)
        np.testing.assert_array_equal(texture[opaque][:, 2::-1], attacked[opaque])
        said = recogniser.classify(attacked[None])[0]
        assert record["success"] == [NAMES[said.argmax()] == record["target"]]
        assert record["first_fooled"] is not None or not record["success"][0]
        assert record["confidence_after"][0] == pytest.approx(said[NAMES.index(record["target"])], abs=1e-5)
        assert (place / "print.pdf").read_bytes().startswith(b"%PDF")
    right = sum(record["success"][0] for record in manifest["pairs"])
    assert manifest["summary"]["success"]["right"] == right >= 1


def test_pictures_that_the_bundle_was_made_from_are_counted_and_told(narrow, tmp_path):
    small = make_recogniser(tmp_path / "small")
    folder = write_people(small, tmp_path / "people", count=16)
    strange = run(small, folder, "--out", tmp_path / "a", "--pairs", 1, "--steps", 0)
    known = run(trained_on(small, folder), folder, "--out", tmp_path / "b", "--pairs", 1, "--steps", 0)
    manifests = [json.loads((tmp_path / name / "manifest.json").read_text()) for name in "ab"]
    assert [one["source"]["known_to_bundle"] for one in manifests] == [0, 16]
    assert "are among those that the bundle was trained" not in strange.output
    assert "16 of the folder's pictures are among those that the bundle was trained" in " ".join(known.output.split())


def test_the_same_seed_gives_the_same_pictures_in_any_grouping(recogniser, folder, tmp_path):
    pairs, attacked = [], []
    for name, at_once in (("a", 1), ("b", 3)):
        out = tmp_path / name
        assert run(recogniser, folder, "--out", out, "--pairs", 4, "--steps", 2, "--at-once", at_once).exit_code == 0
        manifest = json.loads((out / "manifest.json").read_text())
        pairs.append([(r["attacker"], r["target"], r["iterations"]) for r in manifest["pairs"]])
        attacked.append([read_png(out / f"pairs/{r['pair']:04d}/adversarial_0.png") for r in manifest["pairs"]])
    assert pairs[0] == pairs[1]
    alone, together = np.array(attacked, np.int16)
    worn = frame_mask("classic", SIZE) >= 0.5
    assert np.abs(alone - together)[:, worn].mean() < 0.5  # another batch may round another level
    assert np.abs(alone - np.roll(alone, 1, axis=0))[:, worn].mean() > 5


def test_an_interrupted_run_goes_on_and_makes_half_written_results_anew(recogniser, folder, tmp_path, monkeypatch):
    out = tmp_path / "out"
    options = (folder, "--out", out, "--pairs", 3, "--steps", 1, "--at-once", 1)
    attacked = []
    original = Sharif.run

    def failing(self, *arguments, **named):
        attacked.append(1)
        if len(attacked) == 3:
            raise KeyboardInterrupt
        return original(self, *arguments, **named)

    monkeypatch.setattr(Sharif, "run", failing)
    assert run(recogniser, *options).exit_code != 0
    assert not (out / "manifest.json").exists()
    assert len(list(out.glob("pairs/*/record.json"))) == 2
    damaged = out / "pairs/0000/adversarial_0.png"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    attacked[:] = [0] * 10
    assert run(recogniser, *options).exit_code == 0
    assert len(attacked) == 12  # the damaged pair and the missing one
    assert len(json.loads((out / "manifest.json").read_text())["pairs"]) == 3


def test_another_runs_folder_is_not_mixed_with_this_one(recogniser, folder, tmp_path):
    out = tmp_path / "out"
    assert run(recogniser, folder, "--out", out, "--pairs", 2, "--steps", 1).exit_code == 0
    result = run(recogniser, folder, "--out", out, "--pairs", 2, "--steps", 2)
    assert isinstance(result.exception, BadInput)
    assert "holds another run (settings differ)" in str(result.exception)
    assert (out / "manifest.json").is_file()
    assert run(recogniser, folder, "--out", out, "--pairs", 1, "--steps", 2, "--again").exit_code == 0
    assert [path.name for path in (out / "pairs").iterdir()] == ["0000"]
    result = run(recogniser, folder, "--out", out, "--pairs", 1, "--steps", 2, "--engine", "torch")
    assert "holds another run (engine differ)" in str(result.exception)


def test_a_full_disk_is_one_line_and_nothing_half_written_counts(recogniser, folder, tmp_path, full_disk):
    full_disk("adversarial")
    result = run(recogniser, folder, "--out", tmp_path / "out", "--pairs", 1, "--steps", 1)
    assert isinstance(result.exception, BadInput)
    assert "No space left on device" in str(result.exception)
    left = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert not {"record.json", "manifest.json"} & left
    assert not any("adversarial" in name for name in left)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--target", "Nobody Known"), "target 'Nobody Known': the bundle does not know this person"),
        (("--person", "Nobody Known"), "attacker 'Nobody Known'"),
        (("--shape", "monocle"), "--shape 'monocle': unknown"),
        (("--attack", "A9"), "--attack 'A9': unknown"),
        (("--attack", "pgd", "--joint", "3"), "belong to sharif"),
        (("--attack", "A1", "--eot", "scene"), "leave --eot out"),
        (("--attack", "zones", "--dodge"), "leave --dodge out"),
        (("--dodge", "--target", "Mary Ward"), "leave --target out"),
    ],
)
def test_what_a_user_got_wrong_is_said_in_one_line(recogniser, folder, tmp_path, options, message):
    result = run(recogniser, folder, "--out", tmp_path / "out", *options)
    assert isinstance(result.exception, BadInput)
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_strangers_impersonate_and_enrolled_people_are_no_strangers(recogniser, folder, tmp_path):
    strangers = tmp_path / "strangers"
    (strangers / "Some_Body").mkdir(parents=True)
    cv2.imwrite(str(strangers / "Some_Body" / "1.png"), crops(1)[0])
    out = tmp_path / "out"
    result = run(recogniser, "--attackers", strangers, "--out", out, "--pairs", 2, "--steps", 5, "--target", NAMES[1])
    assert result.exit_code == 0, result.output
    records = json.loads((out / "manifest.json").read_text())["pairs"]
    assert [(r["attacker"], r["target"], r["enrolled"]) for r in records] == [("Some Body", NAMES[1], False)]
    result = run(recogniser, "--attackers", folder, "--out", tmp_path / "other")
    assert "is enrolled, so no stranger" in str(result.exception)


class OneFace:
    """A detector that knows where the astronaut is."""

    landmarks = np.array([[193.6, 114.5], [237.7, 113.8], [220.4, 144.0], [199.8, 162.6], [235.5, 161.0]], np.float32)

    def __init__(self, **_: object) -> None: ...

    def detect(self, bgr):
        return [DetectedFace(np.array([170, 60, 260, 190], np.float32), self.landmarks, 1.0)] if bgr.any() else []


def test_one_photograph_wears_the_result(recogniser, tmp_path, monkeypatch):
    monkeypatch.setattr(attackers, "MtcnnDetector", OneFace)
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), data.astronaut()[..., ::-1])
    out = tmp_path / "out"
    seen = recogniser.classify(crop_face(data.astronaut()[..., ::-1], OneFace.landmarks, SIZE)[None])[0].argmax()
    target = NAMES[(seen + 1) % 4]
    result = run(recogniser, "--picture", photo, "--target", target, "--out", out, "--steps", 5, "--shape", "wide")
    assert result.exit_code == 0, result.output
    frame = read_png(out / "pairs/0000/frame_0.png")
    changed = (frame != data.astronaut()).any(axis=2)
    assert changed.any()
    rows, columns = np.nonzero(changed)
    assert rows.min() > 60
    assert rows.max() < 190
    assert columns.min() > 150
    assert columns.max() < 280
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["pairs"][0]["frames"] == ["frame_0.png"]
    (named,) = manifest["pairs"][0]["frames_named"]
    cut = attackers.cutter(OneFace(), SIZE)(np.ascontiguousarray(frame[..., ::-1]))
    assert named == NAMES[recogniser.classify(cut[None])[0].argmax()]
    assert manifest["summary"]["photographs"]["right"] == (named == target)
    assert f"{int(named == target)} of 1 photographs that wear them do" in " ".join(result.output.split())
    black = tmp_path / "black.png"
    cv2.imwrite(str(black), np.zeros((99, 99, 3), np.uint8))
    result = run(recogniser, "--picture", black, "--target", target, "--out", tmp_path / "none")
    assert "no face was found" in str(result.exception)


def test_somebody_enrolled_attacks_from_photographs_that_share_one_pair(recogniser, tmp_path, monkeypatch):
    monkeypatch.setattr(attackers, "MtcnnDetector", OneFace)
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for number in range(3):
        picture = np.clip(data.astronaut()[..., ::-1].astype(int) + 9 * number, 0, 255)
        cv2.imwrite(str(photographs / f"{number}.png"), picture)
    cv2.imwrite(str(photographs / "black.png"), np.zeros((99, 99, 3), np.uint8))
    options = ("--from-people", NAMES[0].upper(), "--target", NAMES[1], "--photographs", photographs, "--steps", 2)
    result = run(recogniser, *options, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    (record,) = manifest["pairs"]
    assert (record["attacker"], record["target"], record["enrolled"]) == (NAMES[0], NAMES[1], True)
    assert record["pictures"] == ["0.png", "1.png", "2.png"]
    assert len(record["frames_named"]) == manifest["summary"]["photographs"]["n"] == 3
    assert (manifest["settings"]["eot"], manifest["settings"]["joint"]) == ("physical", 6)
    opaque = frame_mask("classic", SIZE) >= 0.5
    worn = [read_png(tmp_path / f"out/pairs/0000/adversarial_{i}.png")[opaque] for i in range(3)]
    np.testing.assert_array_equal(worn[0], worn[1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--target", NAMES[1]), "no pictures of theirs were kept; give some with --photographs"),
        ((), "give one --target"),
        (("--target", NAMES[0]), "is the attacker himself"),
        (("--target", NAMES[1], "--dodge"), "leave --target out"),
    ],
)
def test_what_is_missing_of_somebody_enrolled_is_said(recogniser, tmp_path, options, message):
    result = run(recogniser, "--from-people", NAMES[0], *options, "--out", tmp_path / "out")
    assert isinstance(result.exception, BadInput)
    assert message in str(result.exception)


def test_many_pairs_are_worn_on_the_photographs_that_their_crops_were_prepared_from(recogniser, tmp_path):
    photographs, crops_of = tmp_path / "photographs", tmp_path / "crops"
    (photographs / "Eileen_Collins").mkdir(parents=True)
    portrait = data.astronaut()[:300, 80:380]
    cv2.imwrite(str(photographs / "Eileen_Collins" / "portrait.png"), portrait[..., ::-1])
    cv2.imwrite(str(photographs / "Eileen_Collins" / "wall.png"), np.full((64, 64, 3), 90, np.uint8))
    prepare(photographs, crops_of, size=SIZE, keep_undetected=True)
    options = ("--attackers", crops_of, "--target", NAMES[1], "--pairs", 2, "--steps", 0, "--out", tmp_path / "out")
    result = run(recogniser, *options, "--photographs", photographs)
    assert result.exit_code == 0, result.output
    assert "no face was found on 1 photographs" in " ".join(result.output.split())
    records = json.loads((tmp_path / "out" / "manifest.json").read_text())["pairs"]
    worn = {record["pictures"][0]: (record["frames"], record["pair"]) for record in records}
    assert worn["Eileen_Collins/wall.png.png"][0] == [None]
    names, number = worn["Eileen_Collins/portrait.png.png"]
    assert names == ["frame_0.png"]
    place = tmp_path / "out" / "pairs" / f"{number:04d}"
    assert len(list(tmp_path.glob("out/pairs/*/frame_*.png"))) == 1
    frame = read_png(place / "frame_0.png")
    assert 0.005 < (frame != portrait).any(axis=2).mean() < 0.1
    (face,) = MtcnnDetector(min_face=40).detect(np.ascontiguousarray(portrait[..., ::-1]))
    seen = crop_face(np.ascontiguousarray(frame[..., ::-1]), face.landmarks, SIZE).astype(int)
    attacked = read_png(place / "adversarial_0.png")
    assert np.abs(seen - attacked).mean() < 4 < np.abs(read_png(place / "original_0.png").astype(int) - attacked).mean()


def test_what_changes_the_whole_crop_is_worn_on_no_photograph(recogniser, folder, tmp_path):
    result = run(recogniser, folder, "--out", tmp_path / "out", "--attack", "A8", "--photographs", tmp_path)
    assert "--attack A8: changes the whole crop" in str(result.exception)


def test_a_missing_photograph_is_told_before_anybody_is_attacked(recogniser, folder, tmp_path):
    result = run(recogniser, folder, "--out", tmp_path / "out", "--pairs", 1, "--photographs", tmp_path)
    assert f"--photographs {tmp_path}: " in str(result.exception)
    assert "cannot be read; give the folder that was prepared" in str(result.exception)
    assert not (tmp_path / "out").exists()
    result = run(recogniser, "--picture", tmp_path / "x.png", "--out", tmp_path / "out", "--photographs", tmp_path)
    assert "leave it out" in str(result.exception)


def test_several_pictures_share_one_texture(recogniser, folder, tmp_path):
    out = tmp_path / "out"
    result = run(recogniser, folder, "--out", out, "--pairs", 1, "--steps", 4, "--joint", 2, "--eot", "physical")
    assert result.exit_code == 0, result.output
    (record,) = json.loads((out / "manifest.json").read_text())["pairs"]
    opaque = frame_mask("classic", SIZE) >= 0.5
    attacked = [read_png(out / f"pairs/0000/adversarial_{i}.png") for i in range(len(record["pictures"]))]
    assert len(attacked) == 2
    np.testing.assert_array_equal(attacked[0][opaque], attacked[1][opaque])


def test_one_texture_serves_many_views_and_survives_movement(recogniser):
    model = recogniser.torch_model()
    views = crops(16)[:4]
    before = recogniser.classify(views)
    target = int(before.mean(0).argsort()[-2])
    alpha = frame_mask("sunglasses_filled", SIZE)
    rgba = make_texture(model, views, target, alpha, eot=replace(SCENE, samples=1), steps=25, seed=2)
    assert rgba.shape == (SIZE, SIZE, 4)
    np.testing.assert_array_equal(rgba[..., 3] > 0, alpha >= 0.5)
    worn = np.where(rgba[None, ..., 3:] > 0, rgba[None, ..., :3], views)
    assert recogniser.classify(worn)[:, target].mean() > before[:, target].mean() + 0.2
    for degrees, shift in ((-3, 1), (3, -1)):  # within what SCENE shows, done by OpenCV
        turn = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), degrees, 1)
        turn[:, 2] += shift
        moved = np.stack([cv2.warpAffine(one, turn, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE) for one in worn])
        assert recogniser.classify(moved)[:, target].mean() > before[:, target].mean() + 0.2


def test_adaptive_attacks_run_under_the_same_command(recogniser, tmp_path):
    pair = Pair(0, NAMES[0], ("x",), crops(1), 0, 1)
    settings = Settings(attack="A1", shape="wide", steps=2)
    records = make_glasses(recogniser, [pair], settings, Store(tmp_path, {}))
    assert summary(records)["success"]["n"] == 1
    assert ATTACKS["A1"].make(settings, recogniser).warm_start is not None


def test_a_damaged_picture_is_not_read_as_one(tmp_path):
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(BadInput, match="cannot be read back"):
        read_png(tmp_path / "x.png")
