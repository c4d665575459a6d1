"""The table of attacks. To add one: write its file here in ``tools/attacks`` and give it a line in ``ATTACKS``.

Every command takes its names from this table, and so does the evaluation, which also knows by it what an attack is
made against, what its figure is compared with and whether it counts as a threat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Final, Literal

from models.crop.zones import outlines_of, zone_mask
from models.errors import BadInput
from models.recogniser import Recogniser
from tools.attacks.base import Attack
from tools.attacks.bpda import BPDA
from tools.attacks.component_splitting import ComponentSplitting
from tools.attacks.decoy import Decoy
from tools.attacks.defended import MaskDefence
from tools.attacks.edge_mask import EdgeMaskDefence
from tools.attacks.frozen_mask import FrozenMask
from tools.attacks.masked_target import MaskedTarget
from tools.attacks.pgd import MaskedPGD
from tools.attacks.placed_patch import PlacedPatch
from tools.attacks.query_only import QueryOnly
from tools.attacks.remembered import Remembered
from tools.attacks.saliency_suppression import SaliencySuppression
from tools.attacks.settings import Settings
from tools.attacks.sharif import Sharif
from tools.attacks.unbounded import Unbounded
from tools.attacks.zone_policy import ZonePolicy

#: What an attacker knows: the recogniser alone (oblivious), also its saliency mask, or its policy over zone views.
Knowledge = Literal["recogniser", "mask", "policy"]
#: The oblivious attack that the published defence was measured under, and where those that know the mask begin.
OBLIVIOUS: Final = "sharif"


@dataclass(frozen=True)
class AttackSpec:
    """One attack.

    Attributes:
        name: what commands, tables and kept results call it; it is part of their keys.
        kind: makes it, from keywords: ``steps``; what it ``knows`` (``defence`` and ``warm_start`` of the mask;
            ``zones``, ``fill_rgb`` and ``policy`` of the policy); and ``options``.
        knows: what it is made against.
        options: more keywords that the settings decide.
        shares_texture: several pictures can share one texture, to be printed (joint, smooth, printable).
        takes_gradients: False where it only asks for answers: there is no gradient to check.
        confined: False where it changes the whole crop. That is a check of the attack and no threat: nobody can
            wear it, it starts from the bare crop, and no worst case counts it.
        in_full: whether ``tools.evaluate --full`` runs it.
        wears: the one thing that it is made for, by its name in the evaluation; None: anything.
        edges: it knows a mask of dense edges (Sobel), not the saliency's.
        random_views: it can be made to hold while accessory and crop move (``Settings.eot``).
    """

    name: str
    kind: Callable[..., Attack]
    knows: Knowledge = "recogniser"
    options: Callable[[Settings], Mapping[str, object]] = lambda settings: {}
    shares_texture: bool = False
    takes_gradients: bool = True
    confined: bool = True
    in_full: bool = True
    wears: str | None = None
    edges: bool = False
    random_views: bool = False

    def make(self, settings: Settings, recogniser: Recogniser) -> Attack:
        """The attack on this recogniser.

        Raises:
            BadInput: it is made against zone views, and the recogniser hides no zone.
        """
        known = _GIVEN[self.knows](self, settings, recogniser)
        return self.kind(steps=settings.steps, **known, **self.options(settings))


def _of_sharif(settings: Settings) -> Mapping[str, object]:
    total_variation, printability = settings.smoothing
    return {
        "joint": settings.joint > 1,
        "eot": settings.view,
        "hold": 1 if settings.view is None else 5,
        "total_variation": total_variation,
        "printability": printability,
    }


ATTACKS: Final[dict[str, AttackSpec]] = {
    spec.name: spec
    for spec in (
        AttackSpec("sharif", Sharif, options=_of_sharif, shares_texture=True, random_views=True),
        AttackSpec("pgd", MaskedPGD, options=lambda settings: {"eot": settings.view}, random_views=True),
        AttackSpec(
            "lavan",
            MaskedPGD,
            options=lambda settings: {"eot": settings.view, "loss": "margin", "start": "grey"},
            in_full=False,
            random_views=True,
        ),
        AttackSpec(
            "zones", ZonePolicy, knows="policy", options=lambda settings: {"eot": settings.view}, random_views=True
        ),
        AttackSpec("anywhere", PlacedPatch, knows="policy", wears="patch"),
        AttackSpec("A1", BPDA, knows="mask"),
        AttackSpec("A1-edges", BPDA, knows="mask", edges=True),
        AttackSpec("A2", FrozenMask, knows="mask"),
        AttackSpec("A3", SaliencySuppression, knows="mask"),
        AttackSpec("A4", Decoy, knows="mask"),
        AttackSpec("A5", ComponentSplitting, knows="mask"),
        AttackSpec("A6", MaskedTarget, knows="mask"),
        AttackSpec("A7", QueryOnly, knows="mask", takes_gradients=False),
        AttackSpec("A8", Unbounded, knows="mask", confined=False),
    )
}


def known_of(attack: str, recogniser: Recogniser) -> dict[str, object] | None:
    """What of the recogniser's defence decides the attack's result: a part of the key of what is kept."""
    knows = ATTACKS[attack].knows
    if knows == "policy":
        outlines = outlines_of(recogniser.zones, recogniser.input_size)
        return asdict(recogniser.policy) | {"zones": list(recogniser.zones), "outlines": outlines}
    return asdict(recogniser.mask_parameters) if knows == "mask" else None


def _nothing(spec: AttackSpec, settings: Settings, recogniser: Recogniser) -> Mapping[str, object]:
    return {}


def _the_mask(spec: AttackSpec, settings: Settings, recogniser: Recogniser) -> Mapping[str, object]:
    kind = EdgeMaskDefence if spec.edges else MaskDefence
    defence = kind(recogniser.mask_parameters, recogniser.fill_rgb)
    start = _oblivious(recogniser.bundle.checksum, settings.steps, settings.half_precision) if spec.confined else None
    return {"defence": defence, "warm_start": start}


def _the_policy(spec: AttackSpec, settings: Settings, recogniser: Recogniser) -> Mapping[str, object]:
    if not recogniser.zones:
        raise BadInput(f"attack {spec.name}: the policy of {recogniser.bundle.info.name} hides no zone")
    zones = [zone_mask(zone, recogniser.input_size) for zone in recogniser.zones]
    return {"zones": zones, "fill_rgb": recogniser.fill_rgb, "policy": recogniser.policy}


_GIVEN: dict[Knowledge, Callable[[AttackSpec, Settings, Recogniser], Mapping[str, object]]] = {
    "recogniser": _nothing,
    "mask": _the_mask,
    "policy": _the_policy,
}


@cache
def _oblivious(bundle: str, steps: int, half_precision: bool) -> Remembered:
    """Where attacks on the mask begin: once per picture and target for all of them, since it knows no defence."""
    return Remembered(Sharif(steps=steps))
