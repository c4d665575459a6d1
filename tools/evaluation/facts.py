"""What is said about an evaluation beside its figures."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from models.network.vgg16 import VGG16
from models.recogniser import Recogniser
from tools.common.report import Proportion
from tools.evaluation.defences import BAND, TUNED, is_tuned
from tools.evaluation.figures import Figures
from tools.evaluation.plan import Plan, scenarios


def provenance(recogniser: Recogniser) -> str:
    """Whether the crops measured on can have been fitted to."""
    trained = recogniser.bundle.info.training
    return "none of them fitted to" if trained else "not verified to be unseen (the bundle has no training record)"


def missing_of(
    recogniser: Recogniser, wanted: list[str], band_model: VGG16 | None, plan: Plan, strangers: Path | None
) -> list[str]:
    """What the table lacks, and why."""
    missing = []
    if TUNED in wanted and not is_tuned(recogniser):
        missing.append("tuned (the bundle was not tuned: python -m tools.tune_defence)")
    if BAND not in wanted:
        missing.append("hidden eye band (--full or --defence band)")
    elif band_model is None:
        missing.append("hidden eye band (no training folders: --fitted)")
    if strangers is None and any(scenarios()[name].strangers for name in plan.attacks):
        missing.append("strangers (no --strangers)")
    return missing


class ShortAttack(TypedDict):
    accuracy: Proportion | None
    targeted_success: Proportion | None
    untargeted_success: Proportion | None


class Short(TypedDict):
    """What the log of looks at a test split keeps: by defence, and by attack and defence."""

    clean: dict[str, Proportion]
    attacks: dict[str, dict[str, ShortAttack]]


def short(figures: Figures) -> Short:
    """The figures that the log of looks at a test split keeps."""
    return {
        "clean": {name: one["accuracy"] for name, one in figures["clean"].items()},
        "attacks": {
            name: {
                defence: {
                    "accuracy": one["accuracy"],
                    "targeted_success": one["targeted_success"],
                    "untargeted_success": one["untargeted_success"],
                }
                for defence, one in attack["rows"].items()
            }
            for name, attack in figures["attacks"].items()
        },
    }
