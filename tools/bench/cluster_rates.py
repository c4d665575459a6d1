"""What is decided in a second, and how old verdicts are: in one process, and in a cluster on the same cores."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal, NotRequired, TypedDict

from realtime.settings.config import CameraConfig, Config, RecognitionConfig
from tools.bench.local_cluster import DETECT_EVERY, LocalCluster

WARM_UP = 5.0  # seconds
_WINDOWS = 4  # that each side is measured in: one process in half of them before the cluster, in half after it


@dataclass(frozen=True)
class Plan:
    """``seconds`` of a window of rates, up to whole scenes; ``kills`` over ``minutes``; each camera shows one face."""

    seconds: float = 20.0
    minutes: float = 10.0
    kills: int = 20
    cameras: int = 8
    bundle: str | None = None
    engine: str | None = None


class Ages(TypedDict):
    """Of verdicts, in milliseconds."""

    p50: float | None
    p95: float | None


class Rates(TypedDict):
    """``decisions_per_second`` is the median of the windows, ``alarms`` the share of decisions that raise one."""

    decisions_per_second: float
    alarms: float
    windows: list[float]
    frames_per_second: float
    verdict_age_ms: Ages
    engine: str
    unanswered: NotRequired[dict[str, int]]


def alone_rates(plan: Plan, scene: str) -> Rates:
    """Of one process, in half of the windows."""
    from realtime.session import Outputs, run

    cameras = [
        CameraConfig(name=f"cam{number + 1}", source=scene, detect_every=DETECT_EVERY) for number in range(plan.cameras)
    ]
    recognition = RecognitionConfig(bundle=plan.bundle, engine=plan.engine or "auto", batch=2)
    with tempfile.TemporaryDirectory(prefix="spectaclear-alone-") as folder:
        plain = Config()
        events = plain.events.model_copy(update={"folder": folder})
        config = plain.model_copy(update={"cameras": cameras, "recognition": recognition, "events": events})
        decided: list[float] = []
        began: list[float] = []
        summary = run(
            config,
            Outputs(
                seconds=WARM_UP + _WINDOWS // 2 * plan.seconds,
                on_decision=[lambda *_: decided.append(time.monotonic())],
                running=lambda _: began.append(time.monotonic()),
            ),
        )
    windows = []
    for number in range(_WINDOWS // 2):
        start = began[0] + WARM_UP + number * plan.seconds
        windows.append(sum(start <= moment < start + plan.seconds for moment in decided) / plan.seconds)
    return {
        "decisions_per_second": median(windows),
        "alarms": summary["full_decisions"] / max(1, summary["decisions"]),
        "windows": windows,
        "frames_per_second": round(summary["displayed_fps"], 2),
        "verdict_age_ms": {"p50": summary["verdict_age_ms"]["p50"], "p95": summary["verdict_age_ms"]["p95"]},
        "engine": summary["engine"],
    }


def together(runs: Sequence[Rates]) -> Rates:
    """Several runs as one: all windows, and of ages and frames the median of the runs."""
    windows = [round(rate, 2) for one in runs for rate in one["windows"]]

    def middle(name: Literal["p50", "p95"]) -> float | None:
        ages = [age for one in runs if (age := one["verdict_age_ms"][name]) is not None]
        return round(median(ages), 2) if ages else None

    return {
        "decisions_per_second": round(median(windows), 2),
        "alarms": round(median(one["alarms"] for one in runs), 4),
        "windows": windows,
        "frames_per_second": round(median(one["frames_per_second"] for one in runs), 2),
        "verdict_age_ms": {"p50": middle("p50"), "p95": middle("p95")},
        "engine": runs[0]["engine"],
    }


def cluster_rates(cluster: LocalCluster, seconds: float) -> Rates:
    """Of all groups of the cluster together, in windows of so many seconds."""

    def counted() -> tuple[float, int, int, Sequence[Any]]:
        reports = [one for one in cluster.overview().reports if one.counts is not None]
        decided, shown = (sum(one.counts[name] for one in reports) for name in ("decisions", "displayed"))
        return time.monotonic(), decided, shown, reports

    windows: list[float] = []
    first = last = counted()
    for _ in range(_WINDOWS):
        before = last
        time.sleep(seconds)
        last = counted()
        windows.append(round((last[1] - before[1]) / (last[0] - before[0]), 2))
    reports = last[3]
    ages = [one.counts["summary"]["verdict_age_ms"] for one in reports]
    unanswered: dict[str, int] = {}
    for one in reports:
        for reason, count in one.counts["unanswered"].items():
            unanswered[reason] = unanswered.get(reason, 0) + count

    def worst(name: str) -> float | None:  # of the group that is worst off: percentiles of several cannot be added
        return max((age[name] or 0.0 for age in ages), default=None)

    decided, explained = (
        sum(one.counts["summary"][name] for one in reports) for name in ("decisions", "full_decisions")
    )
    return {
        "decisions_per_second": round(median(windows), 2),
        "alarms": round(explained / max(1, decided), 4),
        "windows": windows,
        "frames_per_second": round((last[2] - first[2]) / (last[0] - first[0]), 2),
        "verdict_age_ms": {"p50": worst("p50"), "p95": worst("p95")},
        "engine": next((one.engine for one in reports), ""),
        "unanswered": unanswered,
    }


def overhead(alone: float, spread: float) -> float | None:
    """By which share the second rate is lower; None where the first is nothing."""
    return round(1 - spread / alone, 4) if alone else None


def overhead_range(alone: Sequence[float], spread: Sequence[float]) -> list[float] | None:
    """From the least that these windows could say to the most."""
    if not min(alone):
        return None
    return [round(1 - max(spread) / min(alone), 4), round(1 - min(spread) / max(alone), 4)]
