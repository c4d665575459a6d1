"""A file worked on frame by frame: what is said of it does not depend on how fast that goes."""

import time
from typing import Any

import numpy as np
import pytest

from models.evidence import CropEvidence
from models.policy import Policy
from realtime.cameras.demo import DemoCamera
from realtime.cameras.demo_scene import DemoScene
from realtime.cameras.newest_frame import NewestFrame
from realtime.cameras.states import CameraState, CameraStatus
from realtime.metrics import Meter
from realtime.outputs.drawing.overlay import Overlay
from realtime.outputs.events.feed import EventFeed
from realtime.pipeline import run_every_frame
from realtime.telling import drawer
from realtime.types import DetectedFace, FaceCrop, FacesInFrame, Frame, TrackedFace
from realtime.verdicts.agreement import VerdictRules

SIDE = 8
FACE = DetectedFace(np.array((200, 120, 320, 270), np.float32), np.zeros((5, 2), np.float32), 0.99)
KNOWN, BLURRED = 8, 6  # frames with a good picture of the face, and then with one that the gate refuses


class Finder:
    """One face in every frame, found as slowly as it is told."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def find(self, frame: Frame) -> FacesInFrame:
        time.sleep(self._seconds)
        refused = None if frame.index < KNOWN else "blurred"
        return FacesInFrame(
            frame, (FaceCrop(TrackedFace(0, FACE), frame, np.zeros((SIDE, SIDE, 3), np.uint8), refused),)
        )


class Recogniser:
    """Knows Ada in every face."""

    policy = Policy()
    zones = ()

    def defend(self, crops: Any, **_: Any) -> list[CropEvidence]:
        sure, flat = np.array((0.98, 0.02), np.float32), np.zeros((SIDE, SIDE), np.float32)
        evidence = CropEvidence(
            ("Ada", "Bob"), sure, flat, flat > 0, crops[0], sure, np.zeros((0, 2), np.float32), zones=()
        )
        return [evidence] * len(crops)


class Log:
    def __init__(self) -> None:
        self.moments: list[float] = []

    def offer(self, frame: Frame, sightings: Any, now: float) -> int:
        self.moments.append(now)
        return 0


def said(scene: DemoScene, seconds_a_frame: float) -> dict[str, list[Any]]:
    verdicts: list[Any] = []
    pictures: list[Any] = []
    log, meter = Log(), Meter()
    draw = drawer(Overlay(), "engine", meter, {"film": 0.05}, lambda frame: "")
    film = NewestFrame(
        "film",
        lambda: DemoCamera(scene, frames=KNOWN + BLURRED, every_frame=True),
        every_frame=True,
        max_frame_age=0.05,
        stuck_after=None,
    )
    run_every_frame(
        film,
        Finder(seconds_a_frame),
        Recogniser(),
        rules=VerdictRules(),
        meter=meter,
        draw=draw,
        show=lambda frame, picture: pictures.append(picture[40:440]),  # without the clock and the rate
        on_verdicts=[
            lambda found, of: verdicts.extend((v.state, v.identity, v.reason, v.stale) for v in of.values()),
            EventFeed(log).on_verdicts,
        ],
    )
    return {"verdicts": verdicts, "moments": log.moments, "pictures": pictures}


@pytest.fixture(scope="module")
def scene() -> DemoScene:
    return DemoScene(worn=np.zeros((32, 32, 4), np.uint8))


def test_verdicts_events_and_pictures_of_a_file_are_the_same_however_long_it_takes(scene: DemoScene) -> None:
    fast, slow = said(scene, 0.0), said(scene, 0.12)
    assert fast["verdicts"] == slow["verdicts"]
    assert fast["verdicts"][-1] == ("known", "Ada", "", False)
    assert fast["moments"] == slow["moments"] == [index / 25 for index in range(KNOWN + BLURRED)]
    for one, other in zip(fast["pictures"], slow["pictures"], strict=True):
        assert np.array_equal(one, other)


def test_a_picture_of_a_file_is_not_drawn_as_stale_because_it_took_long(scene: DemoScene) -> None:
    draw = drawer(Overlay(), "engine", Meter(), {"film": 1.0}, lambda frame: "")
    bgr = scene.frame(0)
    long_ago = time.monotonic() - 60
    ended = CameraStatus(name="film", state=CameraState.LOST)

    def is_grey(file_time: float | None) -> bool:
        middle = draw(Frame("film", 0, bgr, long_ago, 0.0, file_time), None, {}, ended)[200:400].astype(int)
        return bool((middle == middle[..., :1]).all())

    assert not is_grey(file_time=0.0)
    assert is_grey(file_time=None)
