"""A gallery bundle from a network and crops: who is in it, what it was measured on, and that a mean is all there is."""

from pathlib import Path

import numpy as np
import pytest
from small_bundle import WIDTH, make_small_gallery_bundle, small_network

from models.arrays import Bytes
from models.bundle import load_bundle
from models.errors import BadInput
from models.gallery.gallery import unit
from models.graphs.export import layers_of
from models.recogniser import load_recogniser
from models.training.calibration import fitted_temperature
from tools.faces.crop_sources import CropSource
from tools.faces.people import People
from tools.faces.splits import held_out
from tools.training.gallery_bundle import GalleryJob, gallery_bundle


def crops_of(count: int, seed: int) -> Bytes:
    random = np.random.default_rng(seed)
    return np.repeat(np.repeat(random.integers(0, 256, (count, 4, 4, 3), np.uint8), 8, axis=1), 8, axis=2)


def people_of(names: tuple[str, ...], each: int, seed: int) -> People:
    crops = crops_of(len(names) * each, seed)
    labels = np.repeat(np.arange(len(names)), each)
    return People(names, crops, labels, tuple(f"{names[label]}/{i}.png" for i, label in enumerate(labels)))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights as the training of a trunk writes them."""
    arrays: dict[str, np.ndarray] = {}
    names = [f"trunk.{index}" for index in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)] + ["fc6", "fc7"]
    for name, layer in zip(names, layers_of(small_network(WIDTH, 32, 0)).values(), strict=True):
        arrays[f"{name}.weight"] = layer.weight.detach().numpy()
        arrays[f"{name}.bias"] = layer.bias.detach().numpy()
    path = tmp_path_factory.mktemp("network") / "n.npz"
    np.savez(path, **arrays)
    return path


def job_of(network: Path, **changes: object) -> GalleryJob:
    others = crops_of(12, 9)
    cohort = CropSource("others", tuple(f"Other {i}" for i in range(12)), lambda place: others[place])
    usual = {"cohort": [cohort], "cohort_size": 6, "input_size": 32, "engine": "onnxruntime", "threads": 1}
    return GalleryJob(network=network, views=("eyewear", "forehead"), **(usual | changes))  # type: ignore[arg-type]


def test_people_are_the_means_of_their_pictures_and_the_rest_is_measured(network: Path, tmp_path: Path) -> None:
    people, strangers = people_of(("Ann", "Bob", "Cy"), 10, 0), people_of(("Dee",), 5, 1)
    told: list[tuple[str, int, int]] = []
    outcome = gallery_bundle(
        people, strangers, job_of(network), tmp_path / "b", name="mine", tick=lambda *one: told.append(one)
    )
    recogniser = load_recogniser(tmp_path / "b", "onnxruntime", threads=1)
    assert recogniser.labels == ("Ann", "Bob", "Cy")
    assert recogniser.zones == ("eyewear", "forehead")
    held = held_out(recogniser, people)  # the tools know which pictures were kept
    assert len(held) == 6
    mine = [i for i, name in enumerate(people.pictures) if people.labels[i] == 1 and name not in held.pictures]
    wanted = unit(recogniser.embed(people.crops[mine]).sum(axis=0))
    for view in range(3):
        np.testing.assert_allclose(recogniser.gallery.rows(view)[1], wanted[view], atol=2e-3)
    assert recogniser.gallery.people[1].counts == 8
    assert recogniser.bundle.cohort.shape == (3, 6, WIDTH)
    right = sum(recogniser.classify(held.crops).argmax(axis=1) == held.labels)
    assert outcome.views["whole"]["right"]["right"] == right
    assert outcome.views["whole"]["right"]["n"] == 6
    assert {"right", "right_at_0.01", "right_at_0.001"} == set(outcome.views["forehead"])
    assert list(outcome.record()) == ["bundle", "files", "people", "temperature", "whole", "eyewear", "forehead"]
    last = {what: (done, of) for what, done, of in told}
    assert last == {"gallery": (24, 24), "cohort": (6, 6), "validation": (6, 6), "strangers": (5, 5)}
    info = load_bundle(tmp_path / "b").info
    assert len(info.training["strangers_seen"]) == 6
    assert info.embedding.temperature == outcome.temperature == info.calibration["temperature"]


def test_a_folder_that_is_called_like_an_embedded_bundle_leaves_that_one_alone(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    like = load_bundle("plain").folder
    embedded = make_small_gallery_bundle(tmp_path / "embedded" / "hardened").folder
    before = {file.name: file.read_bytes() for file in embedded.iterdir()}
    monkeypatch.setattr("models.bundle_info.bundles_folder", lambda: tmp_path / "embedded")
    monkeypatch.chdir(tmp_path)
    job = job_of(network, like=str(like))
    gallery_bundle(people_of(("Ann", "Bob"), 10, 0), None, job, Path("hardened"), name="mine", tick=lambda *_: None)
    assert {file.name: file.read_bytes() for file in embedded.iterdir()} == before
    assert load_recogniser(tmp_path / "hardened", "onnxruntime", threads=1).labels == ("Ann", "Bob")


def test_a_bundle_is_remade_with_other_people_on_the_same_trunk(tmp_path: Path) -> None:
    base = make_small_gallery_bundle(tmp_path / "base")
    job = job_of(base.folder, most=2, temperature=0.1)
    gallery_bundle(people_of(("Ann", "Bob"), 6, 0), None, job, tmp_path / "b", name="mine", tick=lambda *one: None)
    bundle = load_bundle(tmp_path / "b")
    assert bundle.checksum == base.checksum
    assert [person.counts for person in bundle.gallery.people] == [2, 2]
    assert bundle.info.embedding.temperature == 0.1


def test_nobody_is_enrolled_and_a_stranger_at_once(network: Path, tmp_path: Path) -> None:
    people = people_of(("Ann", "Bob"), 4, 0)
    with pytest.raises(BadInput, match="Bob: is among the people and among the strangers"):
        gallery_bundle(
            people, people_of(("Bob",), 2, 1), job_of(network), tmp_path / "b", name="x", tick=lambda *one: None
        )


def test_the_fitted_temperature_has_the_lowest_cross_entropy() -> None:
    random = np.random.default_rng(0)
    cosines = random.uniform(-0.2, 0.5, (60, 9)).astype(np.float32)
    labels = np.r_[random.integers(0, 4, 40), np.full(20, -1)]
    cosines[np.arange(40), labels[:40]] += 0.3

    def loss(temperature: float) -> float:
        powers = np.exp(cosines / temperature)
        known = powers[np.arange(40), labels[:40]] / powers[:40].sum(axis=1)
        nobody = powers[40:, 4:].sum(axis=1) / powers[40:].sum(axis=1)
        return float(-np.log(known).mean() - np.log(nobody).mean())

    found = fitted_temperature(cosines, labels, 4)
    assert loss(found) <= min(loss(found * 0.9), loss(found * 1.1), loss(0.03), loss(0.5)) + 1e-6
