"""Keeps ONNX Runtime, OpenVINO and Ray from reporting to their makers; called before any of them is imported.

ONNX Runtime 1.31 looks up ``mobile.events.data.microsoft.com`` and writes a device id into the user's home
(https://github.com/microsoft/onnxruntime/issues/27379); OpenVINO's package ``openvino-telemetry`` sends an event to
``www.google-analytics.com`` when it is imported, and keeps an id in ``~/intel``
(https://github.com/blakeblackshear/frigate/issues/18015); Ray's clusters report their usage unless told not to
(https://docs.ray.io/en/latest/cluster/usage-stats.html). A program that imports one of them before this package
decides for itself.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Sequence
from types import ModuleType


class _WithoutTelemetry(importlib.abc.MetaPathFinder):
    """Lets OpenVINO find no ``openvino_telemetry``: it then uses its own stand-in, which does nothing.

    Its documented switch, ``opt_in_out --opt_out``, would write into the user's home.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] == "openvino_telemetry":
            raise ModuleNotFoundError(f"{fullname} is not used by spectaclear", name=fullname)
        return None


def switch_off() -> None:
    """Once per process; what the user set stays."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not any(isinstance(finder, _WithoutTelemetry) for finder in sys.meta_path):
        sys.meta_path.insert(0, _WithoutTelemetry())
