"""A page with two made-up cameras, one of them moving, for the tests of the page."""

import threading
import time
from dataclasses import replace

import numpy as np

from realtime.cameras.states import ADVICE, CameraState, CameraStatus, Cause
from realtime.outputs.web import LivePictures
from realtime.types import Frame


class MovingCameras:
    """``door`` gives a new picture every 50 ms until ``stop``; ``yard`` is refused and never gives one."""

    def __init__(self, names=("door", "yard"), size=(180, 320)):
        self.live = CameraStatus(
            name=names[0], state=CameraState.LIVE, fps=20.0, captured=7, dropped={"grey": 2}, connections=3
        )
        self.refused = CameraStatus(
            name=names[1],
            state=CameraState.REFUSED,
            cause=Cause.UNAUTHORISED,
            message="yard: the password is wrong",
            advice=ADVICE[Cause.UNAUTHORISED],
        )
        self.pictures = LivePictures(self.statuses)
        self.size = size
        self.shown = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def statuses(self):
        return [replace(self.live, frame_age=0.05), self.refused]

    def show(self):
        bgr = np.full((*self.size, 3), 90, np.uint8)
        left = (self.shown * 8) % (self.size[1] - 40)
        bgr[60:120, left : left + 40] = (40, 160, 240)
        frame = Frame(self.live.name, self.shown, bgr, time.monotonic(), time.time())
        self.pictures.show(frame, bgr)
        self.shown += 1

    def start(self):
        self.show()
        self._thread.start()
        return self

    def stop(self):
        self._stopping.set()
        self._thread.join()

    def _run(self):
        while not self._stopping.wait(0.05):
            self.show()
