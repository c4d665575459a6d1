"""The search on nets and tables small enough to work out by hand."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from small_people import SIZE, crops, trained_on, write_people

from models.bundle import load_bundle
from models.errors import BadInput
from models.recogniser import Recogniser
from models.saliency_mask import MaskParameters
from realtime.system.command_line import typer as typer_of_cli
from tools import tune_defence as command
from tools.attacks.settings import Settings
from tools.crafting.attacked_faces import Attacked, with_parameters
from tools.tuning.answers import Answers
from tools.tuning.goodness import Outcomes, Terms, goodness_interval, terms_of
from tools.tuning.grid import Axes, coarse_axes
from tools.tuning.masks import mask_key, masks_of, representatives
from tools.tuning.search import Faces, search
from tools.tuning.transfer import transfer_matrix

SMALL = Axes(thresholds=(0.3, 0.6, 0.9), iterations=(1, 2), min_areas=(2, 8), percentiles=(99.0, 100.0))


@pytest.fixture(scope="module")
def trained(recogniser, people) -> Recogniser:
    return trained_on(recogniser, people)


def faces(recogniser: Recogniser, count: int = 5) -> Faces:
    clean, attacked = crops(count), crops(count, seed=9)
    labels = recogniser.classify(clean).argmax(axis=1)
    return Faces(clean, labels, attacked, (labels + 1) % 4, labels)


def run(*options: object) -> None:
    arguments = [str(o) for o in (*options, "--aligned", "--threads", 1, "--engine", "onnxruntime-cpu")]
    typer_of_cli.main.get_command(command.app).main(arguments, standalone_mode=False)


def attacked(adversarial: np.ndarray, some: Faces) -> Attacked:
    region = np.zeros((SIZE, SIZE), np.bool_)
    return Attacked("kind", Settings(), some.clean, adversarial, some.labels, some.targets, region, ())


def outcomes(real: list[list[float]], target: list[list[float]] | None = None) -> Outcomes:
    values = np.array(real, np.float32)
    aimed = np.full_like(values, np.nan) if target is None else np.array(target, np.float32)
    return Outcomes(values, aimed, np.zeros(values.shape, np.int64), values, np.zeros_like(values))


def test_goodness_is_a_third_of_the_three_terms():
    (terms,) = terms_of(outcomes([[0.9, 0.7]]), outcomes([[0.5, 0.1]], [[0.2, 0.8]]))
    assert terms.clean_real == pytest.approx(0.8)
    assert terms.adversarial_real == pytest.approx(0.3)
    assert terms.adversarial_target == pytest.approx(0.5)
    assert terms.goodness == pytest.approx((0.8 + 0.3 + 0.5) / 3)
    assert Terms(1, 1, 0).goodness == 1
    assert Terms(0, 0, 1).goodness == 0


def test_the_published_goodness_lies_within_what_its_shares_allow():
    # clean 93.3, right 60.0, success 21.7 %: were all confidences 0 or 1, goodness would be this; it was 0.7768
    assert Terms(0.933, 0.60, 0.217).goodness == pytest.approx(0.772, abs=0.001)


def test_intervals_of_equal_combinations_leave_no_lead_and_constant_faces_no_doubt():
    clean, attacked = outcomes([[0.8] * 9, [0.8] * 9]), outcomes([[0.5] * 9] * 2, [[0.2] * 9] * 2)
    assert goodness_interval(clean, attacked, 0) == {"value": 0.7, "low": 0.7, "high": 0.7}
    assert goodness_interval(clean, attacked, 0, 1) == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_the_coarse_grid_has_at_least_400_combinations_and_the_published_one():
    axes = coarse_axes(112)
    assert len(axes) == len(set(axes.combinations())) >= 400
    assert MaskParameters.published(112) in axes.combinations()
    assert axes.edges(replace(MaskParameters.published(112), percentile=99.5)) == ["mu 0.98"]


def test_one_saliency_pass_gives_the_masks_of_every_percentile(recogniser):
    crop = crops(1)
    known = Answers(recogniser)._asked(crop[0])
    grid = SMALL.combinations()
    for parameters, mask in zip(grid, masks_of(known.saliency, grid), strict=True):
        with with_parameters(recogniser, parameters):
            np.testing.assert_array_equal(recogniser.defend(crop).mask[0], mask, err_msg=str(parameters))


def test_answers_are_those_of_the_recogniser_and_equal_masks_are_asked_once(recogniser):
    crop = crops(3)[2]
    grid = [replace(one, fill=fill) for one, fill in itertools.product(SMALL.combinations(), ("mean", "inpaint"))]
    answers = Answers(recogniser)
    scores, masked = answers.of(crop, grid)
    keys = set()
    for parameters, score, share in zip(grid, scores, masked, strict=True):
        with with_parameters(recogniser, parameters):
            evidence = recogniser.defend(crop[None])
        np.testing.assert_allclose(score, evidence.defended[0], atol=1e-5)
        assert share == pytest.approx(evidence.mask.mean())
        keys.add(mask_key(evidence.mask[0], parameters.fill))
    assert answers.classified == len(keys - {""}) < len(grid)
    answers.of(crop, grid)
    assert answers.classified == len(keys - {""})


def test_answers_are_kept_on_disk_and_damaged_ones_are_asked_again(recogniser, tmp_path):
    crop, grid = crops(1)[0], SMALL.combinations()
    scores, _ = Answers(recogniser, tmp_path).of(crop, grid)
    again = Answers(recogniser, tmp_path)
    np.testing.assert_array_equal(again.of(crop, grid)[0], scores)
    assert again.classified == 0
    (kept,) = tmp_path.glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:100])
    anew = Answers(recogniser, tmp_path)
    np.testing.assert_allclose(anew.of(crop, grid)[0], scores, atol=1e-6)
    assert anew.classified > 0


def test_nearly_equal_masks_share_an_answer_only_where_asked_and_never_across_fills():
    masks = np.zeros((5, 8, 8), np.bool_)
    masks[1, 0, :4] = masks[2, 0, :5] = masks[3, 0, :5] = masks[4] = True
    fills = ["mean", "mean", "mean", "inpaint", "mean"]
    asked, stands = representatives(masks, fills)
    assert stands.tolist() == [0, 1, 2, 3, 4]
    asked, stands = representatives(masks, fills, tolerance=1)
    assert stands.tolist() == [0, 1, 1, 3, 4]
    assert asked.tolist() == [0, 1, 3, 4]


def test_a_temperature_softens_the_confidences(recogniser):
    crop, grid = crops(1)[0], [MaskParameters(threshold=1.0, iterations=0, min_area=10_000)]
    plain, _ = Answers(recogniser).of(crop, grid)
    soft, _ = Answers(recogniser, temperature=2.0).of(crop, grid)
    expected = np.sqrt(recogniser.classify(crop[None])[0].astype(np.float64))
    np.testing.assert_allclose(soft[0], expected / expected.sum(), atol=1e-5)
    assert soft.max() < plain.max()


def test_the_search_finds_what_trying_everything_finds(recogniser):
    axes = replace(SMALL, thresholds=(0.3, 0.9), min_areas=(2,))
    best, some = -1.0, faces(recogniser, 3)
    found = search(Answers(recogniser), some, axes, coarse_faces=3, best=200, merge=0.0)
    grid = [replace(one, fill=fill) for one, fill in itertools.product(axes.combinations(), ("mean", "inpaint"))]
    for parameters in grid:
        with with_parameters(recogniser, parameters):
            on_clean, on_attacked = recogniser.defend(some.clean).defended, recogniser.defend(some.adversarial).defended
        places = np.arange(3)
        clean = on_clean[places, some.clean_labels].mean()
        real, target = on_attacked[places, some.labels].mean(), on_attacked[places, some.targets].mean()
        best = max(best, (clean + real + 1 - target) / 3)
    assert found.fine.terms[found.winner].goodness == pytest.approx(best, abs=1e-5)
    assert found.merging_error == 0


def test_only_the_best_of_the_first_faces_reach_the_second_stage(recogniser):
    some = faces(recogniser, 4)
    published = MaskParameters.published(SIZE)
    found = search(Answers(recogniser), some, SMALL, always=[published], coarse_faces=2, best=3, merge=0.0)
    by_hand = {}
    for one in found.coarse.combinations:
        with with_parameters(recogniser, one):
            clean, after = (recogniser.defend(c[:2]).defended for c in (some.clean, some.adversarial))
        terms = (
            clean[[0, 1], some.clean_labels[:2]],
            after[[0, 1], some.labels[:2]],
            1 - after[[0, 1], some.targets[:2]],
        )
        by_hand[one] = sum(float(term.mean()) for term in terms) / 3
    assert set(SMALL.combinations()) <= set(by_hand)
    third = sorted(set(by_hand.values()), reverse=True)[2]
    alone = {found.coarse.combinations[place] for place in found.coarse.best_of_each().values()}
    extra = {one for one in found.fine.combinations if by_hand[one] < third - 1e-5} - alone
    assert extra <= {published}
    assert published in found.fine.combinations
    assert len(found.fine.combinations) < len(by_hand)
    assert found.fine.clean.real.shape[1] == 4


def test_the_command_writes_the_winner_its_record_and_its_tables(trained, people, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "coarse_axes", lambda size: SMALL)
    options = (people, "--bundle", trained.bundle.folder, "--work", tmp_path / "w", "--shape", "wide", "--steps", 5)
    options += ("--coarse-faces", 3, "--faces", 5, "--best", 4)
    run(*options, "--into", tmp_path / "copy", "--json", tmp_path / "r.json")
    report = json.loads((tmp_path / "r.json").read_text())
    defence = load_bundle(tmp_path / "copy").info.defence
    assert report["rows"]["best goodness"]["parameters"] == vars(defence.parameters)
    assert defence.record["goodness"] == report["rows"]["best goodness"]["goodness"]
    assert load_bundle(trained.bundle.folder).info.defence.record == {}  # the original was left alone
    assert report["rows"]["best goodness"]["n_adversarial"] == 5
    assert "published, scaled" in (tmp_path / "w" / "table.md").read_text()
    for name in ("goodness", "clean_real", "adversarial_real", "adversarial_target"):
        picture = cv2.imread(str(tmp_path / "w" / f"surface_{name}.png"))
        assert picture is not None
        assert picture.std() > 5
    classified = sum(report["masks_classified"].values())
    run(*options, "--no-write", "--json", tmp_path / "again.json")  # resumed: nothing is classified anew
    again = json.loads((tmp_path / "again.json").read_text())
    assert classified > sum(again["masks_classified"].values()) == 0
    assert again["rows"] == report["rows"]


def test_the_transfer_matrix_reports_each_kind_on_every_other(trained, people, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "coarse_axes", lambda size: SMALL)
    monkeypatch.setattr(command, "KINDS", {"glasses": ("sharif", "wide"), "patch": ("lavan", "patch")})
    run(people, "--bundle", trained.bundle.folder, "--work", tmp_path, "--shape", "wide", "--steps", 2, "--no-write",
        "--coarse-faces", 2, "--faces", 2, "--best", 2, "--transfer", 4)  # fmt: skip
    matrix = json.loads((tmp_path / "report.json").read_text())["transfer"]
    assert np.array(matrix["goodness"]).shape == (2, 2)
    assert [[cell["n"] for cell in row] for row in matrix["success"]] == [[2, 2], [2, 2]]
    assert "published, scaled" in (tmp_path / "table.md").read_text()


def test_a_full_disk_is_one_line_and_leaves_bundle_and_report_alone(trained, people, tmp_path, monkeypatch, full_disk):
    monkeypatch.setattr(command, "coarse_axes", lambda size: SMALL)
    before = load_bundle(trained.bundle.folder).info.defence
    full_disk("report.json")
    with pytest.raises(BadInput, match="No space left on device") as caught:
        run(people, "--bundle", trained.bundle.folder, "--work", tmp_path, "--shape", "wide", "--steps", 2,
            "--coarse-faces", 2, "--faces", 2, "--best", 2)  # fmt: skip
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "report.json").exists()
    assert load_bundle(trained.bundle.folder).info.defence == before


def test_each_kind_tunes_on_its_even_faces_and_is_reported_on_the_odd_ones(recogniser):
    """A row of the matrix is the kind tuned on, a column the one reported on; worked out with ``Recogniser.defend``."""
    combinations = [MaskParameters(0.2, 1, 2, 99.0), MaskParameters(0.9, 1, 8, 100.0)]
    some = faces(recogniser, 4)
    kinds = {"own": attacked(some.adversarial, some), "other": attacked(crops(4, seed=23), some)}
    matrix = transfer_matrix(Answers(recogniser), some.clean, some.clean_labels, kinds, combinations, merge=0.0)

    def goodness(parameters: MaskParameters, kind: Attacked, held: slice) -> float:
        with with_parameters(recogniser, parameters):
            clean = recogniser.defend(some.clean).defended[np.arange(4), some.clean_labels][held]
            after = recogniser.defend(kind.adversarial).defended
        real, target = after[np.arange(4), some.labels][held], after[np.arange(4), some.targets][held]
        return float((clean.mean() + real.mean() + 1 - target.mean()) / 3)

    even, odd = slice(0, None, 2), slice(1, None, 2)
    assert matrix["kinds"] == ["own", "other"]
    for row, name in enumerate(matrix["kinds"]):
        best = max(combinations, key=lambda one: goodness(one, kinds[name], even))
        assert matrix["tuned"][name] == best
        for column, other in enumerate(matrix["kinds"]):
            assert matrix["goodness"][row][column] == pytest.approx(goodness(best, kinds[other], odd), abs=1e-4)
    published = [goodness(combinations[1], kind, odd) for kind in kinds.values()]
    assert matrix["published"]["goodness"] == pytest.approx(published, abs=1e-4)
    assert np.ptp(matrix["goodness"]) > 0.01  # or a transposed matrix would pass


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--shape", "monocle"), "--shape 'monocle': unknown"), (("--bundle", "nowhere"), "no such folder")],
)
def test_what_a_user_got_wrong_is_said_in_one_line(trained, people, options, message):
    with pytest.raises(BadInput, match=message):
        run(people, "--bundle", trained.bundle.folder, *options)


def test_faces_that_the_bundle_was_not_validated_on_are_refused(trained, tmp_path):
    other = write_people(trained, tmp_path / "other", seed=11, count=9)
    with pytest.raises(BadInput, match="not the pictures that the bundle was trained and validated on"):
        run(other, "--bundle", trained.bundle.folder, "--work", tmp_path / "w")
    assert trained.input_size == SIZE
