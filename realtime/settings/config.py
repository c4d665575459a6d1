"""The configuration: every setting declared once, with its default, its range and what it is for.

A file sets what it wants to differ; unknown keys and impossible values are refused in one line. Relative paths in it
lie beside it.
``load_config("webcam")`` reads a shipped file, ``load_config("my/cameras.yaml")`` one of the user's.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, cast

from pydantic import AfterValidator, Field, SecretStr, create_model, model_validator

from models.crop.zones import ZONES, Zone, in_order
from models.errors import BadInput
from models.saliency_mask import Fill, Iterations, Kernel, MinArea, Percentile, Threshold
from realtime.faces.limits import QualityLimits
from realtime.outputs.delivery.delivery import DeliverySection
from realtime.outputs.delivery.registry import DELIVERIES
from realtime.settings.camera import CameraConfig as CameraConfig
from realtime.settings.paths import BundlePath, FilePath, PeoplePath
from realtime.settings.section import Section
from realtime.settings.yaml_file import read_model
from realtime.verdicts.agreement import VerdictRules


class DetectionConfig(Section):
    """Finding faces."""

    detector: Literal["mtcnn", "yunet"] = Field(default="mtcnn", description="yunet is faster and needs its file")
    yunet_file: FilePath | None = Field(default=None, description="The file of OpenCV's YuNet (.onnx)")
    min_face: int = Field(default=40, ge=20, le=2000, description="Smallest face looked for, in pixels of the frame")
    working_size: int = Field(
        default=640, ge=160, le=4096, description="Longer side at which faces are looked for, pixels"
    )
    threshold: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Faces scored below are dropped; empty: the detector's own (0.9, yunet 0.7)",
    )
    detect_every: int = Field(
        default=3, ge=1, le=100, description="Detect on every n-th frame, track in between (every_frame: on all)"
    )
    on_motion: bool = Field(default=True, description="Search only where something moved, everywhere once a second")
    threads: int | None = Field(default=None, ge=1, le=64, description="Threads; empty: by the number of cores")

    @model_validator(mode="after")
    def _yunet_has_its_file(self) -> DetectionConfig:
        if self.detector == "yunet" and not self.yunet_file:
            raise ValueError("detector is yunet, but yunet_file is not given; name the .onnx file")
        return self


class RecognitionConfig(Section):
    """Naming faces."""

    bundle: BundlePath | None = Field(default=None, description="Name or folder of a bundle; empty: hardened")
    gallery: PeoplePath | None = Field(
        default=None,
        description="File of the people to know; embedded: the bundle's; empty: your own (see people), or the bundle's",
    )
    engine: str = Field(
        default="auto", pattern=r"^[a-z0-9_-]+$", description="auto, or one of the table under operation"
    )
    threads: int | None = Field(default=None, ge=1, le=64, description="Threads; empty: by the number of cores")
    batch: int | None = Field(
        default=None, ge=1, le=64, description="Most faces per pass; empty: measured at the start"
    )
    strict: bool = Field(default=False, description="Refuse to start where the engine asked for would fall back")


class TrackingConfig(Section):
    """Following faces from frame to frame."""

    hold: float = Field(default=0.6, ge=0, le=30, description="Seconds a face that detection missed is carried along")
    forget: float = Field(default=2.0, gt=0, le=60, description="Seconds after which a lost face is a new track")
    least_overlap: float = Field(
        default=0.2, ge=0, le=1, description="Overlap (IoU) below which a track may have changed hands"
    )

    @model_validator(mode="after")
    def _held_before_forgotten(self) -> TrackingConfig:
        if self.hold > self.forget:
            raise ValueError(f"hold is {self.hold} s, more than forget ({self.forget} s); lower it")
        return self


class DefenceConfig(Section):
    """Overrides of the bundle's defence; what is left out stays as the bundle has it."""

    zones: Annotated[list[Zone], AfterValidator(in_order)] | None = Field(
        default=None,
        description=f"Zones hidden in views of their own, of {', '.join(ZONES)}. The first given, in this order, has to"
        " confirm a name; the others can only speak against it; []: none",
    )
    certified: bool = Field(
        default=False,
        description="Take the bundle's certified policy: nothing worn in one place, anywhere, makes anybody known",
    )
    second_look: bool = Field(
        default=True, description="Cut a crop again where the face, seen without its eyewear, lies elsewhere"
    )

    threshold: Threshold | None = Field(default=None, description="mu: scaled saliency from which a pixel counts")
    iterations: Iterations | None = Field(default=None, description="n: dilations, then as many erosions")
    min_area: MinArea | None = Field(default=None, description="phi: smallest component, pixels of the crop")
    percentile: Percentile | None = Field(default=None, description="Percentile of the saliency that becomes 1")
    kernel: Kernel | None = Field(default=None, description="Side of the square, pixels")
    fill: Fill | None = Field(default=None, description="What masked pixels become")

    def overrides(self) -> dict[str, Any]:
        """The mask's parameters that are set, for ``dataclasses.replace(bundle's parameters, **overrides)``."""
        return self.model_dump(exclude_none=True, exclude={"zones", "certified", "second_look"})

    @model_validator(mode="after")
    def _one_policy(self) -> DefenceConfig:
        if self.certified and self.zones is not None:
            raise ValueError("certified: has zones of its own; leave zones out, or certified")
        return self


class OverlayConfig(Section):
    """What is drawn onto the picture."""

    thumbnails: bool = Field(default=True, description="Saliency and masked crop of suspected attacks")
    landmarks: bool = Field(default=False, description="The five landmarks")


class RecordConfig(Section):
    """Recording to MP4."""

    file: FilePath | None = Field(default=None, description="Record what is shown to this file")
    fps: float = Field(default=25.0, ge=1, le=120, description="Frames per second of the recording")


class OutputConfig(Section):
    """Where results go."""

    window: bool = Field(default=True, description="Show a window where there is a screen")
    json_file: FilePath | None = Field(default=None, description="Write the run's figures here at its end")


class EventsConfig(Section):
    """Keeping what mattered, with its evidence."""

    folder: FilePath | None = Field(default=None, description="Where events are kept; empty: none are")
    max_age_days: float = Field(
        default=30.0, gt=0, le=3650, description="Older events are deleted, by a clock that has proven itself"
    )
    max_gigabytes: float = Field(
        default=5.0,
        gt=0,
        le=10_000,
        description="Beyond it the pictures of acknowledged events go, then new events are kept without pictures",
    )
    min_free_gigabytes: float = Field(
        default=1.0, ge=0, le=10_000, description="Kept free on the disk, in the same way"
    )
    pixelate_others: bool = Field(default=False, description="Hide every other face that the detector finds")
    repeat_seconds: float = Field(
        default=300.0, ge=1, le=86_400, description="After so long the same of one face is an event again"
    )
    reappear_seconds: float = Field(default=60.0, ge=0, le=86_400, description="Whoever was away so long appears again")
    settle_seconds: float = Field(
        default=1.0, ge=0, le=60, description="How long somebody must have been a stranger to be an event"
    )
    clip_seconds: float = Field(
        default=0.0, ge=0, le=60, description="Keep a clip of this length around each event; 0: none"
    )

    @model_validator(mode="after")
    def _clips_show_everybody(self) -> EventsConfig:
        if self.clip_seconds and self.pixelate_others:
            raise ValueError("clip_seconds and pixelate_others are both given, and clips hide nobody; leave one out")
        return self


class WebConfig(Section):
    """The live page and its metrics."""

    enabled: bool = Field(default=False, description="Serve the page (also by --web)")
    host: str = Field(default="127.0.0.1", min_length=1, description="Beyond loopback the page demands a token")
    port: int = Field(default=8080, ge=0, le=65535, description="0 takes a free one")
    token: SecretStr | None = Field(default=None, min_length=16, description="What viewers must know; ${ENV_VAR}")
    certificate: FilePath | None = Field(default=None, description="PEM file for https")
    key: FilePath | None = Field(default=None, description="PEM file of the certificate's key")

    @model_validator(mode="after")
    def _https_takes_both(self) -> WebConfig:
        if bool(self.certificate) != bool(self.key):
            given, missing = ("certificate", "key") if self.certificate else ("key", "certificate")
            raise ValueError(f"{given} is given without {missing}, and https needs both; give {missing} too")
        return self


class Sections(Section):
    """Everything but the deliveries of events, which stand in their registry."""

    cameras: list[CameraConfig] = Field(default_factory=lambda: [CameraConfig()], min_length=1, max_length=64)
    detection: DetectionConfig = DetectionConfig()
    recognition: RecognitionConfig = RecognitionConfig()
    quality: QualityLimits = QualityLimits()
    tracking: TrackingConfig = TrackingConfig()
    verdict: VerdictRules = VerdictRules()
    defence: DefenceConfig = DefenceConfig()
    overlay: OverlayConfig = OverlayConfig()
    record: RecordConfig = RecordConfig()
    output: OutputConfig = OutputConfig()
    events: EventsConfig = EventsConfig()
    web: WebConfig = WebConfig()

    @model_validator(mode="after")
    def _messages_come_from_events(self) -> Self:
        if self.deliveries() and not self.events.folder:
            raise ValueError(f"{' and '.join(self.deliveries())}: only stored events are sent; give events.folder")
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [camera.name for camera in self.cameras]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"cameras: {names.count(name)} cameras are named '{name}'; give each its own name")
        return self

    def deliveries(self) -> dict[str, DeliverySection]:
        """The sections of those deliveries that are asked for, by name."""
        sections = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            name: section
            for name, section in sections.items()
            if isinstance(section, DeliverySection) and section.asked_for
        }

    def with_source(self, source: str, *, every_frame: bool | None = None) -> Self:
        """This configuration with one camera: ``source`` with the first camera's other settings."""
        changes: dict[str, Any] = {"source": source}
        if every_frame is not None:
            changes["every_frame"] = every_frame
        return self.model_copy(update={"cameras": [self.cameras[0].model_copy(update=changes)]})


def config_model() -> type[Config]:
    """The model of a configuration: its sections, and one for every delivery that the registry has now."""
    return _with_sections(tuple(DELIVERIES.items()))


@cache
def _with_sections(deliveries: tuple[tuple[str, type[DeliverySection]], ...]) -> type[Config]:
    sections: dict[str, Any] = {name: (section, section()) for name, section in deliveries}
    return cast("type[Config]", create_model("Config", __base__=Sections, __doc__="Everything.", **sections))


if TYPE_CHECKING:

    class Config(Sections):
        """Everything."""
else:
    Config = config_model()


def load_config(path: str | Path | None = None, *, sources: bool = True) -> Config:
    """Read a configuration: a file, or the name of a shipped one (``webcam``); None gives the defaults.

    ``sources``: whether those of its cameras are opened; otherwise no environment variable in them needs to be set.

    Raises ``BadInput`` with file, key, what was found and what is allowed.
    """
    if path is None:
        return Config()
    return read_model(find_config(path), config_model(), unused="" if sources else "cameras.*.source")


def find_config(name: str | Path) -> Path:
    """The file that ``name`` means: one that exists, or a shipped one (``webcam``, ``configs/webcam.yaml``)."""
    path = Path(name)
    if path.is_file():
        return path
    shipped = shipped_configs()
    if path.parent in (Path(), Path("configs")) and path.suffix in ("", ".yaml", ".yml") and path.stem in shipped:
        return shipped[path.stem]
    raise BadInput(f"{path}: there is no such configuration; give a file, or one of {', '.join(sorted(shipped))}")


def shipped_configs() -> dict[str, Path]:
    """The configurations that come with the package, by name."""
    folder = resources.files("configs")
    return {Path(item.name).stem: Path(str(item)) for item in folder.iterdir() if item.name.endswith(".yaml")}
