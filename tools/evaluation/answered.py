"""What each defence answers to each crop, asked once and kept on disk."""

from __future__ import annotations

import hashlib
import io
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.arrays import Bools, Bytes, Floats, read_arrays
from models.errors import BadInput
from models.evidence import CropEvidence
from models.policy import Decision, Policy, final_probabilities
from models.recogniser import Recogniser
from realtime.system.command_line import write_whole
from tools.common.progress import Tick
from tools.evaluation.defences import Defence
from tools.fan_out.fan import Fan

CHUNK = 16


def views_only(
    labels: tuple[str, ...], raw: Floats, masked_view: Floats, views: Floats, zones: tuple[str, ...]
) -> list[CropEvidence]:
    """What a policy is asked about, crop by crop: (N, K), (N, K) and (N, V, K) probabilities, without the pictures."""
    nothing, picture = np.zeros((0, 0), np.float32), np.zeros((0, 0, 3), np.uint8)
    return [
        CropEvidence(labels, one, nothing, nothing > 0, picture, masked, hidden, zones)
        for one, masked, hidden in zip(raw, masked_view, views, strict=True)
    ]


@dataclass(frozen=True)
class Answered:
    """N crops after one defence: undefended and defended probabilities, and what was hidden."""

    raw: Floats  # (N, K)
    defended: Floats  # (N, K), the policy's final probabilities
    mask: Bools  # (N, S, S)
    views: Floats  # (N, V, K), V = 0 for defences without zones
    masked_view: Floats  # (N, K), the crops classified again with ``mask`` filled

    def first(self, count: int) -> Answered:
        return Answered(*(values[:count] for values in vars(self).values()))

    def decisions(self, defence: Defence, labels: tuple[str, ...], policy: Policy) -> list[Decision]:
        """The policy's word on each crop."""
        each = views_only(labels, self.raw, self.masked_view, self.views, defence.zones)
        return [defence.decide(one, defence.policy or policy) for one in each]


@dataclass(frozen=True)
class _Seen:
    """What a defence's evidence holds beside its pictures."""

    raw: Floats
    masked_view: Floats
    mask: Bools
    views: Floats


def _seen(defence: Defence, crops: Bytes) -> _Seen:
    evidence = defence.answer(crops)
    return _Seen(evidence.raw, evidence.defended, evidence.mask, evidence.views)


class Asker:
    """Asks defences about crops, through ``folder``: an interrupted evaluation goes on where it stopped.

    ``fan``: where they are asked, None: here.
    """

    def __init__(self, recogniser: Recogniser, folder: Path, tick: Tick | None = None, fan: Fan | None = None) -> None:
        self.recogniser = recogniser
        self.folder = folder
        self.tick = tick
        self.fan = fan
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"{folder}: cannot be made ({error.strerror}); give another --work") from error

    def __call__(self, defence: Defence, crops: Bytes, stage: str) -> Answered:
        """(N, S, S, 3) -> the defence's answers."""
        chunks = [crops[first : first + CHUNK] for first in range(0, len(crops), CHUNK)]
        paths = [self._path(defence, chunk) for chunk in chunks]
        found = [self._kept(defence, path, crops.shape[2]) for path in paths]
        missing = [place for place, one in enumerate(found) if one is None]
        done = len(chunks) - len(missing)
        for count, (number, evidence) in enumerate(self._asked(defence, [chunks[place] for place in missing]), 1):
            place = missing[number]
            found[place] = self._keep(defence, paths[place], evidence)
            if self.tick is not None:
                self.tick(f"{stage}, {defence.name}", min((done + count) * CHUNK, len(crops)), len(crops))
        parts = [one for one in found if one is not None]
        return Answered(
            np.concatenate([part.raw for part in parts]),
            np.concatenate([part.defended for part in parts]),
            np.concatenate([part.mask for part in parts]),
            np.concatenate([part.views for part in parts]),
            np.concatenate([part.masked_view for part in parts]),
        )

    def milliseconds(self, defence: Defence, crops: Bytes) -> float:
        """Median of one face at a time, as live, after two that are not counted."""
        answer = defence.live or defence.answer
        answer(crops[:1])
        answer(crops[:1])
        taken = []
        for crop in crops:
            started = time.perf_counter()
            answer(crop[None])
            taken.append((time.perf_counter() - started) * 1e3)
        return round(statistics.median(taken), 1)

    def _asked(self, defence: Defence, chunks: Sequence[Bytes]) -> Iterator[tuple[int, _Seen]]:
        """Each chunk's place and what the defence saw, in the order in which they are done."""
        if self.fan is not None and chunks:
            yield from self.fan.map(_seen, defence, chunks)
            return
        for place, chunk in enumerate(chunks):
            yield place, _seen(defence, chunk)

    def _path(self, defence: Defence, crops: Bytes) -> Path:
        # the policy judges afterwards
        settings = {name: value for name, value in defence.settings.items() if name != "policy"}
        key = json.dumps([self.recogniser.bundle.checksum, self.recogniser.engine, defence.name, settings])
        digest = hashlib.sha256(key.encode())
        digest.update(np.ascontiguousarray(crops).tobytes())
        return self.folder / f"{defence.name}-{digest.hexdigest()[:20]}.npz"

    def _kept(self, defence: Defence, path: Path, width: int) -> Answered | None:
        kept = read_arrays(path, "raw", "masked_view", "mask", "views")
        if kept is None:
            return None
        mask = np.unpackbits(kept["mask"], axis=-1, count=width).astype(np.bool_)
        return self._answered(defence, kept["raw"], kept["masked_view"], mask, kept["views"])

    def _keep(self, defence: Defence, path: Path, seen: _Seen) -> Answered:
        content = io.BytesIO()
        packed = np.packbits(seen.mask, axis=-1)
        np.savez(content, raw=seen.raw, masked_view=seen.masked_view, mask=packed, views=seen.views)
        write_whole(path, content.getvalue())
        return self._answered(defence, seen.raw, seen.masked_view, seen.mask, seen.views)

    def _answered(self, defence: Defence, raw: Floats, masked_view: Floats, mask: Bools, views: Floats) -> Answered:
        policy = defence.policy or self.recogniser.policy
        each = views_only(self.recogniser.labels, raw, masked_view, views, defence.zones)
        return Answered(raw, np.stack([final_probabilities(one, policy) for one in each]), mask, views, masked_view)
