"""Learning from teachers, on a net and faces that are small enough for a second."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small_training import drawn_people, small_model

from models.crop.zones import zone_mask
from models.training.checkpoint import read_checkpoint
from models.training.device import CPU
from models.training.distil import DistilSettings, _Run, changed, distil
from models.training.normalised import DistilNet
from models.training.rounding import RoundedNet

WIDTH = 8


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A net of the same depth that learns within a second."""
    monkeypatch.setattr("models.network.architecture.BLOCKS", ((2, 8), (2, 8), (3, 16), (3, 16), (3, 32)))


QUICK = DistilSettings(
    crops=960, batch=16, first_block=4, bank=32, small_share=0.0, held_out=0.2, record_every=160, learning_rate=1e-2
)


def taught() -> tuple[np.ndarray, np.ndarray]:
    """Crops of three drawn people, and for each person one direction that a teacher gives."""
    crops, labels = drawn_people(3, 16)
    directions = np.random.default_rng(3).normal(size=(3, WIDTH)).astype(np.float32)
    return crops, directions[labels]


def test_the_first_zone_is_hidden_as_many_times_as_often_as_any_other_as_is_said():
    zones = ("wide_eyewear", "forehead", "lower_face")
    settings = replace(QUICK, hidden=1.0, zones=zones, first_zone=3.0, glasses=0.0)
    crops = torch.full((4000, 40, 40, 3), 90, dtype=torch.uint8)
    seen = changed(crops, 32, settings, (1, 2, 3), torch.Generator().manual_seed(0))
    fill = torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1)
    counts = {
        z: int((seen[:, :, torch.from_numpy(zone_mask(z, 32).copy())] == fill).all(2).all(1).sum()) for z in zones
    }
    assert counts["wide_eyewear"] == pytest.approx(1200, abs=100)  # of 2000 with a zone hidden, three of five
    assert counts["forehead"] == pytest.approx(400, abs=60)
    assert counts["lower_face"] == pytest.approx(400, abs=60)


def test_the_same_faces_are_held_out_whatever_the_seed():
    crops, teacher = taught()
    held = [_Run(small_model(WIDTH), crops, teacher, replace(QUICK, seed=seed), CPU).held for seed in (0, 7)]
    assert len(held[0]) == int(0.2 * len(crops))
    assert torch.equal(*held)


def test_the_inserted_normalisation_changes_nothing_at_the_start_and_is_folded_back_exactly():
    model = small_model(WIDTH)
    pixels = torch.rand(24, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 255
    net = DistilNet(model, first_block=3)
    net.start_from_data(pixels)
    net.eval()
    with torch.no_grad():
        wanted = model.logits_of_pixels(pixels)
        torch.testing.assert_close(net(pixels), wanted, rtol=1e-3, atol=1e-3)
        folded = copy.deepcopy(model)
        torch.nn.init.zeros_(folded.head[-1].weight)
        net.fold_into(folded)
        torch.testing.assert_close(folded.logits_of_pixels(pixels), net(pixels), rtol=1e-3, atol=1e-3)


def test_the_fast_way_gives_the_same_and_the_same_gradients(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("models.training.normalised._WIDE", 16)
    pixels = torch.rand(24, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 255
    nets = [DistilNet(small_model(WIDTH), first_block=3, fast=fast).train() for fast in (False, True)]
    given = []
    for net in nets:
        net.start_from_data(pixels)
        found = net(pixels)
        found.square().mean().backward()
        weights = [
            one.grad for one in net.parameters() if one.dim() > 1
        ]  # a normalisation leaves a bias before it none
        given.append([found, *(one for one in weights if one is not None)])
    assert sum(type(layer).__name__ == "WinogradConv2d" for layer in nets[1].modules()) == 8
    for ours, theirs in zip(*given, strict=True):
        assert float(F.cosine_similarity(theirs.flatten(), ours.flatten(), dim=0)) > 0.999
        assert float(theirs.norm() / ours.norm()) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("kind", [DistilNet, RoundedNet])
def test_a_network_that_asks_for_no_gradient_is_trained_all_the_same(kind):
    """As a bundle's is read; its first blocks stay as they are."""
    net = kind(small_model(WIDTH).requires_grad_(False), first_block=4)
    assert all(one.requires_grad for part in (net.trained, net.head) for one in part.parameters())
    assert not any(one.requires_grad for one in net.frozen.parameters())


def test_nothing_is_dropped_out_where_an_embedding_is_learnt():
    assert any(isinstance(layer, torch.nn.Dropout) for layer in small_model(WIDTH).head)  # as a closed set has it
    assert not any(isinstance(layer, torch.nn.Dropout) for layer in DistilNet(small_model(WIDTH), 3).modules())


def test_faces_come_nearer_to_where_the_teacher_puts_them(tmp_path):
    model = small_model(WIDTH)
    first = copy.deepcopy(model.trunk[0].weight)
    records = list(distil(model, *taught(), QUICK, tmp_path / "run.pt"))
    assert records[-1]["held_out_cosine"] > records[0]["held_out_cosine"] + 0.1
    assert records[-1]["crops"] > records[0]["crops"]
    torch.testing.assert_close(model.trunk[0].weight, first)  # the first blocks stay as they are
    assert "held_out_cosine_without_wide_eyewear" in records[-1]


def test_a_run_goes_on_where_it_stopped_and_refuses_other_faces(tmp_path):
    crops, vectors = taught()
    run = distil(small_model(WIDTH), crops, vectors, QUICK, tmp_path / "run.pt")
    before = next(run)
    run.close()
    state = read_checkpoint(tmp_path / "run.pt")
    assert state is not None
    assert state["seen"] == before["crops"] == 160
    after = next(distil(small_model(WIDTH), crops, vectors, QUICK, tmp_path / "run.pt"))
    assert after["crops"] == 320
    with pytest.raises(ValueError, match="of another run"):
        list(distil(small_model(WIDTH), crops[:-1], vectors[:-1], QUICK, tmp_path / "run.pt"))


def test_vectors_of_another_width_are_refused(tmp_path):
    crops, vectors = taught()
    with pytest.raises(ValueError, match=r"wanted \(48, 9\)"):
        next(distil(small_model(WIDTH + 1), crops, vectors, QUICK, tmp_path / "run.pt"))
