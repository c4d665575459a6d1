import math
import time
from pathlib import Path

import pytest
import yaml

from models.yaml_core import YamlMistake, dump, load


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # ten and not eight, and no number in sixties: https://yaml.org/spec/1.2.2/#103-core-schema
        *[("010", 10), ("0o10", 8), ("0x1F", 31), ("-7", -7), ("1:30", "1:30"), ("1:30.5", "1:30.5")],
        *[("1_000", "1_000"), ("0b1", "0b1"), ("+7", 7)],
        *[("1e3", 1000.0), ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("-.inf", -math.inf), ("1e", "1e"), ("+", "+")],
        *[("no", "no"), ("on", "on"), ("y", "y"), ("True", True), ("false", False), ("tRue", "tRue")],
        *[("~", None), ("", None), ("null", None), ("Null", None), ("nULL", "nULL"), ("~/clips", "~/clips")],
        *[("2026-11-27", "2026-11-27"), ("=", "="), ("'10'", "10"), ('"~"', "~"), ("! 10", "10")],
        *[("!!str 10", "10"), ("!!float 1", 1.0), ("|\n  10\n", "10\n"), ("a # b", "a"), ("a#b", "a#b")],
    ],
)  # fmt: skip
def test_a_scalar_is_what_the_core_schema_says(text: str, value: object) -> None:
    found = load(f"x: {text}", most=10)["x"]
    assert found == value
    assert type(found) is type(value) or text == "!!float 1"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        *[("a: 1\nb: 2\na: 3", "line 3: the key 'a' is given twice"), ("1: a\n'1': b", "given twice")],
        *[("? [1]\n: 2", "a key that is a list"), ("!!python/object/apply:os.system ['x']", "or ! needs quotes")],
        *[(f"a: {value}", "needs quotes") for value in ("!!int x", "!secret x", "!e!secret", "*b", "*.b", "&b 1")],
        *[("a\n---\nb", "line 2: a second document"), ("a: - b", "line 1"), ("\0", "control characters")],
        *[(b"\xff", "."), ("a: \udcff", "UTF-8"), ("a: " + "1" * 5000, "a number of 5000 characters")],
    ],
)  # fmt: skip
def test_what_is_not_understood_is_said_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(YamlMistake, match=problem) as mistake:
        load(text, most=100)
    assert "\n" not in str(mistake.value)


@pytest.mark.parametrize(
    "text",
    [
        "a: 1" + ":1" * 1_000_000 + "\nb: [",  # sixties without end
        "a: [" + "a," * 2_000_000 + "a]",
        *[opened * 200_000 for opened in ("[", "{a: ", "- ", "? ")],
        "a: &a [" + "x," * 50 + "]\n" + "".join(f"{c}: &{c} [{'*a,' * 50}]\n" for c in "bcdef"),
    ],
)
def test_a_large_tree_is_refused_at_once(text: str) -> None:
    started = time.process_time()
    with pytest.raises(YamlMistake):
        load(text, most=1000)
    assert time.process_time() - started < 2


def test_aliases_and_merges_are_followed_where_they_are_allowed() -> None:
    text = "base: &b {x: 1, y: 2}\nmore: &m {z: 3}\none: {<<: *b, y: 5}\ntwo: {y: 6, <<: [*m, *b]}\nlist: [*b]"
    found = load(text, most=100, aliases=True)
    assert found["one"] == {"x": 1, "y": 5}
    assert found["two"] == {"x": 1, "y": 6, "z": 3}
    assert found["list"][0] is found["base"]
    with pytest.raises(YamlMistake, match="line 1: << is followed by something that is no mapping"):
        load("a: {<<: [1]}", most=100, aliases=True)
    assert load("a: {'<<': 1}", most=100, aliases=True) == {"a": {"<<": 1}}


def test_there_is_one_document_and_it_may_be_empty() -> None:
    assert load("", most=1) is None
    assert load("---\na: 1\n...\n", most=10) == {"a": 1}


@pytest.mark.parametrize(
    "value",
    ["1e5", "0o7", "010", "1:30", "no", "~", "12345e67", "0x1", "+1", ".5", "a: b", "# c", "\n", 1e16, 1e-5, 3, None],
)
def test_what_is_written_is_read_back_by_both_schemas(value: object) -> None:
    assert load(dump({"k": value}), most=10) == yaml.safe_load(dump({"k": value})) == {"k": value}


def test_the_shipped_descriptions_and_configurations_read_the_same_in_both_schemas() -> None:
    root = Path(__file__).parents[2]
    files = [*root.glob("models/bundles/*/bundle.yaml"), *root.glob("configs/*.yaml")]
    assert len(files) > 3
    for file in files:
        content = file.read_bytes()
        assert load(content, most=100_000, aliases=True) == yaml.load(content, yaml.CSafeLoader), file
