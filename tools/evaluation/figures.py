"""What the evaluation writes to JSON, by its keys."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from tools.common.report import Proportion

#: The policy's words on some faces, by ``state_figures``' keys.
States = dict[str, Proportion]


class Interval(TypedDict):
    low: float
    high: float


class Mean(TypedDict):
    """A mean with the 95 % interval of Student's t; None without values, and an interval below two."""

    mean: float | None
    low: float | None
    high: float | None
    n: int


class CleanFigures(TypedDict):
    """Faces that nobody attacked."""

    accuracy: Proportion
    accuracy_at_threshold: Proportion
    abstained_at_threshold: Proportion
    confidence_real: Mean
    masked: Mean
    states: NotRequired[States]


class AttackFigures(TypedDict):
    """Attacked faces after one defence; None where it has no meaning (a stranger has no right name, a dodge no
    target)."""

    n: int
    accuracy: Proportion | None
    targeted_success: Proportion | None
    untargeted_success: Proportion | None
    defence_success_of_all: Proportion | None
    defence_success_of_fooled: Proportion | None
    abstained_at_threshold: Proportion
    accuracy_at_threshold: Proportion | None
    targeted_success_at_threshold: Proportion | None
    untargeted_success_at_threshold: Proportion | None
    defence_success_of_all_at_threshold: Proportion | None
    defence_success_of_fooled_at_threshold: Proportion | None
    confidence_real: Mean | None
    confidence_target: Mean | None
    states: NotRequired[States]
    mask: NotRequired[dict[str, Mean]]
    goodness: NotRequired[float | None]
    goodness_interval: NotRequired[Interval | None]


class Status(TypedDict):
    """Whether the figure of an attack that knows the defence may be shown."""

    breaks_the_row: bool
    at_least_as_good_as_A0: bool | None
    loss_curve: list[float]
    gradient_check: str | None
    shown: bool
    ruled_out_by_fixed_views: NotRequired[int]
    won_without_a_step: NotRequired[int]


class Attacked(TypedDict):
    """One attack, measured: ``rows`` by defence; ``against`` names the defence that it was made against, if any."""

    settings: dict[str, object]
    made_on: list[str]
    n: int
    against: str | None
    rows: dict[str, AttackFigures]
    status: NotRequired[Status]
    no_face_found: NotRequired[Proportion]
    without_a_face: NotRequired[Proportion]


class WorstCase(TypedDict):
    """Over attacks on the same pairs."""

    attacks: list[str]
    strongest: str
    strongest_success: Proportion
    any_attack_success: Proportion


#: One jitter of the crop: its extremes, and what holds at its worst.
Jittered = TypedDict(
    "Jittered",
    {
        "shift of 224": float,
        "degrees": float,
        "scale": float,
        "no_impersonation": Proportion,
        "identity": NotRequired[Proportion | None],
    },
)


class ZoneCertificate(TypedDict):
    """The first certificate of one zone."""

    zone: str
    confirm: float
    no_impersonation: Proportion
    jitters: dict[str, Jittered]


class Certificates(ZoneCertificate):
    """Those of the first zone, and in ``further`` the first one of every other."""

    zone_threshold: float
    identity: Proportion | None
    last_word: Proportion
    further: list[ZoneCertificate]
    strangers: NotRequired[Certificates]


class DoubleMasking(TypedDict):
    patch: int
    masks: int
    forwards_per_face: float
    clean_accuracy: Proportion
    certified: Proportion
    attacked_accuracy: Proportion
    targeted_success: Proportion


class Quiet(TypedDict):
    """What the policy says of faces whose name nobody can be right about."""

    states: States


class Figures(TypedDict):
    """Everything measured. Groups of faces, then defence; attacks by name; worst cases by defence."""

    clean: dict[str, CleanFigures]
    innocent: dict[str, CleanFigures]
    milliseconds: dict[str, float]
    attacks: dict[str, Attacked]
    worst_case: dict[str, WorstCase | dict[str, Proportion]]
    wearers: NotRequired[dict[str, CleanFigures]]
    innocent_photographs: NotRequired[dict[str, CleanFigures]]
    innocent_photographs_without_a_face: NotRequired[Proportion]
    strangers: NotRequired[dict[str, Quiet]]
    certificates: NotRequired[Certificates]
    double_masking: NotRequired[DoubleMasking]
