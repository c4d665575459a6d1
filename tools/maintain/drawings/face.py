"""The defence step by step, and the zones, on the demo's face (a public-domain portrait)."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.arrays import Bytes, Floats
from models.crop.zones import hide, zone_mask
from models.errors import BadInput
from models.evidence import CropEvidence
from models.policy import Decision, decide
from models.recogniser import Recogniser
from realtime.cameras.demo_scene import FPS, DemoScene
from realtime.faces.align import crop_face
from tools.maintain.drawings.theme import Theme

ATTACKED = 1  # the demo's act with adversarial glasses
_WORDS = {"known": "known", "unknown": "unknown", "suspected_attack": "suspected attack"}


def attacked_moment(recogniser: Recogniser) -> tuple[Bytes, CropEvidence, Decision]:
    """The first moment of the demo's second act that raises an alarm: its crop (S, S, 3) RGB, evidence and decision.

    Raises:
        BadInput: none does.
    """
    scene = DemoScene()
    for second in range(24):
        crop = face_of(scene, round(second * FPS), ATTACKED, recogniser.input_size)
        evidence = recogniser.defend(crop[None])[0]
        decision = decide(evidence, recogniser.policy)
        if decision.state == "suspected_attack" and evidence.mask.any():
            return crop, evidence, decision
    raise BadInput("no moment of the demo raises an alarm; make its glasses again: tools.maintain.make_demo_glasses")


def face_of(scene: DemoScene, index: int, act: int, size: int) -> Bytes:
    """The crop (S, S, 3) RGB of one frame of the demo."""
    cut: Bytes = crop_face(scene.frame(index, act), scene.landmarks(index), size)
    return cut


def steps(recogniser: Recogniser, theme: Theme) -> Figure:
    """What each view sees of an attacked face and whom it names, and the decision."""
    crop, found, decision = attacked_moment(recogniser)
    views: list[tuple[str, Bytes | Floats, Floats | None]] = [
        ("the face", crop, found.raw),
        ("what the name hangs on", found.saliency, None),
        ("the most of it, filled", found.masked_crop, found.defended),
    ]
    for zone, probabilities in zip(found.zones, found.views, strict=True):
        hidden = hide(crop[None], zone_mask(zone, recogniser.input_size), recogniser.fill_rgb)[0]
        views.append((f"{zone.replace('_', ' ')} hidden", hidden, probabilities))
    columns = min(5, len(views))
    rows = -(-len(views) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(2.3 * columns, 3.0 * rows + 0.5), layout="constrained", squeeze=False
    )
    for axes, (title, picture, probabilities) in zip(grid.flat, views, strict=False):
        _show(axes, title, picture)
        if probabilities is not None:
            _name(axes, found.labels, probabilities, decision, theme)
    for axes in grid.flat[len(views) :]:
        axes.axis("off")
    figure.suptitle(_answer(decision), color=theme.bad, fontsize=13, fontweight="bold")
    return figure


def zones(recogniser: Recogniser, theme: Theme) -> Figure:
    """Every zone that the recogniser hides, on a bare face."""
    scene = DemoScene()
    crop = face_of(scene, 0, 0, recogniser.input_size)
    names = recogniser.zones
    columns = min(5, len(names) + 1)
    rows = -(-(len(names) + 1) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(2.3 * columns, 2.7 * rows), layout="constrained", squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    _show(grid.flat[0], "the crop", crop)
    tint = np.array(matplotlib_rgb(theme.bad), np.float64) * 255
    for axes, zone in zip(grid.flat[1:], names, strict=False):
        mask = zone_mask(zone, recogniser.input_size)
        shown = crop.astype(np.float64)
        shown[mask] = 0.35 * shown[mask] + 0.65 * tint
        _show(axes, f"{zone.replace('_', ' ')}: {100 * mask.mean():.0f} %", shown.astype(np.uint8))
    return figure


def matplotlib_rgb(colour: str) -> tuple[float, float, float]:
    """``#rrggbb`` as three shares."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(colour)
    return red, green, blue


def _show(axes: Axes, title: str, picture: Bytes | Floats) -> None:
    axes.imshow(picture, cmap="inferno" if picture.ndim == 2 else None, interpolation="nearest")
    axes.set_title(title, fontsize=10)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)


def _name(axes: Axes, labels: Sequence[str], probabilities: Floats, decision: Decision, theme: Theme) -> None:
    best = int(np.argmax(probabilities))
    colour = theme.bad if labels[best] == decision.claimed else theme.good
    axes.set_xlabel(f"{labels[best]}\n{100 * probabilities[best]:.0f} %", color=colour, fontsize=10)


def _answer(decision: Decision) -> str:
    words = _WORDS[decision.state]
    if decision.claimed:
        words += f": claims to be {decision.claimed}"
    return words + (f", is likely {decision.likely}" if decision.likely else "")
