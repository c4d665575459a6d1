"""Packs of crops with what teachers say of them."""

import cv2
import numpy as np
import pytest

from models.errors import BadInput
from tools.training.distil_command import _records_before, taught


def pack(path, *, pictures=True, vectors=True, count=3):
    """Crops of one grey each, as a training reads them."""
    arrays = {"people": np.array([f"p{i}" for i in range(count)]), "files": np.array(["a.png"] * count)}
    if pictures:
        files = [cv2.imencode(".png", np.full((128, 128, 3), 10 * i, np.uint8))[1].tobytes() for i in range(count)]
        arrays["pictures"] = np.frombuffer(b"".join(files), np.uint8)
        arrays["offsets"] = np.cumsum([0, *map(len, files)])
    if vectors:
        arrays["teacher"] = np.arange(4 * count, dtype=np.int8).reshape(count, 4)
    np.savez(path, **arrays)
    return path


def test_crops_and_vectors_come_in_one_order(tmp_path):
    crops, vectors = taught([pack(tmp_path / "a.npz"), pack(tmp_path / "b.npz", count=2)], None)
    assert crops[:, 0, 0, 0].tolist() == [0, 10, 20, 0, 10]
    assert vectors[:, 0].tolist() == [0, 4, 8, 0, 4]
    assert crops.shape == (5, 128, 128, 3)


def test_a_pack_of_vectors_takes_its_pictures_from_a_folder(tmp_path):
    for number in range(2):
        (tmp_path / f"p{number}").mkdir()
        cv2.imwrite(str(tmp_path / f"p{number}" / "a.png"), np.full((64, 64, 3), 50 + number, np.uint8))
    crops, _ = taught([pack(tmp_path / "v.npz", pictures=False, count=2)], tmp_path)
    assert crops[:, 5, 5, 0].tolist() == [50, 51]


@pytest.mark.parametrize(
    ("options", "words"), [({"vectors": False}, "no teachers' vectors"), ({"pictures": False}, "--pictures")]
)
def test_what_a_pack_lacks_is_said(tmp_path, options, words):
    with pytest.raises(BadInput, match=words):
        taught([pack(tmp_path / "x.npz", **options)], None)


def test_a_run_that_goes_on_keeps_what_was_recorded_before_it_was_stopped(tmp_path):
    record, checkpoint = tmp_path / "r.json", tmp_path / "distil.pt"
    record.write_text('{"records": [{"crops": 64}]}')
    assert _records_before(record, checkpoint) == []  # a new run
    checkpoint.write_bytes(b"")
    assert _records_before(record, checkpoint) == [{"crops": 64}]
    record.write_text("{")
    assert _records_before(record, checkpoint) == []
    assert _records_before(None, checkpoint) == []
