"""What the recogniser answers to many masks of one face: saliency once, each distinct mask once, kept on disk."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.arrays import Bytes, Floats, Labels, read_arrays
from models.errors import BadInput
from models.recogniser import Recogniser
from models.saliency_mask import MaskParameters, apply_mask
from realtime.system.command_line import write_whole
from tools.common.progress import Tick
from tools.crafting.attacked_faces import NOBODY, with_parameters
from tools.fan_out.fan import Fan
from tools.tuning.goodness import Outcomes
from tools.tuning.masks import mask_key, masks_of, representatives

BATCH = 16


@dataclass
class _Known:
    """One face: what was asked already."""

    raw: Floats  # (K,)
    saliency: Floats  # (S, S), scaled by its maximum
    answers: dict[str, Floats]  # by mask_key


class Answers:
    """Asks the recogniser as little as possible.

    Args:
        folder: keeps each face's answers, so that an interrupted search goes on; None: nowhere.
        temperature: probabilities are softened by it, if the bundle was not calibrated.
        fan: where faces are asked about, None: here.

    Attributes:
        classified: masked crops that were really classified by this object.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        folder: Path | None = None,
        *,
        temperature: float = 1.0,
        fan: Fan | None = None,
    ) -> None:
        self.recogniser = recogniser
        self.folder = folder
        self.temperature = temperature
        self.fan = fan
        self.classified = 0
        self._known: dict[str, _Known] = {}
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise BadInput(f"{folder}: cannot be made ({error.strerror}); give another --work") from error

    def measure(
        self,
        crops: Bytes,
        labels: Labels,
        targets: Labels | None,
        combinations: Sequence[MaskParameters],
        *,
        merge: float = 0.0,
        stage: str = "",
        tick: Tick | None = None,
    ) -> Outcomes:
        """Every combination on every face.

        Args:
            crops: (N, S, S, 3) uint8 RGB.
            labels: (N,). targets: (N,), None for clean faces.
            merge: masks of one face that differ in at most this share of the crop share an answer.
        """
        count, faces = len(combinations), len(crops)
        found = Outcomes(
            real=np.full((count, faces), np.nan, np.float32),
            target=np.full((count, faces), np.nan, np.float32),
            best=np.zeros((count, faces), np.int64),
            best_confidence=np.zeros((count, faces), np.float32),
            masked=np.zeros((count, faces), np.float32),
        )
        if self.fan is not None:
            self._ask_elsewhere(self.fan, crops, combinations, merge, lambda done: tick and tick(stage, done, faces))
        for face in range(faces):
            scores, masked = self.of(crops[face], combinations, merge=merge)
            found.real[:, face] = scores[:, labels[face]]
            if targets is not None and targets[face] != NOBODY:
                found.target[:, face] = scores[:, targets[face]]
            found.best[:, face] = scores.argmax(axis=1)
            found.best_confidence[:, face] = scores.max(axis=1)
            found.masked[:, face] = masked
            if tick is not None and self.fan is None:
                tick(stage, face + 1, faces)
        return found

    def _ask_elsewhere(
        self,
        fan: Fan,
        crops: Bytes,
        combinations: Sequence[MaskParameters],
        merge: float,
        done: Callable[[int], object],
    ) -> None:
        """Everything about these faces that is not known yet, face by face."""
        names = [self._name(crop) for crop in crops]
        faces = [(crop, self._known.get(name) or self._read(name)) for name, crop in zip(names, crops, strict=True)]
        shared = (self.recogniser, tuple(combinations), merge)
        for count, (place, (known, classified)) in enumerate(fan.map(_asked_about, shared, faces), 1):
            self._known[names[place]] = known
            self.classified += classified
            if classified:
                self._keep(names[place], known)
            done(count)

    def of(self, crop: Bytes, combinations: Sequence[MaskParameters], *, merge: float = 0.0) -> tuple[Floats, Floats]:
        """One crop (S, S, 3) -> probabilities (C, K) after each combination, and masked share (C,)."""
        name = self._name(crop)
        known = self._looked_up(name, crop)
        masks = masks_of(known.saliency, combinations)
        fills = [one.fill for one in combinations]
        asked, stands = representatives(masks, fills, round(merge * crop.shape[0] * crop.shape[1]))
        keys = {int(index): mask_key(masks[index], fills[index]) for index in asked}
        missing = [index for index, key in keys.items() if key not in known.answers]
        for first in range(0, len(missing), BATCH):
            part = missing[first : first + BATCH]
            masked = np.concatenate(
                [apply_mask(crop[None], masks[index][None], self.recogniser.fill_rgb, fills[index]) for index in part]
            )
            for index, scores in zip(part, self.recogniser.classify(masked), strict=True):
                known.answers[keys[index]] = scores
            self.classified += len(part)
        if missing:
            self._keep(name, known)
        scores = np.stack([known.answers[keys[int(index)]] for index in stands])
        return self._softened(scores), masks.mean(axis=(1, 2), dtype=np.float32)

    def _softened(self, scores: Floats) -> Floats:
        if self.temperature == 1.0:
            return scores
        powers = np.maximum(scores, np.float32(1e-30)) ** np.float32(1 / self.temperature)
        softened: Floats = powers / powers.sum(axis=1, keepdims=True)
        return softened

    def _name(self, crop: Bytes) -> str:
        digest = hashlib.sha256(self.recogniser.bundle.checksum.encode())
        digest.update(self.recogniser.engine.encode())
        digest.update(np.ascontiguousarray(crop).tobytes())
        return digest.hexdigest()[:24]

    def _looked_up(self, name: str, crop: Bytes) -> _Known:
        if name not in self._known:
            self._known[name] = self._read(name) or self._asked(crop)
        return self._known[name]

    def _asked(self, crop: Bytes) -> _Known:
        parameters = MaskParameters(percentile=100.0, threshold=1.0, iterations=0, min_area=crop.size)
        with with_parameters(self.recogniser, parameters):  # nothing is masked, so nothing classified again
            evidence = self.recogniser.defend(crop[None])
        return _Known(evidence.raw[0], evidence.saliency[0], {"": evidence.raw[0]})

    def _read(self, name: str) -> _Known | None:
        if self.folder is None:
            return None
        kept = read_arrays(self.folder / f"{name}.npz", "raw", "saliency", "keys", "scores")
        if kept is None:
            return None
        return _Known(kept["raw"], kept["saliency"], dict(zip(kept["keys"].tolist(), kept["scores"], strict=True)))

    def _keep(self, name: str, known: _Known) -> None:
        if self.folder is None:
            return
        content = io.BytesIO()
        np.savez(
            content,
            raw=known.raw,
            saliency=known.saliency,
            keys=np.array(list(known.answers)),
            scores=np.stack(list(known.answers.values())),
        )
        write_whole(self.folder / f"{name}.npz", content.getvalue())


def _asked_about(
    shared: tuple[Recogniser, Sequence[MaskParameters], float], face: tuple[Bytes, _Known | None]
) -> tuple[_Known, int]:
    """What is known of a face afterwards, and how many of its masked crops were classified for that."""
    recogniser, combinations, merge = shared
    crop, known = face
    answers = Answers(recogniser)
    name = answers._name(crop)
    if known is not None:
        answers._known[name] = known
    answers.of(crop, combinations, merge=merge)
    return answers._known[name], answers.classified
