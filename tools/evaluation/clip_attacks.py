"""What a viewer is told of clips of people who wear what was made against the policy: five seconds each, drifting."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from models.errors import BadInput
from tools.common.report import Proportion, proportion
from tools.crafting.records import Record
from tools.crafting.store import MANIFEST
from tools.evaluation.clip_looks import ALARM, Looks, Subject

MOST = 1000


@dataclass(frozen=True)
class WornClip:
    """A clip to be made: of whom, in the photograph that wears the result, and as whom they attack."""

    subject: Subject
    target: str


class AttackedTold(TypedDict):
    """Shares of clips; ``right_at_any_time`` is of those whose attacker is known."""

    target_at_any_time: Proportion
    target_at_the_end: Proportion
    anybody_else_at_any_time: Proportion
    alarm_at_any_time: Proportion
    right_at_any_time: Proportion


def worn_clips(folder: Path, *, seed: int, most: int | None = None) -> list[WornClip]:
    """The photographs of a finished folder of ``tools.make_glasses``, in the order of its pairs.

    Raises:
        BadInput: it is no such folder, or no photograph wears the results.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        records: list[Record] = manifest["pairs"]
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput(
            f"{folder}: no finished folder of tools.make_glasses; give one made with --photographs"
        ) from None
    found: list[WornClip] = []
    for record in records:
        frame = next((name for name in record.get("frames", []) if name is not None), None)
        if frame is None or record["target"] is None:
            continue
        path = folder / "pairs" / f"{record['pair']:04d}" / frame
        name = record["attacker"] if record["enrolled"] else ""
        found.append(WornClip(Subject(path, name, seed + len(found)), record["target"]))
    if not found:
        raise BadInput(f"{folder}: no photograph wears the results; make them with --photographs and a target")
    return found[: most or MOST]


def told_of(clips: Sequence[WornClip], looks: Sequence[Looks], labels: Sequence[str]) -> AttackedTold:
    """What was told of the clips, whose looks are given beside them."""
    goals = [labels.index(clip.target) for clip in clips]
    own = [labels.index(clip.subject.name) if clip.subject.name else None for clip in clips]
    said = [look.said for look in looks]
    known = [place for place, one in enumerate(own) if one is not None]

    def share(flags: Sequence[bool]) -> Proportion:
        return proportion(sum(flags), len(flags))

    return {
        "target_at_any_time": share([bool((s == goal).any()) for s, goal in zip(said, goals, strict=True)]),
        "target_at_the_end": share([bool(s[-1] == goal) for s, goal in zip(said, goals, strict=True)]),
        "anybody_else_at_any_time": share([bool(((s >= 0) & (s != o)).any()) for s, o in zip(said, own, strict=True)]),
        "alarm_at_any_time": share([bool((s == ALARM).any()) for s in said]),
        "right_at_any_time": share([bool((said[place] == own[place]).any()) for place in known]),
    }
