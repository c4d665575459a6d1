"""The time of a decision on a small untrained bundle, and where it goes."""

from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle
from models.engines import make_engine
from models.recogniser import Recogniser, load_recogniser
from realtime.assembly import batch_of
from realtime.settings.config import Config, RecognitionConfig
from tools.bench import charts, decision, profile, tables
from tools.bench.untrained import bundle_of_size


def test_a_bundle_of_another_size_keeps_the_convolutions(narrow_bundle: Bundle, tmp_path: Path) -> None:
    larger = bundle_of_size(narrow_bundle, 64, tmp_path / "64")
    ours, theirs = larger.torch_model().convolutions(), narrow_bundle.torch_model().convolutions()
    for name, layer in theirs.items():
        np.testing.assert_array_equal(ours[name].weight.numpy(), layer.weight.numpy())
    crops = np.zeros((1, 64, 64, 3), np.uint8)
    assert load_recogniser(larger.folder, "onnxruntime", threads=1).classify(crops).shape == (1, 4)
    assert bundle_of_size(narrow_bundle, 32, tmp_path) is narrow_bundle


def test_a_decision_is_measured_for_clean_faces_and_for_attacked_ones_with_a_mask(
    narrow_bundle: Bundle, tmp_path: Path
) -> None:
    plan = decision.Plan(engines=("onnxruntime-cpu", "torch"), sizes=(32,), batches=(1, 2), repeats=3, threads=1)
    rows = decision.measure(narrow_bundle, plan, tmp_path)
    assert {(row["engine"], row["batch"], row["faces"]) for row in rows} == {
        (engine, batch, kind) for engine in plan.engines for batch in plan.batches for kind in ("clean", "attacked")
    }
    for row in rows:
        assert row["faces"] == "clean" or row["masked_share"] == 1
        assert row["ms"]["whole"]["p50"] >= row["ms"]["saliency"]["p50"]
        assert row["ratio"]["whole"]["n"] == 3
    assert len(decision.headline(rows)) == 2
    tables.decision_table(rows)
    charts.save(charts.decision_chart(rows), tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_the_stages_make_up_the_whole(narrow_bundle: Bundle) -> None:
    baseline = make_engine(decision.BASELINE, narrow_bundle, threads=1)
    crops = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    shares = []
    for _ in range(20):  # whatever interrupts a pass between two stages does not interrupt all of them
        times = decision.measure_engine(Recogniser(narrow_bundle, baseline), baseline, crops, repeats=1)["ms"]
        parts = sum(times[stage]["p50"] for stage in ("saliency", "mask", "reclassify"))
        shares.append(parts / times["whole"]["p50"])
    assert 0.6 < max(shares) < 1.01


def test_the_baseline_against_itself_is_one(narrow_bundle: Bundle) -> None:
    baseline = make_engine(decision.BASELINE, narrow_bundle, threads=1)
    crops = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    row = decision.measure_engine(Recogniser(narrow_bundle, baseline), baseline, crops, repeats=15)
    assert row["ratio"]["classify"]["p50"] == pytest.approx(1.0, abs=0.35)


def test_where_zones_have_the_say_the_decision_as_it_is_taken_live_is_timed_too(narrow_bundle: Bundle) -> None:
    baseline = make_engine(decision.BASELINE, narrow_bundle, threads=1)
    recogniser = Recogniser(narrow_bundle, baseline)
    crops = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    plain = decision.measure_engine(recogniser, baseline, crops, repeats=1)
    recogniser.zones = ("eyewear",)
    zoned = decision.measure_engine(recogniser, baseline, crops, repeats=1)
    assert "quick" not in plain["ratio"]
    assert zoned["ratio"]["quick"]["p50"] > 0
    face = {"batch": 1, "faces": "attacked", "size": 32, "engine": "x"}
    said, said_of_zones = decision.headline([plain | face, zoned | face])
    assert "as it is taken live" in said_of_zones
    assert "as it is taken live" not in said


def test_other_zones_than_the_bundles_can_be_timed(narrow_bundle: Bundle, tmp_path: Path) -> None:
    plan = decision.Plan(("onnxruntime-cpu",), (32,), (1,), repeats=1, threads=1, zones=("eyewear", "forehead"))
    row = decision.measure(narrow_bundle, plan, tmp_path)[0]
    assert row["zones"] == ["eyewear", "forehead"]
    assert row["ratio"]["quick"]["p50"] > 0


def test_an_engine_that_is_not_here_is_left_out_and_said(narrow_bundle: Bundle, tmp_path: Path) -> None:
    plan = decision.Plan(engines=("abacus",), sizes=(32,), batches=(1,), repeats=1, threads=1)
    (row,) = decision.measure(narrow_bundle, plan, tmp_path)
    assert "no such engine" in row["left_out"]
    tables.decision_table([row])


def test_a_batch_that_was_configured_is_not_measured(narrow_bundle: Bundle) -> None:
    config = Config(recognition=RecognitionConfig(batch=3))
    assert batch_of(config, None) == 3  # type: ignore[arg-type]
    recogniser = load_recogniser(narrow_bundle.folder, "onnxruntime", threads=1)
    assert batch_of(Config(), recogniser) in (1, 2, 4, 8, 16)


def test_vgg16s_convolutions_take_the_operations_that_the_literature_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))  # here they are narrow
    monkeypatch.setattr("models.network.architecture.BLOCKS", blocks)
    assert profile.convolution_operations(224) / 2 == pytest.approx(15.35e9, rel=0.001)


def test_a_profile_names_the_ops_and_their_shares(narrow_bundle: Bundle, tmp_path: Path) -> None:
    rows = profile.measure(narrow_bundle, (32,), tmp_path, repeats=1, threads=1)
    assert [row["graph"] for row in rows] == ["bare forward", "logits and saliency"]
    for row in rows:
        assert "Conv" in max(row["ops"], key=row["ops"].get)  # type: ignore[arg-type]
        assert sum(row["ops"].values()) <= 1.001
        assert 0 < row["share_of_peak"] < 1.5
    tables.profile_table(rows)
    charts.chart_of("profile", rows)
