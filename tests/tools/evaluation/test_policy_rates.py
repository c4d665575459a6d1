"""What the policy's views certify, on probabilities written out by hand."""

import numpy as np
import pytest

from models.gallery.gallery import Gallery
from models.gallery.match import Scale
from models.policy import Policy
from tools.crafting.attacked_faces import NOBODY
from tools.evaluation.open_set import Faces
from tools.evaluation.policy_rates import against_gallery_size, covered, decided, given_name_is_safe

POLICY = Policy(zone_confirm=0.5, further_confirm=0.3, floor=0.1)

#: Three faces, two views, two people. The first face is everywhere person 0's; of the second one the further view gives
#: person 1 what a known name needs; nobody gets enough of the third.
VIEWS = np.float32([[[0.9, 0.05], [0.8, 0.1]], [[0.9, 0.05], [0.4, 0.35]], [[0.2, 0.2], [0.1, 0.1]]])


def test_a_face_is_covered_where_no_view_gives_anybody_else_what_a_known_name_needs():
    assert covered(POLICY, VIEWS, np.array([0, 0, 0])).tolist() == [True, False, True]


def test_of_a_stranger_no_view_may_give_anybody_that_much():
    assert covered(POLICY, VIEWS, np.full(3, NOBODY)).tolist() == [False, False, True]


def test_a_given_name_is_counted_over_the_names_that_are_not_the_faces_own():
    assert given_name_is_safe(POLICY, VIEWS, np.array([0, 0, 0])) == round(2 / 3, 4)
    assert given_name_is_safe(POLICY, VIEWS, np.full(3, NOBODY)) == round(3 / 6, 4)


def test_people_are_decided_on_by_the_policys_own_rule():
    raw = np.float32([[0.95, 0.01], [0.95, 0.01], [0.3, 0.3]])
    states = [one.state for one in decided(POLICY, raw, VIEWS, ("eyewear", "lower_face"))]
    assert states[0] == "known"
    assert states[2] == "unknown"


@pytest.mark.parametrize(("size", "known", "n"), [(1, 1, 4), (2, 0, 1)])
def test_with_more_people_in_the_gallery_their_own_pictures_are_no_strangers(size, known, n):
    """Two people with three pictures, one with one; it looks like both, in every view: known where only one is."""
    axes = np.eye(3, dtype=np.float32)
    vectors = np.stack([axes[0]] * 3 + [axes[1]] * 3 + [axes[:2].sum(axis=0) / np.sqrt(2)]).astype(np.float32)
    labels = np.array([0, 0, 0, 1, 1, 1, 2])
    faces = Faces(np.stack([vectors, vectors], axis=1), labels, ("A", "B", "C"), tuple("abcdefg"))
    like = Gallery((), "trunk", "cover", ("eyewear",))
    cohort = np.stack([axes[2:], axes[2:]])
    policy = Policy(threshold=0.9, zone_confirm=0.9, zone_threshold=0.9, confirm=0.0)
    found = against_gallery_size(policy, faces, cohort, Scale(0.1), (size,), like=like)[str(size)]
    assert found["raw_named"]["n"] == found["known"]["n"] == n
    assert found["raw_named"]["right"] == found["known"]["right"] == known
