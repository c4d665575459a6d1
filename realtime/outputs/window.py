"""A window on the screen, where there is one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType

import cv2

from models.arrays import Bytes

ESCAPE = 27
QUIT_KEYS = frozenset({ESCAPE, ord("q"), ord("Q")})
PROBE = "import cv2; cv2.namedWindow('probe', cv2.WINDOW_NORMAL); cv2.waitKey(1); cv2.destroyAllWindows()"


def has_screen(environ: Mapping[str, str] | None = None, timeout: float = 15.0) -> bool:
    """Whether a window can be opened. Never raises and never ends the process.

    Qt aborts the whole process when a display is named but cannot be reached (an SSH session with a dead
    ``DISPLAY``), so where the environment names one, a throw-away process tries it first.
    """
    environment = dict(os.environ if environ is None else environ)
    if not _built_with_windows():
        return False
    desktop = sys.platform in ("win32", "darwin")
    if not desktop and not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
        return False
    try:
        probe = subprocess.run(
            [sys.executable, "-c", PROBE],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return probe.returncode == 0


def _built_with_windows() -> bool:
    """opencv-python-headless has the functions, but every call to them fails."""
    try:
        return bool(cv2.currentUIFramework())
    except (cv2.error, AttributeError):
        return False


class Window:
    """Shows pictures until q or Escape is pressed or the window is closed. All calls from the main thread."""

    def __init__(self, title: str = "Spectaclear") -> None:
        self.title = title
        self._open = False

    def show(self, bgr: Bytes) -> bool:
        """Show a picture (H, W, 3) BGR at once. False when the viewer wants to quit."""
        if self._open and not self._visible():
            return False
        if not self._open:
            cv2.namedWindow(self.title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            cv2.resizeWindow(self.title, bgr.shape[1], bgr.shape[0])
            self._open = True
        cv2.imshow(self.title, bgr)
        return not wants_to_quit(cv2.waitKey(1))

    def close(self) -> None:
        """Take the window down; harmless where it is down already."""
        if not self._open:
            return
        self._open = False
        try:
            cv2.destroyWindow(self.title)
            cv2.waitKey(1)  # the event loop must run once more, or the window stays on some desktops
        except cv2.error:
            return  # the viewer was quicker

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _visible(self) -> bool:
        try:
            return cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:
            return False


def wants_to_quit(key: int) -> bool:
    """Whether ``cv2.waitKey``'s answer is q or Escape (-1 is no key; some systems set bits above the lowest 8)."""
    return key >= 0 and key & 0xFF in QUIT_KEYS
