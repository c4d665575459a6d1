import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.outputs.drawing.layout import Rect, beside, best_place, clipped

FRAME = Rect(0, 0, 640, 480)
whole = st.integers(-200, 900)
rects = st.builds(lambda x, y, w, h: Rect(x, y, x + w, y + h), whole, whole, st.integers(1, 400), st.integers(1, 400))


def painted(rect):
    """The pixels of a rectangle, as a set would count them."""
    canvas = np.zeros((1600, 1600), bool)
    canvas[rect.y1 + 200 : rect.y2 + 200, rect.x1 + 200 : rect.x2 + 200] = True
    return canvas


@given(rects, rects)
def test_common_pixels_are_those_painted_by_both(first, second):
    assert first.common(second) == (painted(first) & painted(second)).sum()


@given(rects)
def test_moving_into_the_frame_keeps_the_size_and_leaves_nothing_outside(rect):
    moved = rect.moved_into(FRAME)
    assert (moved.width, moved.height) == (rect.width, rect.height)
    assert moved.common(FRAME) == moved.area
    if rect.common(FRAME) == rect.area:
        assert moved == rect


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10.4, 20.6, 30.0, 40.0), Rect(10, 21, 30, 40)),
        ((-50, -50, 700, 700), FRAME),
        ((700, 10, 800, 90), Rect(640, 10, 640, 90)),
        ((float("nan"), 0, 10, 10), Rect(0, 0, 0, 0)),
        ((0, 0, float("inf"), 10), Rect(0, 0, 0, 0)),
        ((30, 30, 20, 20), Rect(30, 30, 30, 30)),
    ],
)
def test_a_detectors_box_is_cut_to_the_frame(box, expected):
    assert clipped(np.array(box, np.float32), FRAME) == expected


def test_a_block_goes_above_its_face_where_there_is_room():
    face = Rect(200, 200, 300, 320)
    assert best_place(beside(face, 150, 60, 5), FRAME, face, [], []) == Rect(200, 135, 350, 195)


def test_a_face_at_the_top_has_its_block_below():
    face = Rect(200, 10, 300, 120)
    assert best_place(beside(face, 150, 60, 5), FRAME, face, [], []).y1 == 125


@given(st.integers(0, 490), st.integers(0, 330), st.integers(20, 150), st.integers(20, 150))
def test_a_block_never_covers_its_face_while_there_is_room_somewhere(x, y, wide, high):
    face = Rect(x, y, x + wide, y + high)
    place = best_place(beside(face, 200, 80, 5), FRAME, face, [], [])
    assert place.common(face) == 0
    assert place.common(FRAME) == place.area


def test_blocks_keep_off_other_faces_and_blocks():
    face, neighbour = Rect(250, 200, 350, 300), Rect(250, 60, 350, 195)
    first = best_place(beside(face, 120, 60, 5), FRAME, face, [neighbour], [])
    second = best_place(beside(face, 120, 60, 5), FRAME, face, [neighbour], [first])
    assert first.common(neighbour) == second.common(neighbour) == first.common(second) == 0
