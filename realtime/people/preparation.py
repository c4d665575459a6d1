"""The record of a preparation, ``prepare.json``: what became of each picture, under which settings."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from models.errors import BadInput
from models.files import is_plain_name, read_regular

REPORT = "prepare.json"
_LARGEST_REPORT = 256 << 20  # bytes; a million pictures
_NO_REPORT = (BadInput, ValueError, KeyError, TypeError, AttributeError, RecursionError)


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


def summary(
    how: dict[str, Any], outcomes: Sequence[Outcome], *, complete: bool, skipped: Sequence[tuple[str, str, str]] = ()
) -> dict[str, Any]:
    """The record: settings, counts, the reasons with their numbers, and each outcome (as a plain dictionary).

    ``skipped``: (folder, file, why) of what was taken for no picture.
    """
    reasons = Counter(outcome.reason for outcome in outcomes if outcome.reason)
    return {
        "complete": complete,
        "settings": how,
        "people": len({o.person for o in outcomes}),
        "pictures": len(outcomes),
        "kept": sum(o.kept for o in outcomes),
        "detected_share": sum(o.faces > 0 for o in outcomes) / len(outcomes) if outcomes else None,
        "reasons": dict(reasons.most_common()),
        "skipped": [{"person": person, "picture": name, "reason": why} for person, name, why in skipped],
        "dropped": [asdict(o) for o in outcomes if not o.kept],
        "outcomes": [asdict(o) for o in outcomes],
    }


def crop_name(picture: str) -> str:
    """What the crop of a picture file is called; one whose name leaves no room for it is called by its digest."""
    name = f"{picture}.png"
    return name if is_plain_name(name) else f"{hashlib.sha256(os.fsencode(picture)).hexdigest()[:32]}.png"


def earlier_outcomes(target: Path, how: dict[str, Any]) -> dict[tuple[str, str], Outcome]:
    """The outcomes of the runs before this one by person and picture; without digest where the settings differ.

    Names that would lead out of the folder are not believed: what they stand for is overwritten and deleted.
    """
    try:
        report = _report(target)
        found = [Outcome(**outcome) for outcome in report["outcomes"]]
        same = report["settings"] == how
        safe = [o for o in found if is_plain_name(o.person) and is_plain_name(o.picture)]
        return {(o.person, o.picture): o if same else replace(o, digest="") for o in safe}
    except _NO_REPORT:
        return {}


def photographs_of(folder: Path) -> dict[str, str]:
    """Of each crop, as ``person/file``, the start of its photograph's SHA-256; empty where nothing was prepared."""
    try:
        kept = [outcome for outcome in _report(folder)["outcomes"] if outcome["kept"]]
        return {f"{o['person']}/{crop_name(o['picture'])}": bytes.fromhex(o["digest"]).hex() for o in kept}
    except _NO_REPORT:
        return {}


def was_interrupted(folder: Path) -> bool:
    """Whether ``tools.prepare`` was interrupted there: crops are missing, or those of other people are left."""
    try:
        report = _report(folder)
    except _NO_REPORT:
        return False
    return isinstance(report, dict) and report.get("complete") is False


def _report(folder: Path) -> Any:
    return json.loads(read_regular(folder / REPORT, _LARGEST_REPORT))
