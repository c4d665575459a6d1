"""How much is done: ten minutes' worth, or all of it."""

from __future__ import annotations

from dataclasses import dataclass

from models.errors import BadInput
from tools.attacks import ADAPTIVE

OBLIVIOUS = ("sharif", "dodge", "strangers", "pgd", "lavan")
NAMES = (*OBLIVIOUS, *ADAPTIVE)


@dataclass(frozen=True)
class Plan:
    """Numbers of faces, pairs and steps.

    Attributes:
        clean: clean faces at most. pairs: impersonations of the oblivious attack. dodges: dodging attacks.
        attacks: which of ``NAMES`` run.
        adaptive_pairs, adaptive_steps: of each adaptive attack against the published and the tuned row.
        strongest: how many of the adaptive attacks run again with ``strongest_pairs`` and ``strongest_steps``.
        half_precision: gradients in bfloat16.
        timed: single faces whose milliseconds are taken.
    """

    clean: int
    pairs: int
    dodges: int
    steps: int
    attacks: tuple[str, ...]
    adaptive_pairs: int
    adaptive_steps: int
    strongest: int = 0
    strongest_pairs: int = 120
    strongest_steps: int = 300
    timed: int = 8
    half_precision: bool = False

    @property
    def adaptive(self) -> tuple[str, ...]:
        return tuple(name for name in self.attacks if name in ADAPTIVE)


QUICK = Plan(
    clean=48, pairs=24, dodges=8, steps=150, attacks=("sharif", "dodge", "A1"), adaptive_pairs=4, adaptive_steps=40
)
FULL = Plan(
    clean=100_000,
    pairs=120,
    dodges=60,
    steps=300,
    attacks=("sharif", "dodge", "strangers", *ADAPTIVE),
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
    for name in names:
        if name not in NAMES:
            raise BadInput(f"--attack {name!r}: unknown, give one of {', '.join(NAMES)}")
    return tuple(name for name in NAMES if name in names)
