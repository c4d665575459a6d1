"""The settings of one camera."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import cv2
import numpy as np
from pydantic import BeforeValidator, Field, field_validator

from realtime.faces.areas import Areas
from realtime.settings.paths import SourcePath
from realtime.settings.section import Section

Use = Literal["watch", "ignore"]
USES: tuple[Use, ...] = get_args(Use)
Share = Annotated[float, Field(ge=0, le=1)]
Point = Annotated[list[Share], Field(min_length=2, max_length=2)]
_SMALLEST = 1e-4  # of the picture: less is a line or a point, and no face's middle lies in it


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class AreaConfig(Section):
    """A part of a camera's picture: faces whose middle lies in it are watched, or ignored."""

    use: Use = Field(default="watch", description="watch: only faces in such zones count; ignore: none in this one")
    points: list[Point] = Field(
        default_factory=lambda: [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]],
        min_length=3,
        max_length=100,
        description="Corners [x, y], as shares of the picture's width and height",
    )

    @field_validator("points")
    @classmethod
    def _has_a_surface(cls, points: list[list[float]]) -> list[list[float]]:
        if abs(cv2.contourArea(np.array(points, np.float32))) < _SMALLEST:
            raise ValueError("the corners lie on one line; give at least three that enclose something")
        return points


class CameraConfig(Section):
    """One camera."""

    name: str = Field(default="camera", pattern=r"^\w[\w .-]{0,39}$", description="How the camera is called everywhere")
    source: Annotated[SourcePath, BeforeValidator(_number_as_text)] = Field(
        default="0", min_length=1, description="Number of a webcam, rtsp:// or http(s):// address, file, or demo"
    )
    every_frame: bool = Field(default=False, description="Files: process every frame, however long it takes")
    open_timeout: float = Field(default=5.0, ge=0.5, le=60, description="Seconds to connect")
    read_timeout: float = Field(
        default=5.0, ge=0.5, le=60, description="Seconds without data until the connection is lost"
    )
    max_frame_age: float = Field(
        default=1.0, ge=0.1, le=60, description="Seconds from which on a frame is not live but stale"
    )
    transport: Literal["tcp", "udp"] = Field(default="tcp", description="RTSP transport; udp loses packets")
    hardware_decode: bool = Field(default=False, description="Network: an NVIDIA GPU decodes (unmeasured)")
    width: int | None = Field(default=None, ge=64, le=8192, description="Webcams: wished width in pixels")
    height: int | None = Field(default=None, ge=64, le=8192, description="Webcams: wished height in pixels")
    fps: float | None = Field(default=None, ge=1, le=240, description="Webcams: wished frames per second")
    detect_every: int | None = Field(
        default=None, ge=1, le=100, description="Detect on every n-th frame; empty: as under detection"
    )
    record: bool = Field(default=True, description="Record this camera, where there is a recording")
    zones: list[AreaConfig] = Field(
        default_factory=list, max_length=32, description="Parts of the picture to watch or to ignore; []: all of it"
    )

    @property
    def areas(self) -> Areas:
        """The zones as polygons."""
        shapes = {use: [np.array(z.points, np.float32) for z in self.zones if z.use == use] for use in USES}
        return Areas(tuple(shapes["watch"]), tuple(shapes["ignore"]))
