"""Cameras: webcams, network streams and files behind one protocol, each with its own capture thread."""

from realtime.cameras.camera import Camera, frame_now
from realtime.cameras.frame_reader import FrameReader
from realtime.cameras.newest_frame import NewestFrame
from realtime.cameras.open import is_file, open_camera, register_camera
from realtime.cameras.reconnect import BackOff
from realtime.cameras.states import ADVICE, CameraError, CameraState, CameraStatus, Cause

__all__ = [
    "ADVICE",
    "BackOff",
    "Camera",
    "CameraError",
    "CameraState",
    "CameraStatus",
    "Cause",
    "FrameReader",
    "NewestFrame",
    "frame_now",
    "is_file",
    "open_camera",
    "register_camera",
]
