"""What decides an attack's result, beside the bundle and the pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tools.attacks.eot import EOT, SCENE

View = Literal["none", "physical", "scene"]
VIEWS: dict[View, EOT | None] = {"none": None, "physical": EOT(), "scene": SCENE}


@dataclass(frozen=True)
class Settings:
    """The attack by its name in the registry, what is worn, and how long it runs. A kept result's key holds these
    fields by their names.

    ``half_precision`` takes gradients in bfloat16 (twice as fast where the CPU has AVX-512 BF16); what counts is
    always what the engine says of the pictures on disk.
    ``total_variation`` and ``printability`` None: Sharif et al.'s 3 and 5 with ``eot`` physical, otherwise 0.
    """

    attack: str = "sharif"
    shape: str = "classic"
    eot: View = "none"
    steps: int = 300
    joint: int = 1
    total_variation: float | None = None
    printability: float | None = None
    seed: int = 0
    half_precision: bool = False

    @property
    def view(self) -> EOT | None:
        """The random views at every step; None: the crop as it is."""
        return VIEWS[self.eot]

    @property
    def smoothing(self) -> tuple[float, float]:
        """Weights of total variation and of the non-printability score."""
        total_variation, printability = (3.0, 5.0) if self.eot == "physical" else (0.0, 0.0)
        return (
            total_variation if self.total_variation is None else self.total_variation,
            printability if self.printability is None else self.printability,
        )
