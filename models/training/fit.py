"""The training loop over cached features: cross-entropy, and optionally what a teacher and strangers add.

``fit`` trains any Sequential that ends in ReLU, Dropout, Linear: the head alone on what the trunk gives, or
the last convolution block and the head on what block 4 gives.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.arrays import Halves, Labels
from models.digest import digest_of
from models.training.checkpoint import read_checkpoint, write_checkpoint

Record = dict[str, float]


@dataclass(frozen=True)
class FitSettings:
    """One stage of training. An epoch shows each crop once, in a version drawn at random.

    ``distillation`` weighs one minus the cosine between a linear map of the hidden layer and the teacher's
    embedding of the unchanged crop; ``soft_labels`` is the share of the target that is the teacher's softmax
    over the cosines to the people's centroids (times ``soft_scale``); ``strangers`` weighs outlier exposure
    (Hendrycks et al. 2019: the softmax on strangers is pulled towards uniform). ``averaging`` is the decay
    per step of the moving average of the weights (0 = none); ``patience`` counts epochs without a better
    validation score. ``mixup`` is the parameter of Zhang et al. 2018, on features (0 = none).
    """

    epochs: int = 150
    batch: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    averaging: float = 0.99
    patience: int = 60
    distillation: float = 0.0
    soft_labels: float = 0.0
    soft_scale: float = 16.0
    strangers: float = 0.0
    mixup: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Examples:
    """N crops in V versions with their person and, where there is a teacher, its embedding (N, W)."""

    versions: Sequence[Halves]  # V x (N, ...)
    labels: Labels
    teacher: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def draw(self, indices: npt.NDArray[np.int64], generator: np.random.Generator) -> torch.Tensor:
        """These crops, each in a random version, as float32."""
        chosen = generator.integers(len(self.versions), size=len(indices))
        rows = np.empty((len(indices), *self.versions[0].shape[1:]), dtype=np.float16)
        for number, features in enumerate(self.versions):
            rows[chosen == number] = features[indices[chosen == number]]
        return torch.from_numpy(rows).float()


def fit(
    module: nn.Sequential,
    train: Examples,
    validation: Mapping[str, Examples],
    settings: FitSettings,
    *,
    strangers: Examples | None = None,
    checkpoint: Path | None = None,
    on_epoch: Callable[[Record], None] | None = None,
    save_every: int = 10,
) -> list[Record]:
    """Train ``module`` in place; it ends with the weights of the best validation score, in evaluation mode.

    Args:
        module: ends in ReLU, Dropout, Linear; its parameters with ``requires_grad`` are trained.
        validation: by name; "clean" counts half of the score, the others share the other half. Only version
            0 is looked at. Empty: the last weights are kept.
        checkpoint: written every ``save_every`` epochs; an existing one of the same settings and data is resumed,
            one of others, or a damaged one, replaced.

    Returns:
        One record per epoch: loss, and loss and accuracy of each validation set.
    """
    torch.manual_seed(settings.seed)
    hidden_width = _last(module).in_features
    widths = [s.teacher.shape[1] for s in (train, strangers) if s is not None and s.teacher is not None]
    to_teacher = nn.Linear(hidden_width, widths[0]) if widths and settings.distillation else None
    trained = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if to_teacher is not None:
        groups.append({"params": list(to_teacher.parameters()), "weight_decay": 0.0})
    optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate)
    average = AveragedModel(
        module,
        multi_avg_fn=get_ema_multi_avg_fn(settings.averaging),  # type: ignore[no-untyped-call]
    )
    parts: dict[str, Any] = {"module": module, "optimiser": optimiser, "average": average}
    sets = [train, *validation.values(), *([strangers] if strangers else [])]
    data = "" if checkpoint is None else _digest(sets, module)
    if to_teacher is not None:
        parts["to_teacher"] = to_teacher
    best: dict[str, torch.Tensor] = copy.deepcopy(module.state_dict())
    history: list[Record] = []
    if checkpoint is not None and checkpoint.exists():
        history, best = _resume(checkpoint, settings, data, parts) or (history, best)
    soft = _soft_labels(train, settings) if settings.soft_labels and train.teacher is not None else None
    for epoch in range(len(history), settings.epochs):
        if history and epoch - _best_epoch(history) > settings.patience:
            break
        share = epoch / settings.epochs
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * min((epoch + 1) / 5, 0.5 * (1 + math.cos(math.pi * share)))
        loss = _epoch(module, train, soft, strangers, to_teacher, optimiser, average, settings, epoch)
        shown = average.module if settings.averaging else module
        record: Record = {"epoch": epoch + 1, "loss": loss}
        for name, examples in validation.items():
            record[f"{name}_loss"], record[f"{name}_accuracy"] = evaluate(shown, examples)
        record["score"] = _score(record, validation) if validation else float(epoch + 1)
        history.append(record)
        if _best_epoch(history) == epoch:
            best = copy.deepcopy(shown.state_dict())
        if checkpoint is not None and ((epoch + 1) % save_every == 0 or epoch + 1 == settings.epochs):
            _save(checkpoint, settings, data, parts, history, best)
        if on_epoch is not None:
            on_epoch(record)
    module.load_state_dict(best)
    module.eval()
    return history


@torch.no_grad()
def predict(module: nn.Module, features: Halves, *, batch: int = 512) -> torch.Tensor:
    """(N, ...) float16 features -> logits (N, K), in evaluation mode."""
    module.eval()
    parts = [
        module(torch.from_numpy(features[first : first + batch]).float()) for first in range(0, len(features), batch)
    ]
    return torch.cat(parts)


def evaluate(module: nn.Module, examples: Examples) -> tuple[float, float]:
    """(mean cross-entropy, accuracy) on version 0."""
    logits, labels = predict(module, examples.versions[0]), torch.from_numpy(examples.labels)
    return float(F.cross_entropy(logits, labels)), float((logits.argmax(1) == labels).float().mean())


def _epoch(
    module: nn.Sequential,
    train: Examples,
    soft: torch.Tensor | None,
    strangers: Examples | None,
    to_teacher: nn.Linear | None,
    optimiser: torch.optim.Optimizer,
    average: AveragedModel,
    settings: FitSettings,
    epoch: int,
) -> float:
    generator = np.random.default_rng((settings.seed, epoch))
    torch.manual_seed(settings.seed * 100_003 + epoch)  # dropout; a resumed run repeats the same draws
    classes = _last(module).out_features
    module.train()
    total, order = 0.0, generator.permutation(len(train))
    for first in range(0, len(order), settings.batch):
        chosen = order[first : first + settings.batch]
        x = train.draw(chosen, generator)
        labels = torch.from_numpy(train.labels[chosen])
        target = (
            F.one_hot(labels, classes).float() * (1 - settings.label_smoothing) + settings.label_smoothing / classes
        )
        if soft is not None:
            target = (1 - settings.soft_labels) * target + settings.soft_labels * soft[chosen]
        wanted = None if train.teacher is None else torch.from_numpy(train.teacher[chosen])
        if settings.mixup:
            share = float(generator.beta(settings.mixup, settings.mixup))
            other = torch.from_numpy(generator.permutation(len(chosen)))
            x, target = share * x + (1 - share) * x[other], share * target + (1 - share) * target[other]
            wanted = None if wanted is None else share * wanted + (1 - share) * wanted[other]
        known = len(x)
        if strangers is not None and (settings.strangers or to_teacher is not None):
            others = generator.integers(len(strangers), size=known)
            x = torch.cat([x, strangers.draw(others, generator)])
            if wanted is not None and strangers.teacher is not None:
                wanted = torch.cat([wanted, torch.from_numpy(strangers.teacher[others])])
        hidden = module[:-2](x)
        logits = module[-2:](hidden)
        loss = F.cross_entropy(logits[:known], target)
        if settings.strangers and len(logits) > known:
            loss = loss - settings.strangers * logits[known:].log_softmax(1).mean()
        if to_teacher is not None and wanted is not None:
            cosine = F.cosine_similarity(to_teacher(hidden[: len(wanted)]), wanted)
            loss = loss + settings.distillation * (1 - cosine).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        average.update_parameters(module)
        total += float(loss.detach()) * len(chosen)
    return total / len(order)


def _soft_labels(train: Examples, settings: FitSettings) -> torch.Tensor:
    """Softmax over the cosines between each crop's embedding and the people's centroids, (N, K)."""
    assert train.teacher is not None
    teacher, labels = torch.from_numpy(train.teacher), torch.from_numpy(train.labels)
    centroids = F.one_hot(labels).float().T @ teacher
    return (settings.soft_scale * teacher @ F.normalize(centroids).T).softmax(1)


def _score(record: Record, validation: Mapping[str, Examples]) -> float:
    occluded = [record[f"{name}_accuracy"] for name in validation if name != "clean"]
    clean = record.get("clean_accuracy", 0.0)
    return clean if not occluded else 0.5 * clean + 0.5 * sum(occluded) / len(occluded)


def _best_epoch(history: Sequence[Record]) -> int:
    """Index of the highest score; of equal ones that with the lowest loss on clean crops, then the first."""
    return max(range(len(history)), key=lambda i: (history[i]["score"], -history[i].get("clean_loss", 0.0)))


def _last(module: nn.Sequential) -> nn.Linear:
    last = module[-1]
    if not isinstance(last, nn.Linear):
        raise ValueError("the module must end in a linear layer")
    return last


def _digest(sets: Sequence[Examples], module: nn.Module) -> str:
    """Names what is trained, from which weights, and what it is trained and validated on."""
    arrays: list[npt.NDArray[Any]] = [values.numpy() for values in module.state_dict().values()]
    for one in sets:
        arrays += [one.labels, *one.versions, *([] if one.teacher is None else [one.teacher])]
    return digest_of(arrays)


def _save(
    path: Path,
    settings: FitSettings,
    data: str,
    parts: Mapping[str, Any],
    history: list[Record],
    best: dict[str, torch.Tensor],
) -> None:
    states = {name: part.state_dict() for name, part in parts.items()}
    made_of = {"settings": asdict(settings), "data": data}
    write_checkpoint(path, states | made_of | {"history": history, "best": best})


def _resume(
    path: Path, settings: FitSettings, data: str, parts: Mapping[str, Any]
) -> tuple[list[Record], dict[str, torch.Tensor]] | None:
    """What was reached, put into ``parts``; None where weights, faces or settings were others, or it is damaged."""
    state = read_checkpoint(path)
    if state is None or state.get("settings") != asdict(settings) or state.get("data") != data:
        return None
    for name, part in parts.items():
        part.load_state_dict(state[name])
    history: list[Record] = state["history"]
    best: dict[str, torch.Tensor] = state["best"]
    return history, best
