"""What a viewer sees: the camera's picture with every verdict, its age, and whether what is shown is live."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import cv2
import numpy as np

from models.arrays import Bytes
from models.evidence import CropEvidence
from realtime.outputs.drawing.layout import Rect, beside, best_place, clipped
from realtime.outputs.drawing.panel import Panel, Thumbnails, block_size
from realtime.outputs.drawing.style import INK, PALE, STYLES, WHITE, draw_box, fill, shade
from realtime.outputs.drawing.text import BOLD, REGULAR, fitted, line_height, put, width
from realtime.types import TrackedFace
from realtime.verdicts.verdict import Verdict

LIVE = "live"
CROWD = 3  # faces, above which the panels get smaller
GREEN, ORANGE = STYLES["known"].colour, STYLES["suspected_attack"].colour


@dataclass(frozen=True)
class Status:
    """What is written about the camera and the run.

    ``state`` is the camera's state in a word; every other than "live" marks the picture as stale, and so does an
    age over ``max_frame_age`` seconds. ``captured_at`` and ``now`` are the frame's ``moment`` and ``now()``,
    ``wall_time`` the picture's capture in seconds since the epoch; ``note`` is free text (the demo's act).
    """

    camera: str
    engine: str
    fps: float
    captured_at: float
    wall_time: float
    state: str = LIVE
    max_frame_age: float = 1.0
    note: str = ""
    now: float = field(default_factory=time.monotonic)

    @property
    def frame_age(self) -> float:
        """Seconds since the picture was captured."""
        return self.now - self.captured_at

    @property
    def stale(self) -> bool:
        """Whether the picture must not pass for a live one."""
        return self.state != LIVE or self.frame_age > self.max_frame_age


class Overlay:
    """Draws pictures for the screen, the recording and the page. One per display thread, or shared.

    ``thumbnails``: saliency and masked crop beside suspected attacks; ``landmarks``: the detector's five points.
    """

    def __init__(self, *, thumbnails: bool = True, landmarks: bool = False) -> None:
        self._thumbnails = Thumbnails() if thumbnails else None
        self._landmarks = landmarks

    def draw(
        self,
        frame_bgr: Bytes,
        tracks: Sequence[TrackedFace],
        verdicts: Mapping[int, Verdict],
        status: Status,
    ) -> Bytes:
        """A new picture (H, W, 3) BGR; ``frame_bgr`` is left as it is, since others still look at it.

        ``verdicts`` by track number; a verdict of another epoch than the track's is not shown.
        """
        picture = _faded(frame_bgr) if status.stale else frame_bgr.copy()
        height, wide = picture.shape[:2]
        scale = min(3.0, max(0.6, min(height / 480, wide / 640) ** 0.75))  # large pictures are seen on large screens
        bar = line_height(round(12 * scale)) + round(6 * scale)
        whole = Rect(0, 0, wide, height)
        edge = round(4 * scale)
        inside = Rect(edge, min(bar + edge, height // 2), wide - edge, max(height - bar - edge, height // 2))
        faces = [(clipped(track.face.box, whole), _verdict_of(track, verdicts)) for track in tracks]
        faces = [(box, verdict) for box, verdict in faces if box.area]
        self._draw_faces(picture, faces, inside, status.now, scale)
        if self._landmarks:
            for x, y in (point for track in tracks for point in track.face.landmarks):
                cv2.circle(
                    picture, (round(float(x)), round(float(y))), max(1, round(2 * scale)), WHITE, -1, cv2.LINE_AA
                )
        _draw_bars(picture, status, bar, scale)
        if status.stale:
            _draw_warning(picture, status, bar, scale)
        return picture

    def _draw_faces(
        self, picture: Bytes, faces: Sequence[tuple[Rect, Verdict | None]], inside: Rect, now: float, scale: float
    ) -> None:
        boxes = [box for box, _ in faces]
        taken: list[Rect] = []
        panels = [
            Panel(verdict, now, scale, round(0.45 * inside.width), small=len(faces) > CROWD) for _, verdict in faces
        ]
        for box, panel in zip(boxes, panels, strict=True):
            draw_box(picture, box, panel.style, scale)
        gap = round(5 * scale)
        for index, (box, panel) in enumerate(zip(boxes, panels, strict=True)):
            others = boxes[:index] + boxes[index + 1 :]
            area = best_place(beside(box, panel.width, panel.height, gap), inside, box, others, taken)
            taken.append(area)
            panel.draw(picture, area)
        for index, (box, verdict) in enumerate(faces):
            if self._thumbnails is None or verdict is None or panels[index].style.line != "corners":
                continue
            if verdict.evidence is not None:
                others = boxes[:index] + boxes[index + 1 :]
                taken.append(
                    _draw_thumbnails(self._thumbnails, picture, verdict.evidence, box, others, taken, inside, scale)
                )


def _draw_thumbnails(
    thumbnails: Thumbnails,
    picture: Bytes,
    evidence: CropEvidence,
    box: Rect,
    others: Sequence[Rect],
    taken: Sequence[Rect],
    inside: Rect,
    scale: float,
) -> Rect:
    wished = round((84 if len(others) < CROWD else 56) * scale)
    side = max(24, min(wished, round(inside.height * 0.3), round(inside.width * 0.3)))
    gap = round(5 * scale)
    places: list[Rect] = []
    for upright in (True, False):
        places += beside(box, *block_size(side, upright=upright), gap)[2 if upright else 0 :]
    area = best_place(places, inside, box, others, taken)
    upright = area.height > area.width
    _paste(picture, thumbnails.block(evidence, side, upright=upright, colour=ORANGE), area)
    return area


def clock(wall_time: float) -> str:
    """Local date, time and zone, the zone as an offset: its names differ between systems and seasons."""
    moment = datetime.fromtimestamp(wall_time).astimezone()
    offset = moment.strftime("%z")
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC{offset[:3]}:{offset[3:5]}"


def _verdict_of(track: TrackedFace, verdicts: Mapping[int, Verdict]) -> Verdict | None:
    verdict = verdicts.get(track.track_id)
    return verdict if verdict is not None and verdict.epoch == track.epoch else None


def _faded(frame_bgr: Bytes) -> Bytes:
    """Grey and dark: a stale picture must not look live, even from across the room."""
    grey = cv2.convertScaleAbs(cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2GRAY), alpha=0.65)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)


def _draw_bars(picture: Bytes, status: Status, bar: int, scale: float) -> None:
    """Above: camera, its state, the clock. Below: rate, the picture's age, the engine, the note."""
    height, wide = picture.shape[:2]
    size, pad = round(12 * scale), round(8 * scale)
    top, bottom = Rect(0, 0, wide, bar), Rect(0, height - bar, wide, height)
    for area in (top, bottom):
        shade(picture, area)
    y = (bar - line_height(size)) // 2
    colour = ORANGE if status.stale else GREEN
    dot = Rect(pad, bar // 2 - round(4 * scale), pad + round(8 * scale), bar // 2 + round(4 * scale))
    if status.stale:
        fill(picture, dot, colour)
    else:
        cv2.circle(picture, (dot.x1 + dot.width // 2, bar // 2), dot.width // 2, colour, -1, cv2.LINE_AA)
    word = "STALE" if status.state == LIVE and status.stale else status.state.upper()
    time_of_day = clock(status.wall_time)
    x = dot.x2 + round(5 * scale)
    x += put(picture, word, (x, y), size, colour, BOLD) + pad
    clock_x = wide - pad - width(time_of_day, size)
    put(picture, fitted(status.camera, size, REGULAR, max(0, clock_x - pad - x)), (x, y), size, WHITE)
    if clock_x > x:
        put(picture, time_of_day, (clock_x, y), size, PALE)
    facts = [f"{status.fps:.1f} fps", f"frame {status.frame_age * 1000:.0f} ms old", status.engine, status.note]
    _draw_facts(picture, [fact for fact in facts if fact], (pad, bottom.y1 + y), wide - pad, size)


def _draw_facts(picture: Bytes, facts: Sequence[str], corner: tuple[int, int], end: int, size: int) -> None:
    x, y = corner
    between = "  ·  "
    for index, fact in enumerate(facts):
        if index:
            x += put(picture, between, (x, y), size, PALE)
        text = fitted(fact, size, REGULAR, max(0, end - x))
        x += put(picture, text, (x, y), size, WHITE)
        if text != fact:
            return


def _draw_warning(picture: Bytes, status: Status, bar: int, scale: float) -> None:
    wide = picture.shape[1]
    why = "" if status.state == LIVE else f", camera {status.state}"
    size = round(15 * scale)
    text = fitted(f"NOT LIVE: picture {status.frame_age * 1000:.0f} ms old{why}", size, BOLD, wide)
    length = width(text, size, BOLD) + 2 * round(10 * scale)
    left, top = (wide - length) // 2, bar + round(6 * scale)
    fill(picture, Rect(left, top, left + length, top + line_height(size) + round(4 * scale)), ORANGE)
    put(picture, text, (left + round(10 * scale), top + round(2 * scale)), size, INK, BOLD)


def _paste(picture: Bytes, block: Bytes, area: Rect) -> None:
    part = picture[area.y1 : area.y1 + block.shape[0], area.x1 : area.x1 + block.shape[1]]
    part[:] = block[: part.shape[0], : part.shape[1]]
