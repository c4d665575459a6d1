"""``bundle.yaml``: which network it is, whom it knows, how it is defended, where all of that comes from; its reading
and writing."""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.crop.zones import Zone, each_once, in_order
from models.errors import BadInput
from models.files import read_regular, whole_file
from models.gallery.match import Scale
from models.network.architecture import InputSpec
from models.policy import Policy
from models.saliency_mask import Fill, Iterations, Kernel, MaskParameters, MinArea, Percentile, Threshold
from models.yaml_core import YamlMistake, dump, load

CLASSIFIER = "classifier.onnx"
DESCRIPTION = "bundle.yaml"
GALLERY = "gallery.npz"
COHORT = "cohort.npz"
DEFAULT_BUNDLE = "hardened"
_MAX_DESCRIPTION_BYTES = 4 << 20
_MAX_DESCRIPTION_VALUES = 250_000  # 100,000 labels and what is known of them

Head = Literal["closed_set", "gallery"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def _each_once(zones: tuple[Zone, ...]) -> tuple[Zone, ...]:
    each_once(zones)
    return zones


Level = Annotated[float, Field(ge=0, le=255, allow_inf_nan=False)]
Factor = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
Lead = Annotated[float, Field(ge=0, le=1000)]
Sure = Annotated[float, Field(gt=0, lt=1)]


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

    threshold: Threshold
    iterations: Iterations
    min_area: MinArea
    percentile: Percentile = MaskParameters.percentile
    kernel: Kernel = MaskParameters.kernel
    fill: Fill = MaskParameters.fill
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

    threshold: Sure = Policy.threshold
    confirm: Share = Policy.confirm
    zone_threshold: Sure = Policy.zone_threshold
    zone_confirm: Share = Policy.zone_confirm
    zone_dissent: Share = Policy.zone_dissent
    further_confirm: Share = Policy.further_confirm
    zone_lead: Lead = Policy.zone_lead
    further_lead: Lead = Policy.further_lead
    floor: Share = Policy.floor
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


class EmbeddingInfo(_Strict):
    """What the network's outputs are where they are compared with a gallery."""

    width: int = Field(ge=2, le=4096, description="numbers of an embedding")
    views: Annotated[tuple[Zone, ...], AfterValidator(_each_once)] = Field(
        default=(), description="hidden one at a time in the gallery's and the cohort's pictures"
    )
    temperature: float = Field(default=0.07, gt=0, allow_inf_nan=False, description="cosines are divided by it")
    crowd: float = Field(default=0.0, ge=0, le=2, description="how nobody's share grows with the gallery")
    crowd_of: int = Field(default=1, ge=1, description="people in the gallery that the thresholds were found with")

    @property
    def scale(self) -> Scale:
        return Scale(self.temperature, self.crowd, self.crowd_of)


class BundleInfo(_Strict):
    """The content of ``bundle.yaml`` without its own checksum.

    There are two kinds. In a *closed set* the network's last layer has a row for each of ``labels``. With an
    ``embedding`` people are those of a gallery, in a file of its own, and ``labels`` stay empty.
    """

    format: Literal[1] = 1
    name: str = Field(min_length=1, max_length=100)
    labels: tuple[str, ...] = Field(default=(), max_length=100_000)
    input_size: int = Field(ge=32, le=1024)
    hidden: int = Field(ge=1)
    slim: int = Field(default=1, ge=1, le=8, description="each convolution has one of that many of VGG16's channels")
    embedding: EmbeddingInfo | None = None
    trunk: TrunkInfo
    defence: DefenceInfo
    policy: PolicyInfo = PolicyInfo()
    certified: PolicyInfo | None = Field(
        default=None, description="the policy for those who want nothing worn anywhere to make anybody known"
    )
    calibration: dict[str, Any] = Field(default_factory=dict, description="temperature is folded into the weights")
    training: dict[str, Any] = Field(default_factory=dict, description="the record of the training")
    sha256: dict[str, str] = Field(default_factory=dict, description="of every other file of the bundle")

    @model_validator(mode="after")
    def _one_kind(self) -> BundleInfo:
        if self.embedding is None and len(self.labels) < 2:
            raise ValueError("labels: a closed set needs at least two people")
        if self.embedding is not None and self.labels:
            raise ValueError("labels and an embedding: people are either in the network or in a gallery")
        for policy in (self.policy, self.certified):
            if policy and self.embedding is not None and (lacking := set(policy.zones) - set(self.embedding.views)):
                raise ValueError(
                    f"the policy looks without {', '.join(sorted(lacking))}, and the embedding has no such view"
                )
        return self

    @property
    def head(self) -> Head:
        return "closed_set" if self.embedding is None else "gallery"

    @property
    def width(self) -> int:
        """How many numbers the network gives for a crop: a logit for each person, or an embedding."""
        return len(self.labels) if self.embedding is None else self.embedding.width

    @property
    def network(self) -> dict[str, int]:
        """The network's sizes."""
        return {"classes": self.width, "input_size": self.input_size, "hidden": self.hidden, "slim": self.slim}


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
    path = Path(bundle)
    if not path.exists():
        names = ", ".join(sorted(folder.name for folder in embedded_bundles())) or "none"
        raise BadInput(f"bundle {bundle}: no such folder; embedded bundles: {names}")
    return path


def embedded_bundles() -> list[Path]:
    """The folders of the embedded bundles."""
    return [folder for folder in bundles_folder().iterdir() if (folder / DESCRIPTION).is_file()]


def read_description(folder: Path) -> BundleInfo:
    """``bundle.yaml``, verified.

    Raises:
        BadInput: it is missing, damaged, or describes no bundle.
    """
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
    files = {CLASSIFIER} if info.embedding is None else {CLASSIFIER, GALLERY, COHORT}
    for name in info.sha256:
        if name not in files:
            raise BadInput(f"bundle {folder}: {DESCRIPTION} names a file that is no part of a bundle: {name!r}")
    if CLASSIFIER not in info.sha256:
        raise BadInput(f"bundle {folder}: {DESCRIPTION} gives no checksum of {CLASSIFIER}")
    return info


def write_description(folder: Path, info: BundleInfo) -> None:
    """Write ``bundle.yaml`` with its checksum, in one step (a reader sees the old file or the new one)."""
    content = json.loads(info.model_dump_json())
    content["checksum"] = _checksum(content)
    with whole_file(folder / DESCRIPTION) as file:
        file.write(dump(content).encode())


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
