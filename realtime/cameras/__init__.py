"""Cameras: webcams, network streams and files behind one protocol, each with its own capture thread."""

from realtime.cameras.camera import Camera, CameraKind, frame_now
from realtime.cameras.frame_reader import FrameReader
from realtime.cameras.newest_frame import NewestFrame
from realtime.cameras.open import is_file, is_live, open_camera, register_camera, register_kind
from realtime.cameras.reconnect import BackOff
from realtime.cameras.states import ADVICE, CameraError, CameraState, CameraStatus, Cause

__all__ = [
    "ADVICE",
    "BackOff",
    "Camera",
    "CameraError",
    "CameraKind",
    "CameraState",
    "CameraStatus",
    "Cause",
    "FrameReader",
    "NewestFrame",
    "frame_now",
    "is_file",
    "is_live",
    "open_camera",
    "register_camera",
    "register_kind",
]
