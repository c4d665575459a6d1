"""What a Python program calls, as the page about Python shows it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from skimage.data import astronaut

import realtime
from models.errors import BadInput
from models.evidence import CropEvidence
from models.policy import Decision
from realtime.outputs.newest_of_each import Waiting
from realtime.types import FaceCrop


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures of somebody whom the default bundle knows."""
    path = tmp_path_factory.mktemp("clip") / "portrait.mp4"
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 320, 320, "yuv420p", 8_000_000
        for step in range(10):
            picture = np.ascontiguousarray(np.roll(astronaut()[:320, 60:380], step, axis=1))
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(stream.encode(None))
    return path


@pytest.mark.usefixtures("tried")
def test_five_lines_name_whoever_a_clip_shows_and_leaving_the_loop_ends_the_run(clip: Path) -> None:
    seen = []
    for told in realtime.stream(str(clip), every_frame=True):
        seen.append((told.clip_seconds, told.name))
        if told.state == "known":
            break
    assert seen[-1][1] == "Eileen Collins"
    assert [at for at, _ in seen] == sorted(at for at, _ in seen if at is not None)
    assert not [thread for thread in threading.enumerate() if thread.name == "stream"]


@pytest.mark.usefixtures("tried")
def test_a_callback_is_told_of_every_single_look_and_one_that_fails_ends_nothing(clip: Path) -> None:
    looks: list[str] = []

    def on_decision(crop: FaceCrop, evidence: CropEvidence, undefended: Decision, defended: Decision) -> None:
        looks.append(defended.state)
        raise RuntimeError("the caller's own mistake")

    figures = realtime.watch(str(clip), every_frame=True, seconds=0.08, on_decision=on_decision)
    assert len(looks) == figures["decisions"] > 0
    assert set(looks) == {"known"}


def test_a_source_that_is_not_there_is_told_in_the_loop() -> None:
    with pytest.raises(BadInput, match="nowhere"):
        next(iter(realtime.stream("nowhere/clip.mp4", every_frame=True)))


def test_a_slow_loop_gets_the_newest_of_each_and_a_patient_one_everything() -> None:
    live: Waiting[Any] = Waiting(patient=False)
    for step in range(100):
        live.put("a", step)
        live.put("b", -step)
    live.end()
    assert [live.next(), live.next(), live.next()] == [99, -99, None]

    patient: Waiting[Any] = Waiting(patient=True)
    thread = threading.Thread(target=lambda: [patient.put("a", step) for step in range(200)] and patient.end())
    thread.start()
    found = []
    while (one := patient.next()) is not None:
        found.append(one)
    thread.join()
    assert found == list(range(200))


def test_leaving_frees_whoever_waits_and_stops_what_runs() -> None:
    waiting: Waiting[int] = Waiting(patient=True)
    stopped = threading.Event()
    waiting.when_left(stopped.set)
    thread = threading.Thread(target=lambda: [waiting.put("a", step) for step in range(1000)])
    thread.start()
    time.sleep(0.05)
    assert thread.is_alive()
    waiting.leave()
    thread.join(5)
    assert not thread.is_alive()
    assert stopped.is_set()
