"""A distribution in bounded memory: bins 1 % wide, so that a percentile is exact to half a per cent, whatever the
number of values.
"""

from __future__ import annotations

import math

import numpy as np


class Histogram:
    """Positive values from ``low`` to ``high`` in bins of equal ratio; what lies beyond counts as the edge.

    A percentile is exact to ``(ratio - 1) / 2`` of its value. Not safe to share between threads.
    """

    def __init__(self, low: float = 1e-3, high: float = 1e7, ratio: float = 1.01) -> None:
        self._log_low, self._log_ratio = math.log(low), math.log(ratio)
        self._bins = np.zeros(math.ceil((math.log(high) - self._log_low) / self._log_ratio) + 1, np.int64)
        self._smallest, self._largest = math.inf, -math.inf

    def add(self, value: float) -> None:
        """Count a value; a negative one (a clock that stepped) counts as the smallest, NaN not at all."""
        if math.isnan(value):
            return
        position = 0.0 if value <= 0 else (math.log(value) - self._log_low) / self._log_ratio
        self._bins[round(min(max(position, 0.0), len(self._bins) - 1.0))] += 1
        self._smallest, self._largest = min(self._smallest, value), max(self._largest, value)

    def __len__(self) -> int:
        return int(self._bins.sum())

    def percentile(self, percent: float) -> float | None:
        """The value that ``percent`` of the values do not exceed (nearest rank), or None without values."""
        total = len(self)
        if total == 0:
            return None
        rank = max(1, math.ceil(percent / 100 * total))
        index = int(np.searchsorted(np.cumsum(self._bins), rank))
        value = math.exp(self._log_low + index * self._log_ratio)
        return min(max(value, self._smallest), self._largest)
