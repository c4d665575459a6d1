"""Who attacks as whom: pairs from a folder of people, or from one picture; and how whole pictures wear the results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from models.arrays import Bytes
from models.errors import BadInput
from models.recogniser import Recogniser
from realtime.faces.align import crop_face
from realtime.faces.detect import FaceDetector, MtcnnDetector
from realtime.faces.realign import Realigner, cut_face
from realtime.faces.wear import wear
from realtime.people.kept import KeptPictures
from realtime.people.pictures import choose_face, find_faces, read_picture
from realtime.people.place import gallery_file
from realtime.settings.config import RecognitionConfig
from tools.attacks.registry import ATTACKS
from tools.attacks.settings import Settings
from tools.crafting.attacked_faces import reach_of, with_nearest_targets
from tools.crafting.enrolled import enrolled_pair
from tools.crafting.job import Worn
from tools.crafting.pairs import STRANGER, Pair, draw_pairs, index_of, labels_of
from tools.evaluation.photographs import Camera
from tools.faces.people import at_size, read_people
from tools.faces.splits import known_pictures, unseen


@dataclass(frozen=True)
class Attackers:
    """Who attacks as whom, from what: a folder of people, one of strangers, one picture, or an enrolled person's.

    ``gallery``: the file of the people, of whom one attacks (``from_people``); None: your own.
    """

    crops: Path | None
    strangers: Path | None
    picture: Path | None
    photographs: Path | None
    person: list[str]
    target: list[str]
    dodge: bool
    pairs: int
    aligned: bool
    from_people: str | None = None
    gallery: str | None = None

    def check(self, attack: str) -> None:
        """Raises ``BadInput`` for what means nothing together."""
        spec, alone = ATTACKS[attack], self.picture is not None
        if spec.knows == "policy" and (self.dodge or (alone and not self.target)):
            raise BadInput(
                f"--attack {attack}: impersonates somebody; leave --dodge out, and give --target with --picture"
            )
        if self.dodge and self.target:
            raise BadInput("--dodge: whom to be is all the same; leave --target out")
        sources = (self.crops, self.picture, self.strangers, self.from_people)
        if sum(source is not None for source in sources) != 1:
            raise BadInput("give either a folder of crops, --attackers FOLDER, --picture FILE, or --from-people NAME")
        if self.from_people is not None and (len(self.target) != 1 or self.dodge or self.person):
            raise BadInput("--from-people NAME: give one --target, and neither --person nor --dodge")
        if not spec.confined and (alone or self.photographs is not None):
            raise BadInput(
                f"--attack {attack}: changes the whole crop, which nobody can wear on a photograph; give crops alone"
            )
        if alone and self.photographs is not None:
            raise BadInput("--photographs: belongs to a folder of crops, and --picture is worn anyway; leave it out")
        if alone and (len(self.person) > 1 or len(self.target) > 1):
            raise BadInput("--picture shows one person and takes one --target")

    def drawn(self, recogniser: Recogniser, settings: Settings) -> tuple[list[Pair], dict[str, object], Worn | None]:
        """The pairs, what they were drawn from, and how whole pictures wear the results.

        Raises:
            BadInput: see ``photographed`` and ``drawn_pairs``.
        """
        if self.from_people is not None:
            file = gallery_file(RecognitionConfig(gallery=self.gallery))
            detector = MtcnnDetector(min_face=40)
            pair, worn = enrolled_pair(
                self.from_people,
                self.target[0],
                recogniser,
                photographs=self.photographs,
                kept=None if file is None else KeptPictures(file),
                detector=detector,
                cut=cutter(detector, recogniser.input_size),
            )
            return [pair], {"from_people": pair.attacker, "pictures": len(pair.crops)}, worn
        if self.picture is not None:
            person, target = (given[0] if given else None for given in (self.person, self.target))
            pair, worn = photographed(self.picture, person, target, recogniser)
            return [pair], {"picture": self.picture.name}, worn
        pairs, source = drawn_pairs(self, recogniser, settings)
        source |= {"strangers": self.crops is None, "dodge": self.dodge, "count": self.pairs}
        if self.photographs is None:
            return pairs, source, None
        source["photographs"] = self.photographs.resolve().name
        return pairs, source, worn_on(self.photographs, pairs, recogniser)


def drawn_pairs(who: Attackers, recogniser: Recogniser, settings: Settings) -> tuple[list[Pair], dict[str, object]]:
    """The pairs, and of the folder its pictures' digest and how many of them the bundle knows.

    Raises:
        BadInput: see ``read_people`` and ``draw_pairs``; an unknown person or target.
    """
    strangers, folder = who.crops is None, who.crops or who.strangers
    assert folder is not None
    if strangers and who.dodge:
        raise BadInput("--dodge: strangers have no name to dodge; give --target or leave --dodge out")
    people = read_people([folder], allow_single=True, aligned=who.aligned)
    if strangers:
        people = unseen(people, [recogniser])
    source: dict[str, object] = {"people": people.digest(), "known_to_bundle": known_pictures(recogniser, people)}
    if who.person:
        people = people.of([index_of(name, people.names, "attacker", where=str(folder)) for name in who.person])
    places = labels_of(people, recogniser.labels, strangers=strangers)
    people = replace(people, crops=at_size(people.crops, recogniser.input_size))
    goals = [index_of(name, recogniser.labels, "target") for name in who.target]
    nearest = ATTACKS[settings.attack].knows == "policy" and not goals
    drawn = draw_pairs(
        people,
        places,
        recogniser.classify,
        count=who.pairs,
        seed=settings.seed,
        targets=goals or range(len(recogniser.labels)),
        dodge=who.dodge or nearest,  # each face once: a face has one nearest target
        joint=settings.joint,
    )
    if nearest:
        drawn = with_nearest_targets(drawn, recogniser, reach_of(settings, recogniser.input_size))
    return drawn, source


def photographed(
    path: Path, attacker: str | None, target: str | None, recogniser: Recogniser, detector: FaceDetector | None = None
) -> tuple[Pair, Worn]:
    """One picture as the only pair, and how it wears the result; ``attacker`` None: somebody who is not enrolled.

    Raises:
        BadInput: no picture, no face, an unknown person, or a stranger who wants to dodge.
    """
    bgr = read_picture(path) if path.is_file() else None
    if bgr is None:
        raise BadInput(f"picture {path}: not a readable picture")
    label = STRANGER if attacker is None else index_of(attacker, recogniser.labels, "attacker")
    goal = None if target is None else index_of(target, recogniser.labels, "target")
    if goal is None and label == STRANGER:
        raise BadInput("nobody to be and nobody to dodge: give --target, or --person for who the picture shows")
    if goal == label:
        raise BadInput(f"target {target!r}: is the attacker himself; give somebody else")
    faces = find_faces(detector or MtcnnDetector(min_face=40), bgr)
    if not faces:
        raise BadInput(f"picture {path}: no face was found; give one with a face of at least 40 pixels")
    landmarks = choose_face(faces, bgr.shape).landmarks
    crop = crop_face(bgr, landmarks, recogniser.input_size)
    pair = Pair(0, attacker or path.stem, (path.name,), crop[None], label, goal)
    cut = cutter(detector or MtcnnDetector(min_face=40), recogniser.input_size)
    return pair, Worn(lambda _, rgba: [wear(bgr, landmarks, rgba)], cut)


def cutter(detector: FaceDetector, size: int) -> Callable[[Bytes], Bytes | None]:
    """Finds a picture's face and cuts it as the live pipeline does, with its second look: see ``Worn.cut``."""
    realigner = Realigner()

    def cut(bgr: Bytes) -> Bytes | None:
        faces = find_faces(detector, bgr)
        return cut_face(bgr, choose_face(faces, bgr.shape), size, realigner) if faces else None

    return cut


def worn_on(folder: Path, pairs: list[Pair], recogniser: Recogniser) -> Worn:
    """How the photographs that the pairs' crops were prepared from wear the results.

    Raises:
        BadInput: one of them is missing or cannot be read: told now, before hours of work.
    """
    camera = Camera(folder, MtcnnDetector(min_face=40), None, recogniser.input_size)
    for pair in pairs:
        for picture in pair.pictures:
            camera.photograph(picture)
    return Worn(
        lambda pair, rgba: [camera.worn(picture, rgba) for picture in pair.pictures],
        cutter(camera.detector, recogniser.input_size),
    )
