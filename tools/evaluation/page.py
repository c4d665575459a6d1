"""Markdown and one HTML page that holds everything, pictures included."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from models.arrays import Bytes
from models.policy import Decision, decide_undefended
from models.recogniser import Recogniser
from tools.crafting.attacked_faces import NOBODY, Attacked
from tools.crafting.store import png
from tools.evaluation.defences import Defence
from tools.evaluation.table import Table

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; color: #1c2430;
       background: #fff; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { border: 1px solid #ccd3dc; padding: .3rem .5rem; text-align: left; vertical-align: top; }
th { background: #f1f4f8; } tbody tr:nth-child(even) { background: #fafbfd; }
figure { margin: 1rem 0; } figure img.curve { max-width: 100%; } .faces img { width: 112px; image-rendering: auto; }
.faces td { text-align: center; } li, p, figcaption { overflow-wrap: anywhere; }
@media (max-width: 40rem) { body { margin: 1rem auto; } h1 { font-size: 1.4rem; } .faces img { width: 72px; }
  th:first-child, td:first-child { position: sticky; left: 0; background: #f1f4f8; max-width: 9rem; } }
"""


@dataclass(frozen=True)
class Example:
    """One attacked face with what the defence saw; pictures (S, S, 3) RGB."""

    caption: str
    original: Bytes
    attacked: Bytes
    saliency: Bytes
    mask: Bytes
    masked: Bytes
    before: str
    after: str


def in_words(decision: Decision) -> str:
    """A decision as a short text: ``Known(Ada Byron) 0.93``."""
    if decision.state == "known":
        return f"Known({decision.identity}) {decision.confidence:.2f}"
    if decision.state == "suspected_attack":
        return f"SuspectedAttack(claims {decision.claimed}, likely {decision.likely or 'nobody known'})"
    return f"Unknown ({decision.reason}) {decision.confidence:.2f}"


def examples_of(recogniser: Recogniser, faces: Attacked, defence: Defence, count: int = 12) -> list[Example]:
    """The first ``count`` attacked faces, chosen by nothing but their number."""
    faces = faces.first(count)
    evidence = defence.answer(faces.adversarial)
    found = []
    for index, one in enumerate(evidence):
        truth = "a stranger" if faces.labels[index] == NOBODY else recogniser.labels[faces.labels[index]]
        goal = "nobody" if faces.targets[index] == NOBODY else recogniser.labels[faces.targets[index]]
        heat = cv2.applyColorMap((one.saliency * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
        found.append(
            Example(
                caption=f"{truth} as {goal}, {faces.records[index]['iterations']} steps",
                original=faces.originals[index],
                attacked=faces.adversarial[index],
                saliency=np.ascontiguousarray(heat, dtype=np.uint8),
                mask=np.repeat(one.mask[..., None].astype(np.uint8) * np.uint8(255), 3, axis=2),
                masked=one.masked_crop,
                before=in_words(decide_undefended(one, recogniser.policy)),
                after=in_words(defence.decide(one, recogniser.policy)),
            )
        )
    return found


def markdown_page(title: str, facts: Mapping[str, object], tables: Sequence[Table], curves: Sequence[Path]) -> str:
    """The tables under a heading; curves are linked."""
    parts = [f"# {title}", "", *(f"- {key}: {value}" for key, value in facts.items())]
    for table in tables:
        parts += ["", table.markdown()]
    for path in curves:
        parts += ["", f"![{path.stem.replace('_', ' ')}]({path.name})"]
    return "\n".join(parts) + "\n"


def html_page(
    title: str,
    facts: Mapping[str, object],
    tables: Sequence[Table],
    curves: Sequence[Path],
    examples: Sequence[Example],
    defence: str,
) -> str:
    """One file: no script, nothing from outside."""
    escape = html.escape
    lines = "".join(f"<li>{escape(key)}: {escape(str(value))}</li>" for key, value in facts.items())
    body = [f"<h1>{escape(title)}</h1><ul>{lines}</ul>", *(table.html() for table in tables)]
    body.append("<h2>Curves</h2>")
    for path in curves:
        name = path.stem.replace("_", " ")
        body.append(
            f"<figure><img class=curve alt='{escape(name)}' src='{_data(path.read_bytes())}'>"
            f"<figcaption>{escape(name)}</figcaption></figure>"
        )
    if examples:
        body.append(f"<h2>Pictures</h2><p>The first attacked faces by number; the defence is: {escape(defence)}.</p>")
        body.append("<div class=wide tabindex=0 role=region aria-label=Pictures><table class=faces><thead><tr>")
        columns = ("pair", "original", "attacked", "saliency", "mask", "masked", "without defence", "with defence")
        body += [*(f"<th>{column}</th>" for column in columns), "</tr></thead><tbody>"]
        for one in examples:
            pictures = (one.original, one.attacked, one.saliency, one.mask, one.masked)
            words = ("original", "attacked", "saliency", "mask", "masked")
            cells = "".join(
                f"<td><img alt='{word}' src='{_data(png(p))}'></td>" for word, p in zip(words, pictures, strict=True)
            )
            body.append(f"<tr><td>{escape(one.caption)}</td>{cells}<td>{escape(one.before)}</td>")
            body.append(f"<td>{escape(one.after)}</td></tr>")
        body.append("</tbody></table></div>")
    phone = "<meta name=viewport content='width=device-width, initial-scale=1'>"
    head = f"<meta charset=utf-8>{phone}<title>{escape(title)}</title>"
    main = f"<body><main>{''.join(body)}</main></body>"
    return f"<!doctype html><html lang=en><head>{head}<style>{_STYLE}</style></head>{main}</html>"


def _data(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()
