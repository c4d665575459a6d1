"""What the tests of the tools share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def narrow() -> Iterator[None]:
    """VGG16 with a quarter of its channels: for tests of what happens around the network, at a tenth of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.vgg16.BLOCKS", ((2, 16), (2, 32), (3, 64), (3, 128), (3, 128)))
        yield
