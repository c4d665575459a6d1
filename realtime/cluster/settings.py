"""The configuration of a cluster: that of a run, and a section of its own."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import Field, create_model, model_validator

from models.errors import BadInput
from realtime.settings.config import CameraConfig, Config, Sections, config_model
from realtime.settings.paths import FilePath
from realtime.settings.section import Section
from realtime.settings.yaml_file import read_model

MOST_CAMERAS = 10_000


class ClusterSection(Section):
    """Where the cluster's nodes meet, and how work is spread over them."""

    host: str = Field(
        default="127.0.0.1", min_length=1, description="The head's address, on the interface that its nodes reach"
    )
    port: int = Field(default=6390, ge=1024, le=65535, description="The head's port")
    redis: str | None = Field(
        default=None, pattern=r"^[\w.:\[\]-]+:\d+$", description="host:port of the Redis that keeps the head's state"
    )
    cameras_per_group: int = Field(default=4, ge=1, le=64, description="Cameras that share one process")
    pinned: dict[str, str] = Field(
        default_factory=dict, description="Cameras that one node only can reach: name of the camera, name of the node"
    )
    evidence: FilePath | None = Field(
        default=None, description="Folder on every node where events are kept until they are collected"
    )
    replicas: int = Field(default=1, ge=1, le=10_000, description="Recognisers that always run")
    most_replicas: int | None = Field(
        default=None, ge=1, le=10_000, description="Recognisers under load; empty: no more than replicas"
    )
    cores_per_replica: float = Field(default=1.0, ge=0.1, le=64, description="Cores that a recogniser takes")
    gpus_per_replica: float = Field(default=0.0, ge=0, le=8, description="Graphics cards that a recogniser takes")
    waiting: int = Field(
        default=32, ge=1, le=10_000, description="Crops that wait at a recogniser; beyond it the oldest is dropped"
    )
    asked_at_once: int = Field(default=1, ge=1, le=16, description="Passes that a group asks for at a time")
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port of a node's figures for Prometheus; empty: none, 0: any",
    )
    token: FilePath | None = Field(
        default=None, description="File of the secret that Ray's ports ask for, the same on all nodes; empty: your own"
    )
    certificate: FilePath | None = Field(default=None, description="PEM file for TLS between the nodes")
    key: FilePath | None = Field(default=None, description="PEM file of its key")
    authority: FilePath | None = Field(default=None, description="PEM file of the authority that signed it")

    @model_validator(mode="after")
    def _tls_takes_all(self) -> ClusterSection:
        given = [self.certificate, self.key, self.authority]
        if any(given) and not all(given):
            raise ValueError("TLS needs certificate, key and authority; give all three, or none")
        if self.most_replicas is not None and self.most_replicas < self.replicas:
            raise ValueError(f"most_replicas is {self.most_replicas}, fewer than replicas ({self.replicas}); raise it")
        return self


@cache
def _model_over(base: type[Config]) -> type[ClusterConfig]:
    fields: dict[str, Any] = {
        "cluster": (ClusterSection, ClusterSection()),
        "cameras": (list[CameraConfig], Field(min_length=1, max_length=MOST_CAMERAS)),
    }
    return cast("type[ClusterConfig]", create_model("ClusterConfig", __base__=base, __module__=__name__, **fields))


if TYPE_CHECKING:

    class ClusterConfig(Config):
        """A run's configuration with the cluster's."""

        cluster: ClusterSection
else:
    ClusterConfig = _model_over(config_model())


def load_cluster(path: str | Path) -> ClusterConfig:
    """Read a cluster's configuration.

    Raises:
        BadInput: file, key, what was found and what is allowed; a camera is pinned that there is none of; events are
            to be collected and no node has a folder for them.
    """
    file = Path(path)
    if not file.is_file():
        raise BadInput(f"{path}: there is no such file; give the cluster's configuration")
    config = read_model(file, _model_over(config_model()))
    names = {camera.name for camera in config.cameras}
    for camera in config.cluster.pinned:
        if camera not in names:
            raise BadInput(f"{path}: cluster.pinned: there is no camera '{camera}'; name one of the cameras")
    if any(camera.every_frame for camera in config.cameras):
        raise BadInput(f"{path}: every_frame takes as long as it takes and is for one process; use run --every-frame")
    if (config.events.folder is None) != (config.cluster.evidence is None):
        raise BadInput(f"{path}: give cluster.evidence (on every node) and events.folder (of all) both")
    return config


def config_of_group(config: ClusterConfig, cameras: list[str], folder: Path | None) -> Config:
    """What a group of cameras runs by: its cameras, and its events' folder; page and messages are the front's."""
    plain = config_model()
    kept = {name: getattr(config, name) for name in Sections.model_fields if name not in ("cameras", "web", "events")}
    events = config.events.model_copy(update={"folder": None if folder is None else str(folder)})
    chosen = [camera for camera in config.cameras if camera.name in cameras]
    return plain.model_construct(**(plain().__dict__ | kept | {"cameras": chosen, "events": events}))
