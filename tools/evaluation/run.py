"""The evaluation itself: quiet faces, oblivious attacks, attacks on the mask, attacks on the policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Bytes
from models.crop.wearables import COLOURS, SHAPES, frame_mask, paint
from models.recogniser import Recogniser
from tools.attacks.registry import ATTACKS, OBLIVIOUS
from tools.common.report import Proportion
from tools.crafting.attacked_faces import labelled, with_parameters
from tools.evaluation.defences import EDGES, NONE, PUBLISHED, TUNED, ZONES, Defence
from tools.evaluation.measurement import Conditions, Evaluation, Measurement
from tools.evaluation.measures import share
from tools.evaluation.photographs import Camera, attacked_photographs, innocent_photographs
from tools.evaluation.plan import Scenario
from tools.evaluation.status import oblivious_to, on_record, status
from tools.faces.people import People, at_size


@dataclass(frozen=True)
class Subjects:
    """Whose faces are measured.

    Attributes:
        people: crops that the head was not fitted to; they are attacked and shown clean.
        strangers: crops of people who are not enrolled: named when nobody attacks, and attacking.
        wearing: crops whose people really wear glasses.
        camera: shows the same people on whole photographs.
    """

    people: People
    strangers: People | None = None
    wearing: People | None = None
    camera: Camera | None = None


def with_innocent_glasses(crops: Bytes, seed: int) -> Bytes:
    """Each crop with plain glasses of a random shape and colour."""
    random = np.random.default_rng([seed, 2])
    palette = list(COLOURS.values())
    worn = [
        paint(
            crop,
            frame_mask(SHAPES[int(random.integers(len(SHAPES)))], crops.shape[1]),
            np.array(palette[int(random.integers(len(palette)))], np.uint8),
        )
        for crop in crops
    ]
    return np.stack(worn)


def some_of(people: People, recogniser: Recogniser, seed: int, most: int = 1000) -> tuple[Bytes, list[str]]:
    """At most so many crops, drawn, at the recogniser's size, and whose each is."""
    chosen = np.sort(np.random.default_rng([seed, 3]).permutation(len(people))[:most])
    whose = [people.names[label] for label in people.labels[chosen]]
    return at_size(people.crops[chosen], recogniser.input_size), whose


def evaluate(
    recogniser: Recogniser,
    subjects: Subjects,
    defences: Sequence[Defence],
    under: Conditions,
    *,
    hardened: Recogniser | None = None,
) -> Evaluation:
    """Measure every defence.

    Args:
        defences: no defence at all has to be among them.
        under: what runs, and where attacked faces and answers are kept; a rerun goes on.
        hardened: the recogniser of the defence over zone views, which some attacks are made against.

    Raises:
        BadInput: no pair can be attacked, or the folder cannot be written.
    """
    people = subjects.people
    chosen = np.sort(np.random.default_rng([under.seed, 1]).permutation(len(people))[: under.plan.clean])
    clean = labelled(people.subset(chosen), recogniser)
    measurement = Measurement(recogniser, defences, people, clean, under)
    _quiet(measurement, subjects, [people.pictures[place] for place in chosen])
    _oblivious(measurement, subjects)
    for name in (PUBLISHED, TUNED, EDGES):
        if name in measurement.defences:
            _on_the_mask(measurement, measurement.defences[name])
    if hardened is not None and ZONES in measurement.defences:
        _on_the_policy(measurement, subjects, hardened)
    return measurement.found


def _quiet(measurement: Measurement, subjects: Subjects, pictures: Sequence[str]) -> None:
    """Faces that nobody attacks: clean, with drawn glasses, with real ones, on photographs, and strangers'."""
    recogniser, seed, figures = measurement.recogniser, measurement.under.seed, measurement.found.figures
    crops, labels = measurement.found.clean
    quiet = {"clean": (crops, labels), "innocent": (with_innocent_glasses(crops, seed), labels)}
    if subjects.wearing is not None:
        quiet["wearers"] = labelled(subjects.wearing, recogniser)
        figures["wearers"] = {}
    if subjects.camera is not None:
        worn, whose, unseen = innocent_photographs(subjects.camera, pictures, labels, seed)
        quiet["innocent_photographs"] = (worn, whose)
        figures["innocent_photographs"] = {}
        figures["innocent_photographs_without_a_face"] = share(unseen)
    foreign = None
    if subjects.strangers is not None:
        foreign = some_of(subjects.strangers, recogniser, seed)
        figures["strangers"] = {}
    for defence in measurement.defences.values():
        for kind, (some, who) in quiet.items():
            measurement.quiet(kind, some, who, defence)
        if foreign is not None:
            measurement.strangers(*foreign, defence)
        measurement.time(defence)


def _oblivious(measurement: Measurement, subjects: Subjects) -> None:
    """Attacks that know no defence, measured under all of them; then the worst of those on the same pairs."""
    under, found = measurement.under, measurement.found
    everything = list(measurement.defences.values())
    for scenario in under.plan.chosen("recogniser"):
        if scenario.strangers and subjects.strangers is None:
            continue
        settings = under.settings(scenario.attack, under.plan.steps, scenario.shape)
        who = subjects.strangers if scenario.strangers else None
        count = under.plan.pairs_of(scenario)
        faces = measurement.craft(
            scenario.name, settings, count, who=who, dodge=scenario.dodge, strangers=scenario.strangers
        )
        measurement.attack(scenario.name, faces, everything)
        if scenario.plain and subjects.camera is not None:
            seen, unseen = attacked_photographs(subjects.camera, faces)
            name = f"{scenario.name}, photographs"
            measurement.attack(name, seen, everything)
            found.figures["attacks"][name]["without_a_face"] = share(unseen)
    same = [one.name for one in under.plan.chosen("recogniser") if one.plain]
    if len(same) > 1:
        for defence in measurement.defences:
            successes = {name: measurement.success(name, defence) for name in same}
            measurement.note_worst(f"{defence}, oblivious", successes)


def _on_the_mask(measurement: Measurement, defence: Defence) -> None:
    """Every adaptive attack on one mask, then the strongest again with more pairs and steps, then the worst case."""
    plan = measurement.under.plan
    chosen = [one for one in plan.chosen("mask") if ATTACKS[one.attack].edges == (defence.name == EDGES)]
    if not chosen:
        return

    def success(name: str) -> int:
        return int(measurement.success(name, defence.name).sum())

    # A0, the oblivious attack on the same pairs (the same seed draws the same ones first)
    names = {"A0": OBLIVIOUS} if OBLIVIOUS in measurement.found.attacked else {}
    long = dict(names)
    adaptive = {}
    for scenario in chosen:
        name = _adaptive(measurement, defence, scenario, plan.adaptive_pairs, plan.adaptive_steps)
        if ATTACKS[scenario.attack].confined:
            adaptive[scenario.name] = (scenario, name)
    names |= {kind: name for kind, (_, name) in adaptive.items()}
    order = sorted(adaptive.values(), key=lambda one: -success(one[1]))
    for scenario, _ in order[: plan.strongest]:
        again = _adaptive(measurement, defence, scenario, plan.strongest_pairs, plan.strongest_steps, ", long")
        long[scenario.name] = again
    if names:
        _note_worst(measurement, defence, "", names)
    if plan.strongest and order:
        _note_worst(measurement, defence, ", long", long)


def _adaptive(
    measurement: Measurement, defence: Defence, scenario: Scenario, pairs: int, steps: int, note: str = ""
) -> str:
    """One attack on one mask, measured; gives the name that its results have."""
    assert defence.parameters is not None
    found = measurement.found
    name = f"{scenario.name} on {defence.name}{note}"
    settings = measurement.under.settings(scenario.attack, steps, scenario.shape)
    with with_parameters(measurement.recogniser, defence.parameters):
        faces = measurement.craft(name, settings, pairs)
    undefended = measurement.defences[NONE]
    measurement.attack(name, faces, [undefended, defence], against=defence.name)
    oblivious = measurement.success(OBLIVIOUS, defence.name) if OBLIVIOUS in found.attacked else None
    found.figures["attacks"][name]["status"] = status(faces, measurement.success(name, defence.name), oblivious)
    return name


def _note_worst(measurement: Measurement, defence: Defence, note: str, names: dict[str, str]) -> None:
    """The worst case over some attacks, by the name told and by the name told with confidence."""
    confident = measurement.recogniser.policy.threshold
    for at, threshold in (("", 0.0), (f", at {confident:g}", confident)):
        successes = {kind: measurement.success(name, defence.name, threshold) for kind, name in names.items()}
        measurement.note_worst(f"{defence.name}{note}{at}", successes)


def _on_the_policy(measurement: Measurement, subjects: Subjects, hardened: Recogniser) -> None:
    """Attacks on the policy over zone views, by what they wear; their worst case is Known(target)."""
    under, figures = measurement.under, measurement.found.figures
    among = [measurement.defences[NONE], measurement.defences[ZONES]]
    known: dict[str, Proportion] = {}
    for scenario in under.plan.chosen("policy"):
        if scenario.strangers and subjects.strangers is None:
            continue
        settings = under.settings(scenario.attack, under.plan.zone_steps, scenario.shape)
        name = f"{scenario.name} on {ZONES}"
        who = subjects.strangers if scenario.strangers else None
        count = under.plan.zone_pairs
        faces = measurement.craft(name, settings, count, who=who, against=hardened, strangers=scenario.strangers)
        measurement.attack(name, faces, among, against=ZONES)
        attack = figures["attacks"][name]
        known[scenario.name] = attack["rows"][ZONES]["states"]["known_target"]
        attack["status"] = on_record(faces, known[scenario.name], oblivious_to(scenario, figures))
    if known:
        figures["worst_case"][f"{ZONES}, Known(target)"] = known
