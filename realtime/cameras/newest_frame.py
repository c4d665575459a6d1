"""One capture thread per camera that keeps the newest frame only.

Latency cannot grow: a reader that is slow gets the newest frame next, never a queue of old ones. Capture is
delayed by nobody, and one camera's trouble by no other's.

A second, nearly idle thread watches the first: a decoder or a driver that hangs cannot be interrupted from
Python, so the hanging thread is abandoned (it ends by itself should it ever come back) and a new one connects.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from realtime.cameras.camera import Camera
from realtime.cameras.counts import Arrivals, Drops
from realtime.cameras.frame_reader import FrameReader
from realtime.cameras.reconnect import BackOff
from realtime.cameras.states import CameraError, CameraState, CameraStatus, Cause
from realtime.cameras.trouble import Trouble, trouble_of
from realtime.types import Frame

log = logging.getLogger(__name__)

_WATCH_EVERY = 0.5  # seconds
_MOST_HANGING = 4  # abandoned threads of one camera at a time


class NewestFrame:
    """Captures from a camera, connecting again for as long as it runs.

    ``open_camera`` opens the camera; it is called in the capture thread, for every connection anew.
    ``every_frame``: the thread waits until every reader has taken the frame, so that none is left out.
    ``stuck_after``: seconds within one call of the camera after which its thread is abandoned; None: never
    (files, whose pictures may be minutes apart).
    """

    def __init__(
        self,
        name: str,
        open_camera: Callable[[], Camera],
        *,
        every_frame: bool = False,
        max_frame_age: float = 1.0,
        stuck_after: float | None = 15.0,
        back_off: BackOff | None = None,
    ) -> None:
        self.name = name
        self.native_fps: float | None = None
        self._open_camera = open_camera
        self._every_frame = every_frame
        self._max_frame_age = max_frame_age
        self._stuck_after = stuck_after
        self._back_off = back_off or BackOff()
        self._changed = threading.Condition()
        self._readers: list[FrameReader] = []
        self._stopping = threading.Event()
        self._generation = 0
        self._thread: threading.Thread | None = None
        self._watch: threading.Thread | None = None
        self._inside_since: float | None = None  # when the capture thread went into the camera's code
        self._newest: Frame | None = None
        self._captured = 0
        self._drops = Drops()
        self._connections = 0
        self._abandoned: list[threading.Thread] = []
        self._abandoned_count = 0
        self._arrivals = Arrivals()
        self._state = CameraState.CONNECTING
        self._since = time.monotonic()
        self._error: CameraError | None = None
        self._ended = False
        self._trouble = Trouble(name)

    # -- for its owner --

    def start(self) -> None:
        """Start capturing; returns at once. Readers that must not miss the first frame are made before."""
        if self._thread is not None:
            raise RuntimeError(f"{self.name} is capturing already")
        self._start_capture()
        if self._stuck_after is not None:
            self._watch = threading.Thread(target=self._watch_capture, name=f"watch {self.name}", daemon=True)
            self._watch.start()

    def wait_until_live(self, timeout: float | None = None) -> None:
        """Wait for the first frame, or until stopped.

        Raises ``BadInput`` with one clear line where the first attempt fails.
        """
        self.wait_for_news(timeout)
        with self._changed:
            if self._newest is None and not self._stopping.is_set():
                error = self._error or CameraError(Cause.TIMEOUT, f"{self.name} sent no picture within {timeout:g} s")
                raise error.as_bad_input()

    def wait_for_news(self, timeout: float | None = None) -> None:
        """Wait for the first frame, or the first failure, or until stopped."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._newest is not None or self._error is not None or self._stopping.is_set(), timeout
            )

    def stop_soon(self) -> None:
        """Ask it to stop and return at once; readers get None from now on."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()

    def stop(self, timeout: float = 2.0) -> bool:
        """Stop capturing. False where the thread hung and was left behind (it cannot keep the process alive)."""
        self.stop_soon()
        deadline = time.monotonic() + timeout
        if self._watch is not None:  # first, for it may be starting another capture thread
            self._watch.join(max(deadline - time.monotonic(), 0))
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(max(deadline - time.monotonic(), 0))
        return self._thread is None or not self._thread.is_alive()

    # -- for readers, from any thread --

    def reader(self, name: str = "reader") -> FrameReader:
        """A new reader; it starts with the newest frame there is."""
        with self._changed:
            reader = FrameReader(self, name, after=self._newest.index - 1 if self._newest is not None else -1)
            self._readers.append(reader)
        return reader

    def status(self) -> CameraStatus:
        """What can be said about the camera now."""
        with self._changed:
            now = time.monotonic()
            age = now - self._newest.captured_at if self._newest is not None else None
            state, since = self._state, self._since
            if state is CameraState.LIVE and age is not None and age > self._max_frame_age:
                state, since = CameraState.STALE, now - age + self._max_frame_age
            live = state is CameraState.LIVE
            return CameraStatus(
                name=self.name,
                state=state,
                cause=None if live or self._error is None else self._error.cause,
                message="" if live or self._error is None else self._error.message,
                advice="" if live or self._error is None else self._error.advice,
                since=now - since,
                frame_age=age,
                fps=self._arrivals.rate(now) if live else 0.0,
                captured=self._captured,
                dropped=dict(self._drops.all()),
                connections=self._connections,
                abandoned=self._abandoned_count,
            )

    @property
    def ended(self) -> bool:
        """Whether no frame will ever come again."""
        return self._ended

    # -- the readers' side of the buffer --

    def wait_newer(self, last: int, timeout: float | None) -> Frame | None:
        """For ``FrameReader``: the newest frame, if its index is above ``last``."""

        def is_over() -> bool:
            return self._ended or self._stopping.is_set() or (self._newest is not None and self._newest.index > last)

        with self._changed:
            self._changed.wait_for(is_over, timeout)
            if self._newest is not None and self._newest.index > last:
                return self._newest
            if self._ended and self._error is not None:
                raise self._error.again()
            return None

    def taken(self) -> None:
        """For ``FrameReader``: it has taken a frame."""
        if self._every_frame:
            with self._changed:
                self._changed.notify_all()

    # -- the capture thread --

    def _start_capture(self) -> None:
        thread = threading.Thread(
            target=self._capture, args=(self._generation,), name=f"capture {self.name}", daemon=True
        )
        thread.start()
        self._thread = thread  # only once it runs: whoever stops now may join it

    def _is_current(self, generation: int) -> bool:
        return generation == self._generation and not self._stopping.is_set()

    def _capture(self, generation: int) -> None:
        while self._is_current(generation):
            error = self._one_connection(generation)
            if error is None or not self._is_current(generation):
                return
            wait = None if error.permanent else self._back_off.failed()
            self._failed(error, ended=wait is None)
            if wait is None:
                return
            self._trouble.tell(error)
            log.info("%s; next attempt in %.1f s", error.message, wait)
            self._stopping.wait(wait)
            self._enter(CameraState.CONNECTING, generation)

    def _one_connection(self, generation: int) -> CameraError | None:
        """Open, read until it fails, close. None where this thread is no longer wanted."""
        camera: Camera | None = None
        try:
            self._goes_inside(generation)
            camera = self._open_camera()
            self._opened(camera, generation)
            first = self._newest.index + 1 if self._newest is not None else 0
            while self._is_current(generation):
                self._goes_inside(generation)
                frame = camera.read()
                self._publish(replace(frame, camera=self.name, index=first + frame.index), generation)
        except Exception as error:  # also a bug or a driver's: this camera is in trouble, the others go on
            return trouble_of(self.name, error)
        finally:
            if camera is not None:
                camera.close()
            with self._changed:
                if generation == self._generation:
                    self._inside_since = None
        return None

    def _goes_inside(self, generation: int) -> None:
        with self._changed:
            if self._is_current(generation):
                self._inside_since = time.monotonic()

    def _opened(self, camera: Camera, generation: int) -> None:
        with self._changed:
            if self._is_current(generation):
                self.native_fps = camera.native_fps
                self._drops.opened(camera.dropped)

    def _publish(self, frame: Frame, generation: int) -> None:
        if self._is_current(generation):
            self._trouble.over()
        with self._changed:
            if not self._is_current(generation):  # left behind while it hung
                return
            self._inside_since = None
            if self._state is not CameraState.LIVE:
                self._connections += 1
                self._back_off.connected()
                self._arrivals.clear()
                self._state, self._since, self._error = CameraState.LIVE, frame.captured_at, None
            self._newest = frame
            self._captured += 1
            self._arrivals.add(frame.captured_at)
            self._changed.notify_all()
            if self._every_frame:
                self._changed.wait_for(lambda: self._stopping.is_set() or self._is_taken(frame))

    def _is_taken(self, frame: Frame) -> bool:
        return bool(self._readers) and all(reader.has_taken(frame) for reader in self._readers)

    def _failed(self, error: CameraError, *, ended: bool) -> None:
        with self._changed:
            self._state, self._since = error.state, time.monotonic()
            self._error, self._ended = error.with_traceback(None), ended
            self._drops.closed()
            self._changed.notify_all()

    def _enter(self, state: CameraState, generation: int) -> None:
        with self._changed:
            if self._is_current(generation):
                self._state, self._since = state, time.monotonic()

    # -- the watchdog --

    def _watch_capture(self) -> None:
        assert self._stuck_after is not None
        assert self._thread is not None
        while not self._stopping.wait(min(_WATCH_EVERY, self._stuck_after / 2)):
            with self._changed:  # counted, no longer live, no longer listened to: nobody sees one without the others
                since = self._inside_since
                if self._ended or since is None or time.monotonic() - since < self._stuck_after:
                    continue
                self._abandoned = [thread for thread in self._abandoned if thread.is_alive()]
                if len(self._abandoned) >= _MOST_HANGING:  # a driver that hangs every time must not fill the process
                    continue
                self._abandoned.append(self._thread)
                self._abandoned_count += 1
                self._generation += 1
                self._inside_since = None
                error = CameraError(Cause.TIMEOUT, f"it hung for {self._stuck_after:g} s and is opened anew")
                self._failed(error, ended=False)
            self._trouble.tell(error)
            self._start_capture()
