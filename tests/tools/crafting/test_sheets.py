"""What is printed and what is looked at."""

from __future__ import annotations

import re
import zlib

import numpy as np
import pytest

from models.crop.wearables import frame_mask
from tools.crafting.sheets import contact_sheet, fine_accessory, printable_page
from tools.crafting.texture import rgba_of


@pytest.mark.parametrize(
    ("shape", "width", "height"), [("classic", 13.0, 4.35), ("patch", 2.5, 2.5), ("face_mask", 11.35, 8.67)]
)
def test_the_printed_page_is_true_to_the_scale_of_a_face_with_glasses_of_13_cm(shape, width, height):
    alpha = frame_mask(shape, 112)
    rgba = rgba_of(np.full((112, 112, 3), (200, 30, 40), np.uint8), alpha)
    fine = fine_accessory(rgba, shape)
    assert fine[..., 3].any(axis=0).all()
    assert (fine[fine[..., 3] > 0][:, :3] == (200, 30, 40)).all()
    content = printable_page(rgba, shape, "caption")
    box = re.search(rb"/MediaBox \[ *0 0 ([\d.]+) ([\d.]+)", content)
    assert box is not None
    assert [float(side) / 72 * 2.54 for side in box.groups()] == pytest.approx([21.0, 29.7], abs=0.01)
    streams = [
        zlib.decompress(s) for s in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.S) if s[:1] == b"x"
    ]
    # the picture is placed by a matrix "width 0 0 height x y cm" in points of 1/72 inch
    placed = [m for s in streams for m in re.findall(rb"([\d.]+) 0 0\s+-?([\d.]+)\s+[\d.]+ [\d.]+ cm", s)]
    sizes = [[float(side) / 72 * 2.54 for side in one] for one in placed]
    assert any(size == pytest.approx([width, height], abs=0.03) for size in sizes), sizes


def test_the_contact_sheet_shows_every_pair_before_and_after():
    red, blue = (np.full((20, 20, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    sheet = contact_sheet([(red, blue, "one\ntwo")] * 3, columns=2)
    assert [(sheet == colour).all(axis=2).sum() for colour in ((255, 0, 0), (0, 0, 255))] == [1200, 1200]
