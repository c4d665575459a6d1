"""What README and the other documents say is there, and is still so."""

from __future__ import annotations

import importlib
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from tools.maintain.configuration_page import PAGE, page
from tools.maintain.tables import FENCE, PART, outdated, unused

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if "benchmarks" not in path.parts)
DOCUMENTS = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *PAGES]
LINK = re.compile(r"\]\(([^)\s]+)\)|src(?:set)?=\"([^\"]+)\"")
MODES = ("gh-light-mode-only", "gh-dark-mode-only")
#: A number that somebody measured: a share, a rate, a time.
MEASURED = re.compile(r"\d[\d.,]*\s?(?:%|x\b|ms\b|of \d+|percent|times\b|in \d+)|\b0\.\d{2,}")


def anchors(document: Path) -> set[str]:
    """Headings as GitHub turns them into anchors."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    for link in filter(None, sum(LINK.findall(document.read_text()), ())):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        if anchor and anchor not in MODES:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("document", [README, ROOT / "CONTRIBUTING.md", *PAGES[:1]], ids=lambda path: path.name)
def test_every_file_that_a_document_sends_to_exists(document: Path) -> None:
    for name in re.findall(r"`((?:models|realtime|tools|configs|docs|tests)/[\w./]*)`", document.read_text()):
        assert (ROOT / name).exists(), name


def test_the_readme_is_one_page() -> None:
    assert README.stat().st_size <= 10_000


def test_every_table_and_number_is_what_its_file_of_figures_says() -> None:
    assert [path.name for path in outdated(ROOT)] == [], "run python -m tools.maintain.tables"


def test_every_table_and_number_that_is_declared_is_shown() -> None:
    assert unused(ROOT) == set()


@pytest.mark.parametrize(
    "document", [README, *(ROOT / "docs" / f"{name}.md" for name in ("index", "defence"))], ids=str
)
def test_no_measured_number_is_written_by_hand(document: Path) -> None:
    words = PART.sub("", FENCE.sub("", document.read_text()))
    found = [match[0] for match in MEASURED.finditer(words) if match[0] not in ("112 x", "95 %")]
    assert found == [], "declare it in docs/figures.yaml"


def test_the_page_of_settings_is_that_of_the_schema() -> None:
    assert PAGE.read_text() == page(), "run python -m tools.maintain.configuration_page"


def commands_of(document: Path) -> list[str]:
    """Each ``python -m ...`` of the document's shell blocks in one line."""
    blocks = re.findall(r"^```sh\n(.*?)^```", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [one.strip(" &") for line in lines for one in line.split("#")[0].split(";") if "python -m " in one]


@cache
def app_of(module: str) -> Any:
    return typer.main.get_command(importlib.import_module(module).app)


@pytest.mark.parametrize(
    "document",
    [README, ROOT / "CONTRIBUTING.md", *(path for path in PAGES if "lab_notes" not in path.parts)],
    ids=lambda path: path.stem,
)
def test_every_command_of_a_document_exists_with_its_options(document: Path) -> None:
    for line in commands_of(document):
        words = shlex.split(line.split("python -m ")[-1].split(" > ")[0].replace("'", '"'))
        module, *arguments = words
        if module in ("venv", "pip", "pytest", "build"):
            continue
        command = app_of("realtime.__main__" if module == "realtime" else module)
        while hasattr(command, "commands"):
            name = arguments.pop(0)
            command = command.get_command(None, name)
            assert command is not None, line
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in arguments if word.startswith("--")} <= known | {"--help"}, line


@pytest.mark.usefixtures("tried")
def test_the_python_of_the_page_runs_and_knows_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "python.md").read_text(), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    assert "identity='Eileen Collins'" in capsys.readouterr().out
    assert names["evidence"].zones == names["recogniser"].zones
