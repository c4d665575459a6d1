"""What the tests of the tools share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_people import make_recogniser, write_people

from models.recogniser import Recogniser


@pytest.fixture(scope="module")
def narrow() -> Iterator[None]:
    """VGG16 with a quarter of its channels: for tests of what happens around the network, at a tenth of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.vgg16.BLOCKS", ((2, 16), (2, 32), (3, 64), (3, 128), (3, 128)))
        yield


@pytest.fixture(scope="module")
def recogniser(narrow: None, tmp_path_factory: pytest.TempPathFactory) -> Recogniser:
    """Untrained and narrow; it names different people with confidence."""
    return make_recogniser(tmp_path_factory.mktemp("bundle") / "small")


@pytest.fixture(scope="module")
def people(recogniser: Recogniser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of crops that the recogniser is right about."""
    return write_people(recogniser, tmp_path_factory.mktemp("people"))
