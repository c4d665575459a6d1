"""One evaluation under way: it crafts, asks every defence, measures, and keeps what it found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from models.arrays import Bools, Bytes, Labels
from models.recogniser import Recogniser
from tools.attacks.settings import Settings
from tools.common.progress import Tick
from tools.crafting.attacked_faces import NOBODY, Attacked, attacked_faces, nobody
from tools.evaluation.answered import Answered, Asker
from tools.evaluation.defences import NONE, Defence
from tools.evaluation.figures import AttackFigures, Figures
from tools.evaluation.measures import (
    Flags,
    attack_figures,
    clean_figures,
    goodness,
    goodness_interval,
    mask_figures,
    share,
    state_figures,
    worst_case,
)
from tools.evaluation.plan import Plan
from tools.faces.people import People
from tools.fan_out.fan import Fan

#: Finds out which crops (N, S, S, 3) show a face that the detector finds, (N,) bool.
FindsFace = Callable[[Bytes], Bools]


def no_figures() -> Figures:
    return {"clean": {}, "innocent": {}, "milliseconds": {}, "attacks": {}, "worst_case": {}}


@dataclass
class Evaluation:
    """Everything measured; ``figures`` goes to JSON, the rest to pictures and curves."""

    clean: tuple[Bytes, Labels]
    figures: Figures = field(default_factory=no_figures)
    clean_answers: dict[str, Answered] = field(default_factory=dict)
    attacked: dict[str, Attacked] = field(default_factory=dict)
    attack_answers: dict[str, dict[str, Answered]] = field(default_factory=dict)


@dataclass(frozen=True)
class Conditions:
    """What all attacks of one evaluation share; ``fan``: where they and the answers are made, None: here."""

    plan: Plan
    work: Path
    shape: str = "classic"
    seed: int = 0
    finds_face: FindsFace | None = None
    tick: Tick | None = None
    fan: Fan | None = None

    def settings(self, attack: str, steps: int, shape: str | None = None) -> Settings:
        return Settings(
            attack=attack,
            shape=shape or self.shape,
            steps=steps,
            seed=self.seed,
            half_precision=self.plan.half_precision,
        )


class Measurement:
    """Measures defences on faces, quiet ones and attacked ones.

    Args:
        people: who attacks, where nobody else is named.
        clean: faces that nobody attacks (N, S, S, 3), and their labels.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        defences: Sequence[Defence],
        people: People,
        clean: tuple[Bytes, Labels],
        under: Conditions,
    ) -> None:
        self.recogniser, self.people, self.under = recogniser, people, under
        self.defences = {defence.name: defence for defence in defences}
        self.found = Evaluation(clean)
        self._ask = Asker(recogniser, under.work / "answers", under.tick, under.fan)

    def quiet(self, kind: str, crops: Bytes, labels: Labels, defence: Defence) -> None:
        """Measure one defence on faces that nobody attacked."""
        answered = self._ask(defence, crops, kind)
        policy, names = self.recogniser.policy, self.recogniser.labels
        states = state_figures(answered.decisions(defence, names, policy), labels, labels, names)
        states.pop("known_target")
        figures = clean_figures(answered.defended, labels, answered.mask, policy.threshold)
        self.found.figures[kind][defence.name] = figures | {"states": states}  # type: ignore[literal-required]
        if kind == "clean":
            self.found.clean_answers[defence.name] = answered

    def strangers(self, crops: Bytes, whose: Sequence[str], defence: Defence) -> None:
        """Measure whom one defence calls by a name though nobody's name is right."""
        strangers = nobody(len(crops))
        policy, names = self.recogniser.policy, self.recogniser.labels
        decisions = self._ask(defence, crops, "strangers").decisions(defence, names, policy)
        states = state_figures(decisions, strangers, strangers, names, people=whose)
        states.pop("known_target")
        self.found.figures["strangers"][defence.name] = {"states": states}

    def time(self, defence: Defence) -> None:
        """Take one defence's milliseconds for a face."""
        crops = self.found.clean[0][: self.under.plan.timed]
        self.found.figures["milliseconds"][defence.name] = self._ask.milliseconds(defence, crops)

    def craft(
        self,
        name: str,
        settings: Settings,
        count: int,
        *,
        who: People | None = None,
        against: Recogniser | None = None,
        dodge: bool = False,
        strangers: bool = False,
    ) -> Attacked:
        """``count`` attacked faces, made now or read from an earlier run.

        Raises:
            BadInput: no pair can be attacked, or the folder cannot be written.
        """
        return attacked_faces(
            against or self.recogniser,
            who or self.people,
            settings,
            count,
            self.under.work / "attacks",
            name=name,
            dodge=dodge,
            strangers=strangers,
            device=torch.device(self.under.plan.device),
            tick=self.under.tick,
            fan=self.under.fan,
        )

    def attack(self, name: str, faces: Attacked, among: Sequence[Defence], *, against: str | None = None) -> None:
        """Measure some defences on attacked faces, which were made ``against`` one of them (None: against none)."""
        answers = {defence.name: self._ask(defence, faces.adversarial, name) for defence in among}
        self.found.attacked[name], self.found.attack_answers[name] = faces, answers
        lost = None
        if self.under.finds_face is not None:
            lost = self.under.finds_face(faces.originals) & ~self.under.finds_face(faces.adversarial)
        raw = self._ask(self.defences[NONE], faces.adversarial, name)
        made_on = sorted({record.get("device", "unknown") for record in faces.records})  # resumed: maybe several
        self.found.figures["attacks"][name] = {
            "settings": asdict(faces.settings),
            "made_on": made_on,
            "n": len(faces),
            "against": against,
            "rows": {defence.name: self._under(faces, defence, raw, answers[defence.name], lost) for defence in among},
        }
        if lost is not None:
            self.found.figures["attacks"][name]["no_face_found"] = share(lost)

    def _under(
        self, faces: Attacked, defence: Defence, raw: Answered, answered: Answered, lost: Flags | None
    ) -> AttackFigures:
        policy, names, (_, labels) = self.recogniser.policy, self.recogniser.labels, self.found.clean
        whose = [record["attacker"] for record in faces.records] if (faces.labels == NOBODY).all() else None
        gone = lost if (faces.targets == NOBODY).all() else None  # whom nobody sees has dodged, and is nobody
        figures = attack_figures(raw.raw, answered.defended, faces.labels, faces.targets, policy.threshold)
        decisions = answered.decisions(defence, names, policy)
        figures["states"] = state_figures(decisions, faces.labels, faces.targets, names, lost=gone, people=whose)
        figures["mask"] = mask_figures(answered.mask, faces.region)
        figures["goodness"] = goodness(self.found.figures["clean"][defence.name], figures)
        unhurt = self.found.clean_answers[defence.name].defended
        figures["goodness_interval"] = goodness_interval(unhurt, labels, answered.defended, faces.labels, faces.targets)
        return figures

    def success(self, name: str, defence: str, threshold: float = 0.0) -> Flags:
        """(N,) whether a defence names an attack's target, with at least this probability."""
        defended = self.found.attack_answers[name][defence].defended
        named = defended.argmax(axis=1) == self.found.attacked[name].targets
        return np.asarray(named & (defended.max(axis=1) >= threshold))

    def note_worst(self, title: str, successes: Mapping[str, Flags]) -> None:
        self.found.figures["worst_case"][title] = worst_case(successes)
