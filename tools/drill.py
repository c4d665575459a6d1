"""A clip of somebody, as it is and with glasses drawn on, through the whole live path: ``python -m tools.drill CLIP``.

Every frame is worked on: detection, tracking, alignment, the quality gate, the views, the verdict's window. Counted are
decisions without and with the defence, and how many frames each verdict stood.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, TypedDict

import typer

from models.evidence import CropEvidence
from models.policy import Decision
from realtime.assembly import detector_of
from realtime.drill import Drill, read_wearable
from realtime.metrics import verdict_name
from realtime.session import Outputs, run
from realtime.settings.config import Config, load_config
from realtime.types import FaceCrop, FacesInFrame
from realtime.verdicts.verdict import Verdict
from tools.common.provenance import measured_by

app = typer.Typer(add_completion=False, help="Wear adversarial glasses on a clip, and count what is said of it.")


@app.command()
def main(
    clip: Annotated[Path, typer.Argument(help="A video file.")],
    wear: Annotated[Path, typer.Option(help="The glasses: texture.png of tools.make_glasses.")],
    wearer: Annotated[str, typer.Option(help="Who the clip shows, as the gallery calls them.")],
    target: Annotated[str, typer.Option(help="Whom the glasses imitate.")],
    bundle: Annotated[str | None, typer.Option(help="Bundle: a name or a folder.")] = None,
    gallery: Annotated[str | None, typer.Option(help="The people's file; embedded: the bundle's own.")] = None,
    engine: Annotated[str, typer.Option(help="What runs the network.")] = "onnxruntime",
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Only the clip's first.")] = None,
    record: Annotated[Path | None, typer.Option(help="Record what is shown with the glasses on, as MP4.")] = None,
    json_file: cli.JsonFile = None,
) -> None:
    """Run the clip twice and count."""
    cli.check_writable(json_file, record)
    rgba = read_wearable(wear)
    settings = load_config().with_source(str(clip), every_frame=True)
    changes = {"bundle": bundle, "gallery": gallery, "engine": engine}
    given = {key: value for key, value in changes.items() if value is not None}
    settings = settings.model_copy(update={"recognition": settings.recognition.model_copy(update=given)})
    drill = Drill(partial(detector_of, settings.detection), rgba)
    bare = counted(settings, None, wearer, target, seconds)
    worn = counted(settings, drill, wearer, target, seconds, record=record)
    facts = {"clip": clip.name, "wearer": wearer, "target": target}
    cli.write_json(json_file, {**measured_by("tools.drill"), **facts, "bare": bare, "worn": worn})
    for name, found in (("bare", bare), ("worn", worn)):
        cli.console.print(f"{name}: {found['frames']} frames")
        for kind, shares in (
            ("undefended", found["undefended"]),
            ("defended", found["defended"]),
            ("verdicts", found["verdicts"]),
        ):
            cli.console.print(f"  {kind}: {in_words(shares)}", highlight=False)


Shares = dict[str, float | int]


class Counted(TypedDict):
    """One run: of each way to decide what was said, by kind and by name."""

    frames: int
    engine: str
    undefended: dict[str, Shares]
    defended: dict[str, Shares]
    verdicts: dict[str, Shares]
    names: dict[str, dict[str, int]]


def counted(
    settings: Config,
    drill: Drill | None,
    wearer: str,
    target: str,
    seconds: float | None,
    *,
    record: Path | None = None,
) -> Counted:
    """What is said of one run; shares of each kind for the wearer's name, the target's, an alarm, nobody."""
    counts: dict[str, Counter[str]] = {"undefended": Counter(), "defended": Counter(), "verdicts": Counter()}
    frames: set[int] = set()

    def on_verdicts(found: FacesInFrame, verdicts: Mapping[int, Verdict]) -> None:
        frames.add(found.frame.index)
        for verdict in verdicts.values():
            counts["verdicts"][verdict_name(_as_decision(verdict))] += 1

    def on_decision(crop: FaceCrop, evidence: CropEvidence, undefended: Decision, defended: Decision) -> None:
        counts["undefended"][verdict_name(undefended)] += 1
        counts["defended"][verdict_name(defended)] += 1

    outputs = Outputs(record, False, seconds, on_decision=[on_decision], on_verdicts=[on_verdicts])
    summary = run(settings, outputs, drill=drill)
    return {
        "frames": len(frames),
        "engine": summary["engine"],
        "undefended": grouped(counts["undefended"], wearer, target),
        "defended": grouped(counts["defended"], wearer, target),
        "verdicts": grouped(counts["verdicts"], wearer, target),
        "names": {kind: dict(count.most_common()) for kind, count in counts.items()},
    }


def grouped(count: Mapping[str, int], wearer: str, target: str) -> dict[str, Shares]:
    """How many of all are the wearer's own name, the target's, another name, an alarm or nobody."""
    groups: Counter[str] = Counter()
    for name, number in count.items():
        groups[_group(name, wearer, target)] += number
    total = sum(groups.values())
    kinds = ("own_name", "target", "another_name", "alarm", "nobody")
    return {
        kind: {"share": round(groups[kind] / total, 4) if total else 0.0, "right": groups[kind], "n": total}
        for kind in kinds
    }


def _group(name: str, wearer: str, target: str) -> str:
    if name.startswith("SuspectedAttack"):
        return "alarm"
    if not name.startswith("Known("):
        return "nobody"
    return {wearer: "own_name", target: "target"}.get(name[len("Known(") : -1], "another_name")


def _as_decision(verdict: Verdict) -> Decision:
    return replace(verdict.decision, state=verdict.state, identity=verdict.identity, claimed=verdict.claimed)


def in_words(groups: Mapping[str, Mapping[str, float | int]]) -> str:
    """For the terminal."""
    return ", ".join(
        f"{kind.replace('_', ' ')} {100 * one['share']:.1f} %" for kind, one in groups.items() if one["right"]
    )


if __name__ == "__main__":
    cli.run_app(app)
