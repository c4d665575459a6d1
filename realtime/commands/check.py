"""Opens a camera, looks for a few seconds, and says what it found."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from models.errors import BadInput
from realtime.cameras.open import open_camera
from realtime.cameras.states import CameraError, Cause
from realtime.settings.config import CameraConfig
from realtime.system.redact import redact


def check_camera(config: CameraConfig, *, seconds: float = 3.0) -> dict[str, Any]:
    """Measure a source for ``seconds``.

    Returns:
        ``source`` (without credentials), ``codec``, ``size`` (width, height), ``native_fps``, ``measured_fps``,
        ``open_ms`` (until the source was open), ``first_picture_ms`` (from the start), ``longest_gap_ms``,
        ``pictures``, ``dropped`` by reason, ``brightness`` (mean grey level) and ``remarks``.

    Raises:
        BadInput: the source gives no pictures; says why and how to mend it.
    """
    started = time.monotonic()
    try:
        camera = open_camera(config)
    except CameraError as error:
        raise error.as_bad_input() from None
    opened = time.monotonic()
    moments: list[float] = []
    try:
        while not moments or moments[-1] - moments[0] < seconds:
            frame = camera.read()
            moments.append(time.monotonic())
    except CameraError as error:
        if not moments or error.cause is not Cause.END_OF_FILE:
            raise error.as_bad_input() from None
    finally:
        camera.close()
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    found: dict[str, Any] = {
        "source": redact(config.source),
        "codec": camera.codec,
        "size": [frame.bgr.shape[1], frame.bgr.shape[0]],
        "native_fps": camera.native_fps,
        "measured_fps": round(len(gaps) / sum(gaps), 2) if gaps and sum(gaps) > 0 else None,
        "open_ms": round((opened - started) * 1e3, 1),
        "first_picture_ms": round((moments[0] - started) * 1e3, 1),
        "longest_gap_ms": round(max(gaps) * 1e3, 1) if gaps else None,
        "pictures": len(moments),
        "dropped": dict(camera.dropped),
        "brightness": round(float(np.mean(frame.bgr)), 1),
    }
    found["remarks"] = _remarks(found)
    return found


def _remarks(found: dict[str, Any]) -> list[str]:
    remarks = []
    if found["brightness"] < 12:
        remarks.append("the picture is almost black: is the lens covered, or the room dark?")
    if min(found["size"]) < 360:
        remarks.append("the picture is small: faces need about 60 pixels to be recognised")
    native, measured = found["native_fps"], found["measured_fps"]
    if native and measured and measured < 0.8 * native:
        remarks.append(
            f"it says {native:.0f} frames per second and sends {measured:.1f}: network, light or USB is short"
        )
    late = found["dropped"].get("late", 0)
    if late > 0.05 * found["pictures"]:
        remarks.append(f"{late} pictures came faster than this computer decodes them: choose a smaller stream")
    if sum(found["dropped"].values()) > late:
        remarks.append("damaged pictures were dropped: use transport tcp, or look at the network")
    return remarks


def print_check(found: dict[str, Any], console: Console) -> None:
    """What was found, as a table, then the remarks."""
    width, height = found["size"]
    table = Table(show_header=False, title=found["source"], title_justify="left")
    for name, value in (
        ("codec", found["codec"] or "raw"),
        ("size", f"{width} x {height}"),
        ("rate", f"{found['measured_fps'] or 0:.1f} per second (it says {found['native_fps'] or 'nothing'})"),
        ("first picture after", f"{found['first_picture_ms']:.0f} ms"),
        ("longest gap", f"{found['longest_gap_ms'] or 0:.0f} ms"),
        ("pictures", f"{found['pictures']}, dropped {sum(found['dropped'].values())}"),
    ):
        table.add_row(name, value)
    console.print(table)
    for remark in found["remarks"] or ["nothing to mend"]:
        console.print(remark)


def check_cameras(cameras: Sequence[CameraConfig], *, seconds: float = 3.0) -> list[dict[str, Any]]:
    """Check all of them at once, each as ``check_camera`` does, with its ``name``; one that fails has ``error``."""
    with ThreadPoolExecutor(len(cameras)) as pool:
        return list(pool.map(lambda camera: _found_or_error(camera, seconds), cameras))


def _found_or_error(camera: CameraConfig, seconds: float) -> dict[str, Any]:
    try:
        return {"name": camera.name, **check_camera(camera, seconds=seconds)}
    except BadInput as error:
        return {"name": camera.name, "source": redact(camera.source), "error": str(error)}


def print_checks(found: Sequence[dict[str, Any]], console: Console) -> None:
    """One after another, by name.

    Raises:
        BadInput: names those that gave no pictures, and why.
    """
    for one in found:
        if "error" not in one:
            console.print(Text(f"\n{one['name']}"))
            print_check(one, console)
    failed = [f"{one['name']}: {one['error']}" for one in found if "error" in one]
    if failed:
        raise BadInput(f"{len(failed)} of {len(found)} cameras failed: {' | '.join(failed)}")
