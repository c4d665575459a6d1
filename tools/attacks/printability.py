"""Non-printability score (Sharif et al. 2016, section 4.2): how far a texture is from what a printer can give."""

from __future__ import annotations

import torch

#: 30 colours (RGB) that a four-colour printer plausibly gives. The first seven are solids and their overprints,
#: worked out from assumed inks (cyan 0 140 190, magenta 200 20 110, yellow 245 225 20) as filters on paper of
#: reflectance 240; the others (half tones, greys, browns) were set by hand near what such mixtures give. No
#: printer was measured: a stand-in, to be replaced by measured colours before anything physical is claimed.
PRINTABLE: tuple[tuple[int, int, int], ...] = (
    (240, 240, 240),
    (0, 132, 179),
    (188, 19, 104),
    (231, 212, 19),
    (0, 10, 77),
    (0, 116, 14),
    (181, 17, 8),
    (18, 12, 8),
    (120, 186, 209),
    (214, 130, 172),
    (235, 226, 130),
    (107, 100, 149),
    (116, 175, 113),
    (210, 122, 93),
    (105, 94, 81),
    (94, 75, 141),
    (0, 71, 128),
    (0, 124, 96),
    (115, 164, 17),
    (206, 115, 11),
    (184, 18, 56),
    (60, 55, 50),
    (90, 90, 90),
    (128, 128, 128),
    (165, 165, 165),
    (200, 200, 200),
    (150, 105, 60),
    (205, 165, 40),
    (110, 60, 35),
    (225, 190, 165),
)
_UNIT = 3 * 80.0**2  # squared distance that counts as 1, so that products of 30 factors stay in range


def non_printability(texture: torch.Tensor, region: torch.Tensor) -> torch.Tensor:
    """Sum over the region's pixels of the product of squared distances to the printable colours.

    Args:
        texture: (N, 3, S, S) grey levels. region: (N, 1, S, S) bool.

    Returns:
        (N,), 0 where every pixel is printable.
    """
    colours = texture.new_tensor(PRINTABLE)
    scores = []
    for one, where in zip(texture, region, strict=True):
        pixels = one.permute(1, 2, 0)[where[0]]
        distances = (pixels[:, None] - colours[None]).square().sum(dim=2) / _UNIT
        scores.append(distances.prod(dim=1).sum())
    return torch.stack(scores)
