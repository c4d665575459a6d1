"""A recogniser with a gallery: cosines with a cohort beside them, other people while it runs, people in a file."""

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_bundle import make_small_gallery_bundle, small_gallery

import models
from models.bundle import Bundle, BundleInfo, load_bundle, write_people
from models.crop.zones import hide, zone_mask
from models.errors import BadInput
from models.gallery.file import encode
from models.gallery.gallery import Gallery, Person
from models.policy import Policy
from models.recogniser import Recogniser

ENGINES = ["torch", "onnxruntime", "onnxruntime-int8"]


@pytest.fixture(params=["torch", "onnxruntime"])
def recogniser(request: pytest.FixtureRequest, narrow_gallery_bundle: Bundle) -> Recogniser:
    found = models.load_recogniser(narrow_gallery_bundle.folder, request.param, threads=1)
    found.zones = ("eyewear", "lower_face")
    return found


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """Bright and dark, in blocks: a random net tells them apart."""
    random = np.random.default_rng(0)
    return np.repeat(np.repeat(random.integers(0, 256, (5, 4, 4, 3), np.uint8), 8, axis=1), 8, axis=2)


def pixels(crops: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(crops.copy()).permute(0, 3, 1, 2).float() / 255


def softmax_by_hand(embeddings: np.ndarray, rows: np.ndarray, cohort: np.ndarray, temperature: float) -> np.ndarray:
    people, others = np.exp(embeddings @ rows.T / temperature), np.exp(embeddings @ cohort.T / temperature)
    return people / (people.sum(axis=1, keepdims=True) + others.sum(axis=1, keepdims=True))


def test_what_embeddings_are_compared_to_is_what_the_crops_are(recogniser: Recogniser, crops: np.ndarray) -> None:
    raw, views = recogniser.compare(recogniser.embed(crops))
    np.testing.assert_allclose(raw, recogniser.classify(crops), atol=1e-5)
    np.testing.assert_allclose(views, recogniser.view(crops), atol=1e-5)


def test_each_view_is_compared_with_its_own_rows_and_cohort(recogniser: Recogniser, crops: np.ndarray) -> None:
    bundle, fill = recogniser.bundle, recogniser.fill_rgb
    assert bundle.gallery is not None
    assert bundle.cohort is not None
    net = bundle.torch_model()
    found = recogniser.defend(crops)
    seen = [crops, *(hide(crops, zone_mask(zone, 32), fill) for zone in found.zones)]
    for view, given in enumerate([found.raw, *found.views.swapaxes(0, 1)]):
        with torch.no_grad():
            embeddings = torch.nn.functional.normalize(net(pixels(seen[view]))).numpy()
        wanted = softmax_by_hand(embeddings, bundle.gallery.rows(view), bundle.cohort[view], 0.2)
        np.testing.assert_allclose(given, wanted, atol=1e-4)
        np.testing.assert_allclose(recogniser.embed(crops)[:, view], embeddings, atol=1e-4)
    assert (found.raw.sum(axis=1) < 1).all()
    np.testing.assert_allclose(found.views, recogniser.view(crops), atol=1e-5)
    np.testing.assert_allclose(found.defended, recogniser.classify(found.masked_crops), atol=1e-5)
    assert recogniser.embed(crops, views=False).shape == (5, 1, 8)


def test_the_torch_model_of_every_view_gives_the_recognisers_probabilities(
    recogniser: Recogniser, crops: np.ndarray
) -> None:
    found = recogniser.defend(crops)
    hidden = {zone: hide(crops, zone_mask(zone, 32), recogniser.fill_rgb) for zone in ("eyewear", "lower_face")}
    views = dict(zip(found.zones, found.views.swapaxes(0, 1), strict=True))
    for zone, shown, wanted in ((None, crops, found.raw), *((z, hidden[z], views[z]) for z in hidden)):
        with torch.no_grad():
            logits = recogniser.torch_model(zone)(pixels(shown))
            with_nobody = recogniser.torch_model(zone, nobody=True)(pixels(shown))
        assert logits.shape == (5, 4)
        np.testing.assert_allclose(with_nobody.softmax(dim=1)[:, :4].numpy(), wanted, atol=1e-4)
        torch.testing.assert_close(with_nobody[:, :4], logits)


def test_other_people_are_known_from_one_decision_to_the_next(recogniser: Recogniser, crops: np.ndarray) -> None:
    faces = recogniser.embed(crops)
    people = [Person.of(name, faces[i : i + 1], (name,)) for i, name in enumerate(("Ann", "Bob"))]
    before = recogniser.labels
    gallery = Gallery(tuple(people), recogniser.bundle.checksum, recogniser.bundle.cover, ("eyewear", "lower_face"))
    recogniser.use_gallery(gallery)
    assert before != recogniser.labels == ("Ann", "Bob")
    assert recogniser.gallery is gallery
    found = recogniser.defend(crops[:2])
    assert found.labels == ("Ann", "Bob")
    assert found.raw.argmax(axis=1).tolist() == [0, 1]
    recogniser.policy = Policy(threshold=0.3, zone_confirm=0.1, zone_dissent=0.01, further_confirm=0.1)
    assert [decision.identity for decision in recogniser.decide(crops[:2])] == ["Ann", "Bob"]


def test_in_an_empty_gallery_everybody_is_a_stranger(recogniser: Recogniser, crops: np.ndarray) -> None:
    recogniser.use_gallery(replace(recogniser.bundle.gallery, people=()))
    assert recogniser.classify(crops).shape == (5, 0)
    found = recogniser.defend(crops)
    assert (found.raw.shape, found.views.shape, found.mask.any()) == ((5, 0), (5, 2, 0), False)
    assert {decision.state for decision in recogniser.decide(crops)} == {"unknown"}
    recogniser.zones = ()
    assert {decision.state for decision in recogniser.decide(crops)} == {"unknown"}
    assert len(recogniser.defend(crops, quick=True)) == 5


def test_an_explanation_keeps_the_names_of_its_evidence_when_others_are_enrolled_meanwhile(
    recogniser: Recogniser, crops: np.ndarray
) -> None:
    recogniser.policy = Policy(threshold=1.0)
    found = recogniser.defend(crops[:1], quick=True)[0]
    recogniser.use_gallery(small_gallery(recogniser.bundle, ["Zoe"], seed=3))
    explained = recogniser.explain(crops[0], found)
    assert explained.explained
    assert explained.labels == found.labels
    np.testing.assert_array_equal(explained.defended, found.raw)


def test_people_may_change_while_others_are_deciding(narrow_gallery_bundle: Bundle, crops: np.ndarray) -> None:
    recogniser = models.load_recogniser(narrow_gallery_bundle.folder, "onnxruntime-cpu", threads=1)
    recogniser.zones = ("eyewear",)
    galleries = [small_gallery(narrow_gallery_bundle, list("abcdef")[:count]) for count in (1, 6, 3)]
    done, wrong = threading.Event(), []

    def decide() -> None:
        while not done.is_set():
            found = recogniser.defend(crops[:1], quick=True)
            if found.raw.shape[1] != len(found.labels) or found.views.shape[2] != len(found.labels):
                wrong.append(found.labels)

    threads = [threading.Thread(target=decide) for _ in range(2)]
    for thread in threads:
        thread.start()
    for turn in range(60):
        recogniser.use_gallery(galleries[turn % 3])
        recogniser.classify(crops[:1])
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_view_that_the_gallery_lacks_is_one_clear_line(recogniser: Recogniser, crops: np.ndarray) -> None:
    recogniser.zones = ("forehead",)
    with pytest.raises(BadInput, match="gallery has eyewear, lower_face"):
        recogniser.defend(crops)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_of_people_runs_on_the_bundle_that_a_note_beside_it_names(
    narrow_gallery_bundle: Bundle, tmp_path: Path, engine: str
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "gallery.npz").write_bytes(encode(small_gallery(narrow_gallery_bundle, ["Ann", "Bob"])))
    with pytest.raises(BadInput, match=r"with a trunk \([0-9a-f]{12}\) that is not here; .*trunk\.txt") as error:
        load_bundle(mine)
    assert "\n" not in str(error.value)
    (mine / "trunk.txt").write_text(f"{narrow_gallery_bundle.folder}\n")
    for place in (mine, mine / "gallery.npz"):
        recogniser = models.load_recogniser(place, engine, threads=1)
        assert recogniser.labels == ("Ann", "Bob")
        assert recogniser.bundle.checksum == narrow_gallery_bundle.checksum
    assert recogniser.classify(np.zeros((1, 32, 32, 3), np.uint8)).shape == (1, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trunk": "0" * 64}, r"was made with another trunk \(0{12}\).* add its people again"),
        ({"cover": "other"}, "was made for other views"),
    ],
)
def test_people_of_another_trunk_or_cover_are_refused(
    narrow_gallery_bundle: Bundle, tmp_path: Path, change: dict[str, str], message: str
) -> None:
    gallery = replace(small_gallery(narrow_gallery_bundle, ["Ann"]), **change)
    with pytest.raises(BadInput, match=message):
        models.load_recogniser(narrow_gallery_bundle.folder, "torch").use_gallery(gallery)
    (tmp_path / "people.npz").write_bytes(encode(gallery))
    (tmp_path / "trunk.txt").write_text(str(narrow_gallery_bundle.folder))
    with pytest.raises(BadInput, match=message):
        load_bundle(tmp_path / "people.npz")


def test_a_closed_set_takes_no_gallery_and_embeds_nothing(narrow_bundle: Bundle, narrow_gallery_bundle: Bundle) -> None:
    recogniser = models.load_recogniser(narrow_bundle.folder, "torch")
    assert recogniser.gallery is None
    with pytest.raises(BadInput, match="closed set"):
        recogniser.use_gallery(small_gallery(narrow_gallery_bundle, ["Ann"]))
    with pytest.raises(BadInput, match="closed set"):
        recogniser.embed(np.zeros((1, 32, 32, 3), np.uint8))


@pytest.mark.parametrize("name", ["gallery.npz", "cohort.npz"])
def test_a_changed_byte_in_the_people_of_a_bundle_is_refused_and_the_file_named(
    narrow_gallery_bundle: Bundle, tmp_path: Path, name: str
) -> None:
    folder = Path(shutil.copytree(narrow_gallery_bundle.folder, tmp_path / "copy"))
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BadInput, match=name):
        load_bundle(folder)


def test_people_and_cohort_are_read_as_they_were_written(tmp_path: Path) -> None:
    bundle = make_small_gallery_bundle(tmp_path / "b")
    gallery = small_gallery(bundle, ["Ann", "Bob"], seed=5)
    cohort = np.eye(8, dtype=np.float32)[None, :6].repeat(3, axis=0)
    told = bundle.info.model_copy(update={"training": {"of": "nobody"}})
    again = load_bundle(write_people(bundle, gallery, cohort, told).folder)
    assert again.labels == ("Ann", "Bob")
    assert again.info.training == {"of": "nobody"}
    np.testing.assert_allclose(again.gallery.rows(1), gallery.rows(1), atol=1e-3)
    np.testing.assert_array_equal(again.cohort, cohort)


def test_a_description_is_of_a_closed_set_or_of_a_gallery(narrow_gallery_bundle: Bundle) -> None:
    content = narrow_gallery_bundle.info.model_dump()
    for changes, message in (
        ({"labels": ("Ann", "Bob")}, "labels and an embedding"),
        ({"embedding": None}, "at least two people"),
        ({"policy": {"zones": ["forehead"]}}, "no such view"),
    ):
        with pytest.raises(ValueError, match=message):
            BundleInfo.model_validate({**content, **changes})
