"""What a trunk is tuned to a gallery's people with."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from small_bundle import WIDTH, make_small_bundle, small_network

from models.arrays import read_arrays
from models.errors import BadInput
from models.recogniser import load_recogniser
from models.training.trunks import write_network
from tools.faces.crop_sources import CropSource
from tools.faces.people import read_people
from tools.faces.splits import held_out
from tools.training.distil_command import taught
from tools.training.gallery_bundle import GalleryJob, gallery_bundle
from tools.training.own_vectors import means, own_vectors


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Crops of two people in folders, and a bundle of them."""
    place = tmp_path_factory.mktemp("own")
    random = np.random.default_rng(0)
    for name in ("Ann", "Bob"):
        (place / "crops" / name).mkdir(parents=True)
        for number in range(10):
            noise = np.repeat(np.repeat(random.integers(0, 256, (8, 8, 3), np.uint8), 16, 0), 16, 1)
            cv2.imwrite(str(place / "crops" / name / f"{number}.png"), noise)
    write_network(place / "network.npz", small_network(WIDTH, 32, 0))
    others = random.integers(0, 256, (12, 32, 32, 3), np.uint8)
    cohort = CropSource("others", tuple(f"Other {i}" for i in range(12)), lambda number: others[number])
    job = GalleryJob(
        place / "network.npz", ("eyewear",), [cohort], cohort_size=6, input_size=32, engine="onnxruntime", threads=1
    )
    people = read_people([place / "crops"], aligned=True)
    gallery_bundle(people, None, job, place / "b", name="b", tick=lambda *_: None)
    return place


def test_each_picture_of_the_gallery_is_drawn_to_its_person_s_mean(made):
    own_vectors([made / "crops"], str(made / "b"), made / "own.npz", threads=1, aligned=True)
    kept = read_arrays(made / "own.npz", "people", "files", "teacher")
    assert kept is not None
    gallery = load_recogniser(made / "b", "onnxruntime", threads=1).gallery
    assert gallery is not None
    for person, vector in zip(kept["people"], kept["teacher"], strict=True):
        wanted = next(one for one in gallery.people if one.name == person)
        assert float(vector @ wanted.means[0]) / float(np.linalg.norm(wanted.means[0])) > 0.999
    crops, vectors = taught([made / "own.npz"], made / "crops")
    assert len(crops) == len(vectors) == 16


def test_pictures_that_are_kept_for_validation_are_left_out(made):
    own_vectors([made / "crops"], str(made / "b"), made / "again.npz", threads=1, aligned=True)
    kept = read_arrays(made / "again.npz", "people", "files")
    assert kept is not None
    used = {f"{person}/{file}" for person, file in zip(kept["people"], kept["files"], strict=True)}
    people = read_people([made / "crops"], aligned=True)
    held = held_out(load_recogniser(made / "b", "onnxruntime", threads=1), people).pictures
    assert len(held) == 4
    assert not used & set(held)
    assert used | set(held) == set(people.pictures)


def test_other_folders_than_the_bundle_s_are_refused(made, tmp_path):
    (tmp_path / "Ann").mkdir()
    for number in range(3):
        cv2.imwrite(str(tmp_path / "Ann" / f"{number}.png"), np.full((128, 128, 3), number, np.uint8))
    with pytest.raises(BadInput, match="not the pictures"):
        own_vectors([tmp_path], str(made / "b"), tmp_path / "own.npz", threads=1, aligned=True)


def test_a_closed_set_has_no_means(made, tmp_path):
    make_small_bundle(tmp_path / "closed")
    with pytest.raises(BadInput, match="closed set"):
        own_vectors([made / "crops"], str(tmp_path / "closed"), tmp_path / "own.npz", threads=1, aligned=True)


def test_the_mean_of_two_directions_lies_between_them():
    found = means(np.array([[1, 0], [0, 1], [1, 0]], np.float32), np.array([0, 0, 1]))
    np.testing.assert_allclose(found, [[2**-0.5] * 2, [2**-0.5] * 2, [1, 0]], rtol=1e-6)
