"""How much is done: ten minutes' worth, or all of it."""

from __future__ import annotations

from dataclasses import dataclass

from models.errors import refuse_unknown
from tools.attacks import ADAPTIVE

#: Other things worn, by the attack that makes them and their shape; like ``sharif`` they know no defence.
ACCESSORIES: dict[str, tuple[str, str]] = {
    "double": ("sharif", "double"),
    "slipped": ("sharif", "double_slipped"),
    "forehead": ("pgd", "forehead_sticker"),
    "cheek": ("pgd", "cheek_sticker"),
    "face_mask": ("pgd", "face_mask"),
    "rectangle": ("pgd", "rectangle"),
    "patch": ("lavan", "patch"),
    "forehead_patch": ("lavan", "forehead_patch"),
}
OBLIVIOUS = ("sharif", "dodge", "strangers", "pgd", "lavan", *ACCESSORIES)
#: Attacks on the policy over zone views, by what they wear; "zones" wears what all others do.
ZONE_ATTACKS = ("zones", "zones strangers", *(f"zones {name}" for name in ACCESSORIES))
NAMES = (*OBLIVIOUS, *ADAPTIVE, *ZONE_ATTACKS)


@dataclass(frozen=True)
class Plan:
    """Numbers of faces, pairs and steps.

    Attributes:
        clean: clean faces at most. pairs: impersonations of the oblivious attack. dodges: dodging attacks.
        attacks: which of ``NAMES`` run.
        adaptive_pairs, adaptive_steps: of each adaptive attack against the published and the tuned row.
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

    @property
    def adaptive(self) -> tuple[str, ...]:
        return tuple(name for name in self.attacks if name in ADAPTIVE)

    @property
    def on_zones(self) -> tuple[str, ...]:
        return tuple(name for name in self.attacks if name in ZONE_ATTACKS)


QUICK = Plan(
    clean=48, pairs=24, dodges=8, steps=150, attacks=("sharif", "dodge", "A1"), adaptive_pairs=4, adaptive_steps=40
)
FULL = Plan(
    clean=100_000,
    pairs=120,
    dodges=60,
    steps=300,
    attacks=("sharif", "dodge", "strangers", "pgd", *ACCESSORIES, *ADAPTIVE, *ZONE_ATTACKS),
    adaptive_pairs=40,
    adaptive_steps=150,
    strongest=2,
    timed=32,
)


def checked_attacks(names: list[str]) -> tuple[str, ...]:
    """The names in the order of ``NAMES``.

    Raises:
        BadInput: an unknown one.
    """
    refuse_unknown("--attack", *names, known=NAMES)
    return tuple(name for name in NAMES if name in names)
