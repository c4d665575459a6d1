"""Evidence that went over the wire is the evidence that was found."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from models import load_recogniser
from models.bundle import Bundle
from realtime.cluster.remote import Asking, Known, RemoteRecogniser
from realtime.cluster.wire import Answer, Explained, packed, unpacked


def made_up_crops(size: int, count: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, size, size, 3), np.uint8)


def test_a_remote_recogniser_gives_what_the_same_recogniser_gives_here(small_bundle: Bundle) -> None:
    here = load_recogniser(small_bundle.folder, "onnxruntime")
    known = Known(here.policy, here.zones, here.input_size, here.engine, 2)

    def defend(asked: np.ndarray, looked: np.ndarray | None, explaining: str) -> Answer:
        answer = packed(here.defend(asked, quick=True, looked=looked), 0, len(asked))
        return pickle.loads(pickle.dumps(answer))  # type: ignore[no-any-return]

    there = RemoteRecogniser(known, Asking(defend, lambda crop, found: Explained(*[found.saliency] * 3)))
    asked = made_up_crops(here.input_size, 3)
    for looked in (None, np.array([[True] + [False] * (len(here.zones) - 1)] * 3)):
        expected, found = here.defend(asked, quick=True, looked=looked), there.defend(asked, looked=looked)
        for name in ("raw", "defended", "views", "saliency", "mask", "masked_crops"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
        assert (found.labels, found.zones) == (expected.labels, expected.zones)


def test_an_answer_without_an_alarm_is_small_enough_to_travel_in_a_message(small_bundle: Bundle) -> None:
    here = load_recogniser(small_bundle.folder, "onnxruntime")
    evidence = here.defend(made_up_crops(here.input_size, 1), quick=True)
    evidence.saliency[:] = 0  # nothing alarms
    assert len(pickle.dumps(packed(evidence, 0, 1))) < 20_000  # Ray sends up to 100 kB without its object store


def test_an_answer_about_other_crops_is_refused(small_bundle: Bundle) -> None:
    here = load_recogniser(small_bundle.folder, "onnxruntime")
    asked = made_up_crops(here.input_size, 2)
    with pytest.raises(ValueError, match="an answer about 1 crops"):
        unpacked(packed(here.defend(asked, quick=True), 1, 1), asked)
