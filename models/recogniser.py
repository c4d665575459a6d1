"""The only thing that the other floors call: crops in, probabilities, evidence or decisions out."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.arrays import Bools, Bytes, Floats
from models.bundle import Bundle, load_bundle
from models.crop.zones import ViewSelection, Zone, every_view
from models.engines import AUTO, Engine, engines_for, make_engine
from models.engines.base import Deferred, OneAtATime
from models.errors import BadInput
from models.evidence import CropEvidence, Evidence, Explaining
from models.gallery.gallery import Gallery, unit
from models.heads import ClosedSet, GalleryHead, Head, head_of
from models.policy import Decision, Policy, decide
from models.saliency_mask import MaskParameters, apply_mask, saliency_to_mask
from models.stage_times import Stages

if TYPE_CHECKING:
    from torch import nn

_AT_ONCE = 32  # crops of which views are held at a time


class Recogniser:
    """Names faces and defends the answer. Crops are (N, S, S, 3) uint8 RGB in the canonical pose.

    Several threads may use it; the engine runs for one of them at a time.

    Attributes:
        policy: when a name is believed; replaceable.
        mask_parameters: those of the saliency mask; replaceable.
        zones: hidden one at a time in views of their own; replaceable, empty for the published method.
    """

    def __init__(self, bundle: Bundle, engine: Engine, explaining: Engine | None = None) -> None:
        """``explaining``: an engine for saliency that decides nothing, where it is another than for decisions."""
        self.bundle = bundle
        self.policy: Policy = bundle.info.policy.policy
        self.mask_parameters: MaskParameters = bundle.info.defence.parameters
        self.zones: tuple[Zone, ...] = bundle.info.policy.zones
        turn = threading.Lock()
        self._engine: Engine = OneAtATime(engine, turn)
        self._explaining: Engine = self._engine if explaining is None else OneAtATime(explaining, turn)
        self._head: ClosedSet | GalleryHead = head_of(bundle)

    @property
    def labels(self) -> tuple[str, ...]:
        return self._head.labels

    @property
    def gallery(self) -> Gallery | None:
        """The people whom faces are compared with; None: a closed set, trained into the network."""
        return self._head.gallery if isinstance(self._head, GalleryHead) else None

    def use_gallery(self, gallery: Gallery) -> None:
        """Know these people from now on. May be called while other threads decide: each decision is by one gallery.

        Raises:
            BadInput: the gallery was made with another trunk or cover; the one before stays.
        """
        self._head = GalleryHead(gallery, self.bundle)

    def certify(self) -> None:
        """Take the bundle's certified policy: nobody is known whom one of the views that cover the face does not name.

        Raises:
            BadInput: the bundle has none.
        """
        certified = self.bundle.info.certified
        if certified is None:
            raise BadInput(
                f"bundle {self.bundle.info.name}: has no certified policy; find one with python -m tools.certify find,"
                " or leave out defence: certified"
            )
        self.policy, self.zones = certified.policy, certified.zones

    @property
    def input_size(self) -> int:
        return self.bundle.info.input_size

    @property
    def engine(self) -> str:
        """What really runs."""
        if self._explaining is self._engine:
            return self._engine.name
        return f"{self._engine.name}; saliency: {self._explaining.name}"

    @property
    def fill_rgb(self) -> tuple[int, int, int]:
        return self.bundle.info.trunk.spec.fill_rgb

    def torch_model(self, view: Zone | None = None, *, nobody: bool = False) -> nn.Module:
        """(N, 3, S, S) float RGB in [0, 1] -> logits (N, K), a fresh copy: for white-box attacks and audits.

        Args:
            view: compare with the gallery's rows of the view with this zone hidden (None: of whole faces). Hiding its
                pixels is the caller's. In a closed set all views have one network.
            nobody: with a gallery one logit more, nobody's: a softmax over K + 1 then gives the probabilities that
                the recogniser gives. Without it the cohort is left out.
        """
        return self._head.network(self.bundle.torch_model(), view, nobody=nobody)

    def embed(self, crops: Bytes, views: bool = True) -> Floats:
        """(N, S, S, 3) uint8 -> (N, 1 + V, D) of unit length: the whole faces, and the gallery's V views of them.

        Raises:
            BadInput: the recogniser has no gallery.
        """
        crops = self._checked(crops)
        if self.gallery is None or self.bundle.info.embedding is None:
            raise BadInput(f"bundle {self.bundle.info.name}: knows a closed set of people and embeds no faces")
        zones = self.bundle.info.embedding.views if views else ()
        parts = [crops[first : first + _AT_ONCE] for first in range(0, len(crops) or 1, _AT_ONCE)]
        return np.concatenate([self._embedded(part, zones) for part in parts])

    def _embedded(self, crops: Bytes, zones: tuple[Zone, ...]) -> Floats:
        selection = every_view(zones, len(crops))
        outputs = unit(self._engine.outputs(crops, selection))
        return np.concatenate([outputs[: len(crops), None], selection.scattered(outputs[len(crops) :])], axis=1)

    def compare(self, embeddings: Floats) -> tuple[Floats, Floats]:
        """What ``embed`` gave, (N, 1 + V, D) -> probabilities: raw (N, K), and of the policy's zones (N, Z, K).

        Raises:
            BadInput: the recogniser has no gallery, or the gallery lacks one of the zones.
        """
        head = self._head
        if not isinstance(head, GalleryHead):
            raise BadInput(f"bundle {self.bundle.info.name}: knows a closed set of people and embeds no faces")
        views = [head.probabilities(embeddings[:, head.view_of(zone)], zone) for zone in self.zones]
        raw = head.probabilities(embeddings[:, 0])
        return raw, np.stack(views, axis=1) if views else np.zeros((len(raw), 0, raw.shape[1]), np.float32)

    def classify(self, crops: Bytes) -> Floats:
        """(N, S, S, 3) uint8 -> probabilities (N, K) float32, undefended. With a gallery the rest to 1 is nobody's."""
        return self._head.probabilities(self._engine.outputs(self._checked(crops)))

    def defend(
        self,
        crops: Bytes,
        *,
        quick: bool = False,
        looked: Bools | None = None,
        explaining: Explaining = "alarms",
        stage_ms: dict[str, float] | None = None,
    ) -> Evidence:
        """Classify, mask what is unnaturally salient, classify again, with the views that have a zone hidden.

        Args:
            crops: (N, S, S, 3) uint8 RGB.
            quick: where zones have the say, look at the saliency of suspected attacks only: it explains them, and
                helps to say who it is beneath; no other decision needs it. Other crops then have an all-zero
                saliency and an empty mask.
            looked: quick: (N, V), the views of each crop that are looked at, the first zone's among them; None: all.
            explaining: quick: whose saliency is looked at, see ``Explaining``.
            stage_ms: filled with the milliseconds of ``saliency`` (with the classification of the crops and their
                zone views; quick: ``classify`` for these, unless all were explained), ``mask`` and ``reclassify``.
        """
        crops = self._checked(crops)
        stages = Stages(stage_ms)
        if quick and self.zones:
            return self._defend_alarms(crops, looked, stages, explaining)
        head, zones, percentile = self._head, self.zones, self.mask_parameters.percentile
        selection = every_view(zones, len(crops))
        if zones and self._explaining is not self._engine:
            outputs = self._engine.outputs(crops, selection)
            _, saliency = self._explaining.outputs_and_saliency(crops, head.rows, percentile)
        else:
            outputs, saliency = self._engine.outputs_and_saliency(crops, head.rows, percentile, selection)
        stages.end("saliency")
        raw, views = head.probabilities(outputs[: len(crops)]), _views(head, selection, outputs[len(crops) :])
        mask, masked_crops, defended = self._masked(head, crops, saliency, raw, stages)
        return Evidence(head.labels, raw, saliency, mask, masked_crops, defended, views, zones)

    def explain(self, crop: Bytes, found: CropEvidence) -> CropEvidence:
        """Look at the saliency that a quick decision on ``crop`` (S, S, 3) left out.

        Gives ``found`` with saliency, mask, masked crop and the probabilities after it; what was decided on stays.
        """
        head, crops, stages = self._head, self._checked(crop[None]), Stages(None)
        _, saliency = self._explaining.outputs_and_saliency(crops, head.rows, self.mask_parameters.percentile)
        mask, masked_crops, defended = self._masked(head, crops, saliency, found.raw[None], stages)
        if head.labels != found.labels:  # others are enrolled by now: names follow the evidence, not the gallery
            defended = found.raw[None]
        return replace(found, saliency=saliency[0], mask=mask[0], masked_crop=masked_crops[0], defended=defended[0])

    def _defend_alarms(self, crops: Bytes, looked: Bools | None, stages: Stages, explaining: Explaining) -> Evidence:
        """Raw and zone views of all crops, and the saliency mask of those that raise an alarm."""
        head, zones, percentile = self._head, self.zones, self.mask_parameters.percentile
        selection = every_view(zones, len(crops)) if looked is None else ViewSelection(zones, looked)
        at_once: Floats | None = None
        if explaining == "all" and self._explaining is self._engine:
            outputs, at_once = self._engine.outputs_and_saliency(crops, head.rows, percentile, selection)
        else:
            outputs = self._engine.outputs(crops, selection)
        raw, views = head.probabilities(outputs[: len(crops)]), _views(head, selection, outputs[len(crops) :])
        saliency = np.zeros(crops.shape[:3], np.float32)
        mask, masked_crops, defended = saliency > 0, crops.copy(), raw.copy()
        found = Evidence(head.labels, raw, saliency, mask, masked_crops, defended, views, zones, selection.looked)
        stages.end("classify" if at_once is None else "saliency")
        alarms = [i for i, one in enumerate(found) if decide(one.seen, self.policy).state == "suspected_attack"]
        if alarms and explaining != "none":
            if at_once is None:
                _, saliency[alarms] = self._explaining.outputs_and_saliency(crops[alarms], head.rows, percentile)
                stages.end("saliency")
            else:
                saliency[alarms] = at_once[alarms]
            mask[alarms], masked_crops[alarms], defended[alarms] = self._masked(
                head, crops[alarms], saliency[alarms], raw[alarms], stages
            )
        return found

    def warm_up(self) -> None:
        """Load and run once what quick decisions need, alarms included."""
        crop = np.zeros((1, self.input_size, self.input_size, 3), np.uint8)
        self.defend(crop, quick=True)
        if self.zones:  # without them that was the whole defence
            self._explaining.outputs_and_saliency(crop, self._head.rows, self.mask_parameters.percentile)

    def view(self, crops: Bytes) -> Floats:
        """(N, S, S, 3) uint8 -> (N, V, K): probabilities with one zone hidden each, of any number of crops."""
        crops = self._checked(crops)
        parts = [crops[first : first + _AT_ONCE] for first in range(0, len(crops) or 1, _AT_ONCE)]
        return np.concatenate([self._view(part) for part in parts])

    def _view(self, crops: Bytes) -> Floats:
        selection = every_view(self.zones, len(crops))
        return _views(self._head, selection, self._engine.outputs(selection.views(crops, self.fill_rgb)))

    def _masked(
        self, head: Head, crops: Bytes, saliency: Floats, raw: Floats, stages: Stages
    ) -> tuple[Bools, Bytes, Floats]:
        """The mask, the crops under it, and the probabilities of these."""
        mask = saliency_to_mask(saliency, self.mask_parameters)
        masked_crops = apply_mask(crops, mask, self.fill_rgb, self.mask_parameters.fill)
        stages.end("mask")
        defended = raw.copy()  # nothing masked, nothing to classify again
        touched = mask.any(axis=(1, 2))
        if touched.any():
            defended[touched] = head.probabilities(self._engine.outputs(masked_crops[touched]))
        stages.end("reclassify")
        return mask, masked_crops, defended

    def decide(self, crops: Bytes) -> list[Decision]:
        """``defend`` and the bundle's policy."""
        return [decide(one, self.policy) for one in self.defend(crops)]

    def _checked(self, crops: Bytes) -> Bytes:
        wanted = (self.input_size, self.input_size, 3)
        if crops.ndim != 4 or crops.shape[1:] != wanted or crops.dtype != np.uint8:
            raise ValueError(f"crops must be (N, {', '.join(map(str, wanted))}) uint8, got {crops.shape} {crops.dtype}")
        return np.ascontiguousarray(crops)


def _views(head: Head, selection: ViewSelection, outputs: Floats) -> Floats:
    """The network's outputs (M, D) of the selected views -> probabilities (N, V, K), zeros where nobody looked."""
    ends = np.cumsum(selection.looked.sum(axis=0))[:-1]
    parts = np.split(outputs, ends) if selection.zones else []
    found = [head.probabilities(part, zone) for part, zone in zip(parts, selection.zones, strict=True)]
    return selection.scattered(np.concatenate([np.zeros((0, len(head.labels)), np.float32), *found]))


def load_recogniser(
    bundle: str | Path | None = None, engine: str = "auto", *, threads: int | None = None, strict: bool = False
) -> Recogniser:
    """Open a bundle (None = the embedded default) with an engine, see ``models.engines.registry.make_engine``.

    ``bundle`` may also be a file of people (a gallery), or a folder that holds one: it runs on the trunk it was made
    with (``models.bundle.load_bundle``).

    Raises:
        BadInput: the bundle is missing or damaged, or there is no such engine.
    """
    return recogniser_for(load_bundle(bundle), engine, threads=threads, strict=strict)


def recogniser_for(bundle: Bundle, engine: str, *, threads: int | None = None, strict: bool = False) -> Recogniser:
    """``load_recogniser`` for a bundle that is open already.

    Raises:
        BadInput: there is no such engine, or it cannot run here.
    """
    if engine != AUTO:
        return Recogniser(bundle, make_engine(engine, bundle, threads=threads, strict=strict))
    choice = engines_for(bundle, threads=threads)
    deciding = make_engine(choice.deciding, bundle, threads=threads, strict=strict)
    if choice.explaining == choice.deciding:
        return Recogniser(bundle, deciding)
    load = partial(make_engine, choice.explaining, bundle, threads=threads, strict=strict)
    return Recogniser(bundle, deciding, Deferred(choice.explaining, load))
