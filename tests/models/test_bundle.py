"""Bundles: what is written is read, what was changed is named, nothing is unpickled."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import models.bundle as bundle_module
from models.bundle import Bundle, BundleInfo, PolicyInfo, load_bundle, write_bundle, write_description
from models.errors import BadInput
from models.network.vgg16 import VGG16


@pytest.fixture
def folder(small_bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_bundle.folder, tmp_path / "copy"))


def test_what_was_written_is_read(small_bundle: Bundle) -> None:
    again = load_bundle(small_bundle.folder)
    assert again.info == small_bundle.info
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(again.torch_model()(x), small_bundle.torch_model()(x))


def test_weights_are_stored_once_as_int8(small_bundle: Bundle) -> None:
    proto = onnx.load(str(small_bundle.classifier_path))
    kinds = {t.name: t.data_type for t in proto.graph.initializer if t.name.endswith("weight.int8")}
    assert len(kinds) == 15
    assert set(kinds.values()) == {onnx.TensorProto.INT8}
    parameters = sum(p.numel() for p in small_bundle.torch_model().parameters())
    assert small_bundle.classifier_path.stat().st_size < 1.05 * parameters


@pytest.mark.parametrize("name", ["classifier.onnx", "bundle.yaml"])
def test_a_changed_byte_is_refused_and_the_file_named(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    position = content.index(b"Person 1") + 7 if name == "bundle.yaml" else len(content) // 2
    content[position] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BadInput, match=name):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["classifier.onnx", "bundle.yaml"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BadInput, match=name):
        load_bundle(folder)


def test_a_missing_bundle_says_which_are_embedded() -> None:
    with pytest.raises(BadInput, match="embedded bundles"):
        load_bundle("no-such-bundle")


@pytest.mark.parametrize("name", ["../secret", "another.bin", "a\0b"])
def test_a_file_that_is_no_part_of_a_bundle_is_refused(folder: Path, name: str) -> None:
    info = load_bundle(folder).info
    sums = {**info.sha256, name: "0"}
    write_description(folder, BundleInfo.model_validate({**info.model_dump(), "sha256": sums}))
    with pytest.raises(BadInput, match="no part of a bundle"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("defence", {"kernel": 2}),
        ("trunk", {"mean": [300.0, 1.0, 1.0]}),
        ("trunk", {"mean": [float("nan")] * 3}),
        ("trunk", {"scale": [0.0, 1.0, 1.0]}),
        ("trunk", {"scale": [float("inf")] * 3}),
    ],
)
def test_values_that_nothing_could_work_with_are_refused(small_bundle: Bundle, section: str, values: dict) -> None:
    content = small_bundle.info.model_dump()
    content[section].update(values)
    with pytest.raises(ValueError, match=section):
        BundleInfo.model_validate(content)


def test_of_one_person_there_is_no_bundle(small_bundle: Bundle) -> None:
    with pytest.raises(ValueError, match="labels"):
        BundleInfo.model_validate({**small_bundle.info.model_dump(), "labels": ["Ann"]})


def test_a_bundle_that_cannot_be_replaced_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_bundle(folder)
    model = VGG16(classes=4, input_size=32, hidden=16)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle_module, "write_description", full)
    with pytest.raises(BadInput, match="cannot be written"):
        write_bundle(folder, model, before.info)
    assert load_bundle(folder).checksum == before.checksum
    assert {path.name for path in folder.iterdir()} == {"bundle.yaml", "classifier.onnx"}


def test_a_head_too_large_for_torch_is_one_line(folder: Path) -> None:
    info = load_bundle(folder).info.model_copy(update={"hidden": 1_000_000})
    with pytest.raises(BadInput, match="the head would have"):
        Bundle(folder, info).torch_model()


def test_thresholds_of_zones_out_of_order_are_refused() -> None:
    assert PolicyInfo(zones=("eyewear",), zone_dissent=0.1, zone_confirm=0.6, zone_threshold=0.6).zones
    with pytest.raises(ValueError, match="must not fall in this order"):
        PolicyInfo(zones=("eyewear",), zone_dissent=0.1, zone_confirm=0.7, zone_threshold=0.6)


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_as_description_give_one_clear_error(folder: Path, content: bytes) -> None:
    (folder / "bundle.yaml").write_bytes(content)
    with pytest.raises(BadInput) as error:
        load_bundle(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content",
    ["1: x\na: y", "a: &a [*a]", "a: &a [x, x]\n" + "b: &b [*a, *a]\nc: [*b, *b]"],
)
def test_keys_of_other_kinds_and_aliases_in_the_description_give_one_clear_error(folder: Path, content: str) -> None:
    (folder / "bundle.yaml").write_text(content)
    with pytest.raises(BadInput, match=r"bundle\.yaml is not valid YAML"):
        load_bundle(folder)


def test_python_objects_in_the_description_are_not_built(folder: Path) -> None:
    (folder / "bundle.yaml").write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(BadInput, match="not valid YAML"):
        load_bundle(folder)


def test_the_embedded_bundle_is_small_and_knows_thirty_one_people() -> None:
    bundle = load_bundle()
    assert len(bundle.labels) == 31
    assert "Eileen Collins" in bundle.labels
    assert sum(path.stat().st_size for path in bundle.folder.iterdir()) <= 20e6
    assert np.isfinite(bundle.torch_model()(torch.rand(1, 3, 112, 112)).numpy()).all()
