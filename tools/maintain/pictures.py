"""Draws the pictures of the documentation, each in light and dark: ``python -m tools.maintain.pictures``.

Those of a face show the demo's (a public-domain portrait), those of figures read ``docs/benchmarks``.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from matplotlib.figure import Figure

from models.errors import BadInput, refuse_unknown
from models.recogniser import Recogniser, load_recogniser
from tools.maintain.drawings import charts, face
from tools.maintain.drawings.theme import THEMES, Theme, drawn_in, save

app = typer.Typer(add_completion=False, help=__doc__, rich_markup_mode=None)

ROOT = Path(__file__).parents[2]
#: Kind of file by picture: photographs are smaller as PNG, drawings as SVG.
NAMES = {"steps": "png", "zones": "png", "iterations": "svg", "live": "svg", "capacity": "svg", "architecture": "svg"}


def makers(bundle: str | None, benchmarks: Path) -> dict[str, Callable[[Theme], Figure]]:
    """What draws each picture; the recogniser is loaded once, where one of them needs it."""
    loaded: list[Recogniser] = []

    def recogniser() -> Recogniser:
        if not loaded:
            loaded.append(load_recogniser(bundle))
        return loaded[0]

    return {
        "steps": lambda theme: face.steps(recogniser(), theme),
        "zones": lambda theme: face.zones(recogniser(), theme),
        "iterations": lambda theme: charts.iterations(benchmarks, theme),
        "live": lambda theme: charts.live(benchmarks, theme),
        "capacity": lambda theme: charts.capacity(benchmarks, theme),
        "architecture": charts.architecture,
    }


@app.command()
def main(
    out: Annotated[Path, typer.Option("--out", help="The folder.")] = ROOT / "docs" / "pictures",
    only: Annotated[list[str] | None, typer.Option("--only", help=f"Only these: {', '.join(NAMES)}.")] = None,
    bundle: Annotated[str | None, typer.Option("--bundle", help="Name or folder of a bundle.")] = None,
    benchmarks: Annotated[Path, typer.Option("--benchmarks", help="The measured figures.")] = ROOT
    / "docs"
    / "benchmarks",
    json_file: cli.JsonFile = None,
) -> None:
    """Draw them."""
    refuse_unknown("--only", *(only or ()), known=tuple(NAMES))
    if not out.is_dir():
        raise BadInput(f"{out}: is no folder; make it first")
    cli.check_writable(json_file)
    files = []
    for name, make in makers(bundle, benchmarks).items():
        if only and name not in only:
            continue
        for theme in THEMES:
            with drawn_in(theme):
                files.append(out / f"{name}_{theme.name}.{NAMES[name]}")
                save(make(theme), files[-1])
    cli.write_json(json_file, {"files": [file.name for file in files]})
    cli.console.print(f"{out}: {', '.join(file.name for file in files)}", soft_wrap=True)


if __name__ == "__main__":
    cli.run_app(app)
