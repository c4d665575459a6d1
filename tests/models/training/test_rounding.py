"""Training in 8 bits: what is trained is what the 8-bit graph computes, and a run goes on where it stopped."""

import copy

import numpy as np
import pytest
import torch
from small_bundle import make_small_gallery_bundle
from small_training import drawn_people, small_model

from models.bundle import Bundle, write_bundle
from models.engines import graphs, make_engine, processor
from models.training.distil import DistilSettings, distil
from models.training.rounding import RoundedNet, RoundedRelu, rounded_rows
from models.training.trunks import learnt_ranges, read_network, write_network

WIDTH = 8
QUICK = DistilSettings(
    crops=480, batch=16, first_block=4, bank=32, small_share=0.0, held_out=0.2, record_every=80, rounded=0.34
)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.network.architecture.BLOCKS", ((2, 8), (2, 8), (3, 16), (3, 16), (3, 32)))


def taught() -> tuple[np.ndarray, np.ndarray]:
    crops, labels = drawn_people(3, 16)
    return crops, np.random.default_rng(3).normal(size=(3, WIDTH)).astype(np.float32)[labels]


def test_weights_become_whole_multiples_of_a_row_s_step_and_keep_its_largest() -> None:
    weight = torch.tensor([[63.0, 1.4, -0.6, 0.5], [0.0, 0.0, 0.0, 0.0], [-126.0, 3.1, 0.9, 63.0]])
    wanted = [[63.0, 1.0, -1.0, 0.0], [0.0] * 4, [-126.0, 4.0, 0.0, 64.0]]
    assert rounded_rows(weight, 63).tolist() == wanted


def test_the_largest_value_of_an_activation_learns_from_what_it_cuts_off() -> None:
    relu = RoundedRelu()
    relu.largest.data.fill_(51.0)  # steps of 0.2
    x = torch.tensor([-3.0, 10.09, 50.0, 60.0, 70.0], requires_grad=True)
    found = relu(x)
    torch.testing.assert_close(found, torch.tensor([0.0, 10.0, 50.0, 51.0, 51.0]))
    found.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 1, 1, 0, 0]
    assert relu.largest.grad == 2


def test_the_8_bit_engine_computes_what_was_trained(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "sums_are_wide", lambda: False)
    monkeypatch.setattr(graphs, "sums_are_wide", lambda: False)
    started = make_small_gallery_bundle(tmp_path_factory.mktemp("rounded") / "b")
    net = RoundedNet(started.torch_model(), first_block=3)
    crops = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
    net.start_from_data(pixels)
    model = copy.deepcopy(started.torch_model())
    net.fold_into(model)
    bundle = write_bundle(started.folder, model, started.info)
    info = bundle.info.model_copy(update={"calibration": {"int8": {"learnt": net.ranges()}}})
    bundle = Bundle(bundle.folder, info, gallery=None, cohort=started.cohort)
    with torch.no_grad():
        wanted = net(pixels).numpy()
    found = make_engine("onnxruntime-int8", bundle).outputs(crops)
    exact = make_engine("onnxruntime-cpu", bundle).outputs(crops)
    # What rounding does to the answers is the same; a sum at a step's edge may fall to either side of it.
    assert np.corrcoef((found - exact).ravel(), (wanted - exact).ravel())[0, 1] > 0.8
    assert np.abs(found - wanted).mean() < 0.03 * np.abs(wanted).mean()


def test_the_last_crops_are_seen_rounded_and_a_run_goes_on_within_them(narrow: None, tmp_path) -> None:
    crops, vectors = taught()
    run = distil(small_model(WIDTH), crops, vectors, QUICK, tmp_path / "run.pt")
    while next(run)["crops"] < 350:  # the last third is rounded
        pass
    run.close()
    model, ranges = small_model(WIDTH), dict[str, float]()
    records = list(distil(model, crops, vectors, QUICK, tmp_path / "run.pt", ranges=ranges))
    assert records[-1]["crops"] == 480
    places = [place for place, layer in enumerate(model.trunk) if isinstance(layer, torch.nn.ReLU)]
    assert ranges.keys() == {f"relu{place}" for place in places}
    assert all(value > 0 for value in ranges.values())
    last = model.trunk[-3].weight.detach()
    torch.testing.assert_close(rounded_rows(last), last)  # what is kept is what was used
    whole = dict[str, float]()
    list(distil(small_model(WIDTH), crops, vectors, QUICK, tmp_path / "whole.pt", ranges=whole))
    assert whole.keys() == ranges.keys()


def test_learnt_ranges_are_kept_with_the_network(tmp_path) -> None:
    write_network(tmp_path / "n.npz", small_model(WIDTH), {"relu1": 2.5, "pixels": 140.0})
    assert learnt_ranges(tmp_path / "n.npz") == {"relu1": 2.5, "pixels": 140.0}
    write_network(tmp_path / "without.npz", small_model(WIDTH))
    assert learnt_ranges(tmp_path / "without.npz") == {}
    assert read_network(tmp_path / "n.npz", 32)[0].classes == WIDTH
