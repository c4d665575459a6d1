"""What the nodes of a cluster say of themselves to Prometheus: it can be asked for while their head is away."""

from __future__ import annotations

import contextlib
import urllib.request
from collections.abc import Sequence

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from realtime.cameras.states import CameraState


class Figures:
    """What nodes say of themselves to Prometheus on those ports of loopback."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._decided = self._sum()

    def live(self) -> set[str]:
        """The cameras that are live."""
        samples = [one for one in self._samples("spectaclear_camera_state") if one.value]
        return {one.labels["camera"] for one in samples if one.labels["state"] == CameraState.LIVE.value}

    def decided_on(self) -> bool:
        """Whether faces have been decided since this was made."""
        return self._sum() > self._decided

    def _sum(self) -> float:
        return sum(one.value for one in self._samples("spectaclear_decisions_total"))

    def _samples(self, name: str) -> list[Sample]:
        found: list[Sample] = []
        for port in self._ports:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=3) as answer,
            ):
                for family in text_string_to_metric_families(answer.read().decode()):
                    found += [one for one in family.samples if one.name == name]
        return found
