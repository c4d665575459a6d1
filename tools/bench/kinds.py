"""The table of measurements. To add one: write its file here in ``tools/bench`` and give it a line in ``KINDS``.

Each imports what it measures with only when it runs, so that one kind works where another's packages are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import RenderableType

from models.bundle import Bundle, load_bundle
from models.crop.zones import checked_zones
from models.errors import BadInput
from tools.bench import tables
from tools.common.bars import counted_bars

SIZES = (112, 224)


@dataclass(frozen=True)
class Asked:
    """The command's options, and ``inference``: the threads that they come to."""

    source: str | None
    config: str | None
    bundle: str | None
    engine: Sequence[str]
    size: Sequence[int]
    batch: Sequence[int]
    zone: Sequence[str]
    faces: Sequence[int]
    cameras: Sequence[int]
    seconds: float
    minutes: float
    repeats: int
    threads: int | None
    inference: int
    yunet: Path | None
    sface: Path | None
    plain: bool
    people: Path | None
    strangers: Path | None
    modes: Sequence[str]
    only: str
    decision_ms: float

    @property
    def published(self) -> Bundle:
        """What is measured pass by pass is the published method, unless another bundle is named."""
        return load_bundle(self.bundle or "plain")

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(self.size or SIZES)

    @property
    def one_engine(self) -> str | None:
        """A run has one engine.

        Raises:
            BadInput: more than one was given.
        """
        if len(self.engine) > 1:
            raise BadInput("--engine: a run has one engine; give it once, and measure one after another")
        return self.engine[0] if self.engine else None


@dataclass(frozen=True)
class Kind:
    """A measurement: the options that it uses (``--json`` and ``--png`` go with all), what it measures in a folder
    of its own, the table of its results, and what is added to the outcome (``notes``) and said of it (``headline``).
    """

    uses: frozenset[str]
    measure: Callable[[Asked, Path], Any]
    table: Callable[[Any], RenderableType]
    notes: Callable[[Asked], dict[str, object]] = lambda asked: {}
    headline: Callable[[Any], Sequence[str]] = lambda results: ()


def _naive(asked: Asked, folder: Path) -> Any:
    from models.engines.registry import candidates
    from tools.bench import against
    from tools.bench.decision import BASELINE

    chosen = tuple(asked.engine or dict.fromkeys([BASELINE, *candidates(asked.published)]))  # what users may get
    plan = against.Plan(
        chosen, asked.sizes, asked.repeats, threads=asked.inference, yunet=asked.yunet, sface=asked.sface
    )
    with counted_bars() as tick:
        return against.measure(asked.published, plan, folder, tick)


def _decision(asked: Asked, folder: Path) -> Any:
    from tools.bench import decision

    engines, batches = tuple(asked.engine), tuple(asked.batch or (1, 4))
    zones = checked_zones(asked.zone)
    plan = decision.Plan(engines, asked.sizes, batches, asked.repeats, asked.inference, zones)
    return decision.measure(asked.published, plan, folder)


def _baseline(asked: Asked) -> dict[str, object]:
    from tools.bench import decision

    return {"baseline": decision.BASELINE_IN_WORDS}


def _headline(results: Any) -> Sequence[str]:
    from tools.bench import decision

    return decision.headline(results)


def _detect(asked: Asked, folder: Path) -> Any:
    from tools.bench import detect

    plan = detect.Plan(
        tuple(asked.faces or (1, 4, 8)), repeats=asked.repeats, threads=asked.threads or 1, yunet=asked.yunet
    )
    return detect.measure(plan)


def _profile(asked: Asked, folder: Path) -> Any:
    from tools.bench import profile

    return profile.measure(asked.published, asked.sizes, folder, repeats=asked.repeats, threads=asked.inference)


def _soak(asked: Asked, folder: Path) -> Any:
    from tools.bench import soak

    return soak.measure(
        soak.Plan(
            asked.minutes,
            bundle=asked.bundle,
            engine=asked.one_engine,
            threads=asked.threads,
            everything=not asked.plain,
        )
    )


def _live(asked: Asked, folder: Path) -> Any:
    from tools.bench import live

    like = live.Case(
        seconds=asked.seconds,
        source=asked.source,
        config=asked.config,
        bundle=asked.bundle,
        engine=asked.one_engine,
        threads=asked.threads,
        everything=not asked.plain,
    )
    with counted_bars() as tick:
        return live.measure(live.cases_of(asked.faces, asked.cameras, like), tick=tick)


def _first(asked: Asked, folder: Path) -> Any:
    from tools.bench import first_verdict, live

    return first_verdict.measure(
        live.Case(bundle=asked.bundle, engine=asked.one_engine, threads=asked.threads, seconds=asked.seconds)
    )


def _stages(asked: Asked, folder: Path) -> Any:
    from tools.bench import live, stages

    like = live.Case(bundle=asked.bundle, engine=asked.one_engine, threads=asked.inference)
    return stages.measure(tuple(sorted(set(asked.faces or (1, 2, 4, 8)))), like, folder)


def _time(asked: Asked, folder: Path) -> Any:
    from tools.bench import time

    if asked.people is None or asked.strangers is None:
        raise BadInput("--what time makes its clips from pictures: give --people and --strangers")
    modes = [time.MODES[one] for one in asked.modes]
    engine, threads = asked.one_engine, asked.threads
    return time.measure(
        time.Plan(asked.people, asked.strangers, asked.bundle, engine, threads, asked.only, modes, asked.decision_ms)
    )


def _people(asked: Asked, folder: Path) -> Any:
    from tools.bench import people

    if asked.people is None:
        raise BadInput("--what people adds somebody from pictures: give a folder of theirs with --people")
    return people.measure(people.Plan(asked.people, repeats=asked.repeats, threads=asked.threads))


def _identify(asked: Asked, folder: Path) -> Any:
    from tools.bench import identify

    return identify.measure(folder, bundle=asked.bundle, engine=asked.one_engine, repeats=asked.repeats)


def _run(asked: Asked, folder: Path) -> Any:
    from tools.bench import single_run

    settings = single_run.settings(asked.source, asked.config, asked.bundle, asked.one_engine, asked.threads)
    return single_run.measure(settings, asked.seconds)


def _run_table(results: Any) -> RenderableType:
    from tools.bench import single_run

    return single_run.tables(results)


def _cluster(asked: Asked, folder: Path) -> Any:
    from tools.bench import cluster, cluster_rates

    if len(asked.cameras) > 1:
        raise BadInput("--cameras: a cluster has one number of cameras; give it once")
    count = asked.cameras[0] if asked.cameras else 8
    plan = cluster_rates.Plan(asked.seconds, asked.minutes, asked.repeats, count, asked.bundle, asked.one_engine)
    return cluster.measure(plan)


def _cluster_table(results: Any) -> RenderableType:
    from tools.bench import cluster

    return cluster.table(results)


def _uses(*options: str) -> frozenset[str]:
    return frozenset(options)


KINDS: Final[dict[str, Kind]] = {
    "run": Kind(_uses("source", "config", "bundle", "engine", "threads", "seconds"), _run, _run_table),
    "naive": Kind(
        _uses("against", "bundle", "engine", "size", "repeats", "threads", "yunet", "sface"), _naive, tables.naive_table
    ),
    "decision": Kind(
        _uses("what", "bundle", "engine", "size", "batch", "zone", "repeats", "threads"),
        _decision,
        tables.decision_table,
        _baseline,
        _headline,
    ),
    "detect": Kind(
        _uses("what", "faces", "repeats", "threads", "yunet"),
        _detect,
        tables.detect_table,
        lambda asked: {"threads": asked.threads or 1},
    ),
    "profile": Kind(_uses("what", "bundle", "size", "repeats", "threads"), _profile, tables.profile_table),
    "soak": Kind(_uses("what", "bundle", "engine", "threads", "minutes", "plain"), _soak, tables.soak_table),
    "live": Kind(
        _uses("what", "source", "config", "bundle", "engine", "threads", "faces", "cameras", "seconds", "plain"),
        _live,
        tables.live_pictures,
    ),
    "first": Kind(_uses("what", "bundle", "engine", "threads", "seconds"), _first, tables.first_table),
    "cluster": Kind(
        _uses("what", "bundle", "engine", "cameras", "seconds", "minutes", "repeats"), _cluster, _cluster_table
    ),
    "identify": Kind(_uses("what", "bundle", "engine", "repeats"), _identify, tables.identify_table),
    "people": Kind(_uses("what", "people", "repeats", "threads"), _people, tables.people_table),
    "stages": Kind(
        _uses("what", "bundle", "engine", "threads", "faces"),
        _stages,
        tables.stages_table,
        headline=tables.stages_headline,
    ),
    "time": Kind(
        _uses("what", "people", "strangers", "bundle", "engine", "threads", "mode", "only", "decision_ms"),
        _time,
        tables.time_table,
    ),
}
