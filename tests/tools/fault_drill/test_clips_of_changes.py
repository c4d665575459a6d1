"""The clips show whom their truth says, by the colour of each face's eyes."""

import numpy as np
import pytest
from portraits import COLOURS, cast, plain

from tools.fault_drill.changes import Cast, changes, hand_over, morph, swap, wipe
from tools.fault_drill.scenes import FPS, STRANGER, TILE, Clip, Placed, tile_landmarks

EYES = round(float(tile_landmarks()[0, 1]))
CLIPS = changes(cast())


def eyes_of(one: Placed) -> tuple[int, ...]:
    return tuple(int(value) for value in one.tile[EYES, TILE // 2])


def test_there_are_twenty_clips_of_one_two_and_four_faces() -> None:
    assert len(CLIPS) == 20
    assert len({clip.name for clip in CLIPS}) == 20
    assert {clip.faces for clip in CLIPS} == {1, 2, 4}


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.name)
def test_before_and_after_a_change_everybody_is_whom_the_truth_says(clip: Clip) -> None:
    for number in (0, clip.count - 1):
        there = [one for one in clip.scene(number) if one.name is not None]
        assert len(there) == len(clip.truth(number)) >= min(clip.faces, 1)
        for one in there:
            if "glasses" not in clip.name or number == 0:
                assert eyes_of(one) == COLOURS[str(one.name)]


def test_a_morph_turns_over_in_its_middle() -> None:
    clip = morph(plain("Ada"), plain("Bob"), 1.0, before=1.0)
    middle = round(1.5 * FPS)
    assert [clip.truth(number)[0].name for number in (middle - 2, middle + 2)] == ["Ada", "Bob"]
    np.testing.assert_allclose(eyes_of(clip.scene(FPS + 5)[0]), (0, 40, 160))  # 5 of 25 pictures: a fifth of the way


def test_after_a_hand_over_only_the_lower_half_is_the_first_one_s() -> None:
    clip = hand_over(plain("Ada"), plain("Bob"), 0.4)
    tile = clip.scene(clip.count - 1)[0].tile
    assert tuple(tile[0, 0]) == COLOURS["Bob"]
    assert tuple(tile[-1, 0]) == COLOURS["Ada"]
    assert clip.truth(clip.count - 1)[0].name == "Bob"


def test_a_wipe_turns_over_as_it_passes_the_eyes() -> None:
    clip = wipe(plain("Ada"), plain("Bob"), 0.8)
    for number in range(40, 80, 2):
        name = clip.truth(number)[0].name
        above, below = (clip.scene(number)[0].tile[row, 0] for row in (EYES - 12, EYES + 12))
        assert name == "Bob" or tuple(below) == COLOURS["Ada"]
        assert name == "Ada" or tuple(above) == COLOURS["Bob"]


def test_in_a_swap_everybody_moves_one_place_on() -> None:
    clip = swap((plain("Ada"), plain("Bob")), ((40.0, 120.0), (360.0, 120.0)))
    assert [one.name for one in clip.truth(0)] == ["Ada", "Bob"]
    assert [one.name for one in clip.truth(clip.count - 1)] == ["Bob", "Ada"]


def test_a_cast_of_too_few_is_refused() -> None:
    with pytest.raises(ValueError, match="4 different"):
        Cast([plain("Ada")] * 4, plain(STRANGER))
