"""The thresholds of a policy over zone views, from rates stated beforehand and faces that nobody was trained on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np
import numpy.typing as npt

from models.arrays import Bytes, Floats, Labels
from models.errors import BadInput
from models.evidence import CropEvidence
from models.policy import Policy, decide, final_probabilities
from models.recogniser import Recogniser
from models.training.calibration import expected_calibration_error
from tools.common.bars import counted_bars
from tools.common.report import Proportion, accuracy, proportion
from tools.crafting.attacked_faces import NOBODY
from tools.evaluation.answered import views_only
from tools.evaluation.certificates import no_impersonation
from tools.evaluation.embedded import embeddings_of
from tools.evaluation.policy_rates import covered
from tools.faces.people import at_size, read_people
from tools.faces.splits import Half, unseen

STEP = 0.01
LEVEL = 0.0025  # of the strangers, between two quantiles that are tried
LEADS = (1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)  # that are tried, where a gallery decides
FURTHER_LEADS = (0.0, 0.2, 0.35, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
FLOORS = (0.004, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2)
CONFIRMS = (0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
FINE = 0.0005  # of what is ruled out below ``STEP``: a sharp recogniser gives most names less than that


@dataclass(frozen=True)
class Rates:
    """Shares of faces: that the first zone's view lets be somebody else, misnamed by it, alarms without attack, right
    names lost to the final name, alarms raised by further zones; strangers named in a single picture (None: that does
    not decide), and then also: faces that any zone's view lets be somebody else."""

    impersonated: float = 0.05
    misnamed: float = 0.02
    alarmed: float = 0.02
    cost: float = 0.01
    vetoed: float = 0.03
    named: float | None = None
    elsewhere: float = 0.4


@dataclass(frozen=True)
class Views:
    """N faces: what the raw, the masked and the V zones' views give, and who it is (``NOBODY``: a stranger)."""

    raw: Floats  # (N, K)
    masked: Floats  # (N, K)
    zones: Floats  # (N, V, K)
    labels: Labels  # (N,)

    @cached_property
    def evidence(self) -> list[CropEvidence]:
        """As the policy takes it; people are called by their index."""
        people = tuple(str(index) for index in range(self.raw.shape[1]))
        zones = tuple(str(number) for number in range(self.zones.shape[1]))
        return views_only(people, self.raw, self.masked, self.zones, zones)


def views_of(
    recogniser: Recogniser,
    crops: Bytes,
    labels: Labels,
    what: str,
    *,
    work: Path | None = None,
    quick: bool = False,
    chunk: int = 32,
) -> Views:
    """All views of crops (N, S, S, 3); ``what`` they are. ``quick``: the saliency mask has no say."""
    if recogniser.gallery is not None:
        with counted_bars() as tick:
            embeddings = embeddings_of(recogniser, crops, what, work=work, tick=tick)
        raw, zones = recogniser.compare(embeddings)
        return Views(raw, np.ones_like(raw), zones, labels)  # a mask that rules nobody out
    found = []
    with counted_bars() as tick:
        for first in range(0, len(crops), chunk):
            found.append(recogniser.defend(crops[first : first + chunk], quick=quick))
            tick(what, min(first + chunk, len(crops)), len(crops))
    raw, masked, zones = (np.concatenate([getattr(e, n) for e in found]) for n in ("raw", "defended", "views"))
    return Views(raw, masked, zones, labels)


def strangers_of(
    recogniser: Recogniser, folder: Path, half: Half | None, most: int, seed: int
) -> tuple[Bytes, tuple[str, ...]]:
    """At most so many of the folder's crops, drawn, and the names of all who may be among them."""
    folk = unseen(read_people([folder], allow_single=True, aligned=True), [recogniser], half)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(folk))[:most])
    return at_size(folk.crops[chosen], recogniser.input_size), folk.names


def calibrated(start: Policy, clean: Views, innocent: Views, others: Views | None, rates: Rates) -> Policy:
    """The policy whose zone thresholds keep the rates on these faces; ``confirm`` is kept, and ``threshold`` where
    strangers do not decide."""
    known = [clean, innocent]
    faces = [*known, *([others] if others is not None else [])]
    start = replace(start, zone_dissent=0.0, further_confirm=0.0)
    start = replace(start, zone_threshold=_sure_from(start, faces, rates.misnamed))
    if rates.named is None or others is None:
        confirm = max(_lowest(_highest_wrong(views), rates.impersonated) for views in faces)
        policy = replace(start, zone_confirm=confirm, zone_threshold=max(start.zone_threshold, confirm))
    else:
        policy = by_strangers(start, clean, innocent, others, rates)
    confirm = policy.zone_confirm
    tried = [replace(policy, zone_dissent=one) for one in _steps(confirm)]
    kept = [one for one in tried if _alarms(one, known) <= rates.alarmed and _cost(one, clean) <= rates.cost]
    policy = kept[-1] if kept else policy
    if clean.zones.shape[1] == 1:
        return replace(policy, further_confirm=start.further_confirm)
    allowed = _alarms(policy, known) + rates.vetoed
    tried = [replace(policy, further_confirm=one) for one in _steps(1)]
    return [one for one in tried if _alarms(one, known) <= allowed][-1]


def by_strangers(start: Policy, clean: Views, innocent: Views, others: Views, rates: Rates) -> Policy:
    """The policy that knows most of the people rightly, of those that keep three rates.

    Its ``zone_lead`` and ``zone_confirm`` let the first zone's view allow somebody else on at most ``impersonated`` of
    the people's faces and of the strangers', its ``further_lead`` and ``floor`` any zone's view on at most
    ``elsewhere``; its ``threshold``, the lowest quantile of what strangers get, makes at most ``named`` of them known.
    """
    assert rates.named is not None
    start = replace(start, further_lead=0.0, floor=FLOORS[0])
    best, most = start, -1
    for lead, confirm in itertools.product(LEADS, CONFIRMS):
        tried = replace(start, zone_lead=lead, zone_confirm=confirm)
        sure = _sure_from(tried, [clean, innocent, others], rates.misnamed)
        tried = replace(tried, zone_threshold=max(sure, confirm))
        if any(_impersonable(tried, views) > rates.impersonated for views in (clean, others)):
            continue
        rightly = int((tried.allowed(0, clean.zones[:, 0])[np.arange(len(clean.labels)), clean.labels]).sum())
        if rightly <= most:  # it cannot know more of them than its first zone's view allows
            continue
        tried = _by_threshold(tried, others, rates.named)
        rightly = _known_rightly(tried, clean)
        if rightly > most:
            best, most = tried, rightly
    if most < 0:
        raise BadInput(f"--impersonated {rates.impersonated:g}: no policy keeps it on these faces; allow more")
    return _covering(best, clean, innocent, others, rates)


def _covering(start: Policy, clean: Views, innocent: Views, others: Views, rates: Rates) -> Policy:
    """With the ``further_lead`` and ``floor`` that keep ``elsewhere`` and know most faces rightly, with glasses too."""
    assert rates.named is not None
    best, most = start, -1
    for lead, floor in itertools.product(FURTHER_LEADS, FLOORS):
        tried = replace(start, further_lead=lead, floor=floor)
        if any((~covered(tried, one.zones, one.labels)).mean() > rates.elsewhere for one in (clean, others)):
            continue
        tried = _by_threshold(tried, others, rates.named)
        rightly = _known_rightly(tried, clean) + _known_rightly(tried, innocent)
        if rightly > most:
            best, most = tried, rightly
    if most < 0:
        raise BadInput(f"--elsewhere {rates.elsewhere:g}: no policy keeps it on these faces; allow more")
    return best


def _known_rightly(policy: Policy, views: Views) -> int:
    states = zip(_states(policy, views), views.labels, strict=True)
    return sum(state == "known" and who == label for (state, who), label in states)


def _by_threshold(policy: Policy, others: Views, named: float) -> Policy:
    """With the lowest ``threshold`` that makes at most that share of the strangers known."""
    given = others.raw.max(axis=1)
    low, high = 0, round(0.5 / LEVEL)  # steps of the quantile, from the median on
    while low < high:
        middle = (low + high) // 2
        states = _states(_with_threshold(policy, given, middle), others)
        if [state for state, _ in states].count("known") <= named * len(others.labels):
            high = middle
        else:
            low = middle + 1
    return _with_threshold(policy, given, low)


def _with_threshold(policy: Policy, given: Floats, step: int) -> Policy:
    """At least ``zone_confirm``: a whole face has to give a name no less than one with hidden eyes."""
    asked = float(np.clip(np.quantile(given, min(1.0, 0.5 + step * LEVEL)), policy.zone_confirm, 1 - STEP))
    return replace(policy, threshold=round(asked, 4))


def _impersonable(policy: Policy, views: Views) -> float:
    """The share of the faces that the first zone's view lets be somebody else."""
    return float((~no_impersonation(policy, views.zones[:, 0], views.labels)).mean())


def _steps(end: float) -> list[float]:
    """From 0 to below ``end``, by ``FINE`` up to ``STEP`` and by that from there on."""
    steps = [*np.arange(0, STEP, FINE), *np.arange(STEP, 1, STEP)]
    return [round(float(one), 4) for one in steps if round(float(one), 4) < end]


class Figures(TypedDict):
    """What a policy does to some faces; the names only where somebody's is right."""

    known_rightly: Proportion
    known_wrongly: Proportion
    alarms: Proportion
    raw: NotRequired[Proportion]
    last_word: NotRequired[Proportion]
    last_word_calibration_error: NotRequired[float]


#: By group: clean, innocent, strangers.
Outcome = dict[str, Figures]


def outcome(policy: Policy, clean: Views, innocent: Views, others: Views | None) -> Outcome:
    """What the policy does to the faces it was calibrated on."""
    groups = {"clean": clean, "innocent": innocent} | ({} if others is None else {"strangers": others})
    return {name: figures_of(policy, views) for name, views in groups.items()}


def figures_of(policy: Policy, views: Views) -> Figures:
    """What the policy does to these faces, people's or strangers'."""
    states = _states(policy, views)
    right = [who == int(label) for (_, who), label in zip(states, views.labels, strict=True)]
    known = [state == "known" for state, _ in states]
    n = len(states)
    found: Figures = {
        "known_rightly": proportion(sum(k and r for k, r in zip(known, right, strict=True)), n),
        "known_wrongly": proportion(sum(k and not r for k, r in zip(known, right, strict=True)), n),
        "alarms": proportion(sum(state == "suspected_attack" for state, _ in states), n),
    }
    if (views.labels != NOBODY).any():
        final = _final(policy, views)
        found["raw"], found["last_word"] = accuracy(views.raw, views.labels), accuracy(final, views.labels)
        found["last_word_calibration_error"] = round(expected_calibration_error(final, views.labels), 4)
    return found


def _states(policy: Policy, views: Views) -> list[tuple[str, int]]:
    """Of each face the state and the index of the person known (-1: nobody), by the one rule that ``decide`` has."""
    decisions = [decide(one, policy) for one in views.evidence]
    return [(one.state, -1 if one.identity is None else int(one.identity)) for one in decisions]


def _final(policy: Policy, views: Views) -> Floats:
    """(N, K) the final probabilities on each face."""
    return np.stack([final_probabilities(one, policy) for one in views.evidence])


def _cost(policy: Policy, clean: Views) -> float:
    """The share of faces by which the final name is right on fewer than the raw view."""
    right = [float((scores.argmax(axis=1) == clean.labels).mean()) for scores in (clean.raw, _final(policy, clean))]
    return right[0] - right[1]


def _alarms(policy: Policy, faces: list[Views]) -> float:
    states = [state for views in faces for state, _ in _states(policy, views)]
    return states.count("suspected_attack") / len(states)


def _highest_wrong(views: Views) -> npt.NDArray[np.float32]:
    """(N,) the most that the first zone's view gives to anybody but the true person."""
    scores = views.zones[:, 0].copy()
    known = views.labels != NOBODY
    scores[np.flatnonzero(known), views.labels[known]] = 0
    return np.asarray(scores.max(axis=1))


def _sure_from(policy: Policy, faces: Sequence[Views], misnamed: float) -> float:
    """From where on the first zone's view, where somebody leads, names wrongly on at most a share of either faces."""
    scores = []
    for views in faces:
        first = views.zones[:, 0]
        wrongly = (first.argmax(axis=1) != views.labels) & policy.leads(0, first).any(axis=1)
        scores.append(np.where(wrongly, first.max(axis=1), 0))
    return max(_lowest(one, misnamed) for one in scores)


def _lowest(scores: npt.NDArray[np.floating], share: float) -> float:
    """The lowest threshold that at most ``share`` of the scores reach, by ``STEP``, from 0.9 on by a quarter of it."""
    tried = [*np.arange(STEP, 0.9, STEP), *np.arange(0.9, 1, STEP / 4)]
    kept = (one for one in tried if float((scores >= one).mean()) <= share)
    return round(float(next(kept, tried[-1])), 4)
