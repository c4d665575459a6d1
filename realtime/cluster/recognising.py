"""The recogniser as a Serve deployment: one replica holds the bundle and answers about the crops of all cameras."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np

from models.arrays import Bools, Bytes
from models.evidence import CropEvidence, Evidence, Explaining
from models.gallery.file import decode
from realtime.assembly import batch_of, recogniser_of
from realtime.cluster.batching import Batches
from realtime.cluster.parcels import Parcel, fetched
from realtime.cluster.remote import Known
from realtime.cluster.settings import ClusterSection
from realtime.cluster.start_ray import answer_on
from realtime.cluster.wire import Answer, Explained, packed
from realtime.settings.config import Config

_log = logging.getLogger(__name__)
_NICE = 5
#: The name of the people's file, as it is sent.
PEOPLE = "people.npz"


class Recognising:
    """One replica. ``parcel``: the bundle's files, which are sent to a node that has none of them."""

    def __init__(self, config: Config, section: ClusterSection, parcel: Parcel) -> None:
        import ray

        answer_on(ray.util.get_node_ip_address())
        if hasattr(os, "nice"):  # decisions fill every core they get: cameras, page and whatever starts come first
            os.nice(_NICE)
        folder = fetched(parcel, self._part)
        threads = config.recognition.threads or max(1, int(section.cores_per_replica))
        recognition = config.recognition.model_copy(
            update={"bundle": str(folder), "gallery": "embedded", "threads": threads}
        )
        config = config.model_copy(update={"recognition": recognition})
        self._recogniser = recogniser_of(config)
        self._recogniser.warm_up()
        self._people = ""
        batch = batch_of(config, self._recogniser)
        self._batches = Batches(self._work, batch=batch, waiting=section.waiting)
        self._batch = batch

    @staticmethod
    def _part(checksum: str, offset: int) -> bytes:
        from realtime.cluster.actors import keeper_part

        return keeper_part(checksum, offset)

    def reconfigure(self, wanted: dict[str, Any]) -> None:
        """Know these people from now on: the file that every node holds under this checksum."""
        people = wanted.get("people")
        if not people or people == self._people:
            return
        folder = fetched(Parcel("people", {PEOPLE: people}), self._part)
        file = Path(folder) / PEOPLE
        self._recogniser.use_gallery(decode(file.read_bytes(), file))
        self._people = str(people)
        _log.info("people %s from now on", people[:12])

    def known(self) -> Known:
        """What the cameras need to know."""
        one = self._recogniser
        return Known(one.policy, one.zones, one.input_size, one.engine, self._batch)

    def counts(self) -> dict[str, Any]:
        """The process, crops dropped here, and how many a pass has."""
        passes = self._batches.passes
        return {
            "process": os.getpid(),
            "dropped": self._batches.dropped,
            "crops_a_pass": float(np.mean(passes)) if passes else 0.0,
        }

    async def defend(self, crops: Bytes, looked: Bools | None, explaining: Explaining) -> Answer:
        """See ``RemoteRecogniser.defend``. Raises ``Unanswered``."""
        evidence, first = await self._batches.ask(crops, looked, explaining)
        return packed(evidence, first, len(crops), self._people)

    async def explain(self, crop: Bytes, found: CropEvidence) -> Explained:
        """See ``Recogniser.explain``."""
        one = await asyncio.to_thread(self._recogniser.explain, crop, found)
        return Explained(one.saliency, one.mask, one.masked_crop)

    def _work(self, crops: Bytes, looked: Bools | None, explaining: Explaining) -> Evidence:
        return self._recogniser.defend(crops, quick=True, looked=looked, explaining=explaining)
