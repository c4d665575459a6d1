"""A bundle: a folder with one copy of the weights (``classifier.onnx``) and what they mean (``bundle.yaml``).

Loading verifies a checksum of each file, limits their sizes, parses YAML safely and unpickles nothing, so a
bundle from a stranger can be opened.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import onnx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.crop.zones import Zone, in_order
from models.errors import BadInput
from models.files import read_regular, whole_file
from models.graphs.builder import read_weights
from models.graphs.classifier import check_classifier
from models.network.architecture import InputSpec
from models.policy import Policy
from models.saliency_mask import Fill, MaskParameters
from models.yaml_core import YamlMistake, dump, load

if TYPE_CHECKING:
    from models.network.vgg16 import VGG16

CLASSIFIER = "classifier.onnx"
DESCRIPTION = "bundle.yaml"
DEFAULT_BUNDLE = "hardened"
_MAX_DESCRIPTION_BYTES = 4 << 20
_MAX_DESCRIPTION_VALUES = 250_000  # 100,000 labels and what is known of them
_MAX_CLASSIFIER_BYTES = 256 << 20


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Level = Annotated[float, Field(ge=0, le=255, allow_inf_nan=False)]
Factor = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class TrunkInfo(_Strict):
    """Where the convolutions come from and what they expect."""

    source: str = Field(description="file or lineage of the convolutions")
    mean: tuple[Level, Level, Level] = Field(description="subtracted, on 0-255, in channel_order")
    scale: tuple[Factor, Factor, Factor] = Field(default=(1.0, 1.0, 1.0), description="multiplied after the mean")
    channel_order: Literal["RGB", "BGR"]

    @property
    def spec(self) -> InputSpec:
        return InputSpec(mean=self.mean, scale=self.scale, channel_order=self.channel_order)


class DefenceInfo(_Strict):
    """The saliency mask's parameters, see ``models.saliency_mask.MaskParameters``."""

    threshold: float = Field(gt=0, le=1)
    iterations: int = Field(ge=0, le=64)
    min_area: int = Field(ge=0)
    percentile: float = Field(default=99.0, gt=0, le=100)
    kernel: int = Field(default=3, ge=1, le=31)
    fill: Fill = "mean"
    record: dict[str, Any] = Field(default_factory=dict, description="how these were found")

    @model_validator(mode="after")
    def _usable(self) -> DefenceInfo:
        self.parameters  # noqa: B018 (raises what they refuse)
        return self

    @property
    def parameters(self) -> MaskParameters:
        return MaskParameters(**self.model_dump(exclude={"record"}))


class PolicyInfo(_Strict):
    """When a name is believed, see ``models.policy.Policy``."""

    threshold: float = Field(default=0.8, gt=0, lt=1)
    confirm: float = Field(default=0.5, ge=0, lt=1)
    zone_threshold: float = Field(default=0.8, gt=0, lt=1)
    zone_confirm: float = Field(default=0.5, ge=0, lt=1)
    zone_dissent: float = Field(default=0.1, ge=0, lt=1)
    further_confirm: float = Field(default=0.5, ge=0, lt=1)
    zones: Annotated[tuple[Zone, ...], AfterValidator(in_order)] = Field(
        default=(), description="hidden one at a time in views of their own"
    )
    record: dict[str, Any] = Field(default_factory=dict, description="how the zone's values were found")

    @model_validator(mode="after")
    def _in_order(self) -> PolicyInfo:
        if self.zones and not self.zone_dissent <= self.zone_confirm <= self.zone_threshold:
            raise ValueError(
                f"zone_dissent {self.zone_dissent:g}, zone_confirm {self.zone_confirm:g} and zone_threshold"
                f" {self.zone_threshold:g} must not fall in this order"
            )
        return self

    @property
    def policy(self) -> Policy:
        return Policy(**self.model_dump(exclude={"zones", "record"}))


class BundleInfo(_Strict):
    """The content of ``bundle.yaml`` without its own checksum."""

    format: Literal[1] = 1
    name: str = Field(min_length=1, max_length=100)
    labels: tuple[str, ...] = Field(min_length=2, max_length=100_000)
    input_size: int = Field(ge=32, le=1024)
    hidden: int = Field(ge=1)
    trunk: TrunkInfo
    defence: DefenceInfo
    policy: PolicyInfo = PolicyInfo()
    calibration: dict[str, Any] = Field(default_factory=dict, description="temperature is folded into the weights")
    training: dict[str, Any] = Field(default_factory=dict, description="the record of the training")
    sha256: dict[str, str] = Field(default_factory=dict, description="of every other file of the bundle")

    @property
    def network(self) -> dict[str, int]:
        """The network's sizes."""
        return {"classes": len(self.labels), "input_size": self.input_size, "hidden": self.hidden}


class Bundle:
    """A bundle on disk whose files have been verified."""

    def __init__(self, folder: Path, info: BundleInfo) -> None:
        self.folder = folder
        self.info = info

    @property
    def classifier_path(self) -> Path:
        return self.folder / CLASSIFIER

    @property
    def checksum(self) -> str:
        """SHA-256 of the weights: the key of everything derived from them."""
        return self.info.sha256[CLASSIFIER]

    def torch_model(self) -> VGG16:
        """The network with the weights of ``classifier.onnx``, in evaluation mode, without gradients on weights.

        Raises:
            BadInput: a head larger than torch is given here.
        """
        from models.graphs.export import load_weights  # torch takes seconds to import: only who needs it pays
        from models.network.vgg16 import VGG16

        try:
            model = VGG16(**self.info.network, spec=self.info.trunk.spec)
        except ValueError as error:
            raise BadInput(f"bundle {self.folder}: {error}") from error
        load_weights(model, read_weights(onnx.load(str(self.classifier_path), load_external_data=False)))
        return model.eval().requires_grad_(False)


def bundles_folder() -> Path:
    """The folder of the embedded bundles."""
    return Path(str(resources.files("models"))) / "bundles"


def find_bundle(bundle: str | Path | None) -> Path:
    """None = the embedded default, a plain name = an embedded bundle, anything else = a path.

    Raises:
        BadInput: there is no such folder.
    """
    if bundle is None:
        bundle = DEFAULT_BUNDLE
    embedded = bundles_folder() / str(bundle)
    if Path(str(bundle)).name == str(bundle) and (embedded / DESCRIPTION).is_file():
        return embedded
    folder = Path(bundle)
    if not folder.is_dir():
        names = ", ".join(sorted(p.name for p in bundles_folder().iterdir() if (p / DESCRIPTION).is_file())) or "none"
        raise BadInput(f"bundle {bundle}: no such folder; embedded bundles: {names}")
    return folder


def load_bundle(bundle: str | Path | None = None) -> Bundle:
    """Find, verify and read a bundle.

    Raises:
        BadInput: a file is missing, too large, unreadable or has another checksum, or the graph is not the one
            that is described; names the file.
    """
    folder = find_bundle(bundle)
    description = folder / DESCRIPTION
    try:
        content = load(read_regular(description, _MAX_DESCRIPTION_BYTES), most=_MAX_DESCRIPTION_VALUES)
        if not isinstance(content, dict):
            raise BadInput(f"bundle {folder}: {DESCRIPTION} holds no mapping")
        whole = content.pop("checksum", None) == _checksum(content)
    except YamlMistake as error:
        raise BadInput(f"bundle {folder}: {DESCRIPTION} is not valid YAML: {error}") from error
    except TypeError as error:  # keys of two kinds beside each other
        raise BadInput(f"bundle {folder}: {DESCRIPTION} is not valid YAML: a key that is no text") from error
    if not whole:
        raise BadInput(f"bundle {folder}: {DESCRIPTION} was changed or damaged (its checksum differs)")
    try:
        info = BundleInfo.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = " ".join(".".join(str(part) for part in first["loc"]).split())  # a key may hold line breaks
        raise BadInput(f"bundle {folder}: {DESCRIPTION}: {where}: {first['msg']}") from error
    for name in info.sha256:
        if name != CLASSIFIER:
            raise BadInput(f"bundle {folder}: {DESCRIPTION} names a file that is no part of a bundle: {name!r}")
    if CLASSIFIER not in info.sha256:
        raise BadInput(f"bundle {folder}: {DESCRIPTION} gives no checksum of {CLASSIFIER}")
    weights = read_regular(folder / CLASSIFIER, _MAX_CLASSIFIER_BYTES)
    if hashlib.sha256(weights).hexdigest() != info.sha256[CLASSIFIER]:
        raise BadInput(f"bundle {folder}: {CLASSIFIER} was changed or damaged (its SHA-256 differs)")
    try:
        proto = onnx.ModelProto.FromString(weights)
    except Exception as error:  # protobuf's own kinds
        raise BadInput(f"bundle {folder}: {CLASSIFIER} is no ONNX graph") from error
    try:
        check_classifier(proto, **info.network, spec=info.trunk.spec)
    except (BadInput, ValueError) as error:  # numpy's, of tensors that are not whole
        raise BadInput(f"bundle {folder}: {CLASSIFIER} does not fit {DESCRIPTION}: {error}") from error
    return Bundle(folder, info)


def write_bundle(folder: Path, model: VGG16, info: BundleInfo) -> Bundle:
    """Export ``model`` and write the folder; ``info.sha256`` is filled in. Replaces a bundle of the same name.

    Raises:
        BadInput: the exported graph differs from torch, or the folder cannot be written; an earlier bundle stays.
    """
    from models.graphs.export import export_classifier

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as name:
            new = Path(name)
            export_classifier(model, new / CLASSIFIER)
            digest = hashlib.sha256((new / CLASSIFIER).read_bytes()).hexdigest()
            written = write_description(new, info.model_copy(update={"sha256": {CLASSIFIER: digest}}))
            for file in (CLASSIFIER, DESCRIPTION):
                os.replace(new / file, folder / file)
        return Bundle(folder, written.info)
    except OSError as error:
        raise BadInput(f"bundle {folder}: cannot be written ({error.strerror})") from error


def write_description(folder: Path, info: BundleInfo) -> Bundle:
    """Write ``bundle.yaml`` with its checksum, in one step (a reader sees the old file or the new one)."""
    content = json.loads(info.model_dump_json())
    content["checksum"] = _checksum(content)
    with whole_file(folder / DESCRIPTION) as file:
        file.write(dump(content).encode())
    return Bundle(folder, info)


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
