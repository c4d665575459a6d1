"""Picture files of every kind that phones and cameras write."""

import os
from pathlib import Path

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


@pytest.mark.parametrize("suffix", ["heic", "avif", "jp2"])
def test_a_file_that_ends_too_early_is_refused(suffix: str, tmp_path: Path) -> None:
    pillow_heif.register_heif_opener()
    Image.fromarray(HALVES).save(tmp_path / f"p.{suffix}")
    os.truncate(tmp_path / f"p.{suffix}", (tmp_path / f"p.{suffix}").stat().st_size // 2)
    with pytest.raises(BadInput, match="is not a picture that can be read; give a JPEG"):
        read_photo(tmp_path / f"p.{suffix}")
