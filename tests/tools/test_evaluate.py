"""The evaluation's columns against tables worked out by hand, and the command on an untrained bundle."""

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
import torch
from scipy.ndimage import sobel
from scipy.stats import ttest_1samp
from small_people import NAMES as PEOPLE
from small_people import SIZE, crops, trained_on, write_people
from torch import nn

from models.bundle import write_description
from models.errors import BadInput
from models.eyewear import SHAPES, frame_mask
from models.policy import Decision, Policy, decide, last_word
from models.recogniser import Recogniser, load_recogniser
from realtime.cli import typer as typer_of_cli
from tools import evaluate as command
from tools.attacked import NOBODY, Attacked
from tools.attacks import Sharif
from tools.evaluation.answered import Answered, Asker
from tools.evaluation.band import band_mask
from tools.evaluation.baselines import gradient_map, moved_masks, sobel_map, strongest
from tools.evaluation.curves import success_by_iteration
from tools.evaluation.defences import NAMES, make_rows
from tools.evaluation.measures import (
    attack_figures,
    clean_figures,
    goodness,
    mask_figures,
    mean,
    share,
    state_figures,
    worst_case,
)
from tools.evaluation.published import PUBLISHED
from tools.evaluation.run import with_innocent_glasses
from tools.evaluation.status import mean_curve, on_record, status
from tools.evaluation.tables import Table, shown
from tools.glasses.job import Settings
from tools.glasses.store import read_png


@pytest.fixture(scope="module")
def tuned(recogniser, people) -> Recogniser:
    """Trained on the people and tuned, as its records say."""
    trained = trained_on(recogniser, people)
    record = {"source": "tools.tune_defence, for this test"}
    defence = trained.bundle.info.defence.model_copy(update={"threshold": 0.5, "record": record})
    write_description(trained.bundle.folder, trained.bundle.info.model_copy(update={"defence": defence}))
    return load_recogniser(trained.bundle.folder, "onnxruntime-cpu", threads=1)


@pytest.fixture(scope="module")
def zoned(tuned, tmp_path_factory) -> Path:
    """The same bundle with a zone view."""
    folder = tmp_path_factory.mktemp("zoned") / "hardened"
    shutil.copytree(tuned.bundle.folder, folder)
    policy = tuned.bundle.info.policy.model_copy(update={"zones": ("eyewear",), "zone_confirm": 0.4})
    write_description(folder, tuned.bundle.info.model_copy(update={"policy": policy}))
    return folder


def run(recogniser: Recogniser, *options: object) -> None:
    arguments = [*options, "--bundle", recogniser.bundle.folder, "--engine", "onnxruntime-cpu"]
    arguments += ["--aligned", "--threads", 1, "--shape", "wide"]
    typer_of_cli.main.get_command(command.app).main([str(one) for one in arguments], standalone_mode=False)


def scores(*named: tuple[int, float]) -> np.ndarray:
    """Probabilities of three people: (who is named, how surely), the rest shared by the others."""
    rows = np.array([[(1 - p) / 2] * 3 for _, p in named], np.float32)
    for row, (label, p) in zip(rows, named, strict=True):
        row[label] = p
    return rows


def wilson(right: int, n: int) -> tuple[float, float]:
    """Wilson 1927, written out."""
    z, p = 1.959963984540054, right / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    return centre - half, centre + half


# Five impersonations of person 2 by 0, 0, 1, 1, 0. Undefended: four fooled (one of them weakly), one not.
LABELS, TARGETS = np.array([0, 0, 1, 1, 0]), np.full(5, 2)
RAW = scores((2, 0.9), (2, 0.95), (2, 0.6), (2, 0.9), (0, 0.9))
DEFENDED = scores((0, 0.9), (2, 0.85), (1, 0.5), (0, 0.7), (0, 0.6))


@pytest.mark.parametrize(("right", "n"), [(0, 7), (13, 60), (51, 60), (4, 4)])
def test_shares_carry_their_wilson_interval(right, n):
    figure = share(np.arange(n) < right)
    assert (figure["right"], figure["n"]) == (right, n)
    assert (figure["low"], figure["high"]) == pytest.approx(wilson(right, n), abs=6e-5)


def test_the_published_table_has_the_intervals_of_sixty_images():
    cells = [PUBLISHED["attack success"][0], PUBLISHED["attack success"][1]]
    cells += [PUBLISHED["adversarial accuracy"][1], PUBLISHED["defence success (of all)"][1]]
    shares = [[round(100 * cell[key], 1) for key in ("share", "low", "high")] for cell in cells]
    assert [one[0] for one in shares] == [85.0, 21.7, 60.0, 56.7]
    assert [[round(value) for value in one[1:]] for one in shares] == [[74, 92], [13, 34], [47, 71], [44, 68]]


def test_means_carry_students_interval():
    values = np.array([0.1, 0.5, 0.4, 0.9])
    interval = ttest_1samp(values, 0).confidence_interval(0.95)
    figure = mean(np.array([*values, np.nan]))
    assert figure["n"] == 4
    assert (figure["low"], figure["high"]) == pytest.approx((interval.low, interval.high), abs=1e-4)
    assert mean(np.array([])) == {"mean": None, "low": None, "high": None, "n": 0}


def test_an_impersonation_is_counted_by_hand():
    figures = attack_figures(RAW, DEFENDED, LABELS, TARGETS, 0.8)
    counts = {key: (f["right"], f["n"]) for key, f in figures.items() if isinstance(f, dict) and "right" in f}
    assert counts == {
        "accuracy": (3, 5),
        "targeted_success": (1, 5),
        "untargeted_success": (2, 5),
        "defence_success_of_all": (2, 5),  # the fifth was right before, so the defence did not save it
        "defence_success_of_fooled": (2, 4),
        "abstained_at_threshold": (3, 5),
        "accuracy_at_threshold": (1, 5),
        "targeted_success_at_threshold": (1, 5),
        "untargeted_success_at_threshold": (1, 5),
        "defence_success_of_all_at_threshold": (1, 5),
        "defence_success_of_fooled_at_threshold": (1, 3),
    }
    assert figures["confidence_target"]["mean"] == pytest.approx((0.05 + 0.85 + 0.25 + 0.15 + 0.2) / 5, abs=1e-4)


def test_goodness_comes_from_the_three_mean_confidences():
    clean = clean_figures(scores((0, 0.9), (1, 0.7)), np.array([0, 1]), np.zeros((2, 4, 4), np.bool_), 0.8)
    assert clean["accuracy_at_threshold"]["right"] == 1
    attacked = attack_figures(RAW, DEFENDED, LABELS, TARGETS, 0.8)
    real = (0.9 + 0.075 + 0.5 + 0.15 + 0.6) / 5
    assert goodness(clean, attacked) == pytest.approx((0.8 + real + 1 - 0.3) / 3, abs=1e-3)


def test_a_dodge_and_a_stranger_leave_blank_what_has_no_meaning():
    dodge = attack_figures(RAW, DEFENDED, LABELS, np.full(5, NOBODY), 0.8)
    assert dodge["targeted_success"] is dodge["confidence_target"] is None
    assert dodge["untargeted_success"]["right"] == 2
    assert (dodge["defence_success_of_fooled"]["right"], dodge["defence_success_of_fooled"]["n"]) == (2, 4)
    stranger = attack_figures(RAW, DEFENDED, np.full(5, NOBODY), TARGETS, 0.8)
    assert stranger["accuracy"] is stranger["defence_success_of_all"] is None
    assert stranger["targeted_success"]["right"] == 1
    assert goodness({"confidence_real": mean(np.ones(2))}, stranger) is None


def test_the_verdicts_of_a_dodge_add_up_to_all_faces():
    def known(name: str) -> Decision:
        return Decision("known", name, None, None, 0.9, "")

    unknown = Decision("unknown", None, None, None, 0.3, "stranger")
    attack = Decision("suspected_attack", None, "c", "a", 0.9, "")
    decisions = [known("a"), known("b"), attack, unknown, known("c"), attack]
    labels, targets = np.array([0, 0, 0, 0, 0, 1]), np.array([2] * 6)
    lost = np.array([False, False, False, False, True, False])
    found = state_figures(decisions, labels, targets, ("a", "b", "c"), lost=lost)
    assert {key: figure["right"] for key, figure in found.items()} == {
        "known_true": 1,
        "known_other": 1,
        "known_target": 0,  # the fifth says c, but no face would have been found
        "suspected_attack": 2,
        "likely_true": 1,
        "right_name_told": 2,
        "unknown": 1,
        "no_face_found": 1,
    }
    parts = ("known_true", "known_other", "suspected_attack", "unknown", "no_face_found")
    assert sum(found[key]["right"] for key in parts) == found["unknown"]["n"] == 6


def test_masks_are_compared_with_the_frame_by_hand():
    region = np.zeros((4, 4), np.bool_)
    region[0] = True  # four pixels
    masks = np.zeros((3, 4, 4), np.bool_)
    masks[0, :2] = True  # all four and four more
    masks[1, 0, :2] = True  # two of the four
    figures = mask_figures(masks, region)
    assert figures["recall"]["mean"] == pytest.approx((1 + 0.5 + 0) / 3, abs=1e-4)
    assert (figures["precision"]["mean"], figures["precision"]["n"]) == (0.75, 2)  # an empty mask has none
    assert figures["iou"]["mean"] == pytest.approx((0.5 + 0.5 + 0) / 3, abs=1e-4)
    assert figures["masked"]["mean"] == pytest.approx((0.5 + 0.125) / 3, abs=1e-4)


def test_the_worst_case_lets_the_attacker_choose_for_every_pair():
    successes = {"A0": np.array([1, 0, 0, 0, 1], np.bool_), "A1": np.array([1, 1, 0, 0], np.bool_)}
    successes["A2"] = np.array([0, 0, 1, 0], np.bool_)
    case = worst_case(successes)
    assert case["strongest"] == "A1"
    assert (case["strongest_success"]["right"], case["strongest_success"]["n"]) == (2, 4)
    assert case["any_attack_success"]["right"] == 3


def faces(curves: list[list[float]], **changes: object) -> Attacked:
    count = len(curves)
    nothing = np.zeros((count, 2, 2, 3), np.uint8)
    records = tuple({"loss_curve": curve, "iterations": len(curve) - 1} for curve in curves)
    made = Attacked("A1", Settings(steps=3), nothing, nothing, np.zeros(count, int), np.ones(count, int),
                    np.ones((2, 2), np.bool_), records)  # fmt: skip
    return replace(made, **changes)


def test_an_attack_weaker_than_the_oblivious_one_leaves_its_cell_blank():
    some = faces([[3.0, 1.0]] * 2)
    weak = status(some, np.array([False, False]), np.array([True, False, True]))
    assert not weak["shown"]
    assert status(some, np.array([True, False]), np.array([True, False, True]))["shown"]
    strong = status(faces([[1.0]] * 40), np.array([True] * 36 + [False] * 4), None)
    assert strong["breaks_the_row"]
    assert strong["shown"]
    assert not status(faces([[1.0]] * 40), np.array([True] * 35 + [False] * 5), None)["shown"]


def test_nothing_is_said_of_a_comparison_that_was_not_made():
    alone = status(faces([[3.0, 1.0]] * 2), np.array([True, False]), None)
    assert alone["at_least_as_good_as_A0"] is None
    assert alone["shown"]
    some = faces([[3.0, 1.0]] * 10)
    assert on_record(some, share(np.zeros(10, bool)), None)["at_least_as_good_as_A0"] is None
    few, more = share(np.arange(10) < 1), share(np.arange(10) < 3)
    assert on_record(some, more, few)["shown"]
    weaker = on_record(some, few, more)
    assert (weaker["at_least_as_good_as_A0"], weaker["shown"]) == (False, False)


def test_a_finished_picture_keeps_its_last_loss_in_the_mean_curve():
    assert mean_curve([[4.0, 2.0], [4.0, None, 1.0, 0.0]]) == [4.0, 1.5, 1.0]
    assert len(mean_curve([list(np.linspace(5, 1, 301))])) == 31


def test_success_by_iteration_counts_only_what_the_pictures_bear_out():
    some = faces([[1.0], [1.0, 1.0], [1.0, 1.0, 1.0]])
    defended = np.array([[0.1, 0.9], [0.1, 0.9], [0.9, 0.1]])
    answered = Answered(RAW[:3, :2], defended, np.zeros((3, 2, 2), np.bool_), np.zeros((3, 0, 2)), defended)
    np.testing.assert_allclose(success_by_iteration(some, answered), [1 / 3, 2 / 3, 2 / 3, 2 / 3])


def test_the_sobel_map_is_scipys():
    channels = crops(1)[0].astype(np.float64).transpose(2, 0, 1)
    expected = sum(np.hypot(sobel(one, axis=0), sobel(one, axis=1)) for one in channels)
    np.testing.assert_allclose(sobel_map(crops(1))[0, 1:-1, 1:-1], expected[1:-1, 1:-1], rtol=1e-5)


def test_the_plain_gradient_of_a_linear_net_is_its_weights():
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    crop = np.full((1, 2, 2, 3), 128, np.uint8)
    best = int(net(torch.full((1, 3, 2, 2), 128 / 255)).argmax())
    expected = net[1].weight[best].detach().numpy().reshape(3, 2, 2)
    np.testing.assert_allclose(gradient_map(net, crop)[0], np.abs(expected).sum(axis=0), rtol=1e-5)


def test_chance_masks_have_the_area_they_should_and_do_not_depend_on_the_batch():
    masks = np.zeros((2, SIZE, SIZE), np.bool_)
    masks[:, 3:9, 4:20] = True
    pictures = crops(2)
    moved = moved_masks(pictures, masks, seed=1)
    assert moved.sum(axis=(1, 2)).tolist() == [96, 96]
    assert (moved[0] != masks[0]).any()
    np.testing.assert_array_equal(moved_masks(pictures[1:], masks[1:], seed=1)[0], moved[1])


def test_the_strongest_pixels_are_chosen_and_zeros_never():
    values = np.array([[[0.0, 3.0], [1.0, 2.0]], [[0.0, 0.0], [0.0, 5.0]]], np.float32)
    chosen = strongest(values, [2, 3])
    assert chosen.tolist() == [[[0, 1], [0, 1]], [[0, 0], [0, 1]]]


def test_innocent_glasses_change_the_glasses_place_only():
    before = crops(6)
    after = with_innocent_glasses(before, seed=3)
    anywhere = np.max([frame_mask(shape, SIZE) for shape in SHAPES], axis=0) > 0
    changed = (before != after).any(axis=3)
    assert not (changed & ~anywhere).any()
    assert changed.any(axis=(1, 2)).all()
    np.testing.assert_array_equal(after, with_innocent_glasses(before, seed=3))


def test_no_classic_frame_leaves_the_hidden_band_and_so_none_can_move_its_answer(tuned):
    band = band_mask(112)
    assert not ((frame_mask("classic", 112) >= 0.5) & ~band).any()
    (row,) = make_rows(tuned, ["band"], band_model=tuned.torch_model(), seed=0)
    before = crops(1)
    after = before.copy()
    after[:, band_mask(SIZE)] = 255 - after[:, band_mask(SIZE)]
    np.testing.assert_array_equal(row.answer(before).defended, row.answer(after).defended)
    assert (row.answer(before).raw != row.answer(after).raw).any()


def test_the_row_over_zone_views_says_what_the_live_recogniser_says(tuned, zoned, tmp_path):
    hardened = load_recogniser(zoned, "onnxruntime-cpu", threads=1)
    hardened.policy = Policy(threshold=0.4, zone_threshold=0.99, zone_confirm=0.9, zone_dissent=0.5)
    (row,) = make_rows(tuned, ["zones"], band_model=None, seed=0, hardened=hardened)
    pictures = crops(8)
    live = list(hardened.defend(pictures, quick=True))
    assert "suspected_attack" in {decide(one, hardened.policy).state for one in live}
    found = Asker(tuned, tmp_path)(row, pictures, "")
    assert found.decisions(row, tuned.labels, tuned.policy) == [decide(one, hardened.policy) for one in live]
    np.testing.assert_array_equal(found.defended, [last_word(one, hardened.policy) for one in live])
    assert (found.defended != found.masked_view).any()


def test_answers_come_from_disk_the_second_time_and_damage_is_noticed(tuned, tmp_path):
    (row,) = make_rows(tuned, ["tuned"], band_model=None, seed=0)
    pictures = crops(3)
    first = Asker(tuned, tmp_path)(row, pictures, "")

    def refuse(_: np.ndarray) -> None:
        raise AssertionError("asked again")

    again = Asker(tuned, tmp_path)(replace(row, answer=refuse), pictures, "")
    for name, values in vars(first).items():
        np.testing.assert_array_equal(values, getattr(again, name))
    (kept,) = tmp_path.glob("tuned-*.npz")
    kept.write_bytes(kept.read_bytes()[:50])
    with pytest.raises(AssertionError, match="asked again"):
        Asker(tuned, tmp_path)(replace(row, answer=refuse), pictures, "")


def test_cells_show_counts_shares_and_intervals_and_blanks():
    assert shown(share(np.array([True, False]))) == "1 of 2: 50.0 % (9-91)"
    assert shown(None) == shown(share(np.zeros(0, np.bool_))) == ""
    table = Table("T", "note", ["a", "b"], [["<x>", "1"]])
    assert "| <x> | 1 |" in table.markdown()
    assert "&lt;x&gt;" in table.html()


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
    assert set(result["worst_case"]) == {"published", "tuned"}
    assert result["facts"]["left out"] == "nothing"
    assert sharif["none"]["mask"]["recall"]["mean"] == 0


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
    assert len(certified["jitters"]) == 2
    for kind in ("no_impersonation", "identity"):
        for worst in certified["jitters"].values():
            assert worst[kind]["n"] == 4
            assert worst[kind]["right"] <= certified[kind]["right"]


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


def test_a_second_run_attacks_nobody_anew_and_finds_the_same(evaluated, tuned, zoned, people, monkeypatch):
    before = json.loads((evaluated / "evaluation.json").read_text())

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("attacked again")

    monkeypatch.setattr(Sharif, "run", refuse)
    run(tuned, people, "--out", evaluated, *OPTIONS, *EVERY_ROW, "--hardened", zoned)
    after = json.loads((evaluated / "evaluation.json").read_text())
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
    with pytest.raises(BadInput, match="the bundle was trained on"):
        run(tuned, people, "--out", tmp_path / "no", *options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--attack", "A9"), "--attack 'A9': unknown"),
        (("--defence", "prayer"), "--defence 'prayer': unknown"),
        (("--attack", "strangers"), "give their prepared crops with --strangers"),
    ],
)
def test_what_a_user_got_wrong_is_said_in_one_line(tuned, people, tmp_path, options, message):
    with pytest.raises(BadInput, match=message) as caught:
        run(tuned, people, "--out", tmp_path / "out", *options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
