"""Writes the tables and the numbers of README and docs from the measured figures: ``python -m tools.maintain.tables``.

Each stands between two comments of a document, ``<!-- table: NAME -->`` or ``<!-- figure: NAME -->``, and
``<!-- end -->``. ``docs/figures.yaml`` says from which file of ``docs/benchmarks`` and from where in it each number
comes, and ``--check`` only says what is no longer what its file says.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
import json
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ConfigDict, Field

from models.errors import BadInput
from realtime.settings.yaml_file import read_model

app = typer.Typer(add_completion=False, help=__doc__, rich_markup_mode=None)

ROOT = Path(__file__).parents[2]
DECLARED = Path("docs/figures.yaml")
FIGURES = Path("docs/benchmarks")
PART = re.compile(r"<!-- (table|figure): ([\w-]+) -->(.*?)<!-- end -->", re.DOTALL)
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


class Part(BaseModel):
    """Common to both: no unknown key, nothing changed after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NumberSpec(Part):
    """One number in a sentence."""

    file: str = Field(description="A file of docs/benchmarks")
    at: str = Field(description="Where in it, as a JMESPath")
    shown: str = Field(default="value", description="value, interval, n, or a format such as '{:.1f} s'")


class TableSpec(Part):
    """One table. A cell that begins with ``=`` is looked up, ``=PATH as SHOWN, SHOWN`` gives several cells."""

    file: str = Field(
        description="The file of docs/benchmarks that cells are looked up in; '=FILE: PATH' names another"
    )
    columns: list[str] = Field(min_length=2)
    shown: list[str] = Field(default=["value"], description="How a looked-up cell is shown that does not say it")
    each: list[dict[str, str]] = Field(default=[{}], description="Each row for every one of these; $key is replaced")
    rows: list[list[str]] = Field(min_length=1)


class Declared(Part):
    """``docs/figures.yaml``."""

    documents: list[str] = Field(description="Those that have tables or numbers, from the repository's root")
    numbers: dict[str, NumberSpec] = {}
    tables: dict[str, TableSpec] = {}


class Figures:
    """The measured figures of ``root``, looked up by file and JMESPath."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FIGURES
        self._read = cache(self._parse)

    def _parse(self, file: str) -> Any:
        path = self._folder / file
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise BadInput(f"{path}: no figures can be read ({error}); mend {DECLARED}, or measure them") from None

    def at(self, file: str, path: str) -> Any:
        """What stands there. Raises ``BadInput`` where nothing does."""
        try:
            import jmespath
        except ModuleNotFoundError:
            raise BadInput("tables need jmespath; pip install 'spectaclear[test]'") from None
        try:
            found = jmespath.search(path, self._read(file))
        except jmespath.exceptions.JMESPathError as error:
            raise BadInput(f"{DECLARED}: {path}: is no JMESPath: {error}") from None
        if found is None:
            raise BadInput(f"{DECLARED}: {file} holds nothing at {path}; mend the path")
        return found


def shown(figure: Any, how: str) -> str:
    """A figure as the text of a cell.

    Args:
        figure: a share (``share``, ``low``, ``high``, ``n``), a mean (``mean`` or ``value`` with these), or a scalar.
        how: ``value``, ``interval`` (95 %; over people where the figure has that one), ``n``, or a format
            such as ``{:.1f} s``.

    Raises:
        BadInput: the figure has no such thing.
    """
    if "{" in how:
        return how.format(figure)
    if how == "value" and not isinstance(figure, dict):
        return str(figure)
    if not isinstance(figure, dict):
        raise BadInput(f"{DECLARED}: a plain {type(figure).__name__} has no {how}; give a format such as '{{:.1f}}'")
    if how == "n":
        people = figure.get("over_people")
        return f"{figure['n']} of {people['people']} people" if people else str(figure["n"])
    percent = "share" in figure
    if how == "interval":
        low, high = (figure.get("over_people", figure)[key] for key in ("low", "high"))
        return f"{100 * low:.1f} to {100 * high:.1f} %" if percent else f"{low:.3f} to {high:.3f}"
    if how != "value":
        raise BadInput(f"{DECLARED}: found '{how}', expected value, interval, n, or a format such as '{{:.1f}}'")
    if percent:
        return f"{100 * figure['share']:.1f} %"
    return f"{figure['mean'] if 'mean' in figure else figure['value']:.3f}"


def cells(text: str, spec: TableSpec, figures: Figures) -> Iterator[str]:
    """The cells that one declared cell becomes."""
    if not text.startswith("="):
        yield text
        return
    place, _, wished = text[1:].partition(" as ")
    file, colon, path = place.partition(".json: ")
    file, path = (f"{file}.json", path) if colon else (spec.file, place)
    found = figures.at(file, path)
    for how in [one.strip() for one in wished.split(",")] if wished else spec.shown:
        yield shown(found, how)


def markdown(spec: TableSpec, figures: Figures) -> str:
    """A table in Markdown. Raises ``BadInput`` where a row has more or fewer cells than there are columns."""
    rows: list[Sequence[str]] = []
    for declared in spec.rows:
        for words in spec.each:
            row = [cell for text in declared for cell in cells(string.Template(text).substitute(words), spec, figures)]
            if len(row) != len(spec.columns):
                raise BadInput(
                    f"{DECLARED}: {len(row)} cells for {len(spec.columns)} columns in {' | '.join(declared)}"
                )
            rows.append(row)
    rule = ["---", *["--:" if _is_number(cell) else "---" for cell in rows[0][1:]]]
    return "\n".join("| " + " | ".join(row) + " |" for row in (spec.columns, rule, *rows))


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit()


def written(text: str, declared: Declared, figures: Figures) -> str:
    """A document with every table and number as its file says. Raises ``BadInput`` for an undeclared one."""

    def part(found: re.Match[str]) -> str:
        kind, name = found[1], found[2]
        known: Mapping[str, TableSpec | NumberSpec] = declared.tables if kind == "table" else declared.numbers
        if name not in known:
            raise BadInput(f"{DECLARED}: declares no {kind} '{name}'")
        spec = known[name]
        if isinstance(spec, TableSpec):
            content = f"\n\n{markdown(spec, figures)}\n\n"
        else:
            content = shown(figures.at(spec.file, spec.at), spec.shown)
        return f"<!-- {kind}: {name} -->{content}<!-- end -->"

    return PART.sub(part, text)


def outdated(root: Path) -> dict[Path, str]:
    """The documents of ``root`` that no longer say what the figures say, with what they should say."""
    declared, figures = read_model(root / DECLARED, Declared), Figures(root)
    texts = {root / name: (root / name).read_text() for name in declared.documents}
    fresh = {path: written(text, declared, figures) for path, text in texts.items()}
    return {path: text for path, text in fresh.items() if text != texts[path]}


def unused(root: Path) -> set[str]:
    """What ``docs/figures.yaml`` declares and no document shows."""
    declared = read_model(root / DECLARED, Declared)
    seen = {found[2] for name in declared.documents for found in PART.finditer((root / name).read_text())}
    return {*declared.tables, *declared.numbers} - seen


@app.command()
def main(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail where a document is out of date.")
    ] = False,
    root: Annotated[Path, typer.Option("--root", help="The repository.")] = ROOT,
    json_file: cli.JsonFile = None,
) -> None:
    """Bring every table and number up to date."""
    cli.check_writable(json_file)
    stale = outdated(root)
    names = [str(path.relative_to(root)) for path in stale]
    cli.write_json(json_file, {"outdated" if check else "written": names})
    if stale and check:
        raise BadInput(f"{', '.join(names)}: not what docs/benchmarks says; run python -m tools.maintain.tables")
    for path, text in stale.items():
        cli.write_whole(path, text.encode())
    cli.console.print("\n".join(names) or "all up to date")


if __name__ == "__main__":
    cli.run_app(app)
