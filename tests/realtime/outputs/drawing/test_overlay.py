import re
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evidence import CropEvidence
from models.policy import Decision
from realtime.outputs.drawing import overlay
from realtime.outputs.drawing import panel as overlay_panel
from realtime.outputs.drawing import style as overlay_style
from realtime.outputs.drawing import text as overlay_text
from realtime.outputs.drawing.overlay import Overlay, Status, clock
from realtime.outputs.drawing.panel import Thumbnails, block_size
from realtime.types import DetectedFace, TrackedFace
from realtime.verdicts.agreement import VerdictRules
from realtime.verdicts.verdict import VerdictKeeper

NOW = 1000.0
STATUS = Status("door", "onnxruntime, CPU", 24.96, captured_at=NOW - 0.034, wall_time=1.7e9, now=NOW)
KNOWN = Decision.known("Renée", 0.95)
ATTACK = Decision.suspected("Tom Cruise", 0.97, likely="Renée", reason="not borne out", dissent="saliency")
STRANGER = Decision.unknown("stranger", 0.41)
SIDE = 112
draw = Overlay().draw


def evidence(raw=0.97, defended=0.88, known="Renée"):
    """``raw``: what the undefended view gives Tom Cruise; ``defended``: what the masked one gives ``known``."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[30:50, 20:90] = True
    return CropEvidence(
        labels=("Tom Cruise", known),
        raw=np.array([raw, 1 - raw], np.float32),
        saliency=mask.astype(np.float32),
        mask=mask,
        masked_crop=np.full((SIDE, SIDE, 3), (200, 120, 40), np.uint8),
        defended=np.array([1 - defended, defended], np.float32),
        views=np.zeros((0, 2), np.float32),
        zones=(),
    )


def verdict_on(decision, track=0, age=0.12, epoch=0, picture=None):
    keeper = VerdictKeeper(VerdictRules(agreement=1))
    keeper.add(
        track,
        epoch,
        decision,
        picture or evidence(0.05 if decision.state == "known" else 0.97),
        NOW - age - 0.1,
        NOW - age,
    )
    return keeper.verdict(track, NOW)


def face_at(box, track=0, epoch=0):
    return TrackedFace(track, DetectedFace(np.array(box, np.float32), np.zeros((5, 2), np.float32), 0.99), epoch)


def grey(width=640, height=480):
    return np.full((height, width, 3), 128, np.uint8)


BOX = (250, 180, 370, 330)


@pytest.fixture
def words(monkeypatch):
    """Every text that is drawn."""
    drawn = []

    def noting(picture, text, *rest):
        drawn.append(text)
        return overlay_text.put(picture, text, *rest)

    for module in (overlay, overlay_panel, overlay_style):
        monkeypatch.setattr(module, "put", noting)
    return drawn


def shown(words, decision, status=STATUS, **kwargs):
    draw(grey(), [face_at(BOX)], {0: verdict_on(decision, **kwargs)}, status)
    return words


@pytest.mark.parametrize(
    ("decision", "raw", "expected"),
    [
        (KNOWN, 0.05, ["KNOWN", "Renée", "raw", "95 %", "masked", "88 %", "120 ms old"]),
        (STRANGER, 0.97, ["UNKNOWN", "stranger", "raw", "97 %", "masked", "12 %", "120 ms old"]),
        (
            ATTACK,
            0.97,
            ["SUSPECTED ATTACK", "claimed", "Tom Cruise", "likely", "Renée", "97 %", "88 %", "saliency", "masked"],
        ),
    ],
)
def test_a_verdict_is_told_in_words(words, decision, raw, expected):
    assert set(expected) <= set(shown(words, decision, picture=evidence(raw)))


def test_an_attack_on_a_name_that_is_likely_all_the_same_says_which_view_denies_it(words):
    denied = replace(ATTACK, likely="Tom Cruise", dissent="lower_face")
    text = shown(words, denied)
    assert {"claimed", "Tom Cruise", "but not without the lower face", "97 %", "12 %"} <= set(text)
    assert "likely" not in text


def test_the_status_is_told_in_words(words):
    text = shown(words, KNOWN, status=replace(STATUS, note="act 2: glasses"))
    assert {"LIVE", "door", "25.0 fps", "frame 34 ms old", "onnxruntime, CPU", "act 2: glasses"} <= set(text)
    assert clock(1.7e9) in text


def test_the_clock_has_date_time_and_zone(monkeypatch):
    try:
        monkeypatch.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        assert clock(1.7e9) == "2023-11-15 03:43:20 UTC+05:30"
    except AttributeError:
        pytest.skip("this system's time zone cannot be set")
    finally:
        monkeypatch.undo()
        if hasattr(time, "tzset"):
            time.tzset()


def test_an_old_verdict_is_not_shown_as_current(words):
    text = shown(words, KNOWN, age=0.9)
    assert {"NO CURRENT VERDICT", "last: known Renée", "900 ms old"} <= set(text)
    assert not {"KNOWN", "raw", "masked"} & set(text)


def test_an_old_attack_is_shown_without_its_pictures(words):
    assert not {"saliency", "masked", "SUSPECTED ATTACK"} & set(shown(words, ATTACK, age=0.9))


def test_a_verdict_of_an_earlier_epoch_is_not_shown(words):
    draw(grey(), [face_at(BOX, epoch=1)], {0: verdict_on(KNOWN, epoch=0)}, STATUS)
    assert "Renée" not in words
    assert "UNDECIDED" in words


def test_a_face_without_a_verdict_is_undecided(words):
    draw(grey(), [face_at(BOX)], {}, STATUS)
    assert {"UNDECIDED", "not decided yet"} <= set(words)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"captured_at": NOW - 3.24}, {"STALE", "NOT LIVE: picture 3240 ms old"}),
        ({"state": "lost"}, {"LOST", "NOT LIVE: picture 34 ms old, camera lost"}),
        ({"captured_at": NOW - 0.3, "max_frame_age": 0.2}, {"STALE", "NOT LIVE: picture 300 ms old"}),
    ],
)
def test_a_stale_picture_says_so_and_loses_its_colours(words, change, expected):
    frame = grey()
    frame[:] = (40, 90, 200)
    picture = draw(frame, [], {}, replace(STATUS, **change))
    assert expected <= set(words)
    assert "LIVE" not in words
    middle = picture[200:400].astype(int)
    assert (middle == middle[..., :1]).all()


def test_a_live_picture_keeps_its_pixels_where_nothing_is_drawn():
    frame = np.random.default_rng(1).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    picture = draw(frame, [], {}, STATUS)
    assert np.array_equal(picture[40:440], frame[40:440])
    assert not np.array_equal(picture[:20], frame[:20])


def test_the_frame_itself_is_left_as_it_was():
    frame = grey()
    frame.setflags(write=False)
    picture = draw(frame, [face_at(BOX)], {0: verdict_on(ATTACK)}, STATUS)
    assert (frame == 128).all()
    assert picture.shape == frame.shape
    assert picture.flags.writeable


def test_the_states_differ_without_colour():
    """The left edge of the box as a row of light and dark: the share of it that the line covers, and how wide."""

    def left_edge(decision, age=0.1):
        picture = draw(grey(), [face_at(BOX)], {0: verdict_on(decision, age=age)}, STATUS)
        drawn = (picture[BOX[1] : BOX[3], BOX[0] - 8 : BOX[0] + 9] != 128).any(-1)
        return round(drawn.any(1).mean(), 1), int(drawn.sum(1).max())

    solid, dashed, corners, dotted = left_edge(KNOWN), left_edge(STRANGER), left_edge(ATTACK), left_edge(KNOWN, 0.9)
    assert solid[0] == corners[0] == 1.0
    assert 0.5 <= dashed[0] <= 0.8
    assert dotted[0] < dashed[0]
    assert corners[1] > solid[1] + 1


def test_words_stand_out_from_their_ground():
    """WCAG 2 asks for a contrast of 4.5 for text of this size."""

    def luminance(colour):
        channels = [c / 255 for c in colour]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.0722 * linear[0] + 0.7152 * linear[1] + 0.2126 * linear[2]

    ground = np.full((10, 10, 3), 255, np.uint8)  # the worst case: a white wall behind the translucent panel
    overlay_style.shade(ground, overlay_style.Rect(0, 0, 10, 10))
    below = luminance(ground[5, 5])
    styles = [*overlay_style.STYLES.values(), overlay_style.NOT_CURRENT]
    for colour in [overlay_style.WHITE, overlay_style.PALE, *(style.colour for style in styles)]:
        assert (luminance(colour) + 0.05) / (below + 0.05) >= 4.5, colour


def test_panel_and_pictures_leave_the_face_free():
    frame = np.random.default_rng(2).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    for box in [(250, 180, 370, 330), (5, 40, 150, 200), (490, 30, 635, 200), (490, 300, 635, 450), (5, 300, 150, 450)]:
        picture = draw(frame, [face_at(box)], {0: verdict_on(ATTACK)}, STATUS)
        x1, y1, x2, y2 = box
        inner = np.s_[y1 + 32 : y2 - 32, x1 + 32 : x2 - 32]  # within the heavy corners
        assert np.array_equal(picture[inner], frame[inner]), box


def test_pictures_of_an_attack_show_the_evidence():
    picture = evidence()
    block = Thumbnails().block(picture, 84, upright=False, colour=(40, 120, 255))
    width, height = block_size(84, upright=False)
    assert block.shape == (height, width, 3)
    heat, masked = block[-86:-2, 2:86].astype(int), block[-86:-2, 88:172].astype(int)
    rows, columns = slice(26, 34), slice(20, 60)  # within the mask of the evidence, scaled to 84
    assert heat[rows, columns].sum(-1).min() > heat[60:80].sum(-1).max() + 200
    assert (masked[60:80] == (40, 120, 200)).all()  # the crop's colour, as BGR
    assert (masked == (40, 120, 255)).all(-1).any()  # the outline


def test_pictures_are_drawn_once_for_each_evidence(monkeypatch):
    made = []
    original = overlay_panel._block
    monkeypatch.setattr(overlay_panel, "_block", lambda e, *a, **k: made.append(e) or original(e, *a, **k))
    one = Overlay()
    first, second = evidence(), evidence(0.9)
    for picture in (first, first, second, first, second):
        one.draw(grey(), [face_at(BOX)], {0: verdict_on(ATTACK, picture=picture)}, STATUS)
    assert made == [first, second]
    for _ in range(100):
        one.draw(grey(), [face_at(BOX)], {0: verdict_on(ATTACK, picture=evidence())}, STATUS)
    assert len(one._thumbnails._made) <= Thumbnails.KEPT


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 900),
    st.integers(1, 700),
    st.lists(st.tuples(*[st.floats(-300, 1200, width=32)] * 4), max_size=8),
    st.sampled_from([KNOWN, ATTACK, STRANGER]),
    st.sampled_from(["live", "lost"]),
    st.text(max_size=30),
)
def test_any_frame_with_any_faces_can_be_drawn(width, height, boxes, decision, state, camera):
    verdicts = {track: verdict_on(decision, track) for track in range(len(boxes))}
    tracks = [face_at(box, track) for track, box in enumerate(boxes)]
    picture = draw(grey(width, height), tracks, verdicts, replace(STATUS, state=state, camera=camera))
    assert picture.shape == (height, width, 3)


def test_a_very_long_name_is_shortened(words):
    name = "Hubert Blaine Wolfeschlegelsteinhausenbergerdorff senior of Philadelphia"
    text = shown(words, replace(KNOWN, identity=name), picture=evidence(0.05, known=name))
    assert any(re.fullmatch(r"Hubert Blaine Wolf.*…", piece) for piece in text)


def test_drawing_two_faces_takes_at_most_6_ms():
    frame, tracks = grey(), [face_at((60, 100, 200, 280), 0), face_at((380, 120, 510, 290), 1)]
    verdicts = {0: verdict_on(ATTACK, 0), 1: verdict_on(STRANGER, 1)}
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    times = []
    for index in range(30):
        status = replace(STATUS, now=NOW + index / 1000)  # other words every time
        started = time.thread_time()
        draw(frame, tracks, verdicts, status)
        times.append(time.thread_time() - started)
    cv2.setNumThreads(threads)
    assert sorted(times)[len(times) // 2] <= 0.006


def test_thumbnails_can_be_left_out_and_landmarks_drawn():
    attacked = {0: verdict_on(ATTACK)}
    face = face_at(BOX)
    face.face.landmarks[:] = [(280, 220), (340, 220), (310, 250), (285, 290), (335, 290)]
    usual, bare = Overlay().draw(grey(), [face], attacked, STATUS), Overlay(thumbnails=False)
    without = bare.draw(grey(), [face], attacked, STATUS)
    assert (usual != without).any(axis=2).sum() > 1000  # the block of pictures
    marked = Overlay(landmarks=True).draw(grey(), [face], attacked, STATUS)
    changed = np.argwhere((marked != usual).any(axis=2))
    assert {tuple(point[::-1]) for point in changed} >= {(280, 220), (335, 290)}
    assert len(changed) < 5 * 60
