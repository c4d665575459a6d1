"""Attacks on the recogniser and its defence, one per file, all with ``Attack.run``."""

from tools.attacks.base import Attack, AttackResult, History
from tools.attacks.bpda import BPDA
from tools.attacks.component_splitting import ComponentSplitting
from tools.attacks.decoy import Decoy
from tools.attacks.defended import DefendedAttack, MaskDefence
from tools.attacks.eot import EOT, SCENE, Jitter
from tools.attacks.frozen_mask import FrozenMask
from tools.attacks.masked_target import MaskedTarget
from tools.attacks.pgd import MaskedPGD
from tools.attacks.query_only import QueryOnly
from tools.attacks.saliency_suppression import SaliencySuppression
from tools.attacks.sharif import Sharif
from tools.attacks.unbounded import Unbounded
from tools.attacks.zone_policy import ZonePolicy

__all__ = [
    "BPDA",
    "EOT",
    "SCENE",
    "Attack",
    "AttackResult",
    "ComponentSplitting",
    "Decoy",
    "DefendedAttack",
    "FrozenMask",
    "History",
    "Jitter",
    "MaskDefence",
    "MaskedPGD",
    "MaskedTarget",
    "QueryOnly",
    "SaliencySuppression",
    "Sharif",
    "Unbounded",
    "ZonePolicy",
]
