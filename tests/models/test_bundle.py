"""Bundles: what is written is read, what was changed is named, nothing is unpickled."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.bundle import Bundle, load_bundle
from models.errors import BadInput


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


def test_a_file_outside_the_bundle_is_refused(folder: Path) -> None:
    from models.bundle import BundleInfo, write_description

    info = load_bundle(folder).info
    sums = {**info.sha256, "../secret": "0"}
    write_description(folder, BundleInfo.model_validate({**info.model_dump(), "sha256": sums}))
    with pytest.raises(BadInput, match="outside the bundle"):
        load_bundle(folder)


def test_external_tensor_data_is_refused(folder: Path) -> None:
    import hashlib

    from models.bundle import write_description

    proto = onnx.load(str(folder / "classifier.onnx"))
    tensor = proto.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    (folder / "classifier.onnx").write_bytes(proto.SerializeToString())
    digest = hashlib.sha256((folder / "classifier.onnx").read_bytes()).hexdigest()
    info = load_info(folder).model_copy(update={"sha256": {"classifier.onnx": digest}})
    with pytest.raises(BadInput, match="outside its file"):
        write_description(folder, info).torch_model()


def test_thresholds_of_zones_out_of_order_are_refused() -> None:
    from models.bundle import PolicyInfo

    assert PolicyInfo(zones=("eyewear",), zone_dissent=0.1, zone_confirm=0.6, zone_threshold=0.6).zones
    with pytest.raises(ValueError, match="must not fall in this order"):
        PolicyInfo(zones=("eyewear",), zone_dissent=0.1, zone_confirm=0.7, zone_threshold=0.6)


def load_info(folder: Path):  # type: ignore[no-untyped-def]
    from models.bundle import BundleInfo

    content = yaml.safe_load((folder / "bundle.yaml").read_text())
    content.pop("checksum")
    return BundleInfo.model_validate(content)


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_as_description_give_one_clear_error(folder: Path, content: bytes) -> None:
    (folder / "bundle.yaml").write_bytes(content)
    with pytest.raises(BadInput) as error:
        load_bundle(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content",
    ["1: x\na: y", "2026-11-27: x\na: y", "a: &a [*a]", "a: &a [x, x]\n" + "b: &b [*a, *a]\nc: [*b, *b]"],
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
    assert len(bundle.info.labels) == 31
    assert "Eileen Collins" in bundle.info.labels
    assert sum(path.stat().st_size for path in bundle.folder.iterdir()) <= 30 * 2**20
    assert np.isfinite(bundle.torch_model()(torch.rand(1, 3, 112, 112)).numpy()).all()
