"""Pages with made-up cameras and two events."""

import contextlib

import pytest
from asking_page import TOKEN
from made_up_page import MovingCameras
from sightings import attack, frame, sighting

from realtime.outputs.events.log import EventLog
from realtime.outputs.events.types import EventSettings
from realtime.outputs.web import WebPage


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Starts pages on free ports, each with its own cameras and two events."""
    with contextlib.ExitStack() as stack:

        def started(**options):
            moving = MovingCameras().start()
            stack.callback(moving.stop)
            log = EventLog(tmp_path_factory.mktemp("events"), EventSettings(min_free_bytes=0))
            stack.callback(log.close)
            log.offer(frame(), [attack(track_id=1, box=(10, 80, 60, 140))], 0.0)
            log.offer(frame(), [sighting(name="Bob", track_id=2)], 0.0)
            assert log.flush()
            page = stack.enter_context(WebPage(moving.pictures, log, port=0, **options))
            page.moving = moving
            return page

        yield started


@pytest.fixture(scope="module")
def page(served):
    """An open page; tests that change something start their own."""
    return served()


@pytest.fixture(scope="module")
def guarded(served):
    """A page that demands the token."""
    return served(token=TOKEN)


@pytest.fixture(scope="module")
def besieged(served):
    """A page that demands the token and sees many wrong ones."""
    return served(token=TOKEN)
