"""Measures a bundle on crops, through the classifier that runs live."""

from __future__ import annotations

from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np
import numpy.typing as npt

from models.arrays import Bytes, Labels
from models.errors import BadInput
from models.policy import Decision
from models.recogniser import Recogniser, load_recogniser
from tools.common import report
from tools.faces.people import People, at_size
from tools.faces.splits import Split, people_of_split


class Score(TypedDict):
    """A bundle in figures.

    ``named_rightly`` and ``named_wrongly``: with at least the threshold; ``hidden``: accuracy with each of the bundle's
    zones hidden; ``confusion``: rows are people, columns ``labels``; ``defended``: counts by state, where asked for.
    """

    bundle: str
    bundle_sha256: str
    engine: str
    accuracy: report.Proportion
    threshold: float
    named_rightly: report.Proportion
    named_wrongly: report.Proportion
    hidden: dict[str, report.Proportion]
    calibration_error: float
    per_person: dict[str, report.Proportion]
    confusion: npt.NDArray[np.int64]
    labels: tuple[str, ...]
    defended: NotRequired[dict[str, report.Proportion]]


def score_bundle(
    bundle: Path | str | None, people: People, *, held_out_only: bool, defended: bool = False, threads: int = 2
) -> Score:
    """Accuracy, calibration and what the policy's threshold does, on the people that the bundle knows.

    Args:
        people: crops; their names must be among the bundle's labels.
        held_out_only: the crops are the bundle's training data: measure only those that it was validated on.
        defended: also take the defended decision of each crop (several times slower).

    Raises:
        BadInput: somebody is unknown to the bundle, or the crops are not those that it was validated on; or, without
            ``held_out_only``, they are the ones that it was trained on.
    """
    recogniser = load_recogniser(bundle, threads=threads)
    people = people_of_split(recogniser, people, Split.validation if held_out_only else Split.test)
    unknown = [name for name in people.names if name not in recogniser.labels]
    if unknown:
        raise BadInput(f"the bundle does not know {', '.join(unknown[:3])}; it knows {len(recogniser.labels)} people")
    place = np.array([recogniser.labels.index(name) for name in people.names])
    labels = place[people.labels]
    crops = at_size(people.crops, recogniser.input_size)
    scores = np.concatenate([recogniser.classify(crops[i : i + 32]) for i in range(0, len(crops), 32)])
    best, right = scores.max(axis=1), scores.argmax(axis=1) == labels
    sure = best >= recogniser.policy.threshold
    outcome: Score = {
        "bundle": recogniser.bundle.info.name,
        "bundle_sha256": recogniser.bundle.checksum,
        "engine": recogniser.engine,
        "accuracy": report.accuracy(scores, labels),
        "threshold": recogniser.policy.threshold,
        "named_rightly": report.proportion(int((right & sure).sum()), len(labels)),
        "named_wrongly": report.proportion(int((~right & sure).sum()), len(labels)),
        "hidden": _hidden(recogniser, crops, labels),
        "calibration_error": round(_calibration_error(scores, labels), 4),
        "per_person": {
            name: report.proportion(int(right[labels == place[index]].sum()), int((labels == place[index]).sum()))
            for index, name in enumerate(people.names)
        },
        "confusion": report.confusion(scores, labels, len(recogniser.labels)),
        "labels": recogniser.labels,
    }
    if defended:
        decisions = [d for i in range(0, len(crops), 8) for d in recogniser.decide(crops[i : i + 8])]
        outcome["defended"] = _defended(decisions, [recogniser.labels[label] for label in labels])
    return outcome


def _hidden(recogniser: Recogniser, crops: Bytes, labels: Labels) -> dict[str, report.Proportion]:
    if not recogniser.zones:
        return {}
    views = recogniser.view(crops)
    return {zone: report.accuracy(views[:, place], labels) for place, zone in enumerate(recogniser.zones)}


def _calibration_error(scores: np.ndarray, labels: np.ndarray) -> float:
    from models.training.calibration import expected_calibration_error

    return expected_calibration_error(scores, labels)


def _defended(decisions: list[Decision], truth: list[str]) -> dict[str, report.Proportion]:
    n = len(decisions)
    named = list(zip(decisions, truth, strict=True))
    return {
        "known_rightly": report.proportion(sum(d.state == "known" and d.identity == t for d, t in named), n),
        "known_wrongly": report.proportion(sum(d.state == "known" and d.identity != t for d, t in named), n),
        "suspected_attack": report.proportion(sum(d.state == "suspected_attack" for d in decisions), n),
        "unknown": report.proportion(sum(d.state == "unknown" for d in decisions), n),
    }
