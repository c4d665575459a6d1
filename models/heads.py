"""Who a face is: from what a network gives to probabilities, by a closed set of people or by a gallery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from models.arrays import Floats
from models.bundle import Bundle
from models.crop.zones import Zone
from models.errors import BadInput
from models.gallery.gallery import Gallery, unit
from models.gallery.match import Matcher

if TYPE_CHECKING:
    from torch import nn

    from models.network.vgg16 import VGG16


class Head(Protocol):
    """K people. Immutable: threads may share it."""

    labels: tuple[str, ...]
    rows: Floats | None
    """(1 or more, D): what ``Engine.outputs_and_saliency`` wants."""

    def probabilities(self, outputs: Floats, zone: Zone | None = None) -> Floats:
        """(N, D) of the network -> (N, K) float32, of the whole faces or of views with ``zone`` hidden."""

    def network(self, trunk: VGG16, zone: Zone | None, *, nobody: bool) -> nn.Module:
        """See ``models.recogniser.Recogniser.torch_model``."""


class ClosedSet:
    """The network's outputs are everybody's logits, whatever is hidden: somebody of these it must be."""

    rows: Floats | None = None

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.labels = labels

    def probabilities(self, outputs: Floats, zone: Zone | None = None) -> Floats:
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True, initial=-np.inf))
        found: Floats = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        return found

    def network(self, trunk: VGG16, zone: Zone | None, *, nobody: bool) -> nn.Module:
        return trunk


class GalleryHead:
    """The network's outputs are embeddings, compared with a gallery's people and a cohort of others.

    Raises:
        BadInput: the gallery was made with another trunk or cover than the bundle's, or the bundle has none.
    """

    def __init__(self, gallery: Gallery, bundle: Bundle) -> None:
        bundle.check_gallery(gallery)
        embedding, cohort = bundle.info.embedding, bundle.cohort
        assert embedding is not None
        assert cohort is not None
        self.gallery = gallery
        self.labels = gallery.labels
        self.rows: Floats | None = gallery.rows(0) if len(gallery) else np.zeros((1, embedding.width), np.float32)
        self._cohort = cohort
        self._scale = embedding.scale
        self._matcher = Matcher(gallery, cohort, self._scale)

    def view_of(self, zone: Zone | None) -> int:
        """The number of the gallery's view.

        Raises:
            BadInput: the gallery has none with this zone hidden.
        """
        if zone is None:
            return 0
        if zone not in self.gallery.views:
            raise BadInput(
                f"view {zone!r}: this bundle's gallery has {', '.join(self.gallery.views) or 'none'}; take one of"
                " these, or make the gallery anew with it (python -m tools.train gallery)"
            )
        return 1 + self.gallery.views.index(zone)

    def probabilities(self, outputs: Floats, zone: Zone | None = None) -> Floats:
        return self._matcher.probabilities(unit(outputs), self.view_of(zone))

    def network(self, trunk: VGG16, zone: Zone | None, *, nobody: bool) -> nn.Module:
        import torch

        from models.network.gallery_net import GalleryNet

        view = self.view_of(zone)
        rows = self.gallery.rows(view).reshape(-1, self._cohort.shape[2])
        others = torch.from_numpy(self._cohort[view].copy()) if nobody else None
        return GalleryNet(
            trunk,
            torch.from_numpy(rows.copy()),
            scale=1 / self._scale.temperature,
            others=others,
            nobody=self._scale.nobody(len(rows)),
        ).eval()


def head_of(bundle: Bundle) -> ClosedSet | GalleryHead:
    """What the bundle comes with."""
    return ClosedSet(bundle.info.labels) if bundle.gallery is None else GalleryHead(bundle.gallery, bundle)
