"""Light and dark: the colours of a drawing, and how it is written."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib

matplotlib.use("Agg")  # no screen is needed

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from realtime.system.command_line import write_whole


@dataclass(frozen=True)
class Theme:
    """Colours as matplotlib takes them; ``good``, ``bad`` and ``other`` can be told apart by the colour-blind."""

    name: str
    ground: str
    ink: str
    pale: str
    good: str
    bad: str
    other: str


LIGHT: Final = Theme("light", "#ffffff", "#1f2328", "#8a939c", "#00795a", "#c04f00", "#2b6fa8")
DARK: Final = Theme("dark", "#0d1117", "#e6edf3", "#7d8590", "#2fc9a0", "#ff8a3d", "#6db8ee")
THEMES: Final = (LIGHT, DARK)


@contextmanager
def drawn_in(theme: Theme) -> Iterator[None]:
    """Everything that matplotlib draws within has the theme's colours, and the same bytes each time."""
    colours: dict[Any, Any] = {
        "figure.facecolor": theme.ground,
        "axes.facecolor": theme.ground,
        "savefig.facecolor": theme.ground,
        "text.color": theme.ink,
        "axes.labelcolor": theme.ink,
        "axes.edgecolor": theme.pale,
        "xtick.color": theme.ink,
        "ytick.color": theme.ink,
        "grid.color": theme.pale,
        "legend.facecolor": theme.ground,
        "legend.edgecolor": theme.pale,
        "svg.hashsalt": "spectaclear",
        "svg.fonttype": "path",
        "font.size": 10,
    }
    with matplotlib.rc_context(colours):
        yield


def save(figure: Figure, path: Path) -> None:
    """Write a figure as .svg or .png, without a date, and forget it. Raises ``BadInput``."""
    buffer = io.BytesIO()
    kind = path.suffix.lstrip(".")
    figure.savefig(buffer, format=kind, dpi=110, metadata={"Date": None} if kind == "svg" else {"Software": None})
    plt.close(figure)
    write_whole(path, buffer.getvalue())
