import pytest
import torch

from models.training import augment

FILL = (124, 117, 104)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pixels(count: int = 4, size: int = 32) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=generator(9)) * 200 + 20


def hidden_share(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    return (before != after).any(dim=1).float().mean(dim=(1, 2))


def test_no_movement_leaves_the_crops_as_they_are_or_mirrored() -> None:
    x = pixels(8)
    y = augment.pose(x, 32, generator(), shift=0, degrees=0, scale=0)
    same = torch.isclose(y, x, atol=1e-2).flatten(1).all(dim=1)
    mirrored = torch.isclose(y, x.flip(3), atol=1e-2).flatten(1).all(dim=1)
    assert (same ^ mirrored).all()
    assert same.any()
    assert mirrored.any()


def test_a_shift_moves_by_the_share_of_the_side_that_was_asked_for() -> None:
    x = torch.zeros(64, 3, 41, 41)
    x[:, :, 20, 20] = 255
    y = augment.pose(x, 41, generator(), shift=0.1, degrees=0, scale=0)[:, 0]
    columns = (y.sum(dim=1) * torch.arange(41.0)).sum(dim=1) / y.sum(dim=(1, 2))
    moved = (columns - 20).abs()
    assert 3.0 < float(moved.max()) <= 4.1 + 0.01  # at most a tenth of 41, and near it for some of 64


@pytest.mark.parametrize("change", [augment.light, augment.sharpness])
def test_light_and_sharpness_keep_the_range_and_the_shape(change) -> None:  # type: ignore[no-untyped-def]
    x = pixels(32) * 2 - 100
    y = change(x.clamp(0, 255), generator())
    assert y.shape == x.shape
    assert float(y.min()) >= 0
    assert float(y.max()) <= 255


def test_sharpness_only_removes_detail() -> None:
    x = pixels(64)
    y = augment.sharpness(x, generator(), share=1.1)
    assert (y.var(dim=(1, 2, 3)) < 0.8 * x.var(dim=(1, 2, 3))).all()


def test_occlusions_leave_their_input_alone_and_hide_about_the_asked_share_of_crops() -> None:
    x = pixels(400, 16)
    before = x.clone()
    y = augment.occlusions(x, generator(), fill=FILL, share=0.3)
    assert torch.equal(x, before)
    changed = float((hidden_share(x, y) > 0).float().mean())
    assert 0.22 < changed < 0.38


def test_the_same_seed_gives_the_same_occlusions_and_another_seed_others() -> None:
    x = pixels(20)
    first, again = (augment.occlusions(x, generator(3), fill=FILL) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, augment.occlusions(x, generator(4), fill=FILL))


def test_blobs_hide_the_asked_share_of_pixels_with_the_fill() -> None:
    x = pixels(50)
    y = augment.blobs(x, generator(), fill=FILL, share=1.1, least=0.1, most=0.2)
    share = hidden_share(x, y)
    assert float(share.min()) > 0.09
    assert float(share.max()) < 0.21
    changed = (x != y).any(dim=1)
    assert torch.equal(y.permute(0, 2, 3, 1)[changed].unique(dim=0), torch.tensor([FILL], dtype=torch.float))


def test_blobs_gather_in_the_middle_of_the_face() -> None:
    x = pixels(200)
    changed = (x != augment.blobs(x, generator(), fill=FILL, share=1.1)).any(dim=1).float().mean(dim=0)
    assert changed[12:20, 12:20].mean() > 2 * changed[:4, :4].mean()


def test_innocent_glasses_lie_over_the_eyes_and_nowhere_else() -> None:
    x = pixels(60, 112)
    y = augment.innocent_glasses(x, generator(), share=1.1)
    changed = (x != y).any(dim=1).any(dim=0)
    assert changed[39:40, 20:92].any()  # the row of the eyes
    assert not changed[:20].any()
    assert not changed[70:].any()


def test_the_hidden_eye_band_is_that_of_the_first_measurements() -> None:
    x = pixels(2, 112)
    changed = (x != augment.hide_eye_band(x, generator(), fill=FILL)).any(dim=1)
    expected = torch.zeros(112, 112, dtype=torch.bool)
    expected[26:58, 10:102] = True
    assert torch.equal(changed, expected.expand(2, -1, -1))


def test_every_kind_of_validation_occlusion_hides_something_on_every_crop_and_is_repeatable() -> None:
    x = pixels(30)
    for hide in augment.HIDDEN.values():
        y = hide(x, generator(5), fill=FILL)
        assert (hidden_share(x, y) > 0.02).all()
        assert torch.equal(y, hide(x, generator(5), fill=FILL))
