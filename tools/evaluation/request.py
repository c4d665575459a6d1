"""What an evaluation was asked for, and what is loaded for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.arrays import Bools, Bytes
from models.crop.wearables import WEARABLES, things
from models.crop.zones import checked_zones
from models.errors import BadInput, refuse_unknown
from models.network.vgg16 import VGG16
from models.recogniser import Recogniser, load_recogniser
from models.training.recipe import split
from realtime.faces.detect import FaceDetector, MtcnnDetector
from realtime.faces.realign import Realigner
from realtime.people.pictures import find_faces
from tools.attacks.registry import ATTACKS
from tools.crafting.attacked_faces import labelled
from tools.evaluation.band import train_band_head
from tools.evaluation.defences import BAND, NAMES, PUBLISHED, TUNED, ZONES, make_defences
from tools.evaluation.measurement import FindsFace
from tools.evaluation.photographs import Camera
from tools.evaluation.plan import Plan, checked_attacks, scenarios
from tools.evaluation.run import Subjects
from tools.evaluation.wearers import wearers
from tools.faces.people import People, read_people
from tools.faces.splits import Half, Split, held_out, people_of_split, unseen


@dataclass(frozen=True)
class Request:
    """The command's options, as they were given; ``plan`` says how much is done."""

    data: list[Path]
    out: Path
    choice: Split
    bundle: str
    full: bool
    plan: Plan
    attack: list[str]
    wanted: list[str]
    shape: str
    fitted: list[Path]
    strangers: Path | None
    hardened: str | None
    zone: list[str]
    wearing: Path | None
    photographs: Path | None
    detect: bool
    certify: bool
    seed: int
    engine: str
    threads: int
    aligned: bool
    ray: str | None = None

    def check(self) -> None:
        """Raises ``BadInput`` for a shape that there is not, or zones that nobody hides."""
        refuse_unknown("--shape", *things(self.shape), known=WEARABLES)
        if self.zone and self.hardened is None:
            raise BadInput("--zone: hides zones for a bundle that has views of them; give it as --hardened")


@dataclass(frozen=True)
class Loaded:
    """The bundles and the faces of a request.

    ``hardened`` is the bundle with zone views: the second one, or the first where it hides zones itself.
    ``training`` are the people whom the bundle was trained on, where they were given: the eye band's head is.
    ``detector`` is None where nobody asks what it finds.
    """

    recogniser: Recogniser
    hardened: Recogniser | None
    subjects: Subjects
    training: People | None
    detector: FaceDetector | None

    @property
    def finds_face(self) -> FindsFace | None:
        return None if self.detector is None else finder(self.detector)


def planned(plan: Plan, attack: Sequence[str], numbers: Mapping[str, int | None], strangers: Path | None) -> Plan:
    """The plan with the attacks and numbers that were given.

    Raises:
        BadInput: an unknown attack, or one by strangers, of whom there are none.
    """
    if attack:
        plan = replace(plan, attacks=checked_attacks(list(attack)))
        if strangers is None and any(scenarios()[name].strangers for name in attack):
            raise BadInput("--attack strangers: give their prepared crops with --strangers FOLDER")
    return replace(plan, **{key: value for key, value in numbers.items() if value is not None})  # type: ignore[arg-type]


def wanted_defences(defence: Sequence[str], *, full: bool) -> list[str]:
    """Those asked for; by default all, but the eye band, whose head takes minutes of its own, only with ``full``."""
    return list(defence) or [name for name in NAMES if full or name != BAND]


def load(request: Request) -> Loaded:
    """Read bundles and people; everything that can be wrong with them is said before hours of work.

    Raises:
        BadInput: see ``load_recogniser``, ``read_people``, ``people_of_split`` and ``make_defences``.
    """
    recogniser = load_recogniser(request.bundle, request.engine, threads=request.threads)
    second = None if request.hardened is None else _hardened(recogniser, request.hardened, request)
    if second is None and recogniser.zones:
        second = recogniser  # its own defence, as it is live
    make_defences(recogniser, request.wanted, band_model=None, seed=request.seed)  # an unknown name is told here
    _refuse_idle(request, second)
    people = read_people(request.data, allow_single=True, aligned=request.aligned)
    measured = people_of_split(recogniser, people, request.choice)
    if second is not None and people_of_split(second, people, request.choice).digest() != measured.digest():
        raise BadInput(f"--hardened {request.hardened}: was validated on other faces than the first bundle")
    wearing = None if request.wearing is None else wearers(measured, request.wearing)
    others = None
    if request.strangers is not None:
        bundles = [recogniser] if second is None or second is recogniser else [recogniser, second]
        others = unseen(read_people([request.strangers], allow_single=True, aligned=True), bundles, Half.measuring)
    training = people if request.choice is Split.validation else None
    if request.fitted:
        training = read_people(request.fitted, allow_single=True, aligned=request.aligned)
    camera, detector = None, None
    if request.detect or request.photographs is not None:
        detector = MtcnnDetector(min_face=40)
    if request.photographs is not None and detector is not None:
        camera = Camera(request.photographs, detector, Realigner(), recogniser.input_size)
    subjects = Subjects(measured, others, wearing, camera)
    return Loaded(recogniser, second, subjects, training, detector if request.detect else None)


def band_head(loaded: Loaded, training: People, out: Path, seed: int) -> VGG16:
    """The head for the hidden eye band, trained on what the bundle was trained on (kept for the next run)."""
    recogniser = loaded.recogniser
    held = held_out(recogniser, training)
    share = recogniser.bundle.info.training["settings"]
    fitted, _ = split(training.labels, share=share["validation_share"], seed=share["seed"])
    crops, labels = labelled(training.subset(fitted), recogniser)
    return train_band_head(recogniser, crops, labels, *labelled(held, recogniser), folder=out / "band", seed=seed)


def finder(detector: FaceDetector) -> FindsFace:
    """Whether the detector finds a face on each crop (N, S, S, 3) RGB."""

    def finds(crops: Bytes) -> Bools:
        return np.array([bool(find_faces(detector, np.ascontiguousarray(crop[..., ::-1]))) for crop in crops])

    return finds


def _refuse_idle(request: Request, hardened: Recogniser | None) -> None:
    """Raises ``BadInput`` for an attack that was asked for and has no defence to be made against."""
    known = scenarios()
    for name in request.attack:
        knows = ATTACKS[known[name].attack].knows
        if knows == "mask" and not {PUBLISHED, TUNED} & set(request.wanted):
            raise BadInput(f"--attack {name}: is made against the saliency mask; add --defence published or tuned")
        if knows == "policy" and (hardened is None or ZONES not in request.wanted):
            raise BadInput(f"--attack {name}: is made against zone views; add --hardened BUNDLE and --defence zones")


def _hardened(plain: Recogniser, bundle: str, request: Request) -> Recogniser:
    """The second bundle, with other zones hidden than its own where some are given.

    Raises:
        BadInput: it knows other people, another crop, or hides no zone; no such zone.
    """
    second = load_recogniser(bundle, request.engine, threads=request.threads)
    second.zones = checked_zones(request.zone) or second.zones
    if second.labels != plain.labels or second.input_size != plain.input_size:
        raise BadInput(f"--hardened {bundle}: knows other people or takes other crops than the first bundle")
    if not second.zones:
        raise BadInput(f"--hardened {bundle}: its policy hides no zone; train it with tools.train fit --zone eyewear")
    return second
