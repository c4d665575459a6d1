"""Tables and numbers of documents, written from figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.errors import BadInput
from tools.maintain.tables import outdated, shown, unused

SHARE = {"share": 0.125, "low": 0.0469, "high": 0.2944, "right": 4, "n": 32}
DECLARED = """
documents: [page.md]
numbers:
  found: {file: one.json, at: rows.b.found}
tables:
  both:
    file: one.json
    columns: [what, share, interval, n]
    shown: [value, interval, n]
    each: [{key: a}, {key: b}]
    rows: [[found in $key, =rows.$key.found]]
"""
PAGE = "Of all <!-- figure: found -->9 %<!-- end --> are found.\n\n<!-- table: both --><!-- end -->\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "docs" / "benchmarks").mkdir(parents=True)
    (tmp_path / "docs" / "figures.yaml").write_text(DECLARED)
    figures = {"rows": {"a": {"found": SHARE | {"share": 0.5}}, "b": {"found": SHARE}}}
    (tmp_path / "docs" / "benchmarks" / "one.json").write_text(json.dumps(figures))
    (tmp_path / "page.md").write_text(PAGE)
    return tmp_path


def test_a_number_and_a_table_are_written_from_their_file(root: Path) -> None:
    written = outdated(root)[root / "page.md"]
    assert "Of all <!-- figure: found -->12.5 %<!-- end --> are found." in written
    table = [line for line in written.splitlines() if line.startswith("|")]
    assert table == [
        "| what | share | interval | n |",
        "| --- | --: | --: | --: |",
        "| found in a | 50.0 % | 4.7 to 29.4 % | 32 |",
        "| found in b | 12.5 % | 4.7 to 29.4 % | 32 |",
    ]


def test_a_page_that_was_written_is_up_to_date_until_a_figure_changes(root: Path) -> None:
    page, figures = root / "page.md", root / "docs" / "benchmarks" / "one.json"
    page.write_text(outdated(root)[page])
    assert outdated(root) == {}
    figures.write_text(figures.read_text().replace("0.125", "0.25"))
    assert "25.0 %" in outdated(root)[page]


def test_what_is_declared_and_shown_nowhere_is_told(root: Path) -> None:
    (root / "page.md").write_text("<!-- table: both --><!-- end -->")
    assert unused(root) == {"found"}


def test_an_interval_over_people_goes_before_one_over_pictures() -> None:
    figure = SHARE | {"over_people": {"people": 12, "low": 0.0, "high": 0.5}}
    assert [shown(figure, how) for how in ("value", "interval", "n")] == ["12.5 %", "0.0 to 50.0 %", "32 of 12 people"]


@pytest.mark.parametrize(
    ("figure", "how", "text"),
    [
        (0.4633, "{:.0%}", "46%"),
        (661.2, "{:.0f} MB", "661 MB"),
        ("a name", "value", "a name"),
        ({"value": 0.77, "n": 1}, "value", "0.770"),
    ],
)
def test_a_plain_number_is_shown_as_its_format_says(figure: object, how: str, text: str) -> None:
    assert shown(figure, how) == text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (("rows.b.found", "rows.c.found"), "one.json holds nothing at rows.c.found"),
        (("rows.b.found", "rows..b"), "is no JMESPath"),
        (("one.json, at", "two.json, at"), "no figures can be read"),
        (("columns: [what, share, interval, n]", "columns: [what, share]"), "4 cells for 2 columns"),
        (("found: {", "other: {"), "declares no figure 'found'"),
        (("shown: [value, interval, n]", "shown: [value, mean, n]"), "expected value, interval, n"),
        (("  both:", "  both:\n    colums: []"), "colums: unknown key; did you mean 'columns'"),
    ],
)
def test_a_wrong_declaration_is_one_line(root: Path, wrong: tuple[str, str], words: str) -> None:
    declared = root / "docs" / "figures.yaml"
    declared.write_text(declared.read_text().replace(*wrong))
    with pytest.raises(BadInput, match=words.replace("[", r"\[").replace("(", r"\(")):
        outdated(root)
