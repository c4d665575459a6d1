"""Picture files of every kind that phones and cameras write."""

import os
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from models.errors import BadInput
from realtime.people.photo import read_photo

HALVES = np.zeros((48, 64, 3), np.uint8)
HALVES[:, :32] = (200, 40, 40)  # RGB, red on the left
HALVES[:, 32:] = (40, 40, 200)


@pytest.mark.parametrize("suffix", ["avif", "heic", "jp2", "gif", "jfif", "png", "jpg", "webp", "tif"])
def test_every_kind_is_read_with_its_colours_in_their_places(suffix: str, tmp_path: Path) -> None:
    pillow_heif.register_heif_opener()
    kinds = {"heic": "HEIF", "jfif": "JPEG", "jp2": "JPEG2000"}
    Image.fromarray(HALVES).save(tmp_path / f"p.{suffix}", kinds.get(suffix))
    found = read_photo(tmp_path / f"p.{suffix}").astype(int)
    assert found.shape == (48, 64, 3)
    np.testing.assert_allclose(found[24, 8], (40, 40, 200), atol=12)  # BGR
    np.testing.assert_allclose(found[24, 56], (200, 40, 40), atol=12)


@pytest.mark.parametrize("suffix", ["jpg", "avif", "webp"])
def test_a_picture_is_upright_whatever_its_kind(suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    Image.fromarray(HALVES).save(tmp_path / f"p.{suffix}", exif=exif)
    found = read_photo(tmp_path / f"p.{suffix}").astype(int)
    assert found.shape == (64, 48, 3)
    np.testing.assert_allclose(found[8, 24], (40, 40, 200), atol=12)  # what was left is on top


@pytest.mark.parametrize("suffix", ["heic", "avif", "jp2", "jpg", "png", "webp"])
def test_a_file_that_ends_too_early_is_refused(suffix: str, tmp_path: Path) -> None:
    pillow_heif.register_heif_opener()
    Image.fromarray(HALVES).save(tmp_path / f"p.{suffix}")
    os.truncate(tmp_path / f"p.{suffix}", (tmp_path / f"p.{suffix}").stat().st_size // 2)
    with pytest.raises(BadInput, match="is cut short \\(truncated\\)"):
        read_photo(tmp_path / f"p.{suffix}")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "heic"])
def test_what_follows_a_whole_picture_does_not_matter(suffix: str, tmp_path: Path) -> None:
    """A motion photo carries its video behind the picture."""
    pillow_heif.register_heif_opener()
    Image.fromarray(HALVES).save(tmp_path / f"p.{suffix}")
    with (tmp_path / f"p.{suffix}").open("ab") as file:
        file.write(bytes(1000))
    assert read_photo(tmp_path / f"p.{suffix}").shape == (48, 64, 3)


@pytest.mark.parametrize("suffix", ["png", "webp", "avif", "tif"])
def test_what_lies_beneath_transparency_is_not_seen(suffix: str, tmp_path: Path) -> None:
    layers = np.dstack([HALVES, np.full((48, 64), 255, np.uint8)])
    layers[:, 32:, 3] = 0
    Image.fromarray(layers).save(tmp_path / f"p.{suffix}", **({"lossless": True} if suffix == "webp" else {}))
    found = read_photo(tmp_path / f"p.{suffix}").astype(int)
    np.testing.assert_allclose(found[24, 8], (40, 40, 200), atol=12)
    np.testing.assert_allclose(found[24, 56], (128, 128, 128), atol=12)
    layers[..., 3] = 0
    Image.fromarray(layers).save(tmp_path / f"p.{suffix}", **({"lossless": True} if suffix == "webp" else {}))
    with pytest.raises(BadInput, match="is wholly transparent"):
        read_photo(tmp_path / f"p.{suffix}")


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_a_deep_picture_is_as_bright_as_in_eight_bits(bits: int, suffix: str, tmp_path: Path) -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint16), (8, 1))
    assert cv2.imwrite(str(tmp_path / f"p.{suffix}"), ramp << (bits - 8))
    np.testing.assert_array_equal(read_photo(tmp_path / f"p.{suffix}")[0, :, 1], np.arange(256))


def test_numbers_from_nought_to_one_are_levels(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "p.tiff"), np.full((4, 4), 0.5, np.float32))
    assert (read_photo(tmp_path / "p.tiff") == 128).all()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_colours_of_numbers_from_nought_to_one_are_read(kind: type, tmp_path: Path) -> None:
    colours = HALVES[..., ::-1].astype(kind) / 255
    cv2.imwrite(str(tmp_path / "p.tiff"), colours)
    np.testing.assert_array_equal(read_photo(tmp_path / "p.tiff"), HALVES[..., ::-1])
    cv2.imwrite(str(tmp_path / "p.tiff"), colours[..., 0])
    np.testing.assert_array_equal(read_photo(tmp_path / "p.tiff")[..., 2], HALVES[..., 2])


@pytest.mark.parametrize(("kind", "channels"), [(np.int32, 1), (np.int32, 3), (np.uint32, 4), (np.float32, 4)])
def test_a_tiff_of_an_odd_kind_is_refused_by_its_name(kind: type, channels: int, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "p.tiff"), np.ones((4, 4, channels), kind))
    with pytest.raises(BadInput, match=r"p\.tiff is a TIFF of a kind that is not read; save it as a TIFF or PNG of 8"):
        read_photo(tmp_path / "p.tiff")


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "p.jpg").touch()
    with pytest.raises(BadInput, match=r"p\.jpg is empty"):
        read_photo(tmp_path / "p.jpg")


def test_a_picture_of_more_pixels_than_its_bytes_let_guess_is_refused_unread(tmp_path: Path) -> None:
    Image.new("1", (10_001, 10_000)).save(tmp_path / "p.png")  # 13 KB, 300 MB when read
    with pytest.raises(BadInput, match="more than 100 million pixels"):
        read_photo(tmp_path / "p.png")
