import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.crop.zones import zone_mask
from models.network.vgg16 import VGG16
from models.training import adaptation
from models.training.adaptation import AdaptationSettings, adapt_trunk
from models.training.adaptation_net import AdaptationNet, cosface

SETTINGS = AdaptationSettings(
    seconds=6, batch=8, first_block=5, small_size=32, small_share=1.0, held_out=0.1, head_learning_rate=1e-2
)


@pytest.fixture(autouse=True)
def a_step_takes_one_second(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count(1.0)
    monkeypatch.setattr("models.training.adaptation.time.monotonic", lambda: next(ticks))


def small_model(seed: int = 0) -> VGG16:
    torch.manual_seed(seed)
    model = VGG16(classes=1, input_size=32, hidden=1)
    for layer in model.convolutions().values():
        torch.nn.init.kaiming_normal_(layer.weight)
    return model.eval()


def pixels(count: int = 6) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 255


def people(count: int = 4, each: int = 10) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Crops of flat colours with noise, their labels, and a teacher that knows them apart."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(count), each)
    colours = random.integers(40, 215, (count, 1, 1, 3))
    crops = (colours[labels] + random.integers(-20, 20, (len(labels), 32, 32, 3))).astype(np.uint8)
    return crops, labels.astype(np.int64), np.eye(count, 8, dtype=np.float32)[labels]


@torch.no_grad()
def test_inserting_normalisation_does_not_change_the_function() -> None:
    model, x = small_model(), pixels()
    net = AdaptationNet(model, people=3, teacher_width=4, first_block=3)
    net.start_normalisation_from_data(x)
    net.eval()
    wanted = model.trunk(model.normalise(x))
    found = net.trained(net.frozen(net.normalise(x)))
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))


@torch.no_grad()
def test_folding_gives_the_outputs_of_the_normalised_net() -> None:
    model, x = small_model(), pixels()
    net = AdaptationNet(model, people=3, teacher_width=4, first_block=3)
    net.start_normalisation_from_data(x)
    generator = torch.Generator().manual_seed(2)
    for layer in net.trained:
        if isinstance(layer, torch.nn.BatchNorm2d):  # as if trained: nothing is left at its start
            for values in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                assert values is not None
                values.mul_(0.7 + 0.6 * torch.rand(values.shape, generator=generator))
    net.eval()
    wanted = net.trained(net.frozen(net.normalise(x)))
    target = small_model(seed=5)
    target.trunk[: len(net.frozen)].load_state_dict(net.frozen.state_dict())
    net.fold_into(target)
    found = target.trunk(target.normalise(x))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))


def test_the_margin_is_taken_from_the_right_cosine_only() -> None:
    embedding = torch.tensor([[3.0, 4.0]])  # cosines 0.6 and 0.8 with the axes
    people = torch.eye(2)
    loss = cosface(embedding, people, torch.tensor([0]), scale=10.0, margin=0.25)
    assert float(loss) == pytest.approx(np.log(np.exp(3.5) + np.exp(8.0)) - 3.5, abs=1e-4)


def test_adaptation_learns_resumes_and_changes_only_the_asked_blocks(tmp_path: Path) -> None:
    crops, labels, teacher = people()
    model = small_model()
    before = {name: layer.weight.clone() for name, layer in model.convolutions().items()}
    records = list(adapt_trunk(model, crops, labels, teacher, SETTINGS, tmp_path / "c.pt"))
    assert records[-1]["step"] == 6
    changed = {name for name, layer in model.convolutions().items() if not torch.equal(layer.weight, before[name])}
    assert changed == {"block5_conv1", "block5_conv2", "block5_conv3"}

    longer = replace(SETTINGS, seconds=30)
    more = list(adapt_trunk(small_model(), crops, labels, teacher, longer, tmp_path / "c.pt"))
    assert more[-1]["step"] == 30
    assert more[-1]["loss"] < 0.95 * records[-1]["loss"]


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    crops, labels, teacher = people()
    list(adapt_trunk(small_model(), crops, labels, teacher, SETTINGS, tmp_path / "c.pt"))
    other = replace(SETTINGS, margin=0.5)
    with pytest.raises(ValueError, match="other settings"):
        next(iter(adapt_trunk(small_model(), crops, labels, teacher, other, tmp_path / "c.pt")))


def test_a_checkpoint_of_other_faces_is_refused(tmp_path: Path) -> None:
    crops, labels, teacher = people()
    list(adapt_trunk(small_model(), crops, labels, teacher, SETTINGS, tmp_path / "c.pt"))
    other = 255 - crops
    with pytest.raises(ValueError, match="other faces"):
        next(iter(adapt_trunk(small_model(), other, labels, teacher, SETTINGS, tmp_path / "c.pt")))


def test_of_repeated_crops_none_is_held_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crops, labels, teacher = people()
    few = labels == 3
    parts = [np.concatenate([part, part[few], part[few]]) for part in (crops, labels, teacher)]
    once = np.arange(60) < 30
    measured: list[torch.Tensor] = []

    def scores(net: AdaptationNet, crops: torch.Tensor, *_: object) -> tuple[float, float]:
        measured.append(crops)
        return 0.0, 0.0

    monkeypatch.setattr(adaptation, "_held_out_scores", scores)
    settings = replace(SETTINGS, seconds=1)
    list(adapt_trunk(small_model(), *parts, settings, tmp_path / "c.pt", once=once))
    assert len(measured[0]) == 3  # a tenth of the thirty that occur once
    assert all((crops[:30] == one).all(axis=(1, 2, 3)).any() for one in measured[0].numpy())


def test_too_few_crops_to_hold_some_out_are_refused_before_the_time_is_spent(tmp_path: Path) -> None:
    crops, labels, teacher = people()
    some = np.arange(0, 40, 5)
    with pytest.raises(ValueError, match=r"8 crops .* too few to hold 10% of them out"):
        next(iter(adapt_trunk(small_model(), crops[some], labels[some], teacher[some], SETTINGS, tmp_path / "c.pt")))
    once = np.arange(40) < 9
    with pytest.raises(ValueError, match=r"9 crops .* too few"):
        next(iter(adapt_trunk(small_model(), crops, labels, teacher, SETTINGS, tmp_path / "c.pt", once=once)))


def test_at_first_only_the_heads_learn(tmp_path: Path) -> None:
    crops, labels, teacher = people()
    settings = replace(SETTINGS, heads_first=0.99)
    model = small_model()
    before = {name: layer.weight.clone() for name, layer in model.convolutions().items()}
    records = list(adapt_trunk(model, crops, labels, teacher, settings, tmp_path / "c.pt"))
    assert records[-1]["step"] == 6
    state = torch.load(tmp_path / "c.pt", weights_only=True)["net"]
    fresh = AdaptationNet(small_model(), people=4, teacher_width=8, first_block=5)
    for (name, layer), old in zip(fresh.trained.named_parameters(), fresh.trained.parameters(), strict=True):
        if "weight" in name and layer.ndim == 4:
            assert torch.equal(state[f"trained.{name}"], old)
    assert {name for name, layer in model.convolutions().items() if torch.equal(layer.weight, before[name])} == {
        name for name in before if not name.startswith("block5")
    }


def test_repeated_features_teach_the_heads_more_in_the_same_time(tmp_path: Path) -> None:
    crops, labels, teacher = people()
    agreement = []
    for repeats in (1, 8):
        settings = replace(SETTINGS, heads_first=0.99, repeats=repeats)
        checkpoint = tmp_path / f"{repeats}.pt"
        *_, last = adapt_trunk(small_model(), crops, labels, teacher, settings, checkpoint)
        agreement.append(last["held_out_teacher_cosine"])
    assert agreement[1] > agreement[0] + 0.1


def test_crops_without_a_zone_lack_one_of_those_asked_for_each_about_as_often() -> None:
    settings = replace(SETTINGS, zones=("eyewear", "lower_face"), zone_share=0.6, blob_share=0.0, glasses_share=0.0)
    crops = torch.randint(0, 255, (400, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    model, generator = small_model(), torch.Generator().manual_seed(1)
    x = adaptation._augmented(crops, model, 32, generator, settings)
    filled = (x == torch.tensor(model.spec.fill_rgb).view(1, 3, 1, 1)).all(1)
    lacking = [filled[:, torch.from_numpy(zone_mask(zone, 32).copy())].all(1) for zone in settings.zones]
    assert not (lacking[0] & lacking[1]).any()
    for one in lacking:
        assert 0.23 < float(one.float().mean()) < 0.37


def test_a_checkpoint_that_began_elsewhere_is_refused(tmp_path: Path) -> None:
    crops, labels, teacher = people()
    list(adapt_trunk(small_model(), crops, labels, teacher, SETTINGS, tmp_path / "c.pt"))
    for model, further in ((small_model(seed=7), None), (small_model(), tmp_path / "c.pt")):
        with pytest.raises(ValueError, match="another trunk or checkpoint"):
            next(iter(adapt_trunk(model, crops, labels, teacher, SETTINGS, tmp_path / "c.pt", further)))
    with pytest.raises(ValueError, match=r"gone\.pt: cannot be read"):
        next(
            iter(adapt_trunk(small_model(), crops, labels, teacher, SETTINGS, tmp_path / "c.pt", tmp_path / "gone.pt"))
        )


def test_a_run_can_go_on_from_anothers_net_with_more_people(tmp_path: Path) -> None:
    crops, labels, teacher = people()
    few = labels < 3
    first = tmp_path / "first.pt"
    list(adapt_trunk(small_model(), crops[few], labels[few], teacher[few], SETTINGS, first))
    still = replace(SETTINGS, seconds=1, learning_rate=0.0, head_learning_rate=0.0, heads_first=0.0)
    second = tmp_path / "second.pt"
    list(adapt_trunk(small_model(seed=7), crops, labels, teacher, still, second, first))
    before, after = (torch.load(path, weights_only=True)["net"] for path in (first, second))
    assert after["people"].shape[0] == 4
    torch.testing.assert_close(after["people"][:3], before["people"])
    for name in ("trained.0.weight", "embed.2.weight", "to_teacher.weight"):
        torch.testing.assert_close(after[name], before[name])


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_a_file_that_is_no_checkpoint_is_named_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    crops, labels, teacher = people()
    path = tmp_path / "no.pt"
    path.write_bytes(content) if content is not None else torch.save([1, 2], path)
    with pytest.raises(ValueError, match=r"no\.pt: no checkpoint of such a run") as error:
        next(iter(adapt_trunk(small_model(), crops, labels, teacher, SETTINGS, tmp_path / "c.pt", path)))
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"no\.pt is damaged or no checkpoint of such a run; remove it"):
        next(iter(adapt_trunk(small_model(), crops, labels, teacher, SETTINGS, path)))
