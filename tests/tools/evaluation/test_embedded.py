"""Embeddings are made once and kept."""

import numpy as np
import pytest

from models.recogniser import Recogniser
from tools.evaluation.embedded import embeddings_of


class Counting:
    """A recogniser that says how often it was asked; its embedding is a crop's mean colour."""

    input_size = 4
    engine = "counting"

    def __init__(self) -> None:
        self.asked = 0
        self.bundle = type("Bundle", (), {"checksum": "trunk", "cover": "zones"})

    def embed(self, crops: np.ndarray) -> np.ndarray:
        self.asked += len(crops)
        return crops.mean(axis=(1, 2), dtype=np.float32)[:, None]


@pytest.fixture
def recogniser() -> Recogniser:
    return Counting()  # type: ignore[return-value]


CROPS = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), np.uint8)


def test_a_second_time_they_come_from_the_folder(recogniser, tmp_path):
    first = embeddings_of(recogniser, CROPS, "faces", work=tmp_path)
    again = embeddings_of(recogniser, CROPS, "faces", work=tmp_path)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first[:, 0], CROPS.mean(axis=(1, 2)), rtol=1e-6)
    assert recogniser.asked == 5


def test_other_crops_and_another_trunk_are_embedded_anew(recogniser, tmp_path):
    embeddings_of(recogniser, CROPS, "faces", work=tmp_path)
    embeddings_of(recogniser, CROPS[::-1], "faces", work=tmp_path)
    recogniser.bundle.checksum = "another"
    embeddings_of(recogniser, CROPS, "faces", work=tmp_path)
    assert recogniser.asked == 15


def test_progress_ends_with_all_of_them(recogniser):
    told = []
    embeddings_of(recogniser, CROPS, "faces", tick=lambda *what: told.append(what))
    assert told[-1] == ("faces", 5, 5)
