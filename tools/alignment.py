"""How far does the crop follow the glasses? ``python -m tools.alignment PHOTOS --json alignment.json``.

Each photograph's face is found as it is, with plain glasses, and with glasses that pull the detector's landmarks
(A9, ``tools.attacks.landmarks``). What matters is the similarity between the two crops: its shift, its turn and
its change of size, in the units in which the certificates state their jitter. Both are measured by the landmarks
alone and after the second look (``realtime.faces.realign``), which also is given the photograph as it is. With
``--bundle`` also how many of the bundle's people are rightly known on the untouched photographs, with and without it.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
import typer
from rich.progress import track

from models.arrays import Bytes
from models.crop.pose import TEMPLATE_SIDE
from models.crop.wearables import SHAPES, frame_mask, random_innocent, rgba
from models.errors import BadInput, refuse_unknown
from models.recogniser import Recogniser, load_recogniser
from realtime.faces.align import Matrix, cut, inverse, similarity
from realtime.faces.detect import MtcnnDetector
from realtime.faces.realign import ASSET, Realigner, compose
from realtime.faces.wear import wear
from realtime.people.pictures import choose_face, find_faces, people_of, read_picture
from realtime.types import DetectedFace
from tools.attacks.landmarks import PULLS, MisleadSecondLook, MoveLandmarks
from tools.common.bars import counted_bars
from tools.common.provenance import today
from tools.common.report import Proportion, proportion
from tools.evaluation.beside import answers
from tools.evaluation.measures import share
from tools.faces.people import shown_name
from tools.faces.realign_net import loaded
from tools.faces.splits import TEST_LOG, log_look

app = typer.Typer(add_completion=False, help="Measure how far the crop follows glasses, plain and adversarial.")
AGAIN = ", second look"
KNOWING = "A9, knowing"


@dataclass(frozen=True)
class Move:
    """Between two crops of one face: pixels of 224 at the crop's centre, degrees, factor of the size."""

    shift: float
    degrees: float
    scale: float

    @property
    def farthest(self) -> float:
        """How far the farthest point of the eyewear zone moves, about: pixels of 224, 95 from the centre."""
        return self.shift + 95 * math.hypot(math.radians(self.degrees), self.scale - 1)


class Tally:
    """How far pictures move the crop of a face, by the landmarks alone and after the second look."""

    def __init__(self, detector: MtcnnDetector, realigner: Realigner) -> None:
        self._detector, self._realigner = detector, realigner
        names = [name + again for name in ("as it is", "plain glasses", "A9", KNOWING) for again in ("", AGAIN)]
        self.moves: dict[str, list[Move]] = {name: [] for name in names}
        self.tried, self._lost = dict.fromkeys(names, 0), dict.fromkeys(names, 0)

    def note(self, name: str, pictures: list[Bytes], face: DetectedFace) -> list[Matrix]:
        """Of pictures of the ``face``, the one that moves the crop farthest, counted either way.

        Gives how the second look cuts each picture in which the face is found, (2, 3) to a crop of side 224.
        """
        before = similarity(face.landmarks, TEMPLATE_SIDE)
        after = [(bgr, again) for bgr in pictures if (again := _face(self._detector, bgr)) is not None]
        alone = [similarity(again.landmarks, TEMPLATE_SIDE) for _, again in after]
        looked = [self._realigner.crop(bgr, again, TEMPLATE_SIDE)[1] for bgr, again in after]
        for called, poses in ((name, alone), (name + AGAIN, looked)):
            self.tried[called] += 1
            if poses:
                self.moves[called].append(max((move_of(before, one) for one in poses), key=lambda move: move.farthest))
            else:
                self._lost[called] += 1
        return looked

    def figures(self) -> dict[str, object]:
        """By name, what was tried."""
        tried = [name for name, count in self.tried.items() if count]
        return {name: summary(self.moves[name], self._lost[name], self.tried[name]) for name in tried}


def crop_in_box(face: DetectedFace) -> tuple[float, float]:
    """In sides of the detector's box (the root of its area): the crop's side, and how far below its middle it lies."""
    x1, y1, x2, y2 = (float(edge) for edge in face.box)
    box = math.sqrt((x2 - x1) * (y2 - y1))
    back = inverse(similarity(face.landmarks, TEMPLATE_SIDE))
    middle = back @ np.array([TEMPLATE_SIDE / 2 - 0.5, TEMPLATE_SIDE / 2 - 0.5, 1])
    return TEMPLATE_SIDE * math.hypot(back[0, 0], back[1, 0]) / box, (float(middle[1]) - (y1 + y2) / 2) / box


def move_of(before: Matrix, after: Matrix) -> Move:
    """From two transforms (2, 3) of one picture to a crop of side 224."""
    between = compose(before, inverse(after))  # from the second crop to the first
    centre = np.array([TEMPLATE_SIDE / 2, TEMPLATE_SIDE / 2, 1])
    shift = float(np.linalg.norm(between @ centre - centre[:2]))
    turn = math.degrees(math.atan2(between[1, 0], between[0, 0]))
    return Move(shift, turn, math.hypot(between[0, 0], between[1, 0]))


@app.command()
def main(
    photos: Annotated[Path, typer.Argument(help="A folder of photographs per person, not prepared crops.")],
    count: Annotated[int, typer.Option(min=1, help="Photographs, drawn with --seed.")] = 60,
    shape: Annotated[str, typer.Option(help=f"The frame of A9: {', '.join(SHAPES)}.")] = "classic",
    attacked: Annotated[int | None, typer.Option(min=0, help="A9 on the first so many faces; none: on all.")] = None,
    knowing: Annotated[int, typer.Option(min=0, help="A9 that knows of the second look, on so many of these.")] = 0,
    steps: Annotated[int, typer.Option(min=0, help="Updates of A9, per pull.")] = MoveLandmarks.steps,
    pulls: Annotated[list[str] | None, typer.Option("--pull", help=f"Of {', '.join(PULLS)}; none: all.")] = None,
    bundle: Annotated[str | None, typer.Option(help="Also whom it knows, untouched: a name, a folder; logged.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    threads: Annotated[int, typer.Option(min=1)] = 1,
    json_file: cli.JsonFile = None,
) -> None:
    """Measure and print quantiles; A9 counts the pull that moves a face most."""
    cli.check_writable(json_file)
    refuse_unknown("--shape", shape, known=SHAPES)
    wanted = list(pulls or PULLS)
    refuse_unknown("--pull", *wanted, known=PULLS)
    torch.set_num_threads(threads)
    recogniser = None if bundle is None else load_recogniser(bundle, "auto", threads=threads)
    files = [file for pictures in people_of(photos, least=1).values() for file in pictures]
    chosen = [files[i] for i in np.random.default_rng(seed).permutation(len(files))[:count]]
    detector = MtcnnDetector(min_face=40)
    onet = _onet()
    attack = MoveLandmarks(steps=steps)
    second = loaded((resources.files("realtime") / "assets" / ASSET).read_bytes()) if knowing else None
    tally = Tally(detector, Realigner())
    boxed: list[tuple[float, float]] = []
    untouched: list[tuple[str, Bytes, Matrix, Matrix]] = []  # whose, the picture, how it is cut without and with it
    for number, file in enumerate(track(chosen, description="photographs", console=cli.console)):
        bgr = read_picture(file)
        face = None if bgr is None else _face(detector, bgr)
        if bgr is None or face is None:
            continue
        plain = random_innocent(np.random.default_rng([seed, number]), TEMPLATE_SIDE)
        boxed.append(crop_in_box(face))
        (looked,) = tally.note("as it is", [bgr], face)  # the face is found again, where it was
        if recogniser is not None:  # otherwise nobody looks at these pictures again
            untouched.append((shown_name(file.parent.name), bgr, similarity(face.landmarks, TEMPLATE_SIDE), looked))
        tally.note("plain glasses", [wear(bgr, face.landmarks, plain)], face)
        if attacked is not None and tally.tried["A9"] >= attacked:
            continue
        mask, rgb = _region(bgr.shape, face, shape), np.ascontiguousarray(bgr[..., ::-1])
        pulled = [attack.run(onet, rgb, face.box, mask, pull, seed=seed) for pull in wanted]
        tally.note("A9", [np.ascontiguousarray(picture[..., ::-1]) for picture in pulled], face)
        if second is not None and tally.tried[KNOWING] < knowing:
            also = {pull: MisleadSecondLook(second, face.landmarks, pull) for pull in wanted}
            pulled = [attack.run(onet, rgb, face.box, mask, pull, also=also[pull], seed=seed) for pull in wanted]
            tally.note(KNOWING, [np.ascontiguousarray(picture[..., ::-1]) for picture in pulled], face)
    if not tally.tried["as it is"]:
        raise BadInput(f"{photos}: no face was found in {len(chosen)} pictures")
    figures = {
        "date": today(),
        "photographs": len(chosen),
        "faces": tally.tried["as it is"],
        "seed": seed,
        "shape": shape,
        "steps": steps,
        "pulls": wanted,
        "crop in the detector's box": dict(
            zip(("side", "below"), np.mean(boxed, axis=0).round(3).tolist(), strict=True)
        ),
        **tally.figures(),
    }
    if recogniser is not None:
        known = rightly_known(recogniser, untouched)
        figures["rightly known"] = known
        log_look(TEST_LOG, {"bundle": bundle, **known}, command="tools.alignment")
    cli.write_json(json_file, figures)
    for name, figure in figures.items():
        cli.console.print(f"{name}: {figure}", highlight=False, soft_wrap=True)


def rightly_known(
    recogniser: Recogniser, untouched: list[tuple[str, Bytes, Matrix, Matrix]]
) -> dict[str, Proportion | int]:
    """Of the people that the recogniser can know: by the landmarks, after the second look; faces that it cut again."""
    ours = [each for each in untouched if each[0] in recogniser.labels]
    if not ours:
        raise BadInput("--bundle: none of its people is on the photographs; give one that was made with them")
    size = recogniser.input_size
    found: dict[str, Proportion | int] = {}
    for way, name in enumerate(("by the landmarks", "second look")):
        crops = np.stack([cut(bgr, poses[way] * (size / TEMPLATE_SIDE), size) for _, bgr, *poses in ours])
        with counted_bars() as tick:
            decisions = answers(recogniser, crops, tick, name).decisions
        right = [d.state == "known" and d.identity == who for d, (who, *_) in zip(decisions, ours, strict=True)]
        found[name] = share(np.array(right))
    return {**found, "cut again": sum(not np.allclose(before, after) for _, _, before, after in ours)}


def summary(moves: list[Move], lost: int, faces: int) -> dict[str, Proportion | dict[str, float]]:
    """Median, 95th percentile and largest of each quantity; faces that were no longer found."""

    def quantiles(values: list[float]) -> dict[str, float]:
        return {
            "p50": round(float(np.median(values)), 3),
            "p95": round(float(np.quantile(values, 0.95)), 3),
            "max": round(max(values), 3),
        }

    found: dict[str, Proportion | dict[str, float]] = {"no_longer_found": proportion(lost, faces)}
    if moves:
        found |= {
            "shift_of_224": quantiles([move.shift for move in moves]),
            "degrees": quantiles([abs(move.degrees) for move in moves]),
            "scale": quantiles([abs(move.scale - 1) for move in moves]),
            "farthest_of_224": quantiles([move.farthest for move in moves]),
        }
    return found


def _face(detector: MtcnnDetector, bgr: Bytes) -> DetectedFace | None:
    faces = find_faces(detector, bgr)
    return choose_face(faces, bgr.shape) if faces else None


def _region(shape: tuple[int, ...], face: DetectedFace, accessory: str) -> npt.NDArray[np.bool_]:
    """The frame's pixels that the accessory covers."""
    white = rgba(frame_mask(accessory, TEMPLATE_SIDE), np.array([255, 255, 255], np.uint8))
    shown = wear(np.zeros((*shape[:2], 3), np.uint8), face.landmarks, white)
    return np.asarray(cv2.cvtColor(shown, cv2.COLOR_BGR2GRAY) >= 128)


def _onet() -> Any:
    from facenet_pytorch import MTCNN

    return MTCNN(device="cpu").onet.eval().requires_grad_(False)


if __name__ == "__main__":
    cli.run_app(app)
