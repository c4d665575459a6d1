"""Which pictures a figure may be measured on: held-out validation crops, or a test split whose every use is logged."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from models.errors import BadInput
from models.recogniser import Recogniser
from models.training.recipe import split
from tools.common.provenance import command_line, commit_of_this_tree
from tools.faces.people import People

TEST_LOG = Path(__file__).with_name("test_split_log.jsonl")
"""Every look at a test split is written down here, and the file is committed."""

SEEN = "crops_seen"
"""In a bundle's training record: ``fingerprints`` of all pictures of the folders it was trained and validated on."""
CALIBRATED = "calibration_strangers"
"""In a policy's record: the names of the strangers whom its thresholds were found with."""
_PRINT = 5  # bytes kept of each SHA-256: among 10 000 pictures another one is taken for one of them once in 10 ** 8


class Split(StrEnum):
    """What is measured on."""

    validation = "validation"
    test = "test"


def held_out(recogniser: Recogniser, people: People) -> People:
    """The crops of the training folders that the bundle was validated on, and not trained on.

    Raises:
        BadInput: the bundle has no training record, or these are other pictures than it was trained on.
    """
    training = recogniser.bundle.info.training
    try:
        settings, validation = training["settings"], training["validation"]
        _, held = split(people.labels, share=settings["validation_share"], seed=settings["seed"])
        wanted = validation["sha256_of_names"]
    except (KeyError, TypeError) as error:
        raise BadInput("the bundle has no training record, so what it was validated on is unknown") from error
    chosen = people.subset(held)
    if chosen.digest() != wanted:
        raise BadInput(
            "these are not the pictures that the bundle was trained and validated on (names or number differ);"
            " give the same folders as to fit"
        )
    return chosen


def people_of_split(recogniser: Recogniser, people: People, chosen: Split) -> People:
    """The crops that ``chosen`` allows: the held-out ones of the training folders, or a whole test folder.

    Raises:
        BadInput: see ``held_out``; or the bundle was trained or validated on pictures of the test folder.
    """
    if chosen is Split.validation:
        return held_out(recogniser, people)
    known = known_pictures(recogniser, people)
    if known:
        raise BadInput(
            f"--split test: {known} of these {len(people)} pictures are among those that the bundle was trained and"
            " validated on; give others"
        )
    try:  # a bundle without fingerprints knows its own folders by the pictures' names
        held_out(recogniser, people)
    except BadInput:
        return people
    raise BadInput("--split test: these are the pictures that the bundle was trained on; give another folder")


def known_pictures(recogniser: Recogniser, people: People) -> int:
    """How many of the pictures the bundle was trained or validated on; 0 for one that remembers no fingerprints."""
    kept = base64.b64decode(recogniser.bundle.info.training.get(SEEN, ""))
    seen = {kept[first : first + _PRINT] for first in range(0, len(kept), _PRINT)}
    return sum(photograph in seen or crop in seen for photograph, crop in _prints(people))


def fingerprints(people: People) -> str:
    """What a bundle remembers of the pictures it was made from (``SEEN``): enough to know one again, and no more.

    Of the photograph where it is known, since another machine cuts the same photograph a little differently.
    """
    return base64.b64encode(b"".join(photograph or crop for photograph, crop in _prints(people))).decode()


def _prints(people: People) -> list[tuple[bytes, bytes]]:
    """Of each picture the photograph's print, empty where it is unknown, and the crop's."""
    crops = [hashlib.sha256(crop.tobytes()).digest()[:_PRINT] for crop in people.crops]
    return [(bytes.fromhex(one)[:_PRINT], crop) for one, crop in zip(people.photographs, crops, strict=True)]


class Half(StrEnum):
    """Strangers whom thresholds are found with, and others whom they are measured on."""

    calibration = "calibration"
    measuring = "measuring"


def unseen(strangers: People, bundles: Sequence[Recogniser], half: Half | None = None) -> People:
    """Those whom no bundle's head was shown as somebody not to be named; of these one ``half``, person by person.

    Nobody is measured on whose name is part of that of somebody in the other half, or the other way round, nor whom a
    bundle's thresholds were found with, by whatever halves.

    Raises:
        BadInput: nobody is left.
    """
    seen = {name for one in bundles for name in one.bundle.info.training.get("strangers_seen", [])}
    left = [place for place, name in enumerate(strangers.names) if name not in seen]
    if not left:
        raise BadInput(
            "strangers: the bundle was trained on all of them; give others, or train it with some of them left out"
        )
    if half is not None:
        infos = [one.bundle.info for one in bundles]
        policies = [policy for info in infos for policy in (info.policy, info.certified) if policy is not None]
        found_with = {name for policy in policies for name in policy.record.get(CALIBRATED, [])}
        left = _half(left, strangers.names, half, found_with)
        if not left:
            raise BadInput("strangers: too few are left whom the bundle was not trained on; give more people")
    return strangers.of(left)


def _half(left: Sequence[int], names: Sequence[str], half: Half, found_with: set[str]) -> list[int]:
    """Every second one; measured on are all whom thresholds were not found with, where a bundle knows these."""
    if half is Half.calibration:
        return list(left[0::2])
    calibration = found_with or {names[place] for place in left[0::2]}
    taken = [set(name.split()) for name in calibration]
    return [p for p in left if not any(set(names[p].split()) <= one or one <= set(names[p].split()) for one in taken)]


def log_look(log: Path, result: Mapping[str, object], *, command: str) -> None:
    """Append one line: date, commit, command, result.

    Args:
        command: the module, ``tools.train`` for example; the arguments are added.

    Raises:
        BadInput: the log cannot be written.
    """
    line = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit_of_this_tree(),
        "command": command_line(command),
        "result": result,
    }
    try:
        with log.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
    except OSError as error:
        raise BadInput(f"{log}: cannot be written ({error.strerror}); a look at a test split must be logged") from error
