"""Where torch computes. The tests on a GPU run where there is one."""

from __future__ import annotations

import pytest
import torch

from models.errors import BadInput
from models.network.vgg16 import VGG16
from models.training import augment
from models.training.device import tf32, torch_device
from models.training.features import trunk_features

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")


def test_auto_is_the_gpu_where_torch_sees_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for seen, wanted in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda seen=seen: seen)
        assert torch_device().type == torch_device("auto").type == wanted
        assert torch_device("cpu").type == "cpu"


def test_a_gpu_that_is_not_there_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BadInput, match="--device cuda: torch sees no GPU here; leave it out"):
        torch_device("cuda")
    with pytest.raises(BadInput, match="--device 'tpu': unknown, give one of auto, cpu, cuda"):
        torch_device("tpu")


def test_after_a_block_with_tf32_the_switch_is_as_it_was() -> None:
    before = torch.backends.cudnn.allow_tf32
    for allowed in (True, False):
        with tf32(allowed):
            assert torch.backends.cudnn.allow_tf32 is allowed
        assert torch.backends.cudnn.allow_tf32 is before


@on_gpu
def test_a_trunk_on_the_gpu_gives_what_it_gives_on_the_cpu() -> None:
    torch.manual_seed(0)
    model = VGG16(classes=3, input_size=64, hidden=8).eval()
    pixels = torch.rand(5, 3, 64, 64) * 255
    here = trunk_features(model, pixels).trunk
    there = trunk_features(model.to(torch_device("cuda")), pixels).trunk
    assert abs(here.astype("f4") - there.astype("f4")).max() <= 1e-3 * abs(here).max()


@on_gpu
def test_all_random_changes_are_drawn_on_the_gpu() -> None:
    device = torch_device("cuda")
    generator = torch.Generator(device).manual_seed(1)
    pixels = torch.full((64, 3, 64, 64), 90.0, device=device)
    for change in (
        lambda x: augment.pose(x, 56, generator),
        lambda x: augment.light(x, generator),
        lambda x: augment.sharpness(x, generator),
        lambda x: augment.innocent_glasses(x, generator),
        lambda x: augment.occlusions(x, generator, fill=(1, 2, 3)),
        lambda x: augment.blobs(x, generator, fill=(1, 2, 3)),
    ):
        assert change(pixels).device.type == "cuda"
