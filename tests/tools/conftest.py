"""What the tests of the tools share."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small_people import make_recogniser, trained_on, write_people

from models.bundle import write_description
from models.recogniser import Recogniser, load_recogniser


@pytest.fixture(scope="module")
def recogniser(narrow: None, tmp_path_factory: pytest.TempPathFactory) -> Recogniser:
    """Untrained and narrow; it names different people with confidence."""
    return make_recogniser(tmp_path_factory.mktemp("bundle") / "small")


@pytest.fixture(scope="module")
def people(recogniser: Recogniser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of crops that the recogniser is right about."""
    return write_people(recogniser, tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def tuned(recogniser: Recogniser, people: Path) -> Recogniser:
    """Trained on the people and tuned, as its records say."""
    trained = trained_on(recogniser, people)
    record = {"source": "tools.tune_defence, for this test"}
    defence = trained.bundle.info.defence.model_copy(update={"threshold": 0.5, "record": record})
    write_description(trained.bundle.folder, trained.bundle.info.model_copy(update={"defence": defence}))
    return load_recogniser(trained.bundle.folder, "onnxruntime-cpu", threads=1)


@pytest.fixture(scope="module")
def zoned(tuned: Recogniser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same bundle with a zone view."""
    folder = tmp_path_factory.mktemp("zoned") / "hardened"
    shutil.copytree(tuned.bundle.folder, folder)
    policy = tuned.bundle.info.policy.model_copy(update={"zones": ("eyewear", "lower_face"), "zone_confirm": 0.4})
    write_description(folder, tuned.bundle.info.model_copy(update={"policy": policy}))
    return folder


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """``full_disk(name)``: from now on the disk is full ten bytes into every file whose path has ``name`` in it."""
    opened = os.open

    def begin(name: str) -> None:
        def full(path: object, *options: int) -> int:
            descriptor = opened(path, *options)  # type: ignore[call-overload]
            if name in str(path):
                os.write(descriptor, b"ten bytes.")
                os.close(descriptor)
                raise OSError(errno.ENOSPC, "No space left on device")
            return descriptor

        monkeypatch.setattr("realtime.system.command_line.os.open", full)

    return begin
