"""The protocol that every engine fulfils."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

import numpy as np

from models.arrays import Bytes, Floats
from models.crop.zones import ViewSelection


class Engine(Protocol):
    """Runs one bundle's network on uint8 RGB crops (N, S, S, 3); N may be 0. For one thread at a time.

    What the network gives are D numbers for each crop: K logits of a closed set of people, or an embedding, not yet
    of unit length, that is compared with a gallery's ``rows`` (K, D float32, of unit length).
    """

    @property
    def name(self) -> str:
        """What really runs, for example ``onnxruntime 1.24.0 (CPUExecutionProvider)``."""

    def outputs(self, crops: Bytes, selection: ViewSelection | None = None) -> Floats:
        """(N, S, S, 3) -> (N, D); with ``selection`` (N + M, D), of the crops and then of their M views."""

    def outputs_and_saliency(
        self, crops: Bytes, rows: Floats | None, percentile: float, selection: ViewSelection | None = None
    ) -> tuple[Floats, Floats]:
        """(N, S, S, 3) -> ``outputs`` and (N, S, S) in [0, 1], the scaled guided saliency of each crop's top-1 score.

        The scores are the cosines of the embedding with ``rows``, at least one; None: the logits themselves. Other
        rows than before cost nothing.
        """


class OneAtATime:
    """An engine that several threads may call: each waits until the pass of another is over.

    Torch's hooks, OpenVINO's requests and the buffers on a GPU are not made for two passes at once, and on a
    processor two passes would take the cores from each other. Engines with the same ``turn`` wait for each other.
    """

    def __init__(self, engine: Engine, turn: threading.Lock) -> None:
        self._engine = engine
        self._turn = turn

    @property
    def name(self) -> str:
        return self._engine.name

    def outputs(self, crops: Bytes, selection: ViewSelection | None = None) -> Floats:
        with self._turn:
            return self._engine.outputs(crops, selection)

    def outputs_and_saliency(
        self, crops: Bytes, rows: Floats | None, percentile: float, selection: ViewSelection | None = None
    ) -> tuple[Floats, Floats]:
        with self._turn:
            return self._engine.outputs_and_saliency(crops, rows, percentile, selection)


class Deferred:
    """An engine that is opened when it is first used: its package's import and its graph take a second.

    Until then it is called what it was asked for as.
    """

    def __init__(self, name: str, load: Callable[[], Engine]) -> None:
        self._asked, self._load = name, load
        self._engine: Engine | None = None

    @property
    def name(self) -> str:
        return self._asked if self._engine is None else self._engine.name

    def outputs(self, crops: Bytes, selection: ViewSelection | None = None) -> Floats:
        return self._opened().outputs(crops, selection)

    def outputs_and_saliency(
        self, crops: Bytes, rows: Floats | None, percentile: float, selection: ViewSelection | None = None
    ) -> tuple[Floats, Floats]:
        return self._opened().outputs_and_saliency(crops, rows, percentile, selection)

    def _opened(self) -> Engine:
        if self._engine is None:
            self._engine = self._load()
        return self._engine


def with_views_apart(
    engine: Engine,
    crops: Bytes,
    rows: Floats | None,
    percentile: float,
    selection: ViewSelection,
    fill_rgb: tuple[int, int, int],
) -> tuple[Floats, Floats]:
    """``outputs_and_saliency`` with ``selection`` where the views are crops like others."""
    outputs, saliency = engine.outputs_and_saliency(crops, rows, percentile)
    return np.concatenate([outputs, engine.outputs(selection.views(crops, fill_rgb))]), saliency
