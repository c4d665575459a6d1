"""A mask of dense edges, and what who knows it computes."""

from __future__ import annotations

import numpy as np
import torch
from tiny_nets import convolutional, pictures

from models.network.guided_backprop import guided_backprop
from models.saliency_mask import MaskParameters, saliency_to_mask, scale_saliency
from tools.attacks.batch import to_levels
from tools.attacks.bpda import BPDA
from tools.attacks.edge_mask import EdgeMaskDefence, sobel_map

PARAMETERS = MaskParameters(threshold=0.6, iterations=1, min_area=3, percentile=95.0)


def test_the_attackers_mask_hides_as_many_of_the_strongest_edges_as_the_saliency_has():
    net, crops = convolutional(), pictures(6, 12)
    attack = BPDA(defence=EdgeMaskDefence(PARAMETERS, (124, 117, 104)))
    pixels = to_levels(crops, net)
    chain = attack.chain(net)
    ours = attack.real_mask(chain, chain.forward(pixels / 255))[:, 0].numpy()
    guided = guided_backprop(net, torch.from_numpy(crops).permute(0, 3, 1, 2).double() / 255)
    saliency = scale_saliency(guided.permute(0, 2, 3, 1).numpy(), PARAMETERS.percentile)
    edges = sobel_map(crops)
    for mine, salient, edge in zip(ours, saliency, edges, strict=True):
        count = int((salient >= PARAMETERS.threshold).sum())
        dense = (edge >= np.sort(edge, axis=None)[-count]) & (edge > 0) if count else np.zeros_like(edge, bool)
        assert dense.sum() == count
        np.testing.assert_array_equal(mine, saliency_to_mask(dense.astype(np.float32)[None], PARAMETERS)[0])
    assert ours.any()
