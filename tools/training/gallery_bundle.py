"""From a network that embeds faces and crops of people to a bundle with a gallery and a cohort. Nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.arrays import Floats
from models.bundle import (
    Bundle,
    BundleInfo,
    EmbeddingInfo,
    PolicyInfo,
    TrunkInfo,
    load_bundle,
    write_bundle,
    write_people,
)
from models.crop.zones import Zone
from models.errors import BadInput
from models.gallery.gallery import Gallery, Person
from models.gallery.match import Matcher, Scale
from models.recogniser import load_recogniser
from models.training.calibration import fitted_crowd, fitted_temperature
from models.training.recipe import split
from models.training.trunks import learnt_ranges, read_network
from tools.common import report
from tools.common.bars import Tick
from tools.common.provenance import commit_of_this_tree, today
from tools.evaluation.embedded import embeddings_of
from tools.evaluation.open_set import RATES, named_while
from tools.faces.crop_sources import CropSource, drawn
from tools.faces.people import People
from tools.faces.splits import SEEN, fingerprints

FEWEST = 100  # of a cohort, to see what a larger gallery does


@dataclass(frozen=True)
class GalleryJob:
    """What to make a bundle of.

    Attributes:
        network: see ``models.training.trunks.read_network``.
        views: hidden one at a time; the gallery and the cohort have a row for each. The policy looks at all of them.
        cohort: whom to draw ``cohort_size`` other people's crops from.
        like: the bundle whose saliency mask is taken over.
        held_out: share of each person's pictures that are kept for validation.
        most: pictures of a person in the gallery, at most.
        temperature: None: found on the pictures held out, and on the strangers.
        work: keeps the embeddings, so that an interrupted command goes on; None: they are not kept.
    """

    network: Path
    views: tuple[Zone, ...]
    cohort: Sequence[CropSource]
    cohort_size: int = 1000
    like: str = "plain"
    input_size: int = 112
    held_out: float = 0.2
    most: int | None = None
    temperature: float | None = None
    engine: str = "auto"
    threads: int = 2
    seed: int = 0
    work: Path | None = None
    command: str = ""


@dataclass(frozen=True)
class Embedded:
    """Whom a bundle was made of and measured on: unit embeddings (N, 1 + V, D) and whose they are."""

    gallery: Floats
    cohort: Floats
    held: Floats
    held_labels: np.ndarray[Any, np.dtype[np.int64]]
    strangers: Floats


@dataclass(frozen=True)
class Made:
    """A bundle: the megabytes of its ``files``, and of the whole face and each view what ``measured`` gives."""

    bundle: str
    files: dict[str, float]
    people: int
    temperature: float
    views: dict[str, dict[str, report.Proportion]]

    def record(self) -> dict[str, object]:
        """For JSON: the views beside the rest."""
        told = {"bundle": self.bundle, "files": self.files, "people": self.people, "temperature": self.temperature}
        return {**told, **self.views}


def gallery_bundle(
    people: People, strangers: People | None, job: GalleryJob, out: Path, *, name: str, tick: Tick
) -> Made:
    """Write the bundle's folder ``out``, measured on the pictures held out and on the strangers.

    Raises:
        BadInput: somebody is among the people and the strangers, the cohort's sources lack crops, or the folder
            cannot be written.
    """
    model, source = read_network(job.network, job.input_size)
    like = load_bundle(job.like).info
    others, other_names = drawn(job.cohort, job.cohort_size, model.input_size, without=people.names, seed=job.seed)
    if strangers is not None and (both := people.shared_with(strangers)):
        raise BadInput(f"{both[0]}: is among the people and among the strangers; take the folder out of one")
    mask = {"source": f"taken over from {like.name}: {like.defence.record.get('source', 'no record')}"}
    info = BundleInfo(
        name=name,
        input_size=model.input_size,
        hidden=model.hidden,
        slim=model.slim,
        embedding=EmbeddingInfo(width=model.classes, views=job.views),
        trunk=TrunkInfo(
            source=source, mean=model.spec.mean, scale=model.spec.scale, channel_order=model.spec.channel_order
        ),
        defence=like.defence.model_copy(update={"record": mask}),
        policy=PolicyInfo(zones=job.views),
    )
    write_bundle(out, model, info)
    recogniser = load_recogniser(out.resolve(), job.engine, threads=job.threads)  # no embedded one of that name
    chosen, held = split(people.labels, share=job.held_out, seed=job.seed)
    chosen = _at_most(chosen, people, job.most, job.seed)
    unknown = people.crops[:0] if strangers is None else strangers.crops
    found = Embedded(
        embeddings_of(recogniser, people.crops[chosen], "gallery", work=job.work, tick=tick),
        embeddings_of(recogniser, others, "cohort", work=job.work, tick=tick),
        embeddings_of(recogniser, people.crops[held], "validation", work=job.work, tick=tick),
        people.labels[held],
        embeddings_of(recogniser, unknown, "strangers", work=job.work, tick=tick),
    )
    gallery = gallery_of(people.subset(chosen), found.gallery, recogniser.bundle)
    cohort = np.ascontiguousarray(found.cohort.swapaxes(0, 1))
    temperature = job.temperature or temperature_for(gallery, cohort, found)
    embedding = EmbeddingInfo(
        width=model.classes,
        views=job.views,
        temperature=temperature,
        crowd=crowd_for(cohort, found, temperature, job.seed),
        crowd_of=len(gallery),
    )
    figures = measured(Matcher(gallery, cohort, embedding.scale), job.views, found)
    training = {
        "settings": {"validation_share": job.held_out, "seed": job.seed, "most": job.most},
        "date": today(),
        "commit": commit_of_this_tree(),
        "command": job.command,
        SEEN: fingerprints(people),
        "crops": {person.name: person.counts for person in gallery.people},
        "validation": figures | {"sha256_of_names": people.subset(held).digest()},
        "cohort": {source.name: len(source.people) for source in job.cohort} | {"drawn": len(others)},
        "strangers_seen": sorted(set(other_names)),
    }
    calibration: dict[str, object] = {
        "temperature": temperature,
        "source": "given" if job.temperature else "held-out pictures",
    }
    if ranges := learnt_ranges(job.network):
        calibration["int8"] = {"learnt": ranges}
    done = info.model_copy(update={"training": training, "calibration": calibration, "embedding": embedding})
    bundle = write_people(recogniser.bundle, gallery, cohort, done)
    return Made(out.name, _sizes(bundle), len(gallery), temperature, figures)


def gallery_of(people: People, embeddings: Floats, bundle: Bundle) -> Gallery:
    """The people of these crops; each picture is known again by its photograph's digest, or else the crop's name."""
    found = []
    for number, name in enumerate(people.names):
        mine = np.flatnonzero(people.labels == number)
        digests = [people.photographs[place] or people.pictures[place] for place in mine]
        found.append(Person.of(name, embeddings[mine], digests))
    assert bundle.info.embedding is not None
    return Gallery(tuple(found), bundle.checksum, bundle.cover, bundle.info.embedding.views)


def temperature_for(gallery: Gallery, cohort: Floats, found: Embedded) -> float:
    """What makes the probabilities of whole faces mean what they say, on those held out and on the strangers."""
    faces = np.concatenate([found.held, found.strangers])[:, 0]
    labels = np.concatenate([found.held_labels, np.full(len(found.strangers), -1, np.int64)])
    if len(faces) == 0:
        return EmbeddingInfo(width=2).temperature
    return round(fitted_temperature(Matcher(gallery, cohort, Scale(1.0)).logits(faces), labels, len(gallery)), 4)


def crowd_for(cohort: Floats, found: Embedded, temperature: float, seed: int) -> float:
    """See ``models.gallery.match.Scale``; from the strangers, with the cohort's people as if they were enrolled."""
    if not len(found.strangers) or cohort.shape[1] < FEWEST:
        return EmbeddingInfo(width=2).crowd
    return round(fitted_crowd(found.strangers[:, 0], cohort[0], temperature, seed=seed), 2)


def measured(matcher: Matcher, views: Sequence[str], found: Embedded) -> dict[str, dict[str, report.Proportion]]:
    """For the whole face and each view: right, and right while 1 % and 0.1 % of the strangers are named."""
    figures: dict[str, dict[str, report.Proportion]] = {}
    for view, name in enumerate(("whole", *views)):
        known = matcher.probabilities(found.held[:, view], view)
        best, right = known.max(axis=1, initial=0), known.argmax(axis=1) == found.held_labels
        figures[name] = {"right": report.proportion(int(right.sum()), len(right))}
        if len(found.strangers):
            others = matcher.probabilities(found.strangers[:, view], view).max(axis=1)
            for rate in RATES:
                figures[name][f"right_at_{rate:g}"] = named_while(best, right, others, rate)
    return figures


def _at_most(
    chosen: np.ndarray[Any, np.dtype[np.int64]], people: People, most: int | None, seed: int
) -> np.ndarray[Any, np.dtype[np.int64]]:
    if most is None:
        return chosen
    random = np.random.default_rng(seed)
    mine = [random.permutation(chosen[people.labels[chosen] == person])[:most] for person in range(len(people.names))]
    return np.sort(np.concatenate(mine))


def _sizes(bundle: Bundle) -> dict[str, float]:
    return {path.name: round(path.stat().st_size / 1e6, 2) for path in sorted(bundle.folder.iterdir())}
