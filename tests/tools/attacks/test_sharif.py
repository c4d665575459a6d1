"""The update rule against plain numpy, worked out step by step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_nets import convolutional, named, other_classes, pictures, two_layers
from torch import nn

from tools.attacks import EOT, Jitter, Sharif
from tools.attacks.start import COLOURS


def by_hand(net, crops, goal, mask, *, steps, targeted=True, joint=False):
    """Sharif et al.'s rule on Linear, ReLU, Linear, in numpy with loops; returns textures after each step."""
    first, second = net[1], net[3]
    w1, b1 = first.weight.detach().numpy(), first.bias.detach().numpy()
    w2, b2 = second.weight.detach().numpy(), second.bias.detach().numpy()

    def forward(picture):
        x = picture.transpose(2, 0, 1).ravel() / 255.0
        hidden = w1 @ x + b1
        logits = w2 @ np.maximum(hidden, 0) + b2
        powers = np.exp(logits - logits.max())
        return hidden, powers / powers.sum()

    def slope(picture, wanted):
        hidden, p = forward(picture)
        one_hot = np.eye(len(p))[wanted]
        g = (w1.T @ ((w2.T @ (p - one_hot)) * (hidden > 0))) / 255.0
        g = g.reshape(3, *picture.shape[:2]).transpose(1, 2, 0)
        return g if targeted else -g

    def worn(i, texture):
        return np.where(mask[..., None], texture, crops[i].astype(float))

    def score(i, colour):
        return forward(worn(i, np.broadcast_to(np.array(colour, float), crops[i].shape)))[1][goal[i]]

    scores = np.array([[score(i, colour) for colour in COLOURS] for i in range(len(crops))])
    if joint:
        scores = np.broadcast_to(scores.mean(0), scores.shape)
    best = scores.argmax(1) if targeted else scores.argmin(1)
    textures = [np.broadcast_to(np.array(COLOURS[k], float), crops[0].shape).copy() for k in best]
    velocity = [np.zeros(crops[0].shape) for _ in crops]
    share = len(crops) if joint else 1
    trail = [[t.copy() for t in textures]]
    for _ in range(steps):
        for i in range(len(crops)):
            g = slope(worn(i, textures[i]), goal[i]) * mask[..., None]
            largest = np.abs(g).max()
            velocity[i] = 0.4 * velocity[i] - (20.0 / share * g / largest if largest else 0)
        for i in range(len(crops)):
            for j in range(len(crops)) if joint else [i]:
                moved = textures[i] + velocity[j]
                out = (moved < 0) | (moved > 255)
                textures[i] = np.where(out, textures[i], moved)
            textures[i] = np.floor(textures[i])
        trail.append([t.copy() for t in textures])
    return trail


@pytest.mark.parametrize("targeted", [True, False])
@pytest.mark.parametrize("joint", [True, False])
@pytest.mark.parametrize("steps", [0, 1, 2, 7])
def test_the_update_rule_is_the_published_one_step_by_step(targeted, joint, steps):
    net, crops = two_layers(), pictures(3, 4)
    own, other = other_classes(net, crops)
    if joint:
        own, other = own[:1].repeat(3), other[:1].repeat(3)
    mask = np.zeros((4, 4), bool)
    mask[1:3] = True
    expected = by_hand(net, crops, other if targeted else own, mask, steps=steps, targeted=targeted, joint=joint)[-1]
    attack = Sharif(steps=steps, joint=joint, target_confidence=1.0, own_confidence=0.0)
    attack_result = last_textures(attack, net, crops, own, other if targeted else None, mask)
    for got, want in zip(attack_result, expected, strict=True):
        np.testing.assert_array_equal(got[mask], want[mask])


def last_textures(attack, net, crops, labels, targets, mask):
    """The texture after the last step (the result itself holds the best one)."""
    seen = {}
    original = attack.objective

    def noting(model, pixels, batch, step):
        seen["texture"] = batch.texture.clone()
        return original(model, pixels, batch, step)

    attack.objective = noting
    attack.run(net, crops, labels, targets, mask=mask)
    return seen["texture"].permute(0, 2, 3, 1).numpy()


def test_an_update_that_would_leave_the_range_is_dropped_not_clipped():
    net = nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False)).double()
    with torch.no_grad():
        net[1].weight.copy_(torch.tensor([[0.0, 0, 0], [1.0, 1, 1]]))  # brighter means class 1
    crops = np.zeros((1, 1, 1, 3), np.uint8)
    attack = Sharif(steps=300, target_confidence=1.0)
    texture = attack.run(net, crops, [0], [1], mask=np.ones((1, 1), bool)).textures[0, 0, 0]
    # best start: yellow (220, 210, 50). Velocities 20, 28, 31.2, ...; a colour moves the whole way or not at all:
    # red 240; green 230; blue 70, 98, 129(.2), 161(.48), 193(.99), 226(.2).
    assert texture.tolist() == [240, 230, 226]


def test_the_best_of_five_colours_starts():
    net = nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False)).double()
    with torch.no_grad():
        net[1].weight.copy_(torch.tensor([[0.0, 0, 0], [0, 0, 1.0]]))  # blue means class 1
    found = Sharif(steps=0).run(net, np.zeros((1, 1, 1, 3), np.uint8), [0], [1], mask=np.ones((1, 1), bool))
    assert found.textures[0, 0, 0].tolist() == [128, 128, 128]
    found = Sharif(steps=0).run(net, np.zeros((1, 1, 1, 3), np.uint8), [1], None, mask=np.ones((1, 1), bool))
    assert found.textures[0, 0, 0].tolist() == [220, 130, 0]


def test_impersonation_stops_at_the_threshold_and_says_after_how_many_updates():
    net, crops = convolutional(), pictures(6, 12)
    own, other = other_classes(net, crops)
    mask = np.ones((12, 12), bool)
    found = Sharif(steps=60).run(net, crops, own, other, mask=mask)
    assert found.reached.any()
    for i in np.flatnonzero(found.reached):
        stop = found.iterations[i]
        curve = found.history.confidence[:, i]
        assert curve[stop] > 0.95
        assert (curve[:stop] <= 0.95).all()
        assert np.isnan(curve[stop + 1 :]).all()
    after = named(net, found.adversarial)[np.arange(6), other]
    np.testing.assert_allclose(after, found.confidences, atol=1e-6)


def test_dodging_stops_below_one_percent_of_the_own_class():
    net, crops = convolutional(), pictures(4, 12)
    own, _ = other_classes(net, crops)
    found = Sharif(steps=100).run(net, crops, own, mask=np.ones((12, 12), bool))
    assert found.reached.any()
    assert (named(net, found.adversarial)[np.arange(4), own][found.reached] < 0.01).all()


@pytest.mark.parametrize("targeted", [True, False])
def test_the_first_step_that_fools_is_told_long_before_the_stop(targeted):
    net, crops = convolutional(), pictures(6, 12)
    own, other = other_classes(net, crops)
    attack = Sharif(steps=30)
    seen = []  # (image, step, who is named)
    original = attack.objective

    def noting(model, pixels, batch, step):
        named_now = model(pixels / 255).argmax(1)
        seen.extend((int(i), step, int(name)) for i, name in zip(batch.index, named_now, strict=True))
        return original(model, pixels, batch, step)

    attack.objective = noting
    found = attack.run(net, crops, own, other if targeted else None, mask=np.ones((12, 12), bool))
    for i in range(6):
        fooled = [step for j, step, name in seen if j == i and (name == other[i] if targeted else name != own[i])]
        assert found.first_fooled[i] == (fooled[0] if fooled else -1)
    assert (found.first_fooled[found.reached] < found.iterations[found.reached]).any()


def test_nothing_outside_the_mask_changes():
    net, crops = convolutional(), pictures(2, 12)
    own, other = other_classes(net, crops)
    mask = np.zeros((12, 12), np.float32)
    mask[3:6, 1:11] = 1.0
    mask[6, 1:11] = 0.4
    found = Sharif(steps=5).run(net, crops, own, other, mask=mask)
    outside = mask < 0.5
    np.testing.assert_array_equal(found.adversarial[:, outside], crops[:, outside])
    assert (found.textures[:, outside] == 0).all()


def test_finished_images_leave_the_batch():
    net, crops = convolutional(), pictures(6, 12)
    own, other = other_classes(net, crops)
    sizes = []
    net.register_forward_hook(lambda _, given, __: sizes.append(len(given[0])))
    found = Sharif(steps=40).run(net, crops, own, other, mask=np.ones((12, 12), bool))
    still = [(found.iterations >= step).sum() for step in range(len(sizes) - 1)]
    assert sizes[1:] == still  # the first forward pass compares the five colours
    assert min(still) < 6


def test_an_image_fares_the_same_alone_and_in_company():
    net, crops = convolutional(), pictures(5, 12)
    own, other = other_classes(net, crops)
    mask = np.ones((12, 12), bool)
    attack = Sharif(steps=6, eot=EOT(accessory=Jitter(shift=0.1, degrees=8), samples=2), target_confidence=1.0)
    together = attack.run(net, crops, own, other, mask=mask, seed=[3, 4, 5, 6, 7])
    alone = attack.run(net, crops[3:4], own[3:4], other[3:4], mask=mask, seed=[6])
    np.testing.assert_array_equal(together.adversarial[3], alone.adversarial[0])


def test_one_joint_texture_serves_all_images():
    net, crops = convolutional(), pictures(5, 12)
    target = np.full(5, named(net, crops).mean(0).argsort()[-2])
    mask = np.zeros((12, 12), bool)
    mask[2:10] = True
    found = Sharif(steps=120, joint=True).run(net, crops, np.zeros(5, int), target, mask=mask)
    assert (found.textures == found.textures[:1]).all()
    first, last = found.history.confidence[0].mean(), np.nanmean(found.history.confidence[found.iterations[0]])
    assert last > first


def test_more_than_thirty_images_are_not_made_one_texture():
    net, crops = two_layers(), pictures(31, 4)
    with pytest.raises(ValueError, match="at most 30"):
        Sharif(joint=True).run(net, crops, np.zeros(31, int), np.ones(31, int), mask=np.ones((4, 4), bool))


def test_total_variation_makes_the_texture_smoother():
    net, crops = convolutional(), pictures(3, 12)
    own, other = other_classes(net, crops)
    roughness = []
    for weight in (0.0, 12.0):
        attack = Sharif(steps=25, total_variation=weight, target_confidence=1.0)
        textures = attack.run(net, crops, own, other, mask=np.ones((12, 12), bool)).textures.astype(float)
        roughness.append(np.abs(np.diff(textures, axis=1)).mean() + np.abs(np.diff(textures, axis=2)).mean())
    assert roughness[1] < 0.8 * roughness[0]


def test_the_model_is_left_as_it_was_also_after_an_exception():
    net = convolutional().train()
    crops = pictures(2, 12)
    net[0].bias.requires_grad_(False)
    before = [parameter.requires_grad for parameter in net.parameters()]

    def failing(step, left):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        Sharif(steps=2).run(net, crops, [0, 0], [1, 1], mask=np.ones((12, 12), bool), watch=failing)
    assert net.training
    assert net[6].training
    assert [parameter.requires_grad for parameter in net.parameters()] == before
    assert all(parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mask": np.zeros((4, 4), bool)}, "without a pixel"),
        ({"mask": np.ones((5, 4), bool)}, "does not fit"),
        ({"labels": [0]}, "1 labels"),
        ({"crops": np.zeros((2, 4, 4, 3))}, "uint8"),
    ],
)
def test_shapes_that_do_not_fit_are_named(change, message):
    given = {"crops": pictures(2, 4), "labels": [0, 0], "targets": [1, 1], "mask": np.ones((4, 4), bool)} | change
    with pytest.raises(ValueError, match=message):
        Sharif(steps=1).run(two_layers(), **given)
