"""An event is explained from what was stored of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sightings import attack, evidence, quickly, sighting, stored

from realtime.outputs.events.log import EventLog
from realtime.outputs.events.types import EventSettings
from realtime.outputs.explanation.stored import explanation_of


@pytest.fixture
def log(tmp_path: Path):  # type: ignore[no-untyped-def]
    log = EventLog(tmp_path / "events", EventSettings(min_free_bytes=0))
    yield log
    log.close()


def test_a_stored_attack_has_its_words_its_views_and_its_saliency_again(log: EventLog) -> None:
    (event,) = stored(log, attack(dissent="eyewear"))
    found = explanation_of(event, log.picture)
    assert found is not None
    assert found.heading == "Suspected attack: passes for Ada, likely Bob"
    assert "With the eyes hidden it does not: Ada gets 25 % there." in found.sentences
    was = evidence()
    assert found.saliency is not None
    assert np.abs(found.saliency - was.saliency).max() < 0.003  # 8 bits
    assert found.mask is not None
    assert (found.mask == was.mask).all()
    assert [round(view.given, 2) for view in found.views] == [0.9, 0.25]


def test_without_saliency_the_views_are_still_explained_and_without_the_face_nothing(log: EventLog) -> None:
    (event,) = stored(log, quickly(sighting()))
    found = explanation_of(event, log.picture)
    assert found is not None
    assert found.saliency is None
    assert len(found.views) == 2
    assert explanation_of(event, lambda number, name: None) is None
    assert explanation_of(event, lambda number, name: b"not a picture") is None


def test_a_damaged_saliency_leaves_the_rest(log: EventLog) -> None:
    (event,) = stored(log, attack())
    spoilt = {"saliency": b"x", "mask": log.picture(event.id, "mask"), "after": log.picture(event.id, "after")}
    found = explanation_of(event, lambda number, name: spoilt.get(name, log.picture(number, name)))
    assert found is not None
    assert found.saliency is None
