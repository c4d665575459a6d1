"""Which file of people a run takes."""

from pathlib import Path

import pytest

from realtime.people.place import gallery_file
from realtime.settings.config import RecognitionConfig


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPECTACLEAR_DATA", str(tmp_path))
    return tmp_path


def test_a_run_without_a_named_bundle_takes_ones_own_people(data: Path) -> None:
    assert gallery_file(RecognitionConfig()) == data / "people.npz"


def test_a_file_that_is_named_goes_before_ones_own(data: Path) -> None:
    assert gallery_file(RecognitionConfig(gallery="mine.npz")) == Path("mine.npz")


def test_a_bundle_that_is_named_knows_whom_it_comes_with(data: Path) -> None:
    (data / "people.npz").write_bytes(b"")
    assert gallery_file(RecognitionConfig(bundle="plain")) is None


def test_the_embedded_people_can_be_asked_for(data: Path) -> None:
    (data / "people.npz").write_bytes(b"")
    assert gallery_file(RecognitionConfig(gallery="embedded")) is None
