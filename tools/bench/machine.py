"""On what a measurement was taken: processor, cores, load, versions. No name of the machine."""

from __future__ import annotations

import datetime
import os
import platform
from importlib import metadata
from typing import TypedDict

import psutil

PACKAGES = (
    "torch",
    "onnxruntime-gpu",
    "onnxruntime",
    "openvino",
    "opencv-python",
    "numpy",
    "facenet-pytorch",
    "captum",
    "av",
)
_QUIET = 0.5  # of the cores: what the programs that ended just before may have left in the mean
_INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "amx_bf16", "neon", "asimd")


class Machine(TypedDict):
    """Plain values, ready for JSON.

    ``load`` is the mean of the last minute before the measurement, ``quiet`` whether it left the cores free.
    """

    date: str
    cpu: str
    cpu_family_model: str
    instructions: list[str]
    cores: int
    memory_gb: float
    load: float
    quiet: bool
    system: str
    python: str
    packages: dict[str, str]


def machine() -> Machine:
    """This one, now."""
    info, load, cores = _cpuinfo(), psutil.getloadavg()[0], os.cpu_count() or 1
    flags = set(info.get("flags", info.get("Features", "")).split())
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": info.get("model name") or platform.processor() or platform.machine(),
        "cpu_family_model": "/".join(info[key] for key in ("cpu family", "model", "stepping") if key in info),
        "instructions": [name for name in _INSTRUCTIONS if name in flags],
        "cores": cores,
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load": round(load, 2),
        "quiet": load < _QUIET * cores,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def in_words(found: Machine) -> str:
    """One line for people."""
    versions = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
    extra = f" ({', '.join(found['instructions'])})" if found["instructions"] else ""
    return f"{found['cpu']}{extra}, {found['cores']} cores, load {found['load']}; Python {found['python']}, {versions}"


def _cpuinfo() -> dict[str, str]:
    """The first processor's lines of Linux's list; empty elsewhere."""
    lines: dict[str, str] = {}
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                key, colon, value = line.partition(":")
                if not colon:
                    break
                lines[key.strip()] = value.strip()
    except OSError:
        pass
    return lines


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
