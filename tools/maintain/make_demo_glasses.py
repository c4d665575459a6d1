"""Makes the adversarial glasses of the embedded demo: ``python -m tools.maintain.make_demo_glasses``.

One texture is optimised jointly over crops of the demo scene (Sharif et al. 2016 with random views, so that it
holds while the face moves), for one target after the other, until the undefended recogniser names the target on
the scene and the defence notices. The demo therefore shows a case in which the defence works; how often it does
is what ``tools.evaluate`` measures. The targets that were tried are written down beside the picture.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, TypedDict

import cv2
import numpy as np
import torch
import typer

from models import Recogniser, load_recogniser
from models.arrays import Bytes
from models.bundle_info import DEFAULT_BUNDLE
from models.crop.wearables import SHAPES, frame_mask
from models.errors import BadInput, refuse_unknown
from models.policy import decide
from realtime.cameras.demo_scene import FPS, PERSON, DemoScene
from realtime.faces.align import crop_face
from realtime.faces.detect import MtcnnDetector
from tools.attacks.eot import SCENE
from tools.attacks.half_precision import HalfPrecision
from tools.common.options import Bfloat16
from tools.common.provenance import command_line
from tools.crafting.texture import make_texture

SECONDS = 27  # of the scene's movement
ASSETS = Path(__file__).parents[2] / "realtime" / "assets"
app = typer.Typer(add_completion=False, help=__doc__)


def scene_crops(scene: DemoScene, act: int, size: int, frames: list[int], detector: MtcnnDetector | None) -> Bytes:
    """Canonical crops of the scene's face; by its true landmarks, or by those that ``detector`` finds."""
    crops = []
    for index in frames:
        picture, landmarks = scene.frame(index, act), scene.landmarks(index)
        if detector is not None:
            faces = detector.detect(picture)
            if not faces:
                continue
            landmarks = faces[0].landmarks
        crops.append(crop_face(picture, landmarks, size))
    return np.stack(crops)


def attack_scene(
    recogniser: Recogniser,
    target: str,
    *,
    shape: str,
    steps: int,
    views: int,
    seed: int,
    confidence: float = 0.97,
    half_precision: bool = False,
) -> Bytes:
    """RGBA glasses (S, S, 4) that make the recogniser name ``target`` on ``views`` moments of the bare scene."""
    size = recogniser.input_size
    scene = DemoScene(worn=np.zeros((size, size, 4), np.uint8))
    frames = np.linspace(0, SECONDS * FPS, views, dtype=int).tolist()
    crops = scene_crops(scene, 0, size, frames, None)
    model = recogniser.torch_model(nobody=True)
    return make_texture(
        HalfPrecision(model) if half_precision else model,
        crops,
        recogniser.labels.index(target),
        frame_mask(shape, size),
        eot=replace(SCENE, samples=1),  # the views are many already
        steps=steps,
        confidence=confidence,
        seed=seed,
    )


def judge(recogniser: Recogniser, glasses: Bytes, *, every: int = 9) -> dict[str, float]:
    """Shares of the scene's frames, detected as live: who is named without the defence, and what is decided with it."""
    frames = list(range(0, int(SECONDS * FPS), every))
    crops = scene_crops(DemoScene(worn=glasses), 1, recogniser.input_size, frames, MtcnnDetector(min_face=40))
    counts: dict[str, float] = {}
    for start in range(0, len(crops), 8):
        for one in recogniser.defend(crops[start : start + 8]):
            decision = decide(one, recogniser.policy)
            best = int(one.raw.argmax())
            confident = one.raw[best] >= recogniser.policy.threshold
            for key in (
                f"undefended {recogniser.labels[best] if confident else 'unknown'}",
                f"defended {decision.state} {decision.identity or decision.claimed or ''}".strip(),
            ):
                counts[key] = counts.get(key, 0.0) + 1 / len(crops)
    return {key: round(value, 3) for key, value in counts.items()}


class Tried(TypedDict):
    """One target, the ``seconds`` that it took, and how the scene's frames were then taken, in shares."""

    target: str
    seconds: int
    shares: dict[str, float]


@app.command()
def main(
    target: Annotated[list[str] | None, typer.Option(help="Whom to try, in this order; none: everybody.")] = None,
    bundle: Annotated[str | None, typer.Option(help="Name or folder of a bundle.")] = None,
    shape: Annotated[str, typer.Option(help="Shape of the frame.")] = "classic",
    steps: Annotated[int, typer.Option(min=1)] = 120,
    views: Annotated[int, typer.Option(min=1, max=30, help="Views of the scene that share the texture.")] = 8,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    confidence: Annotated[
        float, typer.Option(min=0, max=1, help="The attack is content when the views' mean stays above it.")
    ] = 0.97,
    least: Annotated[
        float, typer.Option(min=0, max=1, help="Share of frames fooled, and noticed, to be content.")
    ] = 0.95,
    half_precision: Bfloat16 = False,
    threads: Annotated[int, typer.Option(min=1)] = 2,
    out: Annotated[Path, typer.Option(help="Folder for the picture and its record.")] = ASSETS,
    json_file: cli.JsonFile = None,
) -> None:
    """Try targets until the scene shows a working attack and a working defence; write the glasses."""
    cli.check_writable(json_file, out / "demo_glasses.png")
    refuse_unknown("--shape", shape, known=SHAPES)
    torch.set_num_threads(threads)
    recogniser = load_recogniser(bundle, threads=threads)
    against = recogniser.bundle.info.name
    stem = "demo_glasses" if against == DEFAULT_BUNDLE else f"demo_glasses_{against}"
    others = [name for name in recogniser.labels if name != PERSON]
    targets = target or [others[i] for i in np.random.default_rng(seed).permutation(len(others))]
    unknown = [name for name in targets if name not in others]
    if unknown:
        raise BadInput(f"target {unknown[0]!r} is not in the bundle; known are {', '.join(others)}")
    tried: list[Tried] = []
    for name in targets:
        started = time.monotonic()
        glasses = attack_scene(
            recogniser,
            name,
            shape=shape,
            steps=steps,
            views=views,
            seed=seed,
            confidence=confidence,
            half_precision=half_precision,
        )
        shares = judge(recogniser, glasses)
        tried.append({"target": name, "seconds": round(time.monotonic() - started), "shares": shares})
        cli.console.print(tried[-1])
        fooled = shares.get(f"undefended {name}", 0.0)
        noticed = shares.get(f"defended suspected_attack {name}", 0.0)
        if fooled >= least and noticed >= least and shares.get(f"defended known {name}", 0.0) <= 1 - least:
            break
    else:
        raise BadInput(f"no target of {len(targets)} gave glasses that fool the scene and are noticed; try more steps")
    encoded = cv2.imencode(".png", cv2.cvtColor(glasses, cv2.COLOR_RGBA2BGRA))[1]
    cli.write_whole(out / f"{stem}.png", encoded.tobytes())
    record = {
        "command": command_line("tools.maintain.make_demo_glasses"),
        "bundle": against,
        "classifier_sha256": recogniser.bundle.checksum,
        "person": PERSON,
        "target": name,
        "shape": shape,
        "steps": steps,
        "views": views,
        "seed": seed,
        "tried": tried,
    }
    cli.write_json(out / f"{stem}.json", record)
    cli.write_json(json_file, record)


if __name__ == "__main__":
    cli.run_app(app)
