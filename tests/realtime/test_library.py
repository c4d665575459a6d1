"""What a Python program calls, as the page about Python shows it."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

import realtime
from models.errors import BadInput
from models.evidence import CropEvidence
from models.policy import Decision
from realtime.outputs.newest_of_each import Waiting
from realtime.types import FaceCrop


def test_five_lines_name_whoever_the_demo_shows() -> None:
    names = []
    for told in realtime.stream("demo", every_frame=True, seconds=0.6):
        names.append(told.name)
        if told.state == "known":
            break  # ends the run
    assert names[-1] == "Eileen Collins"
    assert threading.active_count() < 20


def test_a_callback_is_told_of_every_single_look_and_one_that_fails_ends_nothing() -> None:
    looks: list[str] = []

    def on_decision(crop: FaceCrop, evidence: CropEvidence, undefended: Decision, defended: Decision) -> None:
        looks.append(defended.state)
        raise RuntimeError("the caller's own mistake")

    figures = realtime.watch("demo", every_frame=True, seconds=0.3, on_decision=on_decision)
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
