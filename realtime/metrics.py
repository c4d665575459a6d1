"""What a run did, measured while it runs: counts, rates, ages and stage times in bounded memory.

The meter must not grow over weeks, so distributions are kept as histograms (``realtime.histogram``).
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, TypedDict

import psutil

from models.policy import Decision
from realtime.cameras.states import CameraFigures
from realtime.histogram import Histogram

#: The stages every summary lists, in the order in which a frame passes them.
STAGES = ("detect", "align", "classify", "saliency", "mask", "reclassify", "draw")
MAX_NAMES = 64  # of further stages and causes: a name made from data must not eat the memory
RSS_EVERY = 0.5  # seconds between two looks at the resident memory
RATE_WINDOW = 2.0  # seconds over which the current rate is taken


class Percentiles(TypedDict):
    """Milliseconds; None where nothing was measured."""

    p50: float | None
    p95: float | None
    p99: float | None


class Act(TypedDict):
    """One act of the demo: decided frames, and how often each verdict was given."""

    name: str
    frames: int
    undefended: dict[str, int]
    defended: dict[str, int]


class Faces(TypedDict):
    """In how many of the frames that were searched there was a face, and how many at once."""

    frames_searched: int
    frames_with_faces: int
    most_at_once: int


class Summary(TypedDict):
    """The result of a run, ready for JSON. Times in milliseconds, rates per second.

    ``full_decisions`` are those with a saliency, of their own or of the decision before; with zone views the others
    did without, and ``light_decisions`` looked at some of the further views only.
    ``verdict_age_ms`` is the age of verdicts (since their newest decision) at the moments they were drawn,
    ``stale_verdicts`` the share of them that was too old by then and drawn as not current. ``acts`` are the demo's,
    ``cameras`` the state of each at the end, and what it sent.
    """

    engine: str
    frames_captured: int
    frames_displayed: int
    displayed_fps: float
    frame_age_ms: Percentiles
    verdict_age_ms: Percentiles
    stale_verdicts: float
    decisions: int
    full_decisions: int
    light_decisions: int
    decisions_per_second: float
    stage_ms: dict[str, float | None]
    verdicts: dict[str, int]
    faces: Faces
    acts: list[Act]
    cameras: list[CameraFigures]
    peak_rss_mb: float


def verdict_name(verdict: Decision) -> str:
    """The decision as counted and printed: ``Known(name)``, ``SuspectedAttack(claimed)`` or ``Unknown``."""
    if verdict.state == "known":
        return f"Known({verdict.identity})"
    return f"SuspectedAttack({verdict.claimed})" if verdict.state == "suspected_attack" else "Unknown"


class Meter:
    """Gathers what a run did. Every method may be called from any thread; ``now`` is ``time.monotonic()``."""

    def __init__(self, engine: str = "") -> None:
        self.engine = engine
        self._lock = threading.Lock()
        self._captured = self._displayed = self._decisions = self._full_decisions = self._light_decisions = 0
        self._dropped: dict[str, Counter[str]] = {}
        self._unanswered: Counter[str] = Counter()
        self._verdicts: Counter[str] = Counter()
        self._ages = Histogram()
        self._verdict_ages = Histogram()
        self._stale_verdicts = 0
        self._stages: dict[str, Histogram] = {}
        self._faces = Faces(frames_searched=0, frames_with_faces=0, most_at_once=0)
        self._recent: deque[float] = deque(maxlen=512)
        self._first_captured: float | None = None
        self._first_displayed: float | None = None
        self._last = -math.inf
        self._process = psutil.Process()
        self._peak_rss, self._next_rss = 0, -math.inf

    def frame_captured(self, now: float | None = None) -> None:
        """A camera gave a picture."""
        now = self._moment(now)
        with self._lock:
            self._captured += 1
            if self._first_captured is None:
                self._first_captured = now

    def frame_dropped(self, camera: str, why: str = "overtaken", count: int = 1) -> None:
        """Pictures that were captured and will not be displayed, and why."""
        with self._lock:
            reasons = self._dropped.setdefault(camera, Counter())
            reasons[_bounded(why, reasons)] += count

    def frame_displayed(self, captured_at: float, now: float | None = None) -> None:
        """A picture captured at ``captured_at`` was handed to the screen, the recorder or the page just now."""
        now = self._moment(now)
        with self._lock:
            self._displayed += 1
            self._ages.add((now - captured_at) * 1000)
            self._recent.append(now)
            if self._first_displayed is None:
                self._first_displayed = now

    def verdict_shown(self, age: float, *, stale: bool) -> None:
        """A verdict of ``age`` seconds is drawn, as current or as stale."""
        with self._lock:
            self._verdict_ages.add(age * 1000)
            self._stale_verdicts += stale

    def decided(self, decision: Decision, now: float | None = None, *, full: bool = True, light: bool = False) -> None:
        """One crop was decided on; ``full``: with its saliency; ``light``: without a look at some of the views."""
        self._moment(now)
        with self._lock:
            self._decisions += 1
            self._full_decisions += full
            self._light_decisions += light
            self._verdicts[_bounded(verdict_name(decision), self._verdicts, limit=4096)] += 1

    def unanswered(self, why: str, crops: int = 1) -> None:
        """A recogniser elsewhere gave no answer about so many crops."""
        with self._lock:
            self._unanswered[_bounded(why, self._unanswered)] += crops

    def searched(self, faces: int) -> None:
        """A frame was searched for faces, and so many were followed in it."""
        with self._lock:
            self._faces["frames_searched"] += 1
            self._faces["frames_with_faces"] += faces > 0
            self._faces["most_at_once"] = max(self._faces["most_at_once"], faces)

    def stage(self, name: str, milliseconds: float) -> None:
        """A stage took so long once."""
        with self._lock:
            self._stages.setdefault(_bounded(name, self._stages), Histogram()).add(milliseconds)

    def stages(self, milliseconds: Mapping[str, float]) -> None:
        """Several stages at once, by name."""
        for name, value in milliseconds.items():
            self.stage(name, value)

    def fps(self, now: float | None = None) -> float:
        """Displayed pictures per second over the last two seconds (0 when nothing was shown in that time)."""
        now = time.monotonic() if now is None else now
        with self._lock:
            recent = [moment for moment in self._recent if now - moment <= RATE_WINDOW]
        return (len(recent) - 1) / (now - recent[0]) if len(recent) > 1 and now > recent[0] else 0.0

    def counts(self) -> dict[str, Any]:
        """The plain counters: captured, displayed, dropped by camera and cause, decisions, verdicts by name,
        crops that a recogniser elsewhere did not answer about, by reason."""
        with self._lock:
            return {
                "captured": self._captured,
                "displayed": self._displayed,
                "dropped": {camera: dict(reasons) for camera, reasons in self._dropped.items()},
                "decisions": self._decisions,
                "verdicts": dict(self._verdicts),
                "unanswered": dict(self._unanswered),
            }

    def summary(self, now: float | None = None) -> Summary:
        """What the run did until now, or until the last event seen if ``now`` is not given.

        ``displayed_fps`` counts from the first displayed picture on, so that loading a model is not taken for a
        slow display; a display that stopped while capture went on does lower it. Decisions are counted over the
        same time.
        """
        self._sample_rss(time.monotonic(), force=True)
        with self._lock:
            end = self._last if now is None else now
            begin = self._first_displayed if self._first_displayed is not None else self._first_captured
            seconds = max(end - begin, 0.0) if begin is not None else 0.0
            return Summary(
                engine=self.engine,
                frames_captured=self._captured,
                frames_displayed=self._displayed,
                displayed_fps=_rate(self._displayed - 1, seconds),
                frame_age_ms=_percentiles(self._ages),
                verdict_age_ms=_percentiles(self._verdict_ages),
                stale_verdicts=round(self._stale_verdicts / max(1, len(self._verdict_ages)), 4),
                decisions=self._decisions,
                full_decisions=self._full_decisions,
                light_decisions=self._light_decisions,
                decisions_per_second=_rate(self._decisions, seconds),
                stage_ms={name: self._stage_p50(name) for name in (*STAGES, *self._further_stages())},
                verdicts=_ranked(self._verdicts),
                faces=self._faces.copy(),
                acts=[],
                cameras=[],
                peak_rss_mb=round(self._peak_rss / 1e6, 1),
            )

    def _further_stages(self) -> list[str]:
        return [name for name in self._stages if name not in STAGES]

    def _stage_p50(self, name: str) -> float | None:
        return _rounded(self._stages[name].percentile(50)) if name in self._stages else None

    def _moment(self, now: float | None) -> float:
        moment = time.monotonic() if now is None else now
        self._sample_rss(moment)
        with self._lock:
            self._last = max(self._last, moment)
        return moment

    def _sample_rss(self, now: float, force: bool = False) -> None:
        with self._lock:
            if not force and now < self._next_rss:
                return
            self._next_rss = now + RSS_EVERY
        try:
            rss = self._process.memory_info().rss
        except (OSError, psutil.Error):  # no file descriptor is left: a figure must not end what it measures
            return
        with self._lock:
            self._peak_rss = max(self._peak_rss, rss)


def _bounded(name: str, seen: Mapping[str, object], limit: int = MAX_NAMES) -> str:
    return name if name in seen or len(seen) < limit else "other"


def _ranked(counter: Counter[str]) -> dict[str, int]:
    return dict(counter.most_common())


def _percentiles(ages: Histogram) -> Percentiles:
    return Percentiles(
        p50=_rounded(ages.percentile(50)), p95=_rounded(ages.percentile(95)), p99=_rounded(ages.percentile(99))
    )


def _rate(count: int, seconds: float) -> float:
    return round(count / seconds, 2) if count > 0 and seconds > 0 else 0.0


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
