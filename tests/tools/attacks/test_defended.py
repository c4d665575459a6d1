"""The adaptive attacks: the defence is the recogniser's own, gradients are those of finite differences, each
reaches at least what the oblivious attack reaches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_nets import convolutional, named, other_classes, pictures

from models.network.guided_backprop import guided_backprop
from models.saliency_mask import MaskParameters, apply_mask, saliency_to_mask, scale_saliency
from tools.attacks import FrozenMask, MaskDefence, Sharif
from tools.attacks.batch import frozen, to_levels
from tools.attacks.defended import region_mean
from tools.attacks.registry import ATTACKS
from tools.attacks.remembered import Remembered

SIZE = 12
PARAMETERS = MaskParameters(threshold=0.6, iterations=1, min_area=3, percentile=95.0)
DEFENCE = MaskDefence(PARAMETERS, (124, 117, 104))
FRAME = np.zeros((SIZE, SIZE), bool)
FRAME[3:7, 1:11] = True
#: The attacks that know the mask, by name.
ADAPTIVE = {name: spec.kind for name, spec in ATTACKS.items() if spec.knows == "mask"}
#: loss that a change of the pixels is compared by, and which masks it holds still, differ by attack
DIFFERENTIABLE = [name for name in ADAPTIVE if name not in ("A6", "A7")]


def defended(net, crops):
    """The recogniser's steps in numpy: masks and defended probabilities."""
    x = torch.from_numpy(crops).permute(0, 3, 1, 2).double() / 255
    saliency = scale_saliency(guided_backprop(net, x).permute(0, 2, 3, 1).numpy(), PARAMETERS.percentile)
    mask = saliency_to_mask(saliency, PARAMETERS)
    return mask, named(net, apply_mask(crops, mask, DEFENCE.fill_rgb))


def scene(count=4):
    net, crops = convolutional(), pictures(count, SIZE)
    own, other = other_classes(net, crops)
    return net, crops, own, other


def test_the_attackers_mask_and_fill_are_the_recognisers():
    net, crops, _, _ = scene(6)
    mask, probabilities = defended(net, crops)
    assert mask.any()
    assert not mask.all()
    attack = ADAPTIVE["A1"](defence=DEFENCE)
    pixels = to_levels(crops, net)
    chain = attack.chain(net)
    ours = attack.real_mask(chain, chain.forward(pixels / 255))
    np.testing.assert_array_equal(ours[:, 0].numpy(), mask)
    masked = DEFENCE.filled(pixels, ours)
    np.testing.assert_allclose(net(masked / 255).softmax(1).detach().numpy(), probabilities, atol=1e-9)


def test_inpainting_is_the_recognisers_too():
    _, crops, _, _ = scene(2)
    mask = np.zeros((2, SIZE, SIZE), bool)
    mask[:, 4:6, 4:9] = True
    known = MaskDefence(MaskParameters(fill="inpaint"), (0, 0, 0))
    pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).double()
    painted = known.filled(pixels, torch.from_numpy(mask)[:, None]).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(painted, apply_mask(crops, mask, (0, 0, 0), "inpaint"))


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@pytest.mark.parametrize("targeted", [True, False])
def test_the_gradient_is_that_of_finite_differences(name, targeted, monkeypatch):
    net, crops, own, other = scene(1)
    attack = ADAPTIVE[name](defence=DEFENCE, steps=2)
    batch = begun(attack, net, crops, own, other if targeted else None)
    chain = attack.chain(net)
    held = attack.real_mask(chain, chain.forward(batch.worn(batch.texture) / 255))
    assert held.any()
    monkeypatch.setattr(MaskDefence, "mask", lambda *_: held)  # the mask counts as constant
    if name == "A5":
        cut = np.ones((1, SIZE, SIZE), bool)  # so does the choice of the pixels that are pushed
        monkeypatch.setattr(attack, "cut", lambda _: cut)

    def loss(texture):
        return attack.objective(net, batch.worn(texture), batch, 0).loss.sum()

    with frozen(net):
        leaf = batch.texture.clone().requires_grad_()
        (slope,) = torch.autograd.grad(loss(leaf), leaf)
        biggest = slope.abs().flatten().argsort(descending=True)[[0, 5, 20]].tolist()
        assert float(slope.abs().max()) > 0
        for place in biggest:
            step = torch.zeros_like(leaf).flatten()
            step[place] = 1e-4
            step = step.view_as(leaf)
            numeric = (loss(batch.texture + step) - loss(batch.texture - step)) / 2e-4
            assert float(slope.flatten()[place]) == pytest.approx(float(numeric), rel=1e-3, abs=1e-9)


@pytest.mark.parametrize(("name", "passes"), [("A1", 1), ("A3", 2), ("A4", 2), ("A5", 2), ("A6", 2)])
def test_a_step_walks_back_once_for_the_mask_and_once_for_the_slope(name, passes, monkeypatch):
    net, crops, own, other = scene(2)
    attack = ADAPTIVE[name](defence=DEFENCE, steps=2)
    batch = begun(attack, net, crops, own, other)
    chain = attack.chain(net)
    guided, asked = chain.guided, []
    monkeypatch.setattr(chain, "guided", lambda *given, **how: asked.append(how) or guided(*given, **how))
    attack.scored(net, batch, 0, with_gradient=True)
    assert len(asked) == passes


@pytest.mark.parametrize("fill", ["mean", "inpaint"])
def test_let_it_mask_feels_how_the_pixels_move_the_mask(fill):
    """A6's slope is that of the loss on the softly masked picture, taken where the soft mask is the real one."""
    net, crops, own, other = scene(1)
    attack = ADAPTIVE["A6"](defence=replace(DEFENCE, parameters=replace(PARAMETERS, fill=fill)), steps=2)
    batch = begun(attack, net, crops, own, other)
    mean = torch.tensor(DEFENCE.fill_rgb, dtype=torch.float64).view(1, 3, 1, 1)
    with frozen(net):
        chain = attack.chain(net)
        leaf = batch.texture.clone().requires_grad_()
        pixels = batch.worn(leaf)
        found = chain.forward(pixels / 255)
        (slope,) = torch.autograd.grad(attack.objective(net, pixels, batch, 0).loss.sum(), leaf)
        mask = attack.real_mask(chain, found)
        masked = attack.defence.filled(pixels, mask).detach().requires_grad_()
        logits = net(masked / 255)
        (felt,) = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, torch.tensor(other)), masked)
        gain = felt * (torch.where(mask, masked.detach(), mean) - pixels.detach())  # of each pixel when masked
        assert float(gain.abs().max()) > 0

        def value(texture):  # linear in what reaches the net: direct pixels plus movement of the mask
            seen = batch.worn(texture)
            soft = attack.soft_mask(chain, chain.forward(seen / 255))
            return (felt * torch.where(mask, masked.detach(), seen)).sum() + (gain * soft).sum()

        for place in slope.abs().flatten().argsort(descending=True)[[0, 7, 30]].tolist():
            step = torch.zeros(leaf.numel(), dtype=torch.float64)
            step[place] = 1e-4
            step = step.view_as(leaf)
            numeric = (value(leaf.detach() + step) - value(leaf.detach() - step)) / 2e-4
            assert float(slope.flatten()[place]) == pytest.approx(float(numeric), rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("name", [n for n in ADAPTIVE if n != "A8"])
def test_started_from_the_oblivious_attack_none_ends_worse(name):
    net, crops, own, other = scene()
    oblivious = Sharif(steps=20)
    base = oblivious.run(net, crops, own, other, mask=FRAME).adversarial
    attack = ADAPTIVE[name](defence=DEFENCE, steps=12, warm_start=Remembered(oblivious), raw_weight=0.0)
    found = attack.run(net, crops, own, other, mask=FRAME)
    each = np.arange(len(crops))
    before, after = defended(net, base)[1][each, other], defended(net, found.adversarial)[1][each, other]
    assert (after >= before - 1e-9).all()
    np.testing.assert_allclose(after, found.confidences, atol=1e-6)
    assert np.isfinite(found.history.loss[0]).all()
    np.testing.assert_array_equal(found.adversarial[:, ~FRAME], crops[:, ~FRAME])


def test_without_bounds_everything_falls_and_more_steps_help():
    net, crops, own, other = scene(6)
    reached = [
        ADAPTIVE["A8"](defence=DEFENCE, steps=steps).run(net, crops, own, other, mask=FRAME).reached.mean()
        for steps in (0, 100)
    ]
    assert reached[0] == 0
    assert reached[1] >= 5 / 6


def test_queries_alone_do_not_beat_gradients():
    net, crops, own, other = scene(6)
    best = {}
    for name in ("A1", "A7"):
        attack = ADAPTIVE[name](defence=DEFENCE, steps=30)
        best[name] = attack.run(net, crops, own, other, mask=FRAME, seed=1).confidences.mean()
    assert best["A7"] <= best["A1"]


def test_suppression_lowers_the_frames_saliency_in_the_end():
    net, crops, own, other = scene()
    found = {}
    for weight in (0.0, 20.0):
        attack = ADAPTIVE["A3"](defence=DEFENCE, weight=weight, steps=25, target_confidence=1.0)
        adversarial = attack.run(net, crops, own, other, mask=FRAME)
        batch = begun(attack, net, crops, own, other)
        chain = attack.chain(net)
        levels = to_levels(last(attack, net, crops, own, other), net)
        saliency = DEFENCE.saliency(chain, chain.forward(levels / 255))
        found[weight] = float(region_mean(saliency, batch.region[:, 0]).mean())
        assert np.isfinite(adversarial.history.loss).any()
    assert found[20.0] < 0.8 * found[0.0]


def test_a_frozen_mask_is_judged_only_when_it_is_fresh():
    net, crops, own, other = scene(3)
    attack = FrozenMask(defence=DEFENCE, refresh=4, steps=8, target_confidence=1.0)
    found = attack.run(net, crops, own, other, mask=FRAME)
    curve = found.history.confidence
    assert np.isfinite(curve[[0, 4, 8]]).all()
    assert np.isnan(curve[[1, 2, 3, 5, 6, 7]]).all()
    assert set(found.first_fooled.tolist()) <= {-1, 0, 4, 8}
    fooled = defended(net, found.adversarial)[1].argmax(1) == other
    assert (found.first_fooled[fooled] >= 0).all()
    assert fooled.any()


def test_component_splitting_pushes_only_blobs_that_would_survive():
    saliency = np.zeros((1, SIZE, SIZE), np.float32)
    saliency[0, 2:4, 2:5] = 0.9  # 6 pixels
    saliency[0, 9, 9:11] = 0.9  # 2 pixels: below min_area
    attack = ADAPTIVE["A5"](defence=MaskDefence(MaskParameters(0.6, 0, 3), (0, 0, 0)), share=1.0)
    expected = np.zeros((1, SIZE, SIZE), bool)
    expected[0, 2:4, 2:5] = True
    np.testing.assert_array_equal(attack.cut(saliency), expected)


def begun(attack, net, crops, own, other):
    """The attack's batch at its first step, with a rough texture."""
    seen = {}
    original = attack.objective

    def noting(model, pixels, batch, step):
        seen.setdefault("batch", batch)
        return original(model, pixels, batch, step)

    attack.objective = noting
    steps, attack.steps = attack.steps, 0
    attack.run(net, crops, own, other, mask=FRAME)
    attack.steps = steps
    del attack.objective
    batch = seen["batch"]
    # a solid colour makes ties in the max-pool, where there is no slope to compare
    noise = torch.rand(batch.texture.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(9))
    batch.texture = batch.texture + 20 * (noise - 0.5)
    return batch


def last(attack, net, crops, own, other):
    """The pictures after the last step (the result holds the best ones)."""
    seen = {}
    original = attack.objective

    def noting(model, pixels, batch, step):
        seen["pixels"] = pixels.detach().round()
        return original(model, pixels, batch, step)

    attack.objective = noting
    attack.run(net, crops, own, other, mask=FRAME)
    del attack.objective
    return seen["pixels"].permute(0, 2, 3, 1).to(torch.uint8).contiguous().numpy()
