"""What the defences answer, and that it is kept on disk, on an untrained bundle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_people import SIZE, crops

from models.crop.wearables import frame_mask
from models.policy import Policy, decide, final_probabilities
from models.recogniser import load_recogniser
from tools.evaluation.answered import Asker
from tools.evaluation.band import band_mask
from tools.evaluation.defences import make_defences


def test_no_classic_frame_leaves_the_hidden_band_and_so_none_can_move_its_answer(tuned):
    band = band_mask(112)
    assert not ((frame_mask("classic", 112) >= 0.5) & ~band).any()
    (defence,) = make_defences(tuned, ["band"], band_model=tuned.torch_model(), seed=0)
    before = crops(1)
    after = before.copy()
    after[:, band_mask(SIZE)] = 255 - after[:, band_mask(SIZE)]
    np.testing.assert_array_equal(defence.answer(before).defended, defence.answer(after).defended)
    assert (defence.answer(before).raw != defence.answer(after).raw).any()


def test_a_bundle_with_zones_is_measured_with_its_own_defence(zoned):
    own = load_recogniser(zoned, "onnxruntime-cpu", threads=1)
    rows = make_defences(own, ["none", "hardened", "zones"], band_model=None, seed=0, hardened=own)
    assert [row.name for row in rows] == ["none", "zones"]
    assert rows[1].zones == own.zones == ("eyewear", "lower_face")
    pictures = crops(2)
    np.testing.assert_array_equal(rows[1].answer(pictures).views, own.defend(pictures).views)


def test_the_row_over_zone_views_says_what_the_live_recogniser_says(tuned, zoned, tmp_path):
    hardened = load_recogniser(zoned, "onnxruntime-cpu", threads=1)
    hardened.policy = Policy(threshold=0.4, zone_threshold=0.99, zone_confirm=0.9, zone_dissent=0.5)
    (defence,) = make_defences(tuned, ["zones"], band_model=None, seed=0, hardened=hardened)
    pictures = crops(8)
    live = list(hardened.defend(pictures, quick=True))
    assert "suspected_attack" in {decide(one, hardened.policy).state for one in live}
    found = Asker(tuned, tmp_path)(defence, pictures, "")
    said = [replace(one, confidence=0) for one in found.decisions(defence, tuned.labels, tuned.policy)]
    assert said == [replace(decide(one, hardened.policy), confidence=0) for one in live]  # rounded by other batches
    whole = list(hardened.defend(pictures))
    np.testing.assert_array_equal(found.defended, [final_probabilities(one, hardened.policy) for one in whole])
    assert (found.defended != found.masked_view).any()


def test_answers_come_from_disk_the_second_time_and_damage_is_noticed(tuned, tmp_path):
    (defence,) = make_defences(tuned, ["tuned"], band_model=None, seed=0)
    pictures = crops(3)
    first = Asker(tuned, tmp_path)(defence, pictures, "")

    def refuse(_: np.ndarray) -> None:
        raise AssertionError("asked again")

    again = Asker(tuned, tmp_path)(replace(defence, answer=refuse), pictures, "")
    for name, values in vars(first).items():
        np.testing.assert_array_equal(values, getattr(again, name))
    judged_otherwise = replace(defence, answer=refuse, settings=dict(defence.settings) | {"policy": {"threshold": 0.1}})
    Asker(tuned, tmp_path)(judged_otherwise, pictures, "")  # what the views say does not depend on it
    (kept,) = tmp_path.glob("tuned-*.npz")
    kept.write_bytes(kept.read_bytes()[:50])
    with pytest.raises(AssertionError, match="asked again"):
        Asker(tuned, tmp_path)(replace(defence, answer=refuse), pictures, "")
