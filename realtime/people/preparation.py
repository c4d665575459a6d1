"""The record of a preparation, ``prepare.json``: what became of each picture, under which settings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

REPORT = "prepare.json"


@dataclass(frozen=True)
class Outcome:
    """What became of one picture. ``reason`` is empty where a crop was written without remark; ``digest`` where the
    crop has to be made anew."""

    person: str
    picture: str
    kept: bool
    reason: str
    digest: str
    faces: int = 0


def summary(how: dict[str, Any], outcomes: Sequence[Outcome], *, complete: bool) -> dict[str, Any]:
    """The record: settings, counts, the reasons with their numbers, and each outcome (as a plain dictionary)."""
    reasons = Counter(outcome.reason for outcome in outcomes if outcome.reason)
    return {
        "complete": complete,
        "settings": how,
        "people": len({o.person for o in outcomes}),
        "pictures": len(outcomes),
        "kept": sum(o.kept for o in outcomes),
        "detected_share": sum(o.faces > 0 for o in outcomes) / len(outcomes) if outcomes else None,
        "reasons": dict(reasons.most_common()),
        "dropped": [asdict(o) for o in outcomes if not o.kept],
        "outcomes": [asdict(o) for o in outcomes],
    }


def earlier_outcomes(target: Path, how: dict[str, Any]) -> dict[tuple[str, str], Outcome]:
    """The outcomes of the runs before this one by person and picture; without digest where the settings differ."""
    try:
        report = json.loads((target / REPORT).read_text(encoding="utf-8"))
        found = [Outcome(**outcome) for outcome in report["outcomes"]]
        same = report["settings"] == how
        safe = [o for o in found if Path(o.person).name == o.person and Path(o.picture).name == o.picture]
        return {(o.person, o.picture): o if same else replace(o, digest="") for o in safe}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def photographs_of(folder: Path) -> dict[str, str]:
    """Of each crop, as ``person/file``, the start of its photograph's SHA-256; empty where nothing was prepared."""
    try:
        outcomes = json.loads((folder / REPORT).read_text(encoding="utf-8"))["outcomes"]
        return {f"{o['person']}/{o['picture']}.png": bytes.fromhex(o["digest"]).hex() for o in outcomes if o["kept"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def was_interrupted(folder: Path) -> bool:
    """Whether ``tools.prepare`` was interrupted there: crops are missing, or those of other people are left."""
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(report, dict) and report.get("complete") is False
