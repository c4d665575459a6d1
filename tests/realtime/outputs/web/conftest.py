"""Pages with made-up cameras and two events."""

import contextlib
from dataclasses import replace

import pytest
from asking_page import TOKEN
from made_up_bundle import made_up_bundle
from made_up_desk import MadeUp, MarkedDetector
from made_up_page import MovingCameras
from sightings import attack, frame, sighting

from models.gallery.gallery import Gallery
from realtime.faces.limits import QualityLimits
from realtime.faces.mtcnn_onnx import MtcnnOnnxDetector
from realtime.outputs.events.log import EventLog
from realtime.outputs.events.types import EventSettings
from realtime.outputs.web import WebPage
from realtime.people.live_desk import LiveDesk
from realtime.people.people import People


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


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return People(tmp_path_factory.mktemp("gallery") / "people.npz", made_up_bundle(size=112))


@pytest.fixture(scope="module")
def network(people):
    return MadeUp(people.bundle.labels)


@pytest.fixture(scope="module")
def peopled(served, people, network):
    """A page beyond whose door people can be changed."""
    desk = LiveDesk(people, network, lambda: MtcnnOnnxDetector(min_face=40), lambda: None, QualityLimits())
    return served(desk=desk, token=TOKEN)


@pytest.fixture(scope="module")
def sat(served, people, network):
    """The same with a look at where a head is turned, see ``MarkedDetector``."""
    return served(desk=LiveDesk(people, network, MarkedDetector, lambda: None, QualityLimits()), token=TOKEN)


@pytest.fixture
def nobody_yet(people):
    """The bundle's people are there and nobody else."""
    embedded = people.bundle.gallery
    people.store.change(lambda _: replace(embedded), start=lambda: Gallery((), "", "", embedded.views))
