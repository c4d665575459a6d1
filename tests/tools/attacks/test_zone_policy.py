"""The attack on the policy over zone views: what it optimises, and what it cannot reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_nets import convolutional, named, other_classes, pictures

from models.crop.zones import hide
from models.policy import Policy
from tools.attacks import ZonePolicy
from tools.attacks.batch import frozen, gather
from tools.attacks.eot import EOT, Jitter

SIZE, FILL = 12, (124, 117, 104)
ZONE = np.zeros((SIZE, SIZE), bool)
ZONE[2:8, 0:12] = True
WITHIN = np.zeros((SIZE, SIZE), bool)
WITHIN[3:7, 1:11] = True
BEYOND = WITHIN.copy()
BEYOND[7:11, 1:11] = True
POLICY = Policy(threshold=0.8, zone_confirm=0.3, zone_threshold=0.5)


def attack(**options):
    usual = {"policy": POLICY, "steps": 40, "restarts": 2}
    return ZonePolicy(zones=[ZONE], fill_rgb=FILL, **(usual | options))


def scene(count=6):
    net, crops = convolutional(), pictures(count, SIZE)
    own, other = other_classes(net, crops)
    return net, crops, own, other


def shares(net, crops, goals):
    """On either way, of raw and zone view, what it gives over what it has to give, by plain numpy: (2, 2, N)."""
    each = np.arange(len(crops))
    raw, hidden = named(net, crops), named(net, hide(crops, ZONE, FILL))
    named_by_both = [raw[each, goals] / POLICY.threshold, hidden[each, goals] / POLICY.zone_confirm]
    by_the_zone_alone = [POLICY.threshold / raw.max(axis=1), hidden[each, goals] / POLICY.zone_threshold]
    return np.array([named_by_both, by_the_zone_alone])


def test_the_view_of_a_zone_that_holds_the_accessory_has_exactly_no_gradient():
    net, crops, own, other = scene()
    with frozen(net):
        batch = gather(net, crops, own, other, WITHIN, 0)
        leaf = batch.texture.clone().requires_grad_()
        hidden = attack()._hidden(batch.worn(leaf), torch.from_numpy(ZONE))
        (slope,) = torch.autograd.grad(net(hidden / 255).square().sum(), leaf, allow_unused=False)
    assert float(slope.abs().max()) == 0


def test_within_the_zone_nobody_becomes_known_whom_its_view_does_not_name():
    net, crops, own, other = scene()
    found = attack().run(net, crops, own, other, mask=WITHIN)
    before, after = shares(net, crops, other), shares(net, found.adversarial, other)
    np.testing.assert_allclose(after[:, 1], before[:, 1], rtol=1e-9)
    hopeless = before[0, 1] < 1
    assert hopeless.any()
    assert not found.reached[hopeless].any()
    assert (found.iterations[hopeless] == 0).all()  # no step is wasted on them


def test_a_policy_that_asks_for_a_lead_is_passed_with_that_lead():
    net, crops, own, other = scene()
    found = attack(policy=replace(POLICY, zone_lead=3.0), steps=80).run(net, crops, own, other, mask=BEYOND)
    assert found.reached.any()
    hidden = named(net, hide(found.adversarial, ZONE, FILL))[found.reached]
    goals = np.asarray(other)[found.reached]
    mine = hidden[np.arange(len(goals)), goals].copy()
    hidden[np.arange(len(goals)), goals] = 0
    assert (mine >= 3 * hidden.max(axis=1)).all()
    within = attack(policy=replace(POLICY, zone_lead=3.0)).run(net, crops, own, other, mask=WITHIN)
    assert within.reached.sum() <= attack().run(net, crops, own, other, mask=WITHIN).reached.sum()


def test_beyond_the_zone_both_views_are_convinced_and_the_smaller_share_is_judged():
    net, crops, own, other = scene()
    found = attack(steps=80).run(net, crops, own, other, mask=BEYOND)
    after = shares(net, found.adversarial, other).min(axis=1).max(axis=0)
    np.testing.assert_allclose(found.confidences, after, rtol=1e-5)
    assert found.reached.any()
    assert (after[found.reached] >= 1).all()
    first = [np.append(np.flatnonzero(curve >= 1), -1)[0] for curve in found.history.confidence.T]
    np.testing.assert_array_equal(found.first_fooled, first)
    start = attack(steps=0).run(net, crops, own, other, mask=BEYOND)
    assert (found.confidences >= start.confidences - 1e-6).all()


def test_a_further_zone_s_view_is_asked_for_its_own_share():
    net, crops, own, other = scene()
    below = np.zeros((SIZE, SIZE), bool)
    below[6:12] = True
    both = ZonePolicy(zones=[ZONE, below], fill_rgb=FILL, policy=replace(POLICY, further_confirm=0.2), steps=0)
    found = both.run(net, crops, own, other, mask=BEYOND)
    further = named(net, hide(found.adversarial, below, FILL))[np.arange(len(crops)), other] / 0.2
    first_ways = shares(net, found.adversarial, other).min(axis=1)
    np.testing.assert_allclose(found.confidences, np.minimum(first_ways, further).max(axis=0), rtol=1e-5)
    assert (further < first_ways.max(axis=0)).any()


def test_a_raw_view_that_names_nobody_is_a_way_too():
    """As models/policy.py decides: where the raw view is not confident, the first zone's view names the person."""
    net, crops, own, other = scene(24)
    found = attack(steps=80).run(net, crops, own, other, mask=BEYOND)
    ways = shares(net, found.adversarial, other).min(axis=1)
    assert (found.reached & (ways[0] < 1) & (ways[1] >= 1)).any()


def test_a_fixed_view_that_just_confirms_the_target_does_not_end_the_attack_at_its_start():
    """What it gives cannot be raised, so it must not hide how far the views are that can be changed."""
    net, crops, own, other = scene(24)
    hidden = named(net, hide(crops, ZONE, FILL))[np.arange(len(crops)), other]
    won = 0
    for place in np.flatnonzero(hidden > 0.05):
        barely = replace(POLICY, zone_confirm=float(hidden[place]) / 1.001, zone_threshold=0.999)
        one = slice(place, place + 1)
        found = attack(policy=barely, steps=80).run(net, crops[one], own[one], other[one], mask=WITHIN)
        raw = named(net, found.adversarial)[0, other[place]]
        np.testing.assert_allclose(found.confidences[0], raw / POLICY.threshold, rtol=1e-5)
        won += found.reached[0] and raw > POLICY.threshold
    assert won > 0


def test_what_is_finished_would_also_do_with_logits_that_are_a_little_lower():
    net, crops, own, other = scene(24)
    low = replace(POLICY, zone_confirm=0.0025)
    found = attack(policy=low, steps=80).run(net, crops, own, other, mask=BEYOND)
    each = np.arange(len(crops))
    raw, hidden = named(net, found.adversarial), named(net, hide(found.adversarial, ZONE, FILL))[each, other]
    both = (np.log(raw[each, other] / 0.8) >= 0.3 * 0.2) & (np.log(hidden / 0.0025) >= 0.3 * 0.9975)
    alone = (np.log(0.8 / raw.max(axis=1)) >= 0.3 * 0.2) & (np.log(hidden / 0.5) >= 0.3 * 0.5)
    assert found.reached.any()
    np.testing.assert_array_equal(found.reached, both | alone)


def test_who_convinces_a_policy_that_asks_for_near_certainty_is_finished():
    """A view can give no more than 1, so a fixed factor above what is asked for could be out of reach."""
    net, crops, own, other = scene(24)
    sure = replace(POLICY, zone_confirm=0.98, zone_threshold=0.98)
    found = attack(steps=80, policy=sure).run(net, crops, own, other, mask=BEYOND)
    assert found.reached.any()
    assert (found.iterations[found.reached] < 80).all()
    hidden = named(net, hide(found.adversarial, ZONE, FILL))[np.arange(len(crops)), other]
    assert (hidden[found.reached] > 0.98).all()


def test_restarts_only_ever_help():
    net, crops, own, other = scene(24)
    few, many = (attack(steps=2, restarts=count).run(net, crops, own, other, mask=BEYOND) for count in (1, 3))
    assert (many.confidences >= few.confidences).all()
    assert many.confidences.sum() > few.confidences.sum()


def test_without_a_target_it_is_refused():
    net, crops, own, _ = scene(1)
    with pytest.raises(ValueError, match="give targets"):
        attack().run(net, crops, own, mask=WITHIN)


def test_each_view_of_a_gallery_is_asked_of_its_own_network_and_nobody_is_no_name():
    net, crops, own, other = scene()

    class WithNobody(torch.nn.Module):
        """The net's people, and a last logit that is nobody's."""

        def __init__(self, lower):
            super().__init__()
            self.net, self.lower = net, lower

        def forward(self, x):
            logits = self.net(x)
            return torch.cat([logits, logits.logsumexp(dim=1, keepdim=True) - self.lower], dim=1)

    found = attack()
    found.view_models, found.people = [WithNobody(0.0)], named(net, crops).shape[1]
    with frozen(net):
        batch = gather(net, crops, own, other, BEYOND, 0)
        objective = found.objective(WithNobody(2.0), batch.crops, batch, 0)
    shared = np.array([1 + np.exp(-2.0), 2.0])  # nobody's part of the raw view's softmax and of the zone's
    each = np.arange(len(crops))
    raw, hidden = named(net, crops) / shared[0], named(net, hide(crops, ZONE, FILL)) / shared[1]
    by_both = np.minimum(raw[each, other] / POLICY.threshold, hidden[each, other] / POLICY.zone_confirm)
    by_zone = np.minimum(POLICY.threshold / raw.max(axis=1), hidden[each, other] / POLICY.zone_threshold)
    np.testing.assert_allclose(objective.confidence.numpy(), np.maximum(by_both, by_zone), rtol=1e-3)


def test_what_holds_over_random_views_is_judged_on_the_picture_as_it_is():
    net, crops, own, other = scene()
    jitter = EOT(accessory=Jitter(shift=1 / SIZE), crop=Jitter(shift=1 / SIZE), samples=2)
    found = attack(eot=jitter, steps=30).run(net, crops, own, other, mask=BEYOND)
    np.testing.assert_allclose(
        found.confidences, shares(net, found.adversarial, other).min(axis=1).max(axis=0), rtol=1e-5
    )
    start = attack(steps=0).run(net, crops, own, other, mask=BEYOND)
    assert found.confidences.mean() > start.confidences.mean()
