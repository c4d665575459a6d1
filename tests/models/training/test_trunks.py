"""Trunk files of three lineages, and files that are none."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from small_bundle import make_small_bundle

from models.bundle import BundleInfo, EmbeddingInfo, TrunkInfo, load_bundle, write_bundle, write_description
from models.bundle_info import DefenceInfo
from models.errors import BadInput
from models.graphs.export import layers_of, round_weights
from models.network.vgg16 import CAFFE_INPUT, VGG16
from models.training.trunks import (
    TORCHVISION_INPUT,
    VGGFACE_INPUT,
    read_network,
    read_trunk,
    write_network,
    write_trunk,
)


@pytest.fixture(scope="module")
def torchvision_state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(torchvision.models.vgg16(num_classes=2).features.state_dict(prefix="features."))


def test_torchvisions_weights_give_torchvisions_features(
    tmp_path: Path, torchvision_state: dict[str, torch.Tensor]
) -> None:
    torch.save(torchvision_state, tmp_path / "vgg16.pth")
    trunk = read_trunk(tmp_path / "vgg16.pth")
    assert trunk.spec == TORCHVISION_INPUT
    model = VGG16(classes=2, input_size=32, hidden=4, spec=trunk.spec)
    trunk.load_into(model)
    theirs = torchvision.models.vgg16(num_classes=2).features
    theirs.load_state_dict({k.removeprefix("features."): v for k, v in torchvision_state.items()})
    x = torch.rand(1, 3, 32, 32)
    normalised = torchvision.transforms.functional.normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(model.trunk(model.normalise(x * 255)), theirs(normalised), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pattern", ["conv{}_{}", "conv_{}_{}"])
def test_vgg_face_names_are_read_with_their_mean_and_order(tmp_path: Path, pattern: str) -> None:
    model = VGG16(classes=2, input_size=32, hidden=4)
    state = {}
    for name, layer in model.convolutions().items():
        theirs = pattern.format(*name.removeprefix("block").split("_conv"))
        state[f"{theirs}.weight"], state[f"{theirs}.bias"] = (
            layer.weight,
            layer.bias.data,
        )  # some conversions hold parameters
    torch.save(state, tmp_path / "vgg_face.pth")
    trunk = read_trunk(tmp_path / "vgg_face.pth")
    assert trunk.spec == VGGFACE_INPUT
    assert np.array_equal(trunk.arrays["block5_conv3.weight"], model.convolutions()["block5_conv3"].weight.detach())


def test_a_written_trunk_is_read_back_in_half_precision(tmp_path: Path) -> None:
    model = VGG16(classes=2, input_size=32, hidden=4)
    write_trunk(tmp_path / "t.npz", model)
    again = VGG16(classes=2, input_size=32, hidden=4)
    read_trunk(tmp_path / "t.npz").load_into(again)
    for name, layer in model.convolutions().items():
        torch.testing.assert_close(again.convolutions()[name].weight, layer.weight, rtol=1e-3, atol=1e-4)


def test_a_trunk_is_not_loaded_into_a_model_with_another_input(tmp_path: Path) -> None:
    write_trunk(tmp_path / "t.npz", VGG16(classes=2, input_size=32, hidden=4))
    with pytest.raises(ValueError, match="was built for"):
        read_trunk(tmp_path / "t.npz").load_into(VGG16(classes=2, input_size=32, hidden=4, spec=TORCHVISION_INPUT))


def npy() -> bytes:
    """One array, as ``numpy.save`` writes it."""
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    return stream.getvalue()


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("should-not-exist"),))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.npz", None, "no such file"),
        ("a.npz", b"no zip", "not a readable"),
        ("a.npz", b"", "not a readable"),
        ("a.npz", npy(), "not a readable"),
        ("a.pth", b"no zip", "not a plain state dict"),
        ("a.t7", b"x", "Torch 7"),
        ("a.h5", b"x", "unknown kind"),
    ],
)
def test_files_that_are_no_trunk_are_named(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=message):
        read_trunk(tmp_path / name)


def test_a_missing_layer_and_a_wrong_shape_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "few.npz", **{"block1_conv1.weight": np.zeros((64, 3, 3, 3), np.float16)})
    with pytest.raises(BadInput, match=r"lacks block1_conv1\.bias"):
        read_trunk(tmp_path / "few.npz")
    np.savez(tmp_path / "odd.npz", **{"block1_conv1.weight": np.zeros((1, 3, 3, 3), np.float16)})
    with pytest.raises(BadInput, match="has shape"):
        read_trunk(tmp_path / "odd.npz")


@pytest.mark.parametrize("values", [np.full((64, 3, 3, 3), np.nan, np.float16), np.full((64, 3, 3, 3), "x")])
def test_weights_that_are_no_numbers_are_named(tmp_path: Path, values: np.ndarray) -> None:
    np.savez(tmp_path / "nan.npz", **{"block1_conv1.weight": values})
    with pytest.raises(BadInput, match=r"block1_conv1\.weight holds what is no number"):
        read_trunk(tmp_path / "nan.npz")


def test_pickled_code_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"features.0.weight": Malicious()}, tmp_path / "bad.pth")
    with pytest.raises(BadInput):
        read_trunk(tmp_path / "bad.pth")
    assert not Path("should-not-exist").exists()


_KEY = "features.0.weight"


@pytest.mark.parametrize(
    "state",
    [
        {_KEY: torch.zeros(1, dtype=torch.float16).expand(10**6, 10**6)},
        {_KEY: torch.zeros(4, 4).to_sparse()},
        {_KEY: torch.zeros(4, 4, device="meta")},
        {_KEY: torch.zeros(64, 3, 3, 3, dtype=torch.complex64)},
    ],
    ids=["stride 0", "sparse", "meta", "complex"],
)
def test_tensors_that_are_no_plain_numbers_are_named(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    torch.save(state, tmp_path / "odd.pth")
    with pytest.raises(BadInput, match=r"features\.0\.weight is no plain tensor|not a plain state dict"):
        read_trunk(tmp_path / "odd.pth")


def archive(path: Path, shape: tuple[int, ...], zeros: int) -> None:
    """An ``.npz`` whose one array says that it has ``shape``, and holds so many packed zeros."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("block1_conv1.weight.npy", "w") as file,
    ):
        np.lib.format.write_array_header_1_0(file, {"descr": "|i1", "fortran_order": False, "shape": shape})
        for _ in range(zeros >> 20):
            file.write(bytes(1 << 20))


def test_an_archive_that_unpacks_to_gigabytes_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.training.trunks._MOST_BYTES", 2 << 20)
    archive(tmp_path / "bomb.npz", (4 << 20,), 4 << 20)
    assert (tmp_path / "bomb.npz").stat().st_size < 10_000
    with pytest.raises(BadInput, match="its arrays take more than 2 MiB"):
        read_trunk(tmp_path / "bomb.npz")
    (tmp_path / "bomb.npz").rename(tmp_path / "bomb.pth")
    with pytest.raises(BadInput, match="larger than 2 MiB"):
        read_trunk(tmp_path / "bomb.pth")


def test_an_array_that_claims_more_than_its_file_holds_is_refused(tmp_path: Path) -> None:
    archive(tmp_path / "claim.npz", (10**14,), 0)
    with pytest.raises(BadInput, match="claims the shape"):
        read_trunk(tmp_path / "claim.npz")


def test_a_trunk_is_written_whole_and_only_under_a_name_that_can_be_read_again(tmp_path: Path) -> None:
    model = VGG16(classes=2, input_size=32, hidden=4)
    with pytest.raises(BadInput, match=r"end it in \.npz"):
        write_trunk(tmp_path / "trunk", model)
    write_trunk(tmp_path / "t.npz", model)
    assert [path.name for path in tmp_path.iterdir()] == ["t.npz"]


def test_the_trunk_of_a_bundle_is_what_the_bundle_holds(tmp_path: Path) -> None:
    bundle = make_small_bundle(tmp_path / "bundle")
    trunk = read_trunk(tmp_path / "bundle")
    for name, layer in bundle.torch_model().convolutions().items():
        assert np.array_equal(trunk.arrays[f"{name}.weight"], layer.weight.numpy())
    assert trunk.source.startswith("bundle ")


def rounded(model: VGG16) -> dict[str, np.ndarray]:
    """The model as the training of a trunk writes it: torchvision's names, 8 bits and a scale for each row."""
    arrays: dict[str, np.ndarray] = {}
    names = [f"trunk.{index}" for index in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)] + ["fc6", "fc7"]
    for name, layer in zip(names, layers_of(model).values(), strict=True):
        weight = layer.weight.detach().numpy()
        scale = np.abs(weight.reshape(len(weight), -1)).max(1) / 127
        arrays[f"{name}.weight"] = np.rint(weight / scale.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.int8)
        arrays[f"{name}.weight.scale"] = scale.astype(np.float32)
        arrays[f"{name}.bias"] = layer.bias.detach().numpy()
    return arrays


def test_a_whole_network_is_read_as_its_training_wrote_it(tmp_path):
    model = VGG16(classes=8, input_size=32, hidden=16).eval()
    np.savez(tmp_path / "network.npz", **rounded(model))
    found, source = read_network(tmp_path / "network.npz", 32)
    round_weights(model)  # to the same 8 bits
    x = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(found(x), model(x), rtol=1e-4, atol=1e-5)
    assert source == "network.npz"
    lacking = {name: array for name, array in rounded(model).items() if name != "fc7.bias"}
    np.savez(tmp_path / "lacking.npz", **lacking)
    with pytest.raises(BadInput, match=r"lacks fc7\.bias"):
        read_network(tmp_path / "lacking.npz", 32)
    with pytest.raises(BadInput, match="layers are not those"):
        read_network(tmp_path / "network.npz", 64)


def test_a_slim_network_is_read_with_the_channels_that_it_has_and_so_is_a_bundle_of_it(tmp_path):
    torch.manual_seed(0)
    model = VGG16(classes=8, input_size=32, hidden=16, slim=4).eval()
    write_network(tmp_path / "slim.npz", model)
    found, _ = read_network(tmp_path / "slim.npz", 32)
    round_weights(model)
    x = torch.rand(2, 3, 32, 32)
    assert found.slim == 4
    torch.testing.assert_close(found(x), model(x), rtol=1e-4, atol=1e-5)
    info = BundleInfo(
        name="slim",
        input_size=32,
        hidden=16,
        slim=4,
        embedding=EmbeddingInfo(width=8),
        trunk=TrunkInfo(source="random", mean=CAFFE_INPUT.mean, channel_order="BGR"),
        defence=DefenceInfo(threshold=0.9, iterations=1, min_area=2),
    )
    write_bundle(tmp_path / "slim", found, info)
    torch.testing.assert_close(load_bundle(tmp_path / "slim").torch_model()(x), model(x), rtol=1e-3, atol=1e-4)
    write_description(tmp_path / "slim", info.model_copy(update={"slim": 2}))
    with pytest.raises(BadInput, match=r"classifier\.onnx"):
        load_bundle(tmp_path / "slim")


def test_a_closed_set_is_no_network_that_embeds(small_bundle, small_gallery_bundle):
    with pytest.raises(BadInput, match="closed set"):
        read_network(small_bundle.folder)
    found, _ = read_network(small_gallery_bundle.folder)
    x = torch.rand(1, 3, 32, 32)
    assert torch.equal(found(x), small_gallery_bundle.torch_model()(x))
