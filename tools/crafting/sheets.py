"""A contact sheet to look at, and a page to print, cut out and wear."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib

matplotlib.use("Agg")

import cv2
import numpy as np
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from models.arrays import Bytes
from models.crop.wearables import frame_mask

PAGE_CM = (21.0, 29.7)  # A4
GLASSES_CM = 13.0  # across the front of an adult's glasses ("classic"), which sets the scale of everything worn
_PRINT_SIDE = 1792  # pixels of the finer drawing: about 300 dots per inch at 13 cm
_CAPTION = 14  # pixels


def contact_sheet(cells: Sequence[tuple[Bytes, Bytes, str]], *, columns: int = 6) -> Bytes:
    """Cells of (original, attacked, caption) -> one RGB picture; both pictures (S, S, 3) RGB."""
    size = cells[0][0].shape[0]
    width, height = 2 * size + 6, size + 2 * _CAPTION + 6
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (columns * width + 6, rows * height + 6), (255, 255, 255))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=_CAPTION * 0.7)
    for place, (before, after, caption) in enumerate(cells):
        x, y = 6 + place % columns * width, 6 + place // columns * height
        sheet.paste(Image.fromarray(before), (x, y))
        sheet.paste(Image.fromarray(after), (x + size, y))
        for line, text in enumerate(caption.split("\n")[:2]):
            draw.text((x, y + size + line * _CAPTION), text, fill=(0, 0, 0), font=font)
    return np.asarray(sheet, dtype=np.uint8)


def fine_accessory(rgba: Bytes, shape: str) -> Bytes:
    """The accessory drawn finely, cut to its outline: (H, W, 4). Colours are the texture's, each pixel a square;
    the outline is that of the shape, not of the pixels.
    """
    opaque = (rgba[..., 3] > 0).astype(np.uint8)
    # colours continue beyond the last opaque pixel, so that the finer outline never shows what lies under it
    _, nearest = cv2.distanceTransformWithLabels(1 - opaque, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    colours = np.zeros((int(nearest.max()) + 1, 3), np.uint8)
    colours[nearest[opaque > 0]] = rgba[opaque > 0, :3]
    fine = cv2.resize(colours[nearest], (_PRINT_SIDE, _PRINT_SIDE), interpolation=cv2.INTER_NEAREST)
    alpha = np.rint(frame_mask(shape, _PRINT_SIDE) * 255).astype(np.uint8)
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    whole = np.dstack([fine, alpha])
    return whole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def printable_page(rgba: Bytes, shape: str, caption: str) -> bytes:
    """A PDF page (A4) with the accessory at the scale of a face whose classic glasses are ``GLASSES_CM`` wide, with
    cut marks and a ruler to check the printer by.
    """
    accessory = fine_accessory(rgba, shape)
    cm = GLASSES_CM / int(frame_mask("classic", _PRINT_SIDE).any(axis=0).sum())  # of a pixel of the finer drawing
    height_cm, width_cm = cm * accessory.shape[0], cm * accessory.shape[1]
    figure = Figure(figsize=(PAGE_CM[0] / 2.54, PAGE_CM[1] / 2.54))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, PAGE_CM[0])
    axes.set_ylim(0, PAGE_CM[1])
    axes.axis("off")
    left, bottom = (PAGE_CM[0] - width_cm) / 2, 18.0
    axes.imshow(
        accessory, extent=(left, left + width_cm, bottom, bottom + height_cm), aspect="auto", interpolation="none"
    )
    axes.set_xlim(0, PAGE_CM[0])
    axes.set_ylim(0, PAGE_CM[1])
    for x, outwards in ((left, -1), (left + width_cm, 1)):
        for y, upwards in ((bottom, -1), (bottom + height_cm, 1)):
            axes.plot([x + 0.2 * outwards, x + 0.9 * outwards], [y, y], color="black", linewidth=0.5)
            axes.plot([x, x], [y + 0.2 * upwards, y + 0.9 * upwards], color="black", linewidth=0.5)
    axes.plot([5.5, 15.5], [15, 15], color="black", linewidth=0.5)
    for centimetre in range(11):
        axes.plot([5.5 + centimetre] * 2, [15, 15.3], color="black", linewidth=0.5)
    axes.text(5.5, 14.4, "10 cm: print at 100 %, without fitting to the page", fontsize=8)
    axes.text(left, bottom + height_cm + 1.3, caption, fontsize=8)
    content = io.BytesIO()
    FigureCanvasPdf(figure)
    figure.savefig(content, format="pdf", metadata={"CreationDate": None, "Title": "accessory at true scale"})
    return content.getvalue()
