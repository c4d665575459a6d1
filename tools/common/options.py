"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.training.device import DEVICES

Aligned = Annotated[bool, typer.Option("--aligned", help="The pictures are crops in the canonical pose already.")]
Device = Annotated[str, typer.Option(help=f"What torch computes on: {', '.join(DEVICES)} (a GPU where there is one).")]
KeptEmbeddings = Annotated[
    Path | None, typer.Option(help="Keeps a gallery's embeddings; a rerun takes them from there.")
]
Bfloat16 = Annotated[bool, typer.Option("--half-precision", help="In bfloat16 where that will do (AVX-512 BF16).")]
