"""Measures figures again, each by the command that its file names: ``python -m tools.maintain.remeasure NAMES``.

The commands run in the folder of the crops and photographs, one after another, each with a log of its own; what was
measured already is left out, so an interrupted run goes on. Results are put where the figures lie; the tables are
written by ``tools.maintain.tables``.
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from models.errors import BadInput

app = typer.Typer(add_completion=False, help=__doc__, rich_markup_mode=None)

FIGURES = Path(__file__).parents[2] / "docs" / "benchmarks"


@app.command()
def main(
    names: Annotated[list[str], typer.Argument(help="Files of docs/benchmarks, in the order in which to measure.")],
    data: Annotated[Path, typer.Option(help="The commands run here: crops and photographs by the names they say.")],
    work: Annotated[Path, typer.Option(help="Results and logs; a rerun goes on.")] = Path("runs/remeasure"),
    option: Annotated[
        list[str] | None, typer.Option(help="Added to each command, over its own: --option='--threads 1' (repeat).")
    ] = None,
    figures: Annotated[Path, typer.Option(help="Where the figures lie.")] = FIGURES,
) -> None:
    """Run each command again, and put what it wrote in the old figures' place."""
    added = [word for one in option or [] for word in shlex.split(one)]
    jobs = [(name, with_options(command_of(figures / name), added)) for name in names]
    work = work.resolve()
    failed = [name for name, words in jobs if not _measured(name, words, data, work, figures)]
    if failed:
        raise BadInput(f"{', '.join(failed)}: not measured; what went wrong is in the .log files of {work}")


def command_of(file: Path) -> list[str]:
    """The words of the command that wrote a figure, from ``-m`` on, without its ``--json FILE``.

    Raises:
        BadInput: the file cannot be read, or names no command of this project that writes JSON.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{file}: cannot be read as JSON; give a file of docs/benchmarks") from error
    content = content if isinstance(content, dict) else {}
    command = content.get("command") or content.get("facts", {}).get("command")
    words = shlex.split(command) if isinstance(command, str) else []
    if words[:2] != ["python", "-m"] or not words[2:] or words[2].split(".")[0] not in ("tools", "realtime"):
        raise BadInput(f"{file}: names no command that could be run again")
    if "--json" not in words[:-1]:
        raise BadInput(f"{file}: its command wrote no JSON")
    place = words.index("--json")
    return words[1:place] + words[place + 2 :]


def with_options(words: Sequence[str], added: Sequence[str]) -> list[str]:
    """A command with options added; what it said for the same options goes, with what follows them up to the next."""
    kept = list(words)
    for name in (word for word in added if word.startswith("--")):
        while name in kept:
            start = kept.index(name)
            end = start + 1
            while end < len(kept) and not kept[end].startswith("--"):
                end += 1
            del kept[start:end]
    return [*kept, *added]


def _measured(name: str, words: Sequence[str], data: Path, work: Path, figures: Path) -> bool:
    """Whether the figure was measured, now or by an earlier run of the very command."""
    place = work / name
    place.parent.mkdir(parents=True, exist_ok=True)
    result, log, done = (place.with_suffix(suffix) for suffix in (".json", ".log", ".done"))
    told = shlex.join(words)
    if not (done.exists() and result.exists() and done.read_text(encoding="utf-8") == told):
        result.unlink(missing_ok=True)
        cli.console.print(f"{time.strftime('%H:%M:%S')} {name}: {told}", highlight=False)
        with log.open("w", encoding="utf-8") as stream:
            ended = subprocess.run(
                [sys.executable, *words, "--json", str(result)], cwd=data, stdout=stream, stderr=stream, check=False
            )
        if ended.returncode or not result.exists():
            cli.console.print(f"{name}: ended with {ended.returncode}, see {log}", highlight=False)
            return False
        done.write_text(told, encoding="utf-8")
    _put(result, figures / name)
    return True


def _put(result: Path, figure: Path) -> None:
    """The result in the figure's place, its command as a reader would type it."""
    content = result.read_text(encoding="utf-8").replace(f"--json {result}", f"--json {figure.name}")
    figure.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    cli.run_app(app)
