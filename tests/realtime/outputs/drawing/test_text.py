import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.outputs.drawing import text as overlay_text
from realtime.outputs.drawing.text import BOLD, REGULAR, fitted, line_height, printable, put, rendered, width

needs_opencv_5 = pytest.mark.skipif(not hasattr(cv2, "FontFace"), reason="OpenCV 4 has no fonts of its own")


RENDERERS = [
    pytest.param(overlay_text._with_opencv, id="opencv", marks=needs_opencv_5),
    pytest.param(overlay_text._with_pillow, id="pillow"),
]


@pytest.mark.parametrize("render", RENDERERS)
@pytest.mark.parametrize("name", ["Renée", "Žižek", "Ωμέγα", "Иван"])
def test_names_of_many_scripts_do_not_become_question_marks_or_boxes(render, name):
    missing = render("\U0010fffd" * len(name), 16, REGULAR)  # a code point that no font has
    shown = render(name, 16, REGULAR)
    assert shown.max() > 200
    for wrong in ("?" * len(name), name.encode("ascii", "replace").decode(), name.encode().decode("latin-1")):
        assert not np.array_equal(shown, render(wrong, 16, REGULAR))
    assert not np.array_equal(shown, missing)
    glyphs = [render(letter, 16, REGULAR) for letter in dict.fromkeys(name)]
    assert len({glyph.tobytes() for glyph in glyphs}) == len(glyphs)  # a missing glyph looks like every other


@needs_opencv_5
def test_chinese_names_are_written_in_chinese():
    glyphs = {overlay_text._with_opencv(letter, 16, REGULAR).tobytes() for letter in "王小明?"}
    assert len(glyphs) == 4


@pytest.mark.parametrize("render", RENDERERS)
def test_nothing_is_cut_off(render):
    shown = render("ÄŽgjpqy|Å", 20, BOLD)
    assert shown.shape[0] == line_height(20)
    assert shown[0].max() == shown[-1].max() == 0
    assert shown[:, -1].max() < 128


def test_an_accent_is_drawn():
    assert rendered("é", 20)[:9].sum() > rendered("e", 20)[:9].sum()


@pytest.mark.parametrize(
    ("text", "clean"),
    [("Renée", "Renée"), ("a\nb\tc", "a b c"), ("\x1b[31m", "�[31m"), ("broken \udcff name", "broken � name")],
)
def test_control_characters_and_broken_unicode_are_made_visible(text, clean):
    assert printable(text) == clean


@given(st.text(st.characters(), max_size=12))
def test_every_text_can_be_drawn(text):
    assert rendered(text, 12).shape[0] == line_height(12)


@given(st.text(max_size=40), st.integers(0, 200))
def test_a_fitted_text_fits(text, room):
    shown = fitted(text, 12, REGULAR, room)
    assert shown == "" or width(shown, 12) <= room
    if width(text, 12) <= room:
        assert shown == text


def test_a_shortened_text_keeps_as_much_as_fits():
    name = "Wolfeschlegelsteinhausenbergerdorff"
    room = width(name[:10] + "…", 12)
    assert fitted(name, 12, REGULAR, room) == name[:10] + "…"


@given(st.integers(-80, 90), st.integers(-40, 60))
def test_text_is_clipped_at_the_edges_of_the_picture(x, y):
    large, small = np.zeros((200, 300, 3), np.uint8), np.zeros((40, 60, 3), np.uint8)
    put(large, "Renée", (x + 100, y + 50), 14, (10, 200, 90))
    put(small, "Renée", (x, y), 14, (10, 200, 90))
    assert np.array_equal(small, large[50:90, 100:160])


def test_full_ink_has_the_colour_asked_for():
    picture = np.full((40, 80, 3), 50, np.uint8)
    put(picture, "■■", (2, 2), 24, (10, 200, 90), BOLD)
    assert (picture == (10, 200, 90)).all(-1).sum() > 100
