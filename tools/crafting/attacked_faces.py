"""Attacked faces for tuning and evaluating: crafted once, kept on disk, read back from there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from models.arrays import Bools, Bytes, Labels
from models.crop.wearables import frame_mask
from models.crop.zones import zone_mask
from models.recogniser import Recogniser
from models.saliency_mask import MaskParameters
from models.training.device import CPU
from tools.attacks.batch import MASK_LEVEL
from tools.attacks.registry import ATTACKS, known_of
from tools.attacks.settings import Settings
from tools.common.progress import Tick
from tools.crafting.job import make_glasses
from tools.crafting.pairs import STRANGER, Pair, draw_pairs, labels_of
from tools.crafting.records import Record
from tools.crafting.store import Store, read_png
from tools.faces.people import People, at_size
from tools.fan_out.fan import Fan

NOBODY = -1
NEAREST = "each face once, as whom the views that the accessory cannot reach give most"


@dataclass(frozen=True)
class Attacked:
    """N attacked crops, read back from their PNGs.

    ``labels`` are the people shown (``NOBODY`` for strangers), ``targets`` those to be taken for (``NOBODY``
    when dodging); ``region`` (S, S) is where the accessory lies; ``records`` are those of ``make_glasses``.
    """

    name: str
    settings: Settings
    originals: Bytes  # (N, S, S, 3) RGB
    adversarial: Bytes  # (N, S, S, 3) RGB
    labels: Labels  # (N,)
    targets: Labels  # (N,)
    region: Bools  # (S, S)
    records: tuple[Record, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> Attacked:
        """The first ``count`` pairs."""
        return Attacked(
            self.name,
            self.settings,
            self.originals[:count],
            self.adversarial[:count],
            self.labels[:count],
            self.targets[:count],
            self.region,
            self.records[:count],
        )


@contextmanager
def with_parameters(recogniser: Recogniser, parameters: MaskParameters) -> Iterator[Recogniser]:
    """Within the block the recogniser defends with these parameters; then as before."""
    before = recogniser.mask_parameters
    recogniser.mask_parameters = parameters
    try:
        yield recogniser
    finally:
        recogniser.mask_parameters = before


def labelled(people: People, recogniser: Recogniser) -> tuple[Bytes, Labels]:
    """Crops at the recogniser's size, and the label of each.

    Raises:
        BadInput: somebody is unknown to the bundle.
    """
    places = np.array(labels_of(people, recogniser.labels, strangers=False), dtype=np.int64)
    return at_size(people.crops, recogniser.input_size), places[people.labels]


def with_nearest_targets(pairs: Sequence[Pair], recogniser: Recogniser, worn: Bools) -> list[Pair]:
    """Who knows the policy chooses whom to be: of all but himself the one nearest to what the zones' views ask for.

    Of the zones' views those count that nothing in ``worn`` (S, S) reaches, for they stay as they are; all, where it
    reaches every one. The smallest share of what its policy asks of a view decides.
    """
    masks = [zone_mask(zone, recogniser.input_size) for zone in recogniser.zones]
    fixed = [number for number, mask in enumerate(masks) if not (worn & ~mask).any()] or list(range(len(masks)))
    policy = recogniser.policy
    found = []
    for pair in pairs:
        views = recogniser.view(pair.crops[:1])[0]
        needed = [policy.needed(number, views[number]) for number in fixed]
        given = np.min(views[fixed] / np.array(needed), axis=0)
        if pair.label != STRANGER:
            given[pair.label] = 0
        found.append(replace(pair, target=int(given.argmax())))
    return found


def reach_of(settings: Settings, size: int) -> Bools:
    """(S, S) where the attack may change pixels: under what is worn, or anywhere where it chooses the place."""
    worn = _worn(settings.shape, size)
    return np.ones_like(worn) if ATTACKS[settings.attack].wears is not None else worn


def _worn(shape: str, size: int) -> Bools:
    return np.asarray(frame_mask(shape, size) >= MASK_LEVEL, dtype=np.bool_)


def nobody(count: int) -> Labels:
    """(N,) the label of so many strangers' faces."""
    return np.full(count, NOBODY, np.int64)


def attacked_faces(
    recogniser: Recogniser,
    people: People,
    settings: Settings,
    count: int,
    folder: Path,
    *,
    name: str,
    dodge: bool = False,
    strangers: bool = False,
    targets: Sequence[int] | None = None,
    device: torch.device = CPU,
    tick: Tick | None = None,
    fan: Fan | None = None,
) -> Attacked:
    """``count`` attacked crops of pairs drawn with ``settings.seed``; what is already there is not made again.

    The first pairs are the same for every ``count`` and every attack of the same seed, so that attacks can be
    compared pair by pair. Each job has its own folder within ``folder``, named by everything that decides it.

    Raises:
        BadInput: no pair is left, or a result cannot be written.
    """
    nearest = ATTACKS[settings.attack].knows == "policy"
    job = {
        "bundle": {"name": recogniser.bundle.info.name, "checksum": recogniser.bundle.checksum},
        "settings": asdict(settings),
        "people": people.digest(),
        "dodge": dodge,
        "strangers": strangers,
        "targets": NEAREST if nearest else None if targets is None else list(targets),
        "defence": known_of(settings.attack, recogniser),
    }
    digest = hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()[:10]
    places = labels_of(people, recogniser.labels, strangers=strangers)
    people = replace(people, crops=at_size(people.crops, recogniser.input_size))
    pairs = draw_pairs(
        people,
        places,
        recogniser.classify,
        count=count,
        seed=settings.seed,
        targets=range(len(recogniser.labels)) if targets is None else targets,
        dodge=dodge or nearest,  # each face once: a face has one nearest target
    )
    if nearest:
        pairs = with_nearest_targets(pairs, recogniser, reach_of(settings, recogniser.input_size))
    store = Store(folder / f"{name.replace(' ', '_').replace('/', '-')}-{digest}", job)
    done = 0

    def finished(more: int) -> None:
        nonlocal done
        done += more
        if tick is not None:
            tick(f"attack {name}", done, len(pairs))

    finished(0)  # the stage is named before its first group is done
    records = make_glasses(recogniser, pairs, settings, store, device=device, finished=finished, fan=fan)
    return Attacked(
        name=name,
        settings=settings,
        originals=np.stack([read_png(store.place(pair.key) / "original_0.png") for pair in pairs]),
        adversarial=np.stack([read_png(store.place(pair.key) / "adversarial_0.png") for pair in pairs]),
        labels=np.array([NOBODY if pair.label == STRANGER else pair.label for pair in pairs], dtype=np.int64),
        targets=np.array([NOBODY if pair.target is None else pair.target for pair in pairs], dtype=np.int64),
        region=_worn(settings.shape, recogniser.input_size),
        records=tuple(records),
    )
