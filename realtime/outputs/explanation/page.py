"""Explanations as one page that needs nothing else: for a report, or to be sent to somebody."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import cv2

from realtime.outputs.explanation.picture import Cell, cells_of
from realtime.outputs.explanation.words import Explanation, percent

_STYLE = """
:root { color-scheme: light dark; --line: #8885; --bar: #b3420a; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin: 2rem 0 .5rem; } p { margin: .25rem 0; }
ul { display: flex; flex-wrap: wrap; gap: 1rem; padding: 0; list-style: none; }
figure { margin: 0; width: 10.5rem; } figcaption { font-size: .875rem; }
img { width: 100%; display: block; } .against img { outline: .25rem solid var(--bar); }
meter { width: 100%; }
"""


def page_of(title: str, explanations: Sequence[Explanation]) -> str:
    """A page in HTML with every picture inside."""
    parts = "\n".join(_part(one) for one in explanations)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>\n{parts}\n</main></body></html>\n"
    )


def _part(explanation: Explanation) -> str:
    sentences = "".join(f"<p>{escape(one)}</p>" for one in explanation.sentences)
    cells = "".join(_figure(cell, explanation.about) for cell in cells_of(explanation))
    return f"<section><h2>{escape(explanation.heading)}</h2>{sentences}<ul>{cells}</ul></section>"


def _figure(cell: Cell, about: str) -> str:
    _, encoded = cv2.imencode(".png", cell.picture)
    data = base64.b64encode(encoded.tobytes()).decode()
    view = cell.view
    said = ""
    if view is not None:
        said = f"<br>{escape(view.words)}"
        if view.looked and about:
            needed = "" if view.needed is None else f" (at least {percent(view.needed)} is needed)"
            label = escape(f"{cell.title}: {about}")
            said += f"<br>{escape(about)}: {percent(view.given)}{needed}"
            said += f'<meter min="0" max="1" value="{view.given:.4f}" aria-label="{label}"></meter>'
    kind = ' class="against"' if view is not None and view.against else ""
    image = f'<img src="data:image/png;base64,{data}" alt="{escape(cell.title)}">'
    return f"<li{kind}><figure>{image}<figcaption>{escape(cell.title)}{said}</figcaption></figure></li>"
