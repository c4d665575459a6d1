"""Breaks one camera after another, with a sound one beside it, and measures what a viewer notices."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

from realtime.cameras import CameraState
from realtime.cameras.from_config import capture_from
from realtime.settings.config import CameraConfig
from tools.fault_drill.faults import COUNT, FAULTS, FPS, OTHER_SIZE, SIZE, Failing, Fault, Studio
from tools.fault_drill.pictures import Reference
from tools.fault_drill.servers import ServerProcess
from tools.fault_drill.watch import Got, Look, Watch

NOTICED_WITHIN = 2.0  # seconds
LIVE_WITHIN = 2.0  # seconds, and one back-off step
LEAST_RATE = 0.98  # of the camera beside it
_SETTLE = 2.0  # seconds of sound pictures before a fault
_AFTER = 0.5
_PATIENCE = 20.0  # seconds until a camera that does not come back is given up


@dataclass(frozen=True)
class Result:
    """What a fault did. Times in seconds; None: did not happen, or does not apply.

    ``sees`` are the states in their order; ``noticed`` is until the camera was no longer shown as live (or its
    pictures were counted as dropped, its new rate or size was shown), ``named`` until the cause was given,
    ``live_again`` from the end of the cause to the first good picture; ``back_off`` the last wait between two
    attempts. ``lost`` pictures were due and did not come, ``damaged_shown`` came and were not what was sent.
    ``beside_rate`` (share of its nominal rate), ``beside_gap`` (longest time without a picture) and
    ``beside_live`` are those of the camera beside it.
    """

    fault: str
    sees: list[str]
    noticed: float | None
    named: float | None
    live_again: float | None
    back_off: float | None
    lost: int
    damaged_shown: int
    beside_rate: float
    beside_gap: float
    beside_live: bool
    comes_back: bool

    @property
    def on_target(self) -> bool:
        """Noticed and live again in time, nothing damaged shown, nobody else disturbed."""
        back = not self.comes_back or (
            self.live_again is not None and self.live_again <= LIVE_WITHIN + (self.back_off or 0.0)
        )
        seen = self.noticed is not None and self.noticed <= NOTICED_WITHIN
        return back and seen and not self.damaged_shown and self.beside_live and self.beside_rate >= LEAST_RATE

    def as_dict(self) -> dict[str, object]:
        return {**asdict(self), "on_target": self.on_target}


def run_drill(
    config: CameraConfig, faults: Iterable[Fault] = FAULTS, *, tell: Callable[[Result], None] = lambda result: None
) -> list[Result]:
    """Drive every fault; ``config`` gives the time-outs, ``tell`` gets every result at once."""
    results = []
    with ServerProcess() as process, TemporaryDirectory() as folder:
        studio = Studio(process, Path(folder))
        reference = Reference(COUNT, (SIZE, OTHER_SIZE))
        sound = studio.rtsp()
        beside = Watch(capture_from(replace_source(config, "beside", sound.url())), reference)
        beside.start()
        try:
            beside.wait_until_live()
            for fault in faults:
                results.append(drive(fault, config, studio, reference, beside))
                tell(results[-1])
        finally:
            beside.stop()
    return results


def replace_source(config: CameraConfig, name: str, source: str) -> CameraConfig:
    """Another camera with the same settings."""
    return config.model_copy(update={"name": name, "source": source})


def drive(fault: Fault, config: CameraConfig, studio: Studio, reference: Reference, beside: Watch) -> Result:
    """One fault on a camera of its own."""
    camera = Failing(studio)
    fault.set_up(camera)
    watch = Watch(capture_from(replace_source(config, "failing", camera.source)), reference)
    started = time.monotonic()
    try:
        if not fault.at_start:
            watch.start()
            watch.wait_until_live()
            time.sleep(_SETTLE)
        sent = _sent(camera)
        begin = time.monotonic()
        fault.begin(camera)
        if fault.at_start:
            watch.start()
        end = _end(fault, camera, watch, begin)
        result = _result(fault, watch, begin, end, _sent(camera) - sent)
        return replace(result, **_beside(beside, started, time.monotonic()))
    finally:
        watch.stop()
        if camera.server is not None:
            camera.server.close()


def _end(fault: Fault, camera: Failing, watch: Watch, begin: float) -> float:
    """Take the cause away and wait until pictures come again; when that was."""
    if fault.end is None:
        _wait(lambda: watch.capture.ended)
        time.sleep(_AFTER)
        return time.monotonic()
    time.sleep(max(0.0, begin + fault.lasts - time.monotonic()))
    end = time.monotonic()
    fault.end(camera)
    _wait(lambda: _back(fault, watch, begin, end) is not None)
    time.sleep(_AFTER)
    return end


def _back(fault: Fault, watch: Watch, begin: float, end: float) -> Got | None:
    """The first picture after the cause was gone; not one that was on its way when the fault began."""
    if fault.end is None:
        return None
    if fault.sign == "size":
        return watch.first_picture_after(begin, size=OTHER_SIZE)
    if fault.sign == "state":
        down = next((look.at for look in _during(watch.looks, begin) if look.state is not CameraState.LIVE), None)
        return None if down is None else watch.first_picture_after(max(end, down))
    return watch.first_picture_after(end)


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


def _sent(camera: Failing) -> int:
    return 0 if camera.server is None or camera.port else int(camera.server.get("sent"))


def _result(fault: Fault, watch: Watch, begin: float, end: float, sent: int) -> Result:
    looks = _during(watch.looks, begin)
    back = _back(fault, watch, begin, end)
    until = back.captured_at if back is not None else time.monotonic()
    if fault.end is None and watch.got:  # what breaks off by itself does so after its last good picture
        begin = watch.got[-1].captured_at
    named = next((look.at - begin for look in looks if look.cause is not None), None)
    pictures = watch.pictures_between(begin, until)
    if fault.sign == "rate":
        lost = sent - len(watch.pictures_between(begin, time.monotonic()))
        lost = lost if lost > 2 else 0  # those on their way
    elif fault.end is None:
        lost = COUNT - len(watch.got)
    else:
        lost = max(0, round((until - begin) * FPS) - len(pictures))
    return Result(
        fault=fault.name,
        sees=_sees(fault, looks, end, until),
        noticed=_noticed(fault, watch, looks, begin),
        named=named,
        live_again=None if back is None or fault.sign == "rate" else back.captured_at - end,
        back_off=next((step for at, step in reversed(watch.waits) if begin < at < until), None),
        lost=lost,
        damaged_shown=sum(not got.whole for got in watch.got),
        beside_rate=0.0,
        beside_gap=0.0,
        beside_live=False,
        comes_back=fault.end is not None and fault.sign != "rate",
    )


def _during(looks: list[Look], begin: float) -> list[Look]:
    before = [look for look in looks if look.at <= begin]
    return [*([replace(before[-1], at=begin)] if before else []), *(look for look in looks if look.at > begin)]


def _noticed(fault: Fault, watch: Watch, looks: list[Look], begin: float) -> float | None:
    if fault.end is None:
        return next((look.at - begin for look in looks if look.state is CameraState.LOST), None)
    if fault.sign == "size":
        changed = watch.first_picture_after(begin, size=OTHER_SIZE)
        return None if changed is None else changed.taken_at - begin
    if fault.sign == "dropped":
        return next((look.at - begin for look in looks if look.dropped > looks[0].dropped), None)
    if fault.sign == "rate":
        return next((look.at - begin for look in looks if abs(look.fps / FPS - 1) > 0.2), None)
    return next((look.at - begin for look in looks if look.state is not CameraState.LIVE), None)


def _sees(fault: Fault, looks: list[Look], end: float, until: float) -> list[str]:
    """The states in the order of their first appearance, each once, with causes."""
    seen: list[str] = []
    for look in looks:
        if look.at > until or (look.state is CameraState.LIVE and fault.sign == "state"):
            continue
        if look.state is CameraState.CONNECTING and seen:
            continue
        cause = f" ({look.cause.value.replace('_', ' ')})" if look.cause is not None else ""
        text = look.state.value + cause
        if text not in seen:
            seen.append(text)
    if fault.sign == "dropped" and looks:
        seen.append(f"{looks[-1].dropped - looks[0].dropped} pictures dropped")
    if fault.sign == "rate":
        seen.append(f"{[look.fps for look in looks if look.at <= end][-1]:.0f} pictures per second")
    if fault.sign == "size":
        seen.append(f"{OTHER_SIZE[0]} x {OTHER_SIZE[1]}")
    return seen


class _Beside(TypedDict):
    """How the camera fared that nothing was done to."""

    beside_rate: float
    beside_gap: float
    beside_live: bool


def _beside(beside: Watch, begin: float, end: float) -> _Beside:
    moments = [got.captured_at for got in beside.pictures_between(begin, end)]
    gaps = [later - earlier for earlier, later in zip([begin, *moments], [*moments, end], strict=True)]
    state = [look.state for look in _during(beside.looks, begin)]
    return {
        "beside_rate": len(moments) / ((end - begin) * FPS),
        "beside_gap": max(gaps),
        "beside_live": all(one is CameraState.LIVE for one in state),
    }
