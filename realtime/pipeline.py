"""The line from camera to verdict, and the threads that run it.

    camera -> Frame -> faces -> Track -> FaceCrop -> Recogniser -> Evidence -> Verdict -> overlay

One capture thread per camera keeps the newest frame; one thread finds faces; one decides on them; one thread per
camera draws and shows. They meet at the board and wait for nobody: a slow model lowers the rate of decisions,
never that of the display, and never makes a picture older.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from models.arrays import Bytes
from realtime.board import Board
from realtime.cameras.frame_reader import FrameReader
from realtime.cameras.newest_frame import NewestFrame
from realtime.cameras.states import CameraError, CameraStatus, Cause
from realtime.decisions import OnDecision, decide_crops
from realtime.faces.find import FaceFinder
from realtime.metrics import Meter
from realtime.recogniser import FaceRecogniser
from realtime.schedule import Schedule, key_of
from realtime.system.service import Heart
from realtime.types import FacesInFrame, Frame
from realtime.verdicts.agreement import VerdictRules
from realtime.verdicts.verdict import Verdict

log = logging.getLogger(__name__)

_FAREWELL = 0.5  # seconds that cameras have to end when it is stopped
_LAST_PASS = 10.0  # seconds that its threads have: Python aborts if it ends while one is inside the engine
_PATIENCE = 0.2  # seconds a thread waits for news before it looks whether to stop, or redraws an ageing picture
_NAP = 0.004  # seconds between two looks at cameras of which none has news, or time for them

#: draws (frame, faces or None, verdicts by track, status of the camera) -> picture to show (H, W, 3) BGR
Draw = Callable[[Frame, FacesInFrame | None, dict[int, Verdict], CameraStatus], Bytes]
#: takes (frame, picture to show)
Show = Callable[[Frame, Bytes], None]
#: is told of the verdicts after every pass over a camera: (faces, verdicts by track)
OnVerdicts = Callable[[FacesInFrame, dict[int, Verdict]], None]


class Pipeline:
    """Runs cameras through one recogniser until it is stopped or every camera has ended.

    Args:
        cameras: not yet started.
        finders: one per camera, by its name (each holds its camera's tracks).
        draw, show: see above; called in the camera's own display thread.
        batch: most crops per pass of the recogniser.
        heart: beats while its threads get on.
        at_once: how many passes are asked for at a time; more than one where the recogniser is elsewhere.
    """

    def __init__(
        self,
        cameras: Sequence[NewestFrame],
        finders: Mapping[str, FaceFinder],
        recogniser: FaceRecogniser,
        *,
        rules: VerdictRules,
        meter: Meter,
        draw: Draw,
        show: Show,
        on_decision: Sequence[OnDecision] = (),
        on_verdicts: Sequence[OnVerdicts] = (),
        batch: int = 2,
        heart: Heart | None = None,
        at_once: int = 1,
    ) -> None:
        self.cameras = list(cameras)
        self.board = Board([camera.name for camera in cameras], rules, recogniser.policy)
        self.meter = meter
        self._finders, self._recogniser = finders, recogniser
        self._schedule = Schedule(batch, within=rules.max_age)
        self._at_once, self._noting = at_once, threading.Lock()
        self._draw, self._show = draw, show
        self._on_decision, self._on_verdicts = on_decision, on_verdicts
        self._heart = Heart() if heart is None else heart
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start every thread and return."""
        displays = [(camera, camera.reader("display")) for camera in self.cameras]
        work: list[tuple[str, Callable[[], None]]] = [("faces", self._find_faces), ("decisions", self._decide)]
        work += [(f"decisions {number}", self._decide) for number in range(2, self._at_once + 1)]
        for camera, reader in displays:
            work.append((f"display {camera.name}", lambda c=camera, r=reader: self._display(c, r)))  # type: ignore[misc]
        for name, target in work:
            thread = threading.Thread(target=self._guarded, args=(target,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        for camera in self.cameras:
            camera.start()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until stopped or ended, at most ``seconds``; True when it is over.

        Raises:
            what a thread of the pipeline failed with.
        """
        over = self._stopping.wait(seconds)
        if self._failure is not None:
            raise self._failure
        return over

    def stop_soon(self) -> None:
        """Ask it to stop and return at once; from any thread, but not in a signal handler: it takes locks."""
        self._stopping.set()
        for camera in self.cameras:
            camera.stop_soon()

    def stop(self) -> None:
        """Stop every thread and every camera; may be called twice."""
        self.stop_soon()
        deadline = time.monotonic() + _FAREWELL
        for camera in self.cameras:  # those that hang share the time, however many they are
            camera.stop(max(0.0, deadline - time.monotonic()))
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline + _LAST_PASS - time.monotonic()))

    def _guarded(self, target: Callable[[], None]) -> None:
        try:
            target()
        except BaseException as error:
            log.exception("%s failed", threading.current_thread().name)
            self._failure = error
            self._stopping.set()
        finally:
            self._heart.rest()

    def _find_faces(self) -> None:
        """Detection and tracking, camera by camera, always on the newest frame."""
        readers = {camera.name: camera.reader("faces") for camera in self.cameras}
        while readers and not self._stopping.is_set():
            self._heart.beat()
            alone, idle = len(readers) == 1, True
            for name, reader in list(readers.items()):
                if self._finders[name].resting:
                    continue
                try:
                    frame = reader.next(_PATIENCE if alone else 0)  # a camera without news holds up no other
                except CameraError:
                    del readers[name]  # ended for good; its display says so
                    continue
                if frame is None:
                    continue
                idle = False
                found = self._finders[name].find(frame)
                self.meter.stages(found.stage_ms)
                self.meter.searched(len(found.crops))
                self.board.put_faces(found, time.monotonic())
            if idle:
                self._stopping.wait(_NAP)

    def _decide(self) -> None:
        """The most urgent faces of all cameras, a batch at a time."""
        while not self._stopping.is_set():
            self._heart.beat()
            if not self.board.wait_for_faces(_PATIENCE):
                continue
            while not self._stopping.is_set():
                self._heart.beat()
                with self._noting:
                    crops = self.board.crops()  # the newest, also while a backlog is worked off
                    self._schedule.keep_only(key_of(crop) for crop in crops)
                    chosen = self._schedule.pick(crops, time.monotonic(), self.board.changed)
                if not chosen:
                    break
                decide_crops(
                    *(self._recogniser, chosen, self.board, self.meter, self._on_decision, self._schedule),
                    noting=self._noting,
                )
                with self._noting:
                    self._tell_verdicts({crop.frame.camera for crop in chosen})

    def _tell_verdicts(self, cameras: set[str]) -> None:
        for camera in cameras if self._on_verdicts else ():
            found = self.board.faces(camera)
            if found is not None:
                verdicts = self.board.verdicts(camera, time.monotonic())
                for listener in self._on_verdicts:
                    listener(found, verdicts)

    def _display(self, camera: NewestFrame, reader: FrameReader) -> None:
        """Draw and show every frame that comes; a picture that grows old is shown again, as old."""
        last: Frame | None = None
        ended = False
        while not ended and not self._stopping.is_set():
            self._heart.beat()
            try:
                frame = reader.next(_PATIENCE)
            except CameraError as error:  # for good: while others go on, its last picture is shown once more, as lost
                if all(other.ended for other in self.cameras):
                    break
                if error.cause is not Cause.END_OF_FILE:
                    log.warning("%s is lost: %s; the other cameras go on", camera.name, error.as_bad_input())
                frame, ended = None, True
            fresh = frame is not None
            if frame is None:
                if last is None:
                    continue
                frame = last
            started = time.perf_counter()
            verdicts = self.board.verdicts(camera.name, time.monotonic())
            for verdict in verdicts.values():
                self.meter.verdict_shown(verdict.age(verdict.asked_at), stale=verdict.stale)
            picture = self._draw(frame, self.board.faces(camera.name), verdicts, camera.status())
            self.meter.stage("draw", (time.perf_counter() - started) * 1e3)
            self._show(frame, picture)
            if fresh:
                self._count(frame, last)
                self.meter.frame_displayed(frame.captured_at)
            last = frame
        if all(other.ended for other in self.cameras):
            self._stopping.set()

    def _count(self, frame: Frame, last: Frame | None) -> None:
        missed = frame.index - (last.index if last is not None else -1) - 1
        for _ in range(missed + 1):
            self.meter.frame_captured(frame.captured_at)
        if missed:
            self.meter.frame_dropped(frame.camera, "overtaken", missed)


def run_every_frame(
    camera: NewestFrame,
    finder: FaceFinder,
    recogniser: FaceRecogniser,
    *,
    rules: VerdictRules,
    meter: Meter,
    draw: Draw,
    show: Show,
    on_decision: Sequence[OnDecision] = (),
    on_verdicts: Sequence[OnVerdicts] = (),
    seconds: float | None = None,
) -> None:
    """The same line for offline use: every frame, every face, one after another, as long as it takes.

    ``seconds`` is a length of the source at its own rate.
    """
    board = Board([camera.name], rules, recogniser.policy)
    reader = camera.reader("offline")
    camera.start()
    try:
        while True:
            frame = reader.next()
            if frame is None or (seconds is not None and frame.index >= seconds * (camera.native_fps or 25.0)):
                return
            meter.frame_captured()
            found = finder.find(frame)
            meter.stages(found.stage_ms)
            meter.searched(len(found.crops))
            board.put_faces(found, frame.now())
            crops = [crop for crop in found.crops if crop.refusal is None]
            if crops:
                decide_crops(recogniser, crops, board, meter, on_decision)
            started = time.perf_counter()
            verdicts = board.verdicts(camera.name, frame.now())
            for listener in on_verdicts:
                listener(found, verdicts)
            picture = draw(frame, found, verdicts, camera.status())
            meter.stage("draw", (time.perf_counter() - started) * 1e3)
            show(frame, picture)
            meter.frame_displayed(frame.captured_at)
    except CameraError as ended:
        if ended.cause is not Cause.END_OF_FILE:
            raise ended.as_bad_input() from None
    finally:
        camera.stop()
