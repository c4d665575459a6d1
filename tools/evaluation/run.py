"""The evaluation itself: craft, ask, measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.arrays import Bools, Bytes, Labels
from models.crop.wearables import COLOURS, SHAPES, frame_mask, paint
from models.recogniser import Recogniser
from tools.attacks import ADAPTIVE
from tools.crafting.attacked_faces import NOBODY, Attacked, Tick, attacked_faces, labelled, with_parameters
from tools.crafting.job import Settings
from tools.evaluation.answered import Answered, Asker
from tools.evaluation.defences import NONE, PUBLISHED, TUNED, ZONES, Defence
from tools.evaluation.measures import (
    attack_figures,
    clean_figures,
    goodness,
    goodness_interval,
    mask_figures,
    share,
    state_figures,
    worst_case,
)
from tools.evaluation.photographs import Camera, attacked_photographs, innocent_photographs
from tools.evaluation.plan import ACCESSORIES, Plan
from tools.evaluation.status import oblivious_to, on_record, status
from tools.faces.people import People, at_size

#: Finds out which crops (N, S, S, 3) show a face that the detector finds, (N,) bool.
FindsFace = Callable[[Bytes], Bools]
SANITY = "A8"  # unbounded: a check of the attack, no threat


@dataclass
class Evaluation:
    """Everything measured; ``figures`` goes to JSON, the rest to pictures and curves."""

    figures: dict[str, Any]
    clean: tuple[Bytes, Labels]
    clean_answers: dict[str, Answered]
    attacked: dict[str, Attacked]
    attack_answers: dict[str, dict[str, Answered]]


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


def some_of(people: People, recogniser: Recogniser, seed: int, most: int = 300) -> tuple[Bytes, list[str]]:
    """At most so many crops, drawn, at the recogniser's size, and whose each is."""
    chosen = np.sort(np.random.default_rng([seed, 3]).permutation(len(people))[:most])
    whose = [people.names[label] for label in people.labels[chosen]]
    return at_size(people.crops[chosen], recogniser.input_size), whose


def evaluate(
    recogniser: Recogniser,
    people: People,
    defences: Sequence[Defence],
    plan: Plan,
    work: Path,
    *,
    shape: str = "classic",
    seed: int = 0,
    strangers: People | None = None,
    hardened: Recogniser | None = None,
    wearing: People | None = None,
    camera: Camera | None = None,
    finds_face: FindsFace | None = None,
    tick: Tick | None = None,
) -> Evaluation:
    """Measure every defence.

    Args:
        people: crops that the head was not fitted to; they are attacked and shown clean.
        defences: the defences; the undefended defence has to be among them.
        work: keeps attacked faces and answers; a rerun goes on.
        strangers: crops of people who are not enrolled: named when nobody attacks, and attacking.
        hardened: the recogniser of the defence over zone views, which some attacks are made against.
        wearing: crops whose people really wear glasses.
        camera: shows the same people on whole photographs.
        finds_face: the detector, for attacks that make the face disappear.

    Raises:
        BadInput: no pair can be attacked, or the folder cannot be written.
    """
    asker = Asker(recogniser, work / "answers", tick)
    names, threshold = recogniser.labels, recogniser.policy.threshold
    by_name = {defence.name: defence for defence in defences}
    chosen = np.sort(np.random.default_rng([seed, 1]).permutation(len(people))[: plan.clean])
    clean, labels = labelled(people.subset(chosen), recogniser)
    innocent = with_innocent_glasses(clean, seed)
    figures: dict[str, Any] = {"clean": {}, "innocent": {}, "milliseconds": {}, "attacks": {}, "worst_case": {}}
    quiet: dict[str, Sequence[Any]] = {"clean": (clean, labels), "innocent": (innocent, labels)}
    if wearing is not None:
        quiet["wearers"] = labelled(wearing, recogniser)
        figures["wearers"] = {}
    if camera is not None:
        pictures = [people.pictures[place] for place in chosen]
        *quiet["innocent_photographs"], unseen = innocent_photographs(camera, pictures, labels, seed)
        figures["innocent_photographs"] = {}
        figures["innocent_photographs_without_a_face"] = share(unseen)
    whose: list[str] | None = None
    if strangers is not None:
        foreign, whose = some_of(strangers, recogniser, seed)
        quiet["strangers"] = (foreign, np.full(len(foreign), NOBODY))
        figures["strangers"] = {}
    clean_answers: dict[str, Answered] = {}
    for defence in defences:
        for kind, (crops, who) in quiet.items():
            found = asker(defence, crops, kind)
            of = whose if kind == "strangers" else None
            states = state_figures(found.decisions(defence, names, recogniser.policy), who, who, names, people=of)
            states.pop("known_target")
            if kind == "strangers":  # nobody's name is right
                figures[kind][defence.name] = {"states": states}
                continue
            figures[kind][defence.name] = clean_figures(found.defended, who, found.mask, threshold) | {"states": states}
            if kind == "clean":
                clean_answers[defence.name] = found
        figures["milliseconds"][defence.name] = asker.milliseconds(defence, clean[: plan.timed])
    attacked: dict[str, Attacked] = {}
    answers: dict[str, dict[str, Answered]] = {}

    def take(name: str, faces: Attacked, some: Sequence[Defence]) -> None:
        attacked[name] = faces
        answers[name] = {defence.name: asker(defence, faces.adversarial, name) for defence in some}
        lost = None
        if finds_face is not None:
            lost = finds_face(faces.originals) & ~finds_face(faces.adversarial)
        raw = asker(by_name[NONE], faces.adversarial, name).raw
        of = [record["attacker"] for record in faces.records] if (faces.labels == NOBODY).all() else None
        measured = {}
        for defence in some:
            found = answers[name][defence.name]
            one = attack_figures(raw, found.defended, faces.labels, faces.targets, threshold)
            decisions = found.decisions(defence, names, recogniser.policy)
            gone = lost if (faces.targets == NOBODY).all() else None  # whom nobody sees has dodged, and is nobody
            one["states"] = state_figures(decisions, faces.labels, faces.targets, names, lost=gone, people=of)
            one["mask"] = mask_figures(found.mask, faces.region)
            one["goodness"] = goodness(figures["clean"][defence.name], one)
            unhurt = clean_answers[defence.name].defended
            one["goodness_interval"] = goodness_interval(unhurt, labels, found.defended, faces.labels, faces.targets)
            measured[defence.name] = one
        made_on = sorted({record.get("device", "unknown") for record in faces.records})  # resumed: maybe several
        settings = asdict(faces.settings)
        figures["attacks"][name] = {"settings": settings, "made_on": made_on, "n": len(faces), "rows": measured}
        if lost is not None:
            figures["attacks"][name]["no_face_found"] = share(lost)

    def craft(
        name: str,
        settings: Settings,
        count: int,
        who: People = people,
        against: Recogniser = recogniser,
        **options: Any,
    ) -> Attacked:
        where = torch.device(plan.device)
        return attacked_faces(
            against, who, settings, count, work / "attacks", name=name, device=where, tick=tick, **options
        )

    plain = Settings(shape=shape, steps=plan.steps, seed=seed, half_precision=plan.half_precision)
    for name in plan.attacks:
        if name == "dodge":
            take(name, craft(name, plain, plan.dodges, dodge=True), defences)
        elif name == "strangers" and strangers is not None:
            take(name, craft(name, plain, plan.pairs, strangers, strangers=True), defences)
        elif name in ("sharif", "pgd", "lavan"):
            take(name, craft(name, replace(plain, attack=name), plan.pairs), defences)
            if camera is not None:
                seen, unseen = attacked_photographs(camera, attacked[name])
                take(f"{name}, photographs", seen, defences)
                figures["attacks"][f"{name}, photographs"]["without_a_face"] = share(unseen)
        elif name in ACCESSORIES:
            kind, worn = ACCESSORIES[name]
            take(name, craft(name, replace(plain, attack=kind, shape=worn), plan.accessory_pairs), defences)
    once = [name for name in ("sharif", "pgd", "lavan") if name in attacked]  # the same pairs
    if len(once) > 1:
        for defence in defences:
            successes = {n: answers[n][defence.name].defended.argmax(axis=1) == attacked[n].targets for n in once}
            figures["worst_case"][f"{defence.name}, oblivious"] = worst_case(successes)
    for defence in (by_name[name] for name in (PUBLISHED, TUNED) if name in by_name):
        _adaptive(recogniser, defence, by_name[NONE], plan, shape, seed, craft, take, figures, attacked, answers)
    if hardened is not None and ZONES in by_name:
        found_known = {}
        for kind in plan.on_zones:
            _, _, what = kind.partition(" ")
            foreign = what == "strangers"
            if foreign and strangers is None:
                continue
            worn = ACCESSORIES[what][1] if what in ACCESSORIES else shape
            settings = replace(plain, attack="zones", shape=worn, steps=plan.zone_steps)
            name = f"{kind} on {ZONES}"
            who = strangers if foreign and strangers is not None else people
            faces = craft(name, settings, plan.zone_pairs, who, hardened, strangers=foreign)
            take(name, faces, [by_name[NONE], by_name[ZONES]])
            known = figures["attacks"][name]["rows"][ZONES]["states"]["known_target"]
            figures["attacks"][name]["status"] = on_record(faces, known, oblivious_to(what, figures["attacks"]))
            found_known[kind] = known
        if found_known:
            figures["worst_case"][f"{ZONES}, Known(target)"] = found_known
    return Evaluation(figures, (clean, labels), clean_answers, attacked, answers)


def _adaptive(
    recogniser: Recogniser,
    defence: Defence,
    undefended: Defence,
    plan: Plan,
    shape: str,
    seed: int,
    craft: Callable[..., Attacked],
    take: Callable[[str, Attacked, Sequence[Defence]], None],
    figures: dict[str, Any],
    attacked: dict[str, Attacked],
    answers: dict[str, dict[str, Answered]],
) -> None:
    """Every adaptive attack on one defence, then the strongest again with more pairs and steps, then the worst case."""
    if not plan.adaptive:
        return
    assert defence.parameters is not None

    def attack(kind: str, pairs: int, steps: int, note: str = "") -> str:
        name = f"{kind} on {defence.name}{note}"
        with with_parameters(recogniser, defence.parameters):
            settings = Settings(attack=kind, shape=shape, steps=steps, seed=seed, half_precision=plan.half_precision)
            faces = craft(name, settings, pairs)
        take(name, faces, [undefended, defence])
        figures["attacks"][name]["status"] = status(faces, success(name), oblivious)
        return name

    def success(name: str, threshold: float = 0.0) -> np.ndarray:
        defended = answers[name][defence.name].defended
        named = defended.argmax(axis=1) == attacked[name].targets
        return np.asarray(named & (defended.max(axis=1) >= threshold))

    def note_worst(note: str, names: dict[str, str]) -> None:
        for at, threshold in (("", 0.0), (f", at {recogniser.policy.threshold:g}", recogniser.policy.threshold)):
            flags = {kind: success(name, threshold) for kind, name in names.items()}
            figures["worst_case"][f"{defence.name}{note}{at}"] = worst_case(flags)

    # A0, the oblivious attack on the same pairs (the same seed draws the same ones first)
    names = {"A0": "sharif"} if "sharif" in attacked else {}
    oblivious = success("sharif") if names else None
    long = dict(names)
    for kind in plan.adaptive:
        name = attack(kind, plan.adaptive_pairs, plan.adaptive_steps)
        if kind != SANITY:
            names[kind] = name
    order = sorted((k for k in names if k in ADAPTIVE), key=lambda k: -int(success(names[k]).sum()))
    for kind in order[: plan.strongest]:
        long[kind] = attack(kind, plan.strongest_pairs, plan.strongest_steps, ", long")
    if names:
        note_worst("", names)
    if plan.strongest and order:
        note_worst(", long", long)
