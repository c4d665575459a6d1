"""Which bundle a run opens, and whose people it knows."""

from pathlib import Path

import pytest

from models.bundle_info import PEOPLE_BUNDLE
from realtime.people.place import bundle_of, gallery_file
from realtime.settings.config import RecognitionConfig


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPECTACLEAR_DATA", str(tmp_path))
    return tmp_path


def test_without_people_of_ones_own_a_run_opens_the_default_bundle(data: Path) -> None:
    assert bundle_of(RecognitionConfig()) is None
    assert gallery_file(RecognitionConfig()) == data / "people.npz"


def test_with_people_of_ones_own_it_opens_the_bundle_that_they_can_be_added_to(data: Path) -> None:
    (data / "people.npz").write_bytes(b"")
    assert bundle_of(RecognitionConfig()) == PEOPLE_BUNDLE
    assert bundle_of(RecognitionConfig(gallery="mine.npz")) == PEOPLE_BUNDLE


def test_a_bundle_that_is_named_is_opened_as_it_is(data: Path) -> None:
    (data / "people.npz").write_bytes(b"")
    assert bundle_of(RecognitionConfig(bundle="plain")) == "plain"
    assert gallery_file(RecognitionConfig(bundle="plain")) is None


def test_the_embedded_people_alone_are_the_default_bundles(data: Path) -> None:
    (data / "people.npz").write_bytes(b"")
    assert bundle_of(RecognitionConfig(gallery="embedded")) is None
