"""A patch whose place the attacker chooses."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_nets import convolutional, other_classes, pictures

from models.policy import Policy
from tools.attacks.placed_patch import PlacedPatch, moved_everywhere
from tools.attacks.zone_policy import ZonePolicy

SIZE = 12
ZONE = np.zeros((SIZE, SIZE), bool)
ZONE[2:8, 0:12] = True
PATCH = np.zeros((SIZE, SIZE), bool)
PATCH[4:7, 5:8] = True
KNOWN = {
    "zones": [ZONE],
    "fill_rgb": (124, 117, 104),
    "policy": Policy(threshold=0.5, zone_confirm=0.05, zone_threshold=0.3),
}


def scene(count=8):
    net, crops = convolutional(), pictures(count, SIZE)
    own, other = other_classes(net, crops)
    return net, crops, own, other


def test_the_patch_keeps_its_shape_and_reaches_every_edge():
    moved = moved_everywhere(PATCH, 4)
    assert moved.shape == (16, SIZE, SIZE)
    assert (moved.sum(axis=(1, 2)) == PATCH.sum()).all()
    assert len(np.unique(moved.reshape(16, -1), axis=0)) == 16
    corners = [moved[place] for place in (0, 3, 12, 15)]
    assert [one[:3, :3].all() or one[:3, -3:].all() or one[-3:, :3].all() or one[-3:, -3:].all() for one in corners]
    assert moved.any(axis=0).all()


def test_a_single_place_is_the_middle():
    (alone,) = moved_everywhere(PATCH, 1)
    assert alone[4:7, 4:7].all() or alone[5:8, 5:8].all()
    assert alone.sum() == 9


def test_only_the_chosen_place_is_changed_and_it_is_never_worse_than_its_scouting():
    net, crops, own, other = scene()
    attack = PlacedPatch(places=3, scouting=3, steps=20, restarts=2, **KNOWN)
    found = attack.run(net, crops, own, other, mask=PATCH, seed=3)
    assert found.regions is not None
    changed = (found.adversarial != crops).any(axis=3)
    assert not (changed & ~found.regions).any()
    scouted = [
        ZonePolicy(steps=3, restarts=1, **KNOWN).run(net, crops, own, other, mask=one, seed=3)
        for one in moved_everywhere(PATCH, 3)
    ]
    best = np.max([one.confidences for one in scouted], axis=0)
    assert (found.reached | (found.confidences >= 0.9 * best)).all()
    assert found.confidences.sum() > best.sum()
    assert (attack.steps, attack.restarts) == (20, 2)


def test_more_faces_fall_than_to_the_same_patch_in_one_place():
    net, crops, own, other = scene(16)
    placed = PlacedPatch(places=4, scouting=5, steps=20, restarts=3, **KNOWN).run(net, crops, own, other, mask=PATCH)
    still = ZonePolicy(steps=20, restarts=3, **KNOWN).run(net, crops, own, other, mask=PATCH)
    assert placed.reached.sum() > still.reached.sum()


@pytest.mark.parametrize(("places", "scouting"), [(0, 5), (3, -1)])
def test_nowhere_to_put_it_is_refused(places, scouting):
    with pytest.raises(ValueError, match="give at least"):
        PlacedPatch(places=places, scouting=scouting, **KNOWN)


def test_a_mask_without_a_pixel_is_refused():
    with pytest.raises(ValueError, match="without a pixel"):
        moved_everywhere(np.zeros((SIZE, SIZE), bool), 3)
