"""The embedded demonstration: a face is recognised, attacked, and defended, computed live."""

from __future__ import annotations

from models.evidence import CropEvidence
from models.policy import Decision
from realtime.cameras.camera import Camera
from realtime.cameras.demo import DemoCamera
from realtime.cameras.demo_scene import ACTS, DemoScene, load_adversarial_glasses
from realtime.cameras.open import register_camera
from realtime.metrics import Act, verdict_name
from realtime.types import FaceCrop, Frame

SOURCE = "demo"


class Demo:
    """The scene as a camera, and the count of its decided frames by act.

    Args:
        act_seconds: length of one act.
        frames: where the scene ends; None plays for ever.
        every_frame: as fast as frames are read, not at the scene's rate.
        bundle: whose glasses are worn, see ``load_adversarial_glasses``.
    """

    def __init__(
        self, act_seconds: float, *, frames: int | None = None, every_frame: bool = False, bundle: str | None = None
    ) -> None:
        self.scene = DemoScene(act_seconds, worn=load_adversarial_glasses(bundle))
        self._every_frame = every_frame
        self._frames = frames
        self._counts: list[dict[str, dict[str, int]]] = [{"undefended": {}, "defended": {}} for _ in ACTS]
        self._decided: list[set[int]] = [set() for _ in ACTS]

    def as_source(self) -> str:
        """Makes the scene a source for the configuration, and gives the word that names it."""
        register_camera(SOURCE, self._open)
        return SOURCE

    def _open(self, name: str) -> Camera:
        return DemoCamera(self.scene, name=name, every_frame=self._every_frame, frames=self._frames)

    def count(self, crop: FaceCrop, evidence: CropEvidence, undefended: Decision, defended: Decision) -> None:
        """Note a decision under the act that its frame belongs to."""
        act = self.scene.act(crop.frame.index)
        self._decided[act].add(crop.frame.index)
        for kind, decision in (("undefended", undefended), ("defended", defended)):
            counter = self._counts[act][kind]
            counter[verdict_name(decision)] = counter.get(verdict_name(decision), 0) + 1

    def note(self, frame: Frame) -> str:
        """Which act a frame shows, for the overlay."""
        act = self.scene.act(frame.index)
        return f"act {act + 1}: {ACTS[act]}"

    def acts(self) -> list[Act]:
        """Per act: decided frames, and the verdicts without and with the defence."""
        return [
            Act(
                name=name,
                frames=len(decided),
                undefended=_ranked(count["undefended"]),
                defended=_ranked(count["defended"]),
            )
            for name, decided, count in zip(ACTS, self._decided, self._counts, strict=True)
        ]


def _ranked(counter: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: -item[1]))
