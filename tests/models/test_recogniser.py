"""The recogniser's contract on a small net: engines agree, the masked crops are what is classified again."""

import threading
import time

import numpy as np
import pytest
import torch

import models
from models.bundle import Bundle
from models.crop.zones import ViewSelection, hide, zone_mask
from models.errors import BadInput
from models.evidence import Explaining
from models.policy import Policy, decide
from models.recogniser import Recogniser
from models.saliency_mask import MaskParameters


@pytest.fixture(scope="module", params=["torch", "onnxruntime"])
def recogniser(request: pytest.FixtureRequest, small_bundle: Bundle) -> Recogniser:
    return models.load_recogniser(small_bundle.folder, request.param, threads=1)


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)


def test_probabilities_are_those_of_the_torch_model(recogniser: Recogniser, crops: np.ndarray) -> None:
    with torch.no_grad():
        x = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
        wanted = recogniser.torch_model()(x).softmax(1).numpy()
    found = recogniser.classify(crops)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_evidence_has_the_promised_shapes(recogniser: Recogniser, crops: np.ndarray) -> None:
    evidence = recogniser.defend(crops)
    assert evidence.raw.shape == evidence.defended.shape == (5, 4)
    assert evidence.saliency.shape == evidence.mask.shape == (5, 32, 32)
    assert evidence.masked_crops.shape == (5, 32, 32, 3)
    assert (evidence.saliency.min(), evidence.saliency.max()) == (0, 1)
    assert evidence.views.shape == (5, 0, 4)
    assert evidence.zones == ()


def test_exactly_the_masked_crops_are_classified_again(recogniser: Recogniser, crops: np.ndarray) -> None:
    evidence = recogniser.defend(crops)
    assert evidence.mask.any()
    assert (evidence.masked_crops[evidence.mask] == recogniser.fill_rgb).all()
    assert np.array_equal(evidence.masked_crops[~evidence.mask], crops[~evidence.mask])
    np.testing.assert_allclose(evidence.defended, recogniser.classify(evidence.masked_crops), atol=1e-5)


def test_an_empty_mask_leaves_the_answer_as_it_was(
    recogniser: Recogniser, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recogniser, "mask_parameters", MaskParameters(min_area=10_000))
    evidence = recogniser.defend(crops)
    assert np.array_equal(evidence.raw, evidence.defended)


def test_no_crop_gives_no_evidence(recogniser: Recogniser, crops: np.ndarray) -> None:
    assert recogniser.classify(crops[:0]).shape == (0, 4)
    assert len(recogniser.defend(crops[:0])) == 0
    assert recogniser.decide(crops[:0]) == []


def test_crops_of_another_shape_or_kind_are_refused(recogniser: Recogniser, crops: np.ndarray) -> None:
    for wrong in (crops[:, :16], crops[0], crops.astype(np.float32)):
        with pytest.raises(ValueError, match="crops must be"):
            recogniser.classify(wrong)


def test_an_unknown_engine_is_one_clear_line(small_bundle: Bundle) -> None:
    with pytest.raises(BadInput, match="no such engine"):
        models.load_recogniser(small_bundle.folder, "abacus")


def test_the_engine_says_what_really_runs(recogniser: Recogniser) -> None:
    assert "torch" in recogniser.engine or "CPUExecutionProvider" in recogniser.engine


def test_a_zone_view_is_the_crop_with_that_zone_filled(recogniser: Recogniser, crops: np.ndarray) -> None:
    recogniser.zones = ("eyewear", "lower_face")
    try:
        evidence = recogniser.defend(crops)
    finally:
        recogniser.zones = ()
    assert evidence.zones == ("eyewear", "lower_face")
    for number, zone in enumerate(evidence.zones):
        hidden = hide(crops, zone_mask(zone, 32), recogniser.fill_rgb)
        np.testing.assert_allclose(evidence.views[:, number], recogniser.classify(hidden), atol=1e-5)
    np.testing.assert_allclose(evidence.defended, recogniser.classify(evidence.masked_crops), atol=1e-5)


def test_no_pixel_inside_a_zone_changes_its_view(recogniser: Recogniser, crops: np.ndarray) -> None:
    inside = zone_mask("eyewear", 32)
    painted = crops.copy()
    painted[:, inside] = np.random.default_rng(1).integers(192, 256, (5, int(inside.sum()), 3), np.uint8)
    recogniser.zones = ("eyewear",)
    try:
        before, after = recogniser.defend(crops), recogniser.defend(painted)
    finally:
        recogniser.zones = ()
    assert np.abs(before.raw - after.raw).max() > 1e-4
    np.testing.assert_allclose(before.views, after.views, atol=1e-6)


def test_the_gradient_of_a_zone_view_is_zero_inside_the_zone(recogniser: Recogniser) -> None:
    """So an attack needs no backward pass through such a view."""
    inside = torch.from_numpy(zone_mask("eyewear", 32).copy())
    pixels = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
    fill = torch.tensor(recogniser.fill_rgb).view(1, 3, 1, 1) / 255
    logits = recogniser.torch_model()(torch.where(inside, fill, pixels))
    (gradient,) = torch.autograd.grad(logits.square().sum(), pixels)
    assert (gradient[:, :, inside] == 0).all()
    assert gradient[:, :, ~inside].abs().max() > 0


@pytest.mark.parametrize("explaining", ["alarms", "all", "none"])
def test_a_quick_defence_decides_as_the_full_one_and_explains_its_alarms_unless_told_not_to(
    recogniser: Recogniser, crops: np.ndarray, explaining: Explaining
) -> None:
    raw = recogniser.classify(crops)
    recogniser.zones = ("eyewear",)
    before = recogniser.policy
    views = recogniser.defend(crops).views[:, 0]
    claimed = views[np.arange(5), raw.argmax(1)]
    # Thresholds between the crops' own figures, so that some are alarms and some are not.
    middle = float(np.median(claimed))
    recogniser.policy = Policy(threshold=0.05, zone_confirm=middle, zone_dissent=middle - 1e-6, zone_threshold=0.99)
    try:
        full, quick = recogniser.defend(crops), recogniser.defend(crops, quick=True, explaining=explaining)
        decisions = [decide(one, recogniser.policy) for one in quick]
        wanted = [decide(one, recogniser.policy) for one in full]
    finally:
        recogniser.zones, recogniser.policy = (), before
    alarms = np.array([decision.state == "suspected_attack" for decision in wanted])
    assert 0 < alarms.sum() < 5
    assert [(d.state, d.identity, d.claimed) for d in decisions] == [(d.state, d.identity, d.claimed) for d in wanted]
    assert not quick.saliency[~alarms].any()
    if explaining == "none":
        assert not quick.saliency.any()
        return
    assert [one.likely for one in decisions] == [one.likely for one in wanted]
    np.testing.assert_allclose(quick.saliency[alarms], full.saliency[alarms], atol=1e-5)
    np.testing.assert_array_equal(quick.masked_crops[alarms], full.masked_crops[alarms])
    np.testing.assert_allclose(quick.defended[alarms], full.defended[alarms], atol=1e-5)
    assert not quick.mask[~alarms].any()
    np.testing.assert_array_equal(quick.masked_crops[~alarms], crops[~alarms])


def test_what_a_quick_decision_left_out_is_looked_at_later_and_nothing_else_changes(
    recogniser: Recogniser, crops: np.ndarray
) -> None:
    recogniser.zones = ("eyewear",)
    before, recogniser.policy = recogniser.policy, Policy(threshold=1.0)  # nobody is known, so there is no alarm
    try:
        full, quick = recogniser.defend(crops), recogniser.defend(crops, quick=True)
        explained = [recogniser.explain(crop, one) for crop, one in zip(crops, quick, strict=True)]
    finally:
        recogniser.zones, recogniser.policy = (), before
    assert not any(one.explained for one in quick)
    assert all(one.explained for one in explained)
    for found, left_out, wanted in zip(explained, quick, full, strict=True):
        np.testing.assert_allclose(found.saliency, wanted.saliency, atol=1e-5)
        np.testing.assert_array_equal(found.masked_crop, wanted.masked_crop)
        np.testing.assert_allclose(found.defended, wanted.defended, atol=1e-5)
        np.testing.assert_array_equal(found.raw, left_out.raw)
        np.testing.assert_array_equal(found.views, left_out.views)


def test_threads_that_share_a_recogniser_use_its_engine_one_after_the_other(
    small_bundle: Bundle, crops: np.ndarray
) -> None:
    class Engine:
        name = "counting"
        inside = most = 0

        def outputs(self, shown: np.ndarray, selection: ViewSelection | None = None) -> np.ndarray:
            self.inside += 1
            self.most = max(self.most, self.inside)
            time.sleep(0.002)
            self.inside -= 1
            return np.zeros((len(shown), 4), np.float32)

        def outputs_and_saliency(
            self, shown: np.ndarray, rows: np.ndarray | None, percentile: float, selection: ViewSelection | None = None
        ) -> tuple[np.ndarray, np.ndarray]:
            return self.outputs(shown), np.zeros(shown.shape[:3], np.float32)

    engine = Engine()
    recogniser = Recogniser(small_bundle, engine)
    threads = [threading.Thread(target=work, args=(crops,)) for work in (recogniser.classify, recogniser.defend) * 8]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert engine.most == 1


def test_a_quick_defence_looks_only_at_the_views_it_is_told(
    recogniser: Recogniser, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    recogniser.zones = ("eyewear", "lower_face")
    looked_at: list[list[list[bool]]] = []
    original = recogniser._engine.outputs

    def noting(shown: np.ndarray, selection: ViewSelection | None = None) -> np.ndarray:
        looked_at.extend([selection.looked.tolist()] if selection else [])
        return original(shown, selection)

    monkeypatch.setattr(recogniser._engine, "outputs", noting)
    chosen = np.array([[True, True], [True, False]])
    try:
        whole = recogniser.defend(crops[:2], quick=True)
        partly = recogniser.defend(crops[:2], quick=True, looked=chosen)
    finally:
        recogniser.zones = ()
    assert looked_at == [[[True, True], [True, True]], chosen.tolist()]
    np.testing.assert_allclose(partly.views[0], whole.views[0], atol=1e-6)
    np.testing.assert_allclose(partly.views[1, 0], whole.views[1, 0], atol=1e-6)
    assert not partly.views[1, 1].any()
    assert [one.seen.zones for one in partly] == [("eyewear", "lower_face"), ("eyewear",)]
    assert partly[1].seen.views.shape == (1, len(recogniser.labels))


def test_where_alarms_are_expected_the_crops_are_not_classified_a_second_time(
    recogniser: Recogniser, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    recogniser.zones = ("eyewear",)
    before = recogniser.policy
    recogniser.policy = Policy(threshold=0, zone_confirm=2.0, zone_dissent=2.0, zone_threshold=0)  # always an alarm
    asked: list[str] = []
    for method in ("outputs", "outputs_and_saliency"):
        original = getattr(recogniser._engine, method)
        monkeypatch.setattr(recogniser._engine, method, lambda *a, m=method, o=original: asked.append(m) or o(*a))
    try:
        recogniser.defend(crops[:1], quick=True)
        usual, asked[:] = list(asked), []
        recogniser.defend(crops[:1], quick=True, explaining="all")
    finally:
        recogniser.zones, recogniser.policy = (), before
    assert usual == ["outputs", "outputs_and_saliency", "outputs"]  # the last: what the mask leaves
    assert asked == ["outputs_and_saliency", "outputs"]


def test_without_zones_there_is_nothing_quicker(recogniser: Recogniser, crops: np.ndarray) -> None:
    quick, full = recogniser.defend(crops, quick=True), recogniser.defend(crops)
    np.testing.assert_allclose(quick.saliency, full.saliency, atol=1e-6)
    np.testing.assert_allclose(quick.defended, full.defended, atol=1e-6)
