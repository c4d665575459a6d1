"""How much is done: ten minutes' worth, or all of it; and the scenarios that there are."""

from __future__ import annotations

from dataclasses import dataclass

from models.errors import refuse_unknown
from tools.attacks.registry import ATTACKS, OBLIVIOUS, Knowledge

#: Other things worn, by the oblivious attack that makes them and their shape.
ACCESSORIES: dict[str, tuple[str, str]] = {
    "double": ("sharif", "double"),
    "slipped": ("sharif", "double_slipped"),
    "forehead": ("pgd", "forehead_sticker"),
    "cheek": ("pgd", "cheek_sticker"),
    "face_mask": ("pgd", "face_mask"),
    "rectangle": ("pgd", "rectangle"),
    "patch": ("lavan", "patch"),
    "forehead_patch": ("lavan", "forehead_patch"),
    "glasses_and_mask": ("pgd", "wide+face_mask"),
    "glasses_and_sticker": ("pgd", "wide+forehead_sticker"),
}
#: What is worn in more than one place: no view hides all of it, and no certificate speaks of it.
TWO_THINGS = tuple(name for name, (_, shape) in ACCESSORIES.items() if "+" in shape)


@dataclass(frozen=True)
class Scenario:
    """An attack as the evaluation runs it: by whom, and wearing what.

    Attributes:
        name: what ``--attack`` and the results call it.
        attack: its name in the table of attacks. shape: what is worn; None: what the command says.
        strangers: people who are not enrolled attack. dodge: they want to be anybody else.
        beside: the oblivious scenario with the same thing worn by the same people, which it is compared with.
    """

    name: str
    attack: str
    shape: str | None = None
    strangers: bool = False
    dodge: bool = False
    beside: str = OBLIVIOUS

    @property
    def knows(self) -> Knowledge:
        return ATTACKS[self.attack].knows

    @property
    def in_full(self) -> bool:
        """Whether ``--full`` runs it: an attack may be left out alone and still make something worn."""
        if self.strangers and self.shape is not None:
            return False
        return self.name in ACCESSORIES or ATTACKS[self.attack].in_full

    @property
    def plain(self) -> bool:
        """Whether it is an oblivious attack on the same pairs as all others of this kind, so that they compare."""
        return self.name == self.attack and self.knows == "recogniser"


def scenarios() -> dict[str, Scenario]:
    """Every scenario by its name, in the order in which they run."""
    found: list[Scenario] = []
    for name, spec in ATTACKS.items():
        if spec.knows == "recogniser":
            found.append(Scenario(name, name))
        if name == OBLIVIOUS:
            found += [Scenario("dodge", name, dodge=True), Scenario("strangers", name, strangers=True)]
    found += [Scenario(name, attack, shape) for name, (attack, shape) in ACCESSORIES.items()]
    found += [Scenario(name, name) for name, spec in ATTACKS.items() if spec.knows == "mask"]
    for name, spec in ATTACKS.items():
        if spec.knows == "policy":
            found += _of_policy(name, spec.wears)
    return {scenario.name: scenario for scenario in found}


def _of_policy(name: str, wears: str | None) -> list[Scenario]:
    """An attack on the policy: with glasses and everything else worn, or with the one thing that it is made for."""
    if wears is not None:
        shape = ACCESSORIES[wears][1]
        return [
            Scenario(name, name, shape, beside=wears),
            Scenario(f"{name} strangers", name, shape, strangers=True, beside="strangers"),
        ]
    found = [Scenario(name, name), Scenario(f"{name} strangers", name, strangers=True, beside="strangers")]
    for worn, (_, shape) in ACCESSORIES.items():
        found.append(Scenario(f"{name} {worn}", name, shape, beside=worn))
        found.append(Scenario(f"{name} strangers {worn}", name, shape, strangers=True, beside="strangers"))
    return found


@dataclass(frozen=True)
class Plan:
    """Numbers of faces, pairs and steps.

    Attributes:
        clean: clean faces at most. pairs: impersonations of the oblivious attack. dodges: dodging attacks.
        attacks: which scenarios run, in their order.
        adaptive_pairs, adaptive_steps: of each adaptive attack against the published and the tuned mask.
        accessory_pairs: impersonations with each of ``ACCESSORIES``.
        zone_pairs, zone_steps: of each attack on the policy over zone views (three restarts each).
        strongest: how many of the adaptive attacks run again with ``strongest_pairs`` and ``strongest_steps``.
        half_precision: gradients in bfloat16. device: where attacks compute.
        timed: single faces whose milliseconds are taken.
    """

    clean: int
    pairs: int
    dodges: int
    steps: int
    attacks: tuple[str, ...]
    adaptive_pairs: int
    adaptive_steps: int
    accessory_pairs: int = 60
    zone_pairs: int = 60
    zone_steps: int = 150
    strongest: int = 0
    strongest_pairs: int = 120
    strongest_steps: int = 300
    timed: int = 8
    half_precision: bool = False
    device: str = "cpu"

    def chosen(self, knows: Knowledge) -> list[Scenario]:
        """The scenarios of attacks that know so much."""
        return [one for name, one in scenarios().items() if name in self.attacks and one.knows == knows]

    def pairs_of(self, scenario: Scenario) -> int:
        """How many pairs an oblivious scenario has."""
        if scenario.dodge:
            return self.dodges
        return self.accessory_pairs if scenario.name in ACCESSORIES else self.pairs


QUICK = Plan(
    clean=48, pairs=24, dodges=8, steps=150, attacks=("sharif", "dodge", "A1"), adaptive_pairs=4, adaptive_steps=40
)
FULL = Plan(
    clean=100_000,
    pairs=120,
    dodges=60,
    steps=300,
    attacks=tuple(name for name, scenario in scenarios().items() if scenario.in_full),
    adaptive_pairs=40,
    adaptive_steps=150,
    strongest=2,
    timed=32,
)


def checked_attacks(names: list[str]) -> tuple[str, ...]:
    """The names in the order in which they run.

    Raises:
        BadInput: an unknown one.
    """
    known = scenarios()
    refuse_unknown("--attack", *names, known=known)
    return tuple(name for name in known if name in names)
