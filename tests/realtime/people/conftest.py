"""What tests of people share."""

from pathlib import Path

import pytest
from made_up_bundle import made_up_bundle

from realtime.people.people import People


@pytest.fixture
def people(tmp_path: Path) -> People:
    """Four people whom a bundle comes with, and a file that is not there yet."""
    return People(tmp_path / "mine" / "people.npz", made_up_bundle())
