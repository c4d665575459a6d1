"""What the pipeline needs of a recogniser: one in this process (``models.Recogniser``), or one that runs elsewhere."""

from __future__ import annotations

from typing import Protocol

from models.arrays import Bools, Bytes
from models.crop.zones import Zone
from models.evidence import CropEvidence, Evidence, Explaining
from models.policy import Policy


class Unanswered(Exception):
    """A recogniser elsewhere gave no answer for these crops; newer ones will be asked about.

    Its text says why in a few words: it is counted under them.
    """


class FaceRecogniser(Protocol):
    """Evidence about face crops, and the policy by which a decision is made of it; see ``models.Recogniser``.

    Several threads may use it.
    """

    policy: Policy
    zones: tuple[Zone, ...]

    @property
    def input_size(self) -> int:
        """The side of a crop in pixels."""

    @property
    def engine(self) -> str:
        """What really runs."""

    def defend(
        self,
        crops: Bytes,
        *,
        quick: bool = False,
        looked: Bools | None = None,
        explaining: Explaining = "alarms",
        stage_ms: dict[str, float] | None = None,
    ) -> Evidence:
        """(N, S, S, 3) uint8 RGB -> what was found out about each. Raises ``Unanswered`` where nothing was.

        ``explaining``: whose saliency is looked at; the decisions are the same.
        """

    def explain(self, crop: Bytes, found: CropEvidence) -> CropEvidence:
        """``found`` with the saliency of its crop (S, S, 3). Raises ``Unanswered``."""
