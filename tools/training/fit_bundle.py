"""From prepared crops to a bundle, with its report; and the honest transfer figure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from scipy.special import softmax

import realtime.system.command_line as cli
from models.arrays import Floats
from models.bundle import Bundle, BundleInfo, DefenceInfo, PolicyInfo, TrunkInfo, load_bundle, write_bundle
from models.errors import BadInput
from models.network.vgg16 import VGG16
from models.recogniser import load_recogniser
from models.saliency_mask import MaskParameters
from models.training.device import CPU
from models.training.fit import FitSettings, Record
from models.training.recipe import Trained, record_of, train
from models.training.stages import Progress, RecipeSettings
from models.training.trunks import Trunk, read_trunk
from tools.common import report
from tools.common.provenance import commit_of_this_tree, today
from tools.faces.people import People, at_size
from tools.faces.splits import SEEN, fingerprints
from tools.training.adversary import short_attacks
from tools.training.teacher import kept_embeddings


@dataclass(frozen=True)
class Job:
    """What to train and with what; ``work`` keeps features and checkpoints, so that a run can be resumed.

    ``command`` is what was typed, for the bundle's record. ``like``: the bundle whose mask and thresholds are taken
    over; None: the mask is the published one, the thresholds are the defaults.
    """

    trunk: Path
    work: Path
    settings: RecipeSettings
    input_size: int = 112
    hidden: int = 0
    dropout: float = 0.5
    teacher: Path | None = None
    strangers: People | None = None
    adversarial: bool = False
    threads: int = 2
    device: torch.device = CPU
    command: str = ""
    like: Bundle | None = None


class Fitted(TypedDict):
    """What came of it: accuracies with intervals, calibration, the learning curves, how the bundle was made."""

    bundle: str
    name: str
    megabytes: float
    people: int
    crops: int
    validation: dict[str, report.Proportion]
    calibration: dict[str, object] | None
    kept: str
    stages: Mapping[str, Sequence[Record]]
    training: dict[str, object]


class Transferred(TypedDict):
    """``known`` and ``strangers`` are names, ``points`` what each threshold does."""

    known: tuple[str, ...]
    strangers: tuple[str, ...]
    accuracy_on_known: report.Proportion
    area_under_roc: float | None
    points: list[report.OpenSet]


def recipe(
    versions: int, epochs: int, block_epochs: int, seed: int, teacher: Path | None, strangers: Path | None
) -> RecipeSettings:
    """The recipe that was best on validation (docs/lab_notes: the head's recipe), cut to what was given."""
    head = replace(
        FitSettings(epochs=epochs, seed=seed),
        distillation=4.0 if teacher else 0.0,
        soft_labels=0.3 if teacher else 0.0,
        strangers=0.5 if strangers else 0.0,
    )
    block = replace(head, epochs=block_epochs, learning_rate=1e-4) if block_epochs else None
    return RecipeSettings(versions=versions, head=head, block=block, seed=seed)


def fit_model(people: People, job: Job, progress: Progress | None = None) -> tuple[VGG16, Trunk, Trained]:
    """Train on the people; the model is in evaluation mode, its logits calibrated.

    Raises:
        BadInput: there is one person only, somebody is among the strangers too, the sizes do not fit, or ``job.work``
            cannot be made.
    """
    if len(people.names) < 2:
        raise BadInput("one person, whom everybody would be taken for; give at least two")
    _check_apart(people, job.strangers)
    torch.set_num_threads(job.threads)
    trunk = read_trunk(job.trunk)
    torch.manual_seed(job.settings.seed)  # after reading, which may draw from the same numbers
    try:
        model = VGG16(
            classes=len(people.names),
            input_size=job.input_size,
            hidden=job.hidden,
            dropout=job.dropout,
            spec=trunk.spec,
            slim=trunk.slim,
        )
    except ValueError as error:
        raise BadInput(f"--input-size {job.input_size}, --hidden {job.hidden}: {error}") from error
    trunk.load_into(model)
    try:
        job.work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{job.work}: cannot be made ({error.strerror}); give another --work") from error
    strangers = job.strangers
    try:
        trained = train(
            model.to(memory_format=torch.channels_last),
            people.crops,
            people.labels,
            job.settings,
            teacher=_taught(people, job),
            strangers=None if strangers is None else strangers.crops,
            strangers_teacher=None if strangers is None else _taught(strangers, job),
            adversary=short_attacks if job.adversarial else None,
            folder=job.work,
            progress=progress,
            device=job.device,
        )
    except ValueError as error:
        raise BadInput(f"{job.work}: {error}") from error
    return model, trunk, trained


def fit_bundle(people: People, job: Job, out: Path, *, name: str, progress: Progress | None = None) -> Fitted:
    """Train, export to the folder ``out``, measure what was exported, and write the report to ``job.work``.

    Raises:
        BadInput: the name is empty; see ``fit_model``.
    """
    if not name.strip():
        raise BadInput("the bundle has no name; give one that says what it knows")
    model, trunk, trained = fit_model(people, job, progress)
    labels = people.labels[trained.validation]
    validation = {"clean": report.accuracy(trained.logits, labels)}
    validation |= {f"hidden {kind}": report.accuracy(logits, labels) for kind, logits in trained.occluded.items()}
    held = people.subset(trained.validation)
    training: dict[str, object] = record_of(job.settings, trained) | {
        "date": today(),
        "commit": commit_of_this_tree(),
        "command": job.command,
        SEEN: fingerprints(people),
        "crops": {person: int(count) for person, count in zip(people.names, np.bincount(people.labels), strict=True)},
        "single": [people.names[p] for p in np.flatnonzero(np.bincount(people.labels) == 1)],
        "validation": validation | {"seed": job.settings.seed, "sha256_of_names": held.digest()},
        "adversarial": job.adversarial,
        "device": job.device.type,
        "teacher": None if job.teacher is None else job.teacher.name,
        "strangers": 0 if job.strangers is None else len(job.strangers),
        "strangers_seen": [] if job.strangers is None else list(job.strangers.names),
        "trunk_sha256": _digest(job.trunk),
    }
    calibration: dict[str, object] = {}
    if trained.calibration is not None:
        calibration = {**vars(trained.calibration), "folded": True}
    elif job.settings.temperature is not None:
        calibration = {"temperature": job.settings.temperature, "source": "given", "folded": True}
    defence, policy = _published_defence(model.input_size), PolicyInfo()
    if job.like is not None:
        of = {"source": f"taken over from {job.like.info.name} ({job.like.checksum}), not tuned on these people"}
        defence = job.like.info.defence.model_copy(update={"record": of})
        policy = job.like.info.policy.model_copy(update={"record": of})
    info = BundleInfo(
        name=name,
        labels=people.names,
        input_size=model.input_size,
        hidden=model.hidden,
        slim=model.slim,
        trunk=TrunkInfo(
            source=trunk.source, mean=trunk.spec.mean, scale=trunk.spec.scale, channel_order=trunk.spec.channel_order
        ),
        defence=defence,
        policy=policy.model_copy(update={"zones": job.settings.zones}),
        calibration=calibration,
        training=_plain(training),
    )
    bundle = write_bundle(out, model, info)
    size = bundle.classifier_path.stat().st_size
    if len(held):
        exported = load_recogniser(out.resolve(), threads=job.threads).classify(at_size(held.crops, model.input_size))
        validation["exported"] = report.accuracy(exported, labels)
        report.plot_confusion(
            report.confusion(exported, labels, len(people.names)), people.names, job.work / "confusion.png"
        )
    report.plot_learning_curves(trained.stages, job.work / "learning_curves.png")
    outcome: Fitted = {
        "bundle": out.name,
        "name": name,
        "megabytes": round(size / 1e6, 2),
        "people": len(people.names),
        "crops": len(people),
        "validation": validation,
        "calibration": calibration or None,
        "kept": trained.kept,
        "stages": trained.stages,
        "training": training,
    }
    cli.write_json(job.work / "report.json", outcome)
    return outcome


def transfer(people: People, job: Job, *, known: int, seed: int, progress: Progress | None = None) -> Transferred:
    """Fit on ``known`` people drawn with ``seed``; everybody else is a stranger who must not be named.

    Known people are measured on their validation crops, strangers on all of theirs. Writes
    ``transfer.json`` and ``transfer.png`` to ``job.work``.

    Raises:
        BadInput: nobody would be left as a stranger, or fewer than two people be known, or somebody is among the
            job's strangers too: who is measured as unseen must not have been trained on.
    """
    _check_apart(people, job.strangers)
    if not 2 <= known < len(people.names):
        raise BadInput(
            f"--known {known}: the data has {len(people.names)} people; at least 2 are known, 1 is a stranger"
        )
    order = np.random.default_rng(seed).permutation(len(people.names))
    enrolled = people.of(sorted(order[:known].tolist()))
    others = people.of(sorted(order[known:].tolist()))
    model, _, trained = fit_model(enrolled, replace(job, work=job.work / f"known{known}-seed{seed}"), progress)
    inside = softmax(trained.logits, axis=1).astype(np.float32)
    outside = softmax(logits_of(model, others), axis=1).astype(np.float32)
    labels = enrolled.labels[trained.validation]
    thresholds = [0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.99]
    points = report.open_set(inside, labels, outside, thresholds)
    outcome: Transferred = {
        "known": enrolled.names,
        "strangers": others.names,
        "accuracy_on_known": report.accuracy(inside, labels),
        "area_under_roc": report.separation(inside, outside) if len(labels) else None,
        "points": points,
    }
    cli.write_json(job.work / "transfer.json", outcome)
    report.plot_open_set(points, job.work / "transfer.png")
    return outcome


@torch.inference_mode()
def logits_of(model: VGG16, people: People, *, batch: int = 32) -> Floats:
    """The model's logits of crops of any side, (N, K)."""
    model.eval()
    crops = at_size(people.crops, model.input_size)
    parts = [
        model.logits_of_pixels(torch.from_numpy(crops[first : first + batch]).permute(0, 3, 1, 2).float()).numpy()
        for first in range(0, len(crops), batch)
    ]
    found: Floats = np.concatenate(parts)
    return found


def _check_apart(people: People, strangers: People | None) -> None:
    both = [] if strangers is None else people.shared_with(strangers)
    if both:
        shown = ", ".join(both[:5]) + (f" and {len(both) - 5} more" if len(both) > 5 else "")
        raise BadInput(f"--strangers: {shown}: no stranger, the data has this name too; take the folder out of one")


def _taught(people: People, job: Job) -> Floats | None:
    return None if job.teacher is None else kept_embeddings(people.crops, job.teacher, job.work, job.threads)


def _digest(trunk: Path) -> str:
    return load_bundle(trunk).checksum if trunk.is_dir() else hashlib.sha256(trunk.read_bytes()).hexdigest()


def _published_defence(size: int) -> DefenceInfo:
    parameters = MaskParameters.published(size)
    return DefenceInfo(**vars(parameters), record={"source": "published values scaled to the crop's side, not tuned"})


def _plain(value: Any) -> Any:
    """Tuples and numpy values out: the record goes through YAML."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
