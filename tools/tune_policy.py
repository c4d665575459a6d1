"""Calibrates a bundle's policy over zone views: ``python -m tools.tune_policy CROPS --bundle hardened``.

Four rates are stated beforehand, the thresholds follow from validation faces (and strangers, where given: other
people than the evaluation's): ``zone_confirm`` is the lowest at which the zone's view gives a *wrong* person so much
on at most a share ``--impersonated`` of the people's faces and of the strangers', each; ``zone_threshold`` the lowest
at which what it names is wrong on at most ``--misnamed`` of either; ``zone_dissent`` the highest at which at most
``--alarmed`` of the clean faces (with innocent glasses among them) are taken for an attack, and the final name is
wrong on at most ``--cost`` more of the clean ones than the raw view; ``further_confirm`` the highest at which the
views of further zones raise an alarm on at most ``--vetoed`` of the same faces beside those.

Where a gallery decides, strangers do: ``threshold``, ``zone_confirm`` and ``further_confirm`` are one quantile of what
the raw view, the first zone's and the others give strangers at most, the lowest at which a share ``--named`` of them
is known at most; ``further_dissent``, not ``further_confirm``, is then what alarms follow from. Its faces are looked
at through embeddings, which ``--work`` keeps; the saliency mask has no say in it.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
import datetime
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
import typer

from models.arrays import Bytes, Floats, Labels
from models.bundle import load_bundle, write_description
from models.errors import BadInput
from models.evidence import CropEvidence
from models.policy import Policy, decide, final_probabilities
from models.recogniser import Recogniser, load_recogniser
from models.training.calibration import expected_calibration_error
from tools.common.bars import counted_bars
from tools.common.options import Aligned
from tools.common.provenance import commit_of_this_tree
from tools.common.report import accuracy, proportion
from tools.crafting.attacked_faces import NOBODY, labelled
from tools.evaluation.answered import views_only
from tools.evaluation.embedded import embeddings_of
from tools.evaluation.run import with_innocent_glasses
from tools.faces.people import at_size, read_people
from tools.faces.splits import CALIBRATED, Half, held_out, unseen

app = typer.Typer(add_completion=False, help="Calibrate the policy over zone views on validation faces.")
ENOUGH = 100  # faces, to see rates of a few percent
STEP = 0.01
LEVEL = 0.0025  # of the strangers, between two quantiles that are tried
FINE = 0.0005  # of what is ruled out below ``STEP``: a sharp recogniser gives most names less than that


@dataclass(frozen=True)
class Rates:
    """Shares of faces: impersonable outside the zone, misnamed by the zone's view, alarms without an attack, right
    names lost to the final name, alarms raised by further zones."""

    impersonated: float = 0.05
    misnamed: float = 0.02
    alarmed: float = 0.02
    cost: float = 0.01
    vetoed: float = 0.03
    named: float | None = None  # of strangers, by a single picture; in the place of ``impersonated``


@dataclass(frozen=True)
class Views:
    """N faces: what the raw, the masked and the V zones' views give, and who it is (``NOBODY``: a stranger)."""

    raw: Floats  # (N, K)
    masked: Floats  # (N, K)
    zones: Floats  # (N, V, K)
    labels: Labels  # (N,)


@app.command()
def main(
    data: Annotated[list[Path], typer.Argument(help="The folders that the bundle was trained on (tools.prepare).")],
    bundle: Annotated[str, typer.Option(help="Bundle with a zone: a name or a folder.")] = "hardened",
    mask_of: Annotated[
        str | None, typer.Option("--mask-of", help="Take over the tuned saliency mask of this bundle.")
    ] = None,
    strangers: Annotated[Path | None, typer.Option(help="Folder of other people's aligned crops.")] = None,
    most_strangers: Annotated[int, typer.Option(min=1)] = 600,
    impersonated: Annotated[float, typer.Option(min=0, max=1)] = Rates.impersonated,
    misnamed: Annotated[float, typer.Option(min=0, max=1)] = Rates.misnamed,
    alarmed: Annotated[float, typer.Option(min=0, max=1)] = Rates.alarmed,
    cost: Annotated[float, typer.Option(min=0, max=1)] = Rates.cost,
    vetoed: Annotated[float, typer.Option(min=0, max=1)] = Rates.vetoed,
    named: Annotated[
        float | None, typer.Option(min=0, max=1, help="Strangers known at most; 0.01 where a gallery decides.")
    ] = None,
    every_stranger: Annotated[
        bool, typer.Option(help="Use all of them and not every second one: none is measured on.")
    ] = False,
    work: Annotated[Path | None, typer.Option(help="Keeps a gallery's embeddings; a rerun takes them from there.")] = (
        None
    ),
    write: Annotated[bool, typer.Option(help="Write the thresholds into the bundle (or only report).")] = True,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    engine: Annotated[str, typer.Option(help="What answers.")] = "auto",
    threads: Annotated[int, typer.Option(min=1)] = 2,
    aligned: Aligned = False,
    json_file: cli.JsonFile = None,
) -> None:
    """Calibrate, report, write the thresholds into the bundle."""
    cli.check_writable(json_file)
    torch.set_num_threads(threads)
    recogniser = load_recogniser(bundle, engine, threads=threads)
    if not recogniser.zones:
        raise BadInput(f"--bundle {bundle}: its policy hides no zone; train it with tools.train fit --zone eyewear")
    defence = recogniser.bundle.info.defence
    if mask_of is not None:
        defence = load_bundle(mask_of).info.defence
        source = f"taken over from {mask_of}: {defence.record.get('source', 'no record')}"
        defence = defence.model_copy(update={"record": {"source": source}})
        recogniser.mask_parameters = defence.parameters
    people = held_out(recogniser, read_people(data, allow_single=True, aligned=aligned))
    crops, labels = labelled(people, recogniser)
    if len(crops) < ENOUGH:
        cli.console.print(f"only {len(crops)} faces were held out: rates of a few percent cannot be seen on so few")
    look = partial(views_of, recogniser, work=work)
    clean = look(crops, labels, "validation")
    innocent = look(with_innocent_glasses(crops, seed), labels, "with innocent glasses")
    others, used = None, ()
    if strangers is not None:
        folk = unseen(
            read_people([strangers], allow_single=True, aligned=True),
            [recogniser],
            None if every_stranger else Half.calibration,
        )
        chosen = np.sort(np.random.default_rng(seed).permutation(len(folk))[:most_strangers])
        crops, used = at_size(folk.crops[chosen], recogniser.input_size), folk.names
        others = look(crops, np.full(len(chosen), NOBODY, np.int64), "strangers")
    if others is not None and named is None and recogniser.gallery is not None:
        named = 0.01
    if named is not None and others is None:
        raise BadInput("--named: strangers decide; give --strangers FOLDER")
    rates = Rates(impersonated, misnamed, alarmed, cost, vetoed, named)
    policy = calibrated(recogniser.policy, clean, innocent, others, rates)
    report = {
        "source": "tools.tune_policy on validation faces",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": commit_of_this_tree(),
        "rates": asdict(rates),
        "seed": seed,
        CALIBRATED: list(used),
        "before": outcome(recogniser.policy, clean, innocent, others),
        "policy": asdict(policy),
        **outcome(policy, clean, innocent, others),
    }
    cli.write_json(json_file, report)
    for name, figure in report.items():
        cli.console.print(f"{name}: {figure}", highlight=False, soft_wrap=True)
    if write:
        info = recogniser.bundle.info
        stored = info.policy.model_copy(update={**asdict(policy), "record": report})
        try:
            write_description(recogniser.bundle.folder, info.model_copy(update={"policy": stored, "defence": defence}))
        except OSError as error:
            raise BadInput(f"{recogniser.bundle.folder}: cannot be written ({error.strerror})") from error


def views_of(
    recogniser: Recogniser, crops: Bytes, labels: Labels, what: str, *, work: Path | None = None, chunk: int = 32
) -> Views:
    """All views of crops (N, S, S, 3); ``what`` they are."""
    if recogniser.gallery is not None:
        with counted_bars() as tick:
            embeddings = embeddings_of(recogniser, crops, what, work=work, tick=tick)
        raw, zones = recogniser.compare(embeddings)
        return Views(raw, np.ones_like(raw), zones, labels)  # a mask that rules nobody out
    found = [recogniser.defend(crops[first : first + chunk]) for first in range(0, len(crops), chunk)]
    raw, masked, zones = (np.concatenate([getattr(e, n) for e in found]) for n in ("raw", "defended", "views"))
    return Views(raw, masked, zones, labels)


def calibrated(start: Policy, clean: Views, innocent: Views, others: Views | None, rates: Rates) -> Policy:
    """The policy whose zone thresholds keep the rates on these faces; ``confirm`` is kept, and ``threshold`` where
    strangers do not decide."""
    known = [clean, innocent]
    faces = [*known, *([others] if others is not None else [])]
    misnamed = [np.where(_named_wrongly(views), views.zones[:, 0].max(axis=1), 0) for views in faces]
    threshold = max(_lowest(one, rates.misnamed) for one in misnamed)
    start = replace(start, zone_threshold=threshold, zone_dissent=0.0, further_confirm=0.0, further_dissent=0.0)
    if rates.named is None or others is None:
        confirm = max(_lowest(_highest_wrong(views), rates.impersonated) for views in faces)
        policy = replace(start, zone_confirm=confirm, zone_threshold=max(threshold, confirm))
    else:
        policy = by_strangers(start, others, rates.named)
    confirm = policy.zone_confirm
    tried = [replace(policy, zone_dissent=one) for one in _steps(confirm)]
    kept = [one for one in tried if _alarms(one, known) <= rates.alarmed and _cost(one, clean) <= rates.cost]
    policy = kept[-1] if kept else policy
    if clean.zones.shape[1] == 1:
        return replace(policy, further_confirm=start.further_confirm, further_dissent=start.further_dissent)
    allowed = _alarms(policy, known) + rates.vetoed
    if rates.named is None or others is None:
        tried = [replace(policy, further_confirm=one, further_dissent=one) for one in _steps(1)]
    else:
        end = np.nextafter(policy.further_confirm, 1)
        tried = [replace(policy, further_dissent=one) for one in _steps(float(end))]
    return [one for one in tried if _alarms(one, known) <= allowed][-1]


def by_strangers(start: Policy, others: Views, share: float) -> Policy:
    """The policy with the lowest ``threshold``, ``zone_confirm`` and ``further_confirm``, all of one quantile of what
    strangers get, that knows at most ``share`` of the strangers."""
    best = [others.raw.max(axis=1), *others.zones.max(axis=2).T]
    for level in np.arange(0.5, 1, LEVEL):
        asked = [round(float(np.clip(np.quantile(one, level), STEP, 1 - STEP)), 4) for one in best]
        policy = replace(
            start,
            threshold=asked[0],
            zone_confirm=asked[1],
            zone_threshold=max(start.zone_threshold, asked[1]),
            further_confirm=max(asked[2:], default=0.0),
        )
        if [state for state, _ in _states(policy, others)].count("known") <= share * len(others.labels):
            break
    return policy


def _steps(end: float) -> list[float]:
    """From 0 to below ``end``, by ``FINE`` up to ``STEP`` and by that from there on."""
    steps = [*np.arange(0, STEP, FINE), *np.arange(STEP, 1, STEP)]
    return [round(float(one), 4) for one in steps if round(float(one), 4) < end]


def outcome(policy: Policy, clean: Views, innocent: Views, others: Views | None) -> dict[str, Any]:
    """What the policy does to the faces it was calibrated on."""
    found: dict[str, Any] = {}
    for name, views in (("clean", clean), ("innocent", innocent), ("strangers", others)):
        if views is None:
            continue
        states = _states(policy, views)
        right = [who == int(label) for (_, who), label in zip(states, views.labels, strict=True)]
        known = [state == "known" for state, _ in states]
        n = len(states)
        found[name] = {
            "known_rightly": proportion(sum(k and r for k, r in zip(known, right, strict=True)), n),
            "known_wrongly": proportion(sum(k and not r for k, r in zip(known, right, strict=True)), n),
            "alarms": proportion(sum(state == "suspected_attack" for state, _ in states), n),
        }
        if name != "strangers":
            words = _words(policy, views)
            found[name] |= {
                "raw": accuracy(views.raw, views.labels),
                "last_word": accuracy(words, views.labels),
                "last_word_calibration_error": round(expected_calibration_error(words, views.labels), 4),
            }
    return found


def _evidence(views: Views) -> list[CropEvidence]:
    """As the policy takes it; people are called by their index."""
    labels = tuple(str(index) for index in range(views.raw.shape[1]))
    zones = tuple(str(number) for number in range(views.zones.shape[1]))
    return views_only(labels, views.raw, views.masked, views.zones, zones)


def _states(policy: Policy, views: Views) -> list[tuple[str, int]]:
    """Of each face the state and the index of the person known (-1: nobody), by the one rule that ``decide`` has."""
    decisions = [decide(one, policy) for one in _evidence(views)]
    return [(one.state, -1 if one.identity is None else int(one.identity)) for one in decisions]


def _words(policy: Policy, views: Views) -> Floats:
    """(N, K) the final probabilities on each face."""
    return np.stack([final_probabilities(one, policy) for one in _evidence(views)])


def _cost(policy: Policy, clean: Views) -> float:
    """The share of faces by which the final name is right on fewer than the raw view."""
    right = [float((scores.argmax(axis=1) == clean.labels).mean()) for scores in (clean.raw, _words(policy, clean))]
    return right[0] - right[1]


def _alarms(policy: Policy, faces: list[Views]) -> float:
    states = [state for views in faces for state, _ in _states(policy, views)]
    return states.count("suspected_attack") / len(states)


def _highest_wrong(views: Views) -> npt.NDArray[np.float32]:
    """(N,) the most that the first zone's view gives to anybody but the true person."""
    scores = views.zones[:, 0].copy()
    known = views.labels != NOBODY
    scores[np.flatnonzero(known), views.labels[known]] = 0
    return scores.max(axis=1)


def _named_wrongly(views: Views) -> npt.NDArray[np.bool_]:
    return np.asarray(views.zones[:, 0].argmax(axis=1) != views.labels)


def _lowest(scores: npt.NDArray[np.floating], share: float) -> float:
    """The lowest threshold that at most ``share`` of the scores reach, by ``STEP``, from 0.9 on by a quarter of it."""
    tried = [*np.arange(STEP, 0.9, STEP), *np.arange(0.9, 1, STEP / 4)]
    kept = (one for one in tried if float((scores >= one).mean()) <= share)
    return round(float(next(kept, tried[-1])), 4)


if __name__ == "__main__":
    cli.run_app(app)
