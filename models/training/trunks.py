"""Reads VGG16 trunks of three lineages into one form; every trunk declares mean and channel order.

``.npz``   keys ``block1_conv1.weight`` ..., OIHW; input B, G, R minus (103.939, 116.779, 123.68)
``.pth``   torchvision's ``vgg16`` state dict (``features.0.weight`` ...): R, G, B, ImageNet mean and deviation
``.pth``   VGG-Face conversions (``conv1_1.weight`` ... or ``conv_1_1.weight`` ...): Parkhi et al. 2015,
           B, G, R minus (93.5940, 104.7624, 129.1863)
a folder   a bundle of this project: its convolutions, as they were rounded for it

State dicts are read with ``weights_only=True``: nothing is unpickled. Torch's ``.t7`` has no maintained
reader (``torchfile`` was last released in 2016, ``torch.utils.serialization.load_lua`` left PyTorch in 1.0),
so it is refused with a pointer to the ``.pth`` conversions.
"""

from __future__ import annotations

import zipfile
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from models.arrays import load_arrays
from models.bundle import load_bundle
from models.errors import BadInput, first_line
from models.files import whole_file
from models.graphs.builder import quantise
from models.graphs.classifier import weight_shapes
from models.graphs.export import layers_of, load_weights
from models.network import architecture
from models.network.vgg16 import CAFFE_INPUT, CONVOLUTION_NAMES, VGG16, InputSpec

TORCHVISION_INPUT = InputSpec(
    mean=(0.485 * 255, 0.456 * 255, 0.406 * 255),
    scale=(1 / (0.229 * 255), 1 / (0.224 * 255), 1 / (0.225 * 255)),
    channel_order="RGB",
)
VGGFACE_INPUT = InputSpec(mean=(93.5940, 104.7624, 129.1863), channel_order="BGR")
_MOST_BYTES = 1 << 30  # a whole VGG16 in float32, with its head, takes 530 MiB
_TORCHVISION_INDICES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
_RANGE = "range."
_NETWORK_NAMES = (*(f"trunk.{index}" for index in _TORCHVISION_INDICES), "fc6", "fc7")


@dataclass(frozen=True)
class Trunk:
    """13 convolutions as float32 OIHW arrays by ``block1_conv1.weight`` / ``.bias``, and their input."""

    arrays: Mapping[str, npt.NDArray[np.float32]]
    spec: InputSpec
    source: str

    @property
    def slim(self) -> int:
        """Each convolution has one of that many of VGG16's channels."""
        return _slim_of(self.arrays["block1_conv1.weight"])

    def load_into(self, model: VGG16) -> None:
        """Copy the convolutions into ``model``; its ``spec`` must already be this trunk's.

        Raises:
            ValueError: the model was built for another input.
        """
        if model.spec != self.spec:
            raise ValueError(f"the model was built for {model.spec}, the trunk {self.source} wants {self.spec}")
        with torch.no_grad():
            for name, layer in model.convolutions().items():
                assert layer.bias is not None
                layer.weight.copy_(torch.from_numpy(self.arrays[f"{name}.weight"]))
                layer.bias.copy_(torch.from_numpy(self.arrays[f"{name}.bias"]))


def _slim_of(first: npt.NDArray[np.float32]) -> int:
    return architecture.BLOCKS[0][1] // len(first)


def read_trunk(path: str | Path) -> Trunk:
    """Read a trunk by the file's kind.

    Raises:
        BadInput: the file is missing, of an unknown kind, damaged, or lacks a layer.
    """
    path = Path(path)
    if path.is_dir():
        return _read_bundle(path)
    if not path.is_file():
        raise BadInput(
            f"trunk {path}: no such file; give a .npz, a .pth of torchvision's vgg16 or of VGG-Face, or a bundle"
        )
    if path.suffix == ".npz":
        return _read_npz(path)
    if path.suffix in {".pth", ".pt"}:
        return _read_state_dict(path)
    if path.suffix == ".t7":
        raise BadInput(f"trunk {path}: Torch 7 files have no maintained reader; use a .pth conversion of VGG-Face")
    raise BadInput(f"trunk {path}: unknown kind {path.suffix!r}; known are .npz and .pth")


def write_network(path: Path, model: VGG16, ranges: Mapping[str, float] | None = None) -> None:
    """Write a whole network as ``read_network`` reads it: each weight 8 bits with a scale per row, biases as they are.

    ``ranges``: those of the 8-bit graphs, where they were learnt with it (``learnt_ranges`` reads them).

    Raises:
        OSError: it cannot be written; an earlier file stays.
        BadInput: the model's input is not the one that such files have.
    """
    if model.spec != CAFFE_INPUT:
        raise BadInput(f"{path}: only networks with the mean and order of the .npz files are written")
    arrays: dict[str, npt.NDArray[Any]] = {f"{_RANGE}{name}": np.array(one) for name, one in (ranges or {}).items()}
    for name, layer in zip(_NETWORK_NAMES, layers_of(model).values(), strict=True):
        assert layer.bias is not None
        arrays[f"{name}.bias"] = layer.bias.detach().cpu().numpy()
        quantised, scale = quantise(layer.weight.detach().cpu().numpy())
        arrays[f"{name}.weight"], arrays[f"{name}.weight.scale"] = quantised, scale.reshape(-1)
    with whole_file(path) as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def read_network(path: Path, input_size: int = 112) -> tuple[VGG16, str]:
    """A whole network that embeds faces, and where it comes from.

    Args:
        path: a bundle with a gallery, or an ``.npz`` as the training of a trunk writes it: torch's names
            (``trunk.0.weight`` ... ``fc6.weight``, ``fc7.bias``), each weight as int8 with a scale per row
            (``.scale``) or as floats; input B, G, R minus the Caffe mean.
        input_size: of the crops; a bundle says itself.

    Raises:
        BadInput: the file is missing or damaged, lacks a layer, or the bundle knows a closed set.
    """
    if path.is_dir() or not path.suffix:
        bundle = load_bundle(path)
        if bundle.info.embedding is None:
            raise BadInput(f"network {path}: knows a closed set of people and embeds no faces; give another bundle")
        return bundle.torch_model(), f"{bundle.info.trunk.source}, {bundle.checksum[:12]}"
    found = _arrays_of(path)
    arrays = {
        name: values.astype(np.float32) * _scale(found, name, values)
        for name, values in found.items()
        if not name.endswith(".scale") and not name.startswith(_RANGE)
    }
    try:
        width, hidden = arrays["fc7.weight"].shape
        slim = _slim_of(arrays["trunk.0.weight"])
        model = VGG16(classes=width, input_size=input_size, hidden=hidden, spec=CAFFE_INPUT, slim=slim)
        weights = {
            f"{ours}.{kind}": arrays[f"{theirs}.{kind}"]
            for ours, theirs in zip(layers_of(model), _NETWORK_NAMES, strict=True)
            for kind in ("weight", "bias")
        }
        load_weights(model, weights)
    except KeyError as error:
        raise BadInput(f"network {path}: lacks {error.args[0]}") from error
    except (ValueError, RuntimeError, IndexError, TypeError, ZeroDivisionError) as error:
        raise BadInput(f"network {path}: its layers are not those of such a network ({first_line(error)})") from error
    if not all(np.isfinite(values).all() for values in weights.values()):
        raise BadInput(f"network {path}: holds what is no number")
    return model.eval(), path.name


def learnt_ranges(path: Path) -> dict[str, float]:
    """The ranges that ``write_network`` kept with a network; none of a bundle, whose own record holds them."""
    if path.is_dir() or not path.suffix:
        return {}
    found = {name.removeprefix(_RANGE): one for name, one in _arrays_of(path).items() if name.startswith(_RANGE)}
    return {name: float(one) for name, one in found.items() if one.shape == () and np.isfinite(one) and one > 0}


def _scale(found: Mapping[str, npt.NDArray[np.generic]], name: str, values: npt.NDArray[np.generic]) -> Any:
    scale = found.get(f"{name}.scale")
    return 1 if scale is None else np.reshape(scale, (-1, *[1] * (values.ndim - 1)))


def write_trunk(path: str | Path, model: VGG16) -> None:
    """Write the model's convolutions as a float16 ``.npz`` (the form that ``read_trunk`` reads), whole or not at all.

    Raises:
        BadInput: the file's name does not end in ``.npz``.
        ValueError: the model's mean and channel order are not those of such files.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise BadInput(f"trunk {path}: cannot be written under this name; end it in .npz")
    if model.spec != CAFFE_INPUT:
        raise ValueError(f"only trunks with the input {CAFFE_INPUT} are written as .npz, this one has {model.spec}")
    arrays: dict[str, npt.NDArray[np.float16]] = {}
    for name, layer in model.convolutions().items():
        assert layer.bias is not None
        arrays[f"{name}.weight"] = layer.weight.detach().cpu().numpy().astype(np.float16)
        arrays[f"{name}.bias"] = layer.bias.detach().cpu().numpy().astype(np.float16)
    with whole_file(path) as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def _read_npz(path: Path) -> Trunk:
    return _checked(_arrays_of(path, _shapes()), CAFFE_INPUT, path)


def _arrays_of(path: Path, only: Container[str] | None = None) -> dict[str, npt.NDArray[Any]]:
    try:
        return load_arrays(path, most=_MOST_BYTES) if only is None else load_arrays(path, most=_MOST_BYTES, only=only)
    except (OSError, ValueError, TypeError, MemoryError) as error:  # TypeError: numpy's, of a header that is none
        raise BadInput(f"trunk {path}: not a readable .npz ({error})") from error


def _read_bundle(folder: Path) -> Trunk:
    bundle = load_bundle(folder)
    arrays: dict[str, npt.NDArray[np.float32]] = {}
    for name, layer in bundle.torch_model().convolutions().items():
        assert layer.bias is not None
        arrays[f"{name}.weight"], arrays[f"{name}.bias"] = layer.weight.numpy(), layer.bias.numpy()
    return Trunk(arrays=arrays, spec=bundle.info.trunk.spec, source=f"{folder.name} {bundle.checksum[:12]}")


def _read_state_dict(path: Path) -> Trunk:
    if _unpacked_size(path) > _MOST_BYTES:
        raise BadInput(f"trunk {path}: larger than {_MOST_BYTES >> 20} MiB, more than any VGG16 takes")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for damaged or unsafe files
        raise BadInput(f"trunk {path}: not a plain state dict of tensors ({type(error).__name__})") from error
    if not isinstance(state, Mapping):
        raise BadInput(f"trunk {path}: holds a {type(state).__name__}, wanted a state dict")
    tensors = {str(key): value for key, value in state.items() if isinstance(value, torch.Tensor)}
    for spec, names in _layouts():
        if f"{names[0]}.weight" in tensors:
            found = {
                f"{ours}.{kind}": _plain(tensors[f"{theirs}.{kind}"], f"{theirs}.{kind}", path)
                for ours, theirs in zip(CONVOLUTION_NAMES, names, strict=True)
                for kind in ("weight", "bias")
                if f"{theirs}.{kind}" in tensors
            }
            return _checked(found, spec, path)
    raise BadInput(
        f"trunk {path}: neither torchvision's vgg16 nor a VGG-Face conversion (keys like {list(tensors)[:2]})"
    )


def _unpacked_size(path: Path) -> int:
    """Bytes of the file, or of what is packed in it."""
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            return max(size, sum(info.file_size for info in archive.infolist()))
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):  # older than torch 1.6, or no such file
        return size


def _plain(tensor: torch.Tensor, key: str, path: Path) -> npt.NDArray[np.float32]:
    """A tensor's numbers; one number that is spread over a large shape (stride 0) is not written out."""
    usual = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    if not usual or tensor.is_complex() or tensor.numel() > tensor.untyped_storage().nbytes():
        raise BadInput(f"trunk {path}: {key} is no plain tensor (sparse, quantised, or without its numbers)")
    return np.asarray(tensor.detach().float().numpy(), dtype=np.float32)


def _layouts() -> list[tuple[InputSpec, list[str]]]:
    positions = [name.removeprefix("block").split("_conv") for name in CONVOLUTION_NAMES]
    return [
        (TORCHVISION_INPUT, [f"features.{index}" for index in _TORCHVISION_INDICES]),
        (VGGFACE_INPUT, [f"conv{block}_{conv}" for block, conv in positions]),
        (VGGFACE_INPUT, [f"conv_{block}_{conv}" for block, conv in positions]),
    ]


def _shapes() -> dict[str, tuple[int, ...]]:
    """The shape of each array of a trunk. No network is built: that would draw from the training's random numbers."""
    weights = weight_shapes(classes=1, input_size=32, hidden=1)
    shapes: dict[str, tuple[int, ...]] = {}
    for name in CONVOLUTION_NAMES:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = weights[name], weights[name][:1]
    return shapes


def _checked(found: Mapping[str, npt.NDArray[np.generic]], spec: InputSpec, path: Path) -> Trunk:
    arrays: dict[str, npt.NDArray[np.float32]] = {}
    for key, expected in _shapes().items():
        if key not in found:
            raise BadInput(f"trunk {path}: lacks {key}")
        if found[key].shape != expected:
            raise BadInput(f"trunk {path}: {key} has shape {found[key].shape}, wanted {expected}")
        if found[key].dtype.kind not in "fiu" or not np.isfinite(found[key]).all():
            raise BadInput(f"trunk {path}: {key} holds what is no number")
        arrays[key] = np.ascontiguousarray(found[key], dtype=np.float32)
    return Trunk(arrays=arrays, spec=spec, source=path.name)
