"""YAML 1.2's core schema: text, numbers, true and false, nothing; lists and mappings of them. No more.

PyYAML reads YAML 1.1, where ``1:30`` is ninety, ``010`` is eight, ``no`` is false, ``2026-11-27`` a date, and a
number in sixties takes time without end. Here ``1:30``, ``no`` and the date are text, and ``010`` is ten.

The tree is built from the parser's events, without recursion, and counted: a small file cannot describe a large one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable
from typing import Any

import yaml

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_LONGEST_NUMBER = 400  # characters
_QUOTE = "a value that begins with &, * or ! needs quotes"  # it may be a password: not shown
_TAG_OR_ALIAS = re.compile(r"found undefined tag handle|did not find expected alphabetic or numeric character")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")

#: What a plain scalar (one without quotes) may be, in this order; everything else is text.
_KINDS: tuple[tuple[str, re.Pattern[str], Callable[[str], Any]], ...] = (
    ("null", re.compile(r"~|null|Null|NULL|"), lambda text: None),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text[0] in "tT"),
    ("int", re.compile(r"[-+]?[0-9]+"), int),
    ("int", re.compile(r"0o[0-7]+"), lambda text: int(text[2:], 8)),
    ("int", re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text[2:], 16)),
    ("float", _FLOAT, float),
    ("float", re.compile(r"[-+]?\.(?:inf|Inf|INF)"), lambda text: -math.inf if text[0] == "-" else math.inf),
    ("float", re.compile(r"\.(?:nan|NaN|NAN)"), lambda text: math.nan),
)


class YamlMistake(Exception):
    """What is wrong with a text, and in which line (from 1; None where the parser does not say).

    ``problem`` may quote the text.
    """

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem if line is None else f"line {line}: {problem}")
        self.problem = problem
        self.line = line


def load(text: str | bytes, *, most: int, deepest: int = 20, aliases: bool = False) -> Any:
    """The one document of ``text``: None, bool, int, float, str, and lists and dicts of them.

    Args:
        text: bytes are UTF-8 (or UTF-16 with its mark).
        most: values and keys allowed, before aliases are followed.
        deepest: levels allowed.
        aliases: whether ``&name``, ``*name`` and the merge key ``<<`` are. A name stands for the same object each
            time, also within itself: who walks the tree counts.

    Raises:
        YamlMistake: it is no YAML, holds more than allowed, a key twice, a key that is no scalar, or a tag.
    """
    tree = _Tree(most, deepest, aliases)
    try:
        for event in yaml.parse(text, Loader=_PARSER):
            tree.take(event)
    except yaml.MarkedYAMLError as error:
        problem = str(error.problem or error.context)
        raise YamlMistake(_QUOTE if _TAG_OR_ALIAS.match(problem) else problem, _line(error.problem_mark)) from None
    except yaml.YAMLError as error:
        raise YamlMistake(" ".join(str(error).split())) from None
    except UnicodeError:
        raise YamlMistake("is not a text in UTF-8") from None
    return tree.root


def dump(content: Any) -> str:
    """``content`` (JSON's types) as YAML that this module and readers of YAML 1.1 understand alike."""
    return str(yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120))


class _Tree:
    """Builds the document from the parser's events: a stack of what is still open."""

    def __init__(self, most: int, deepest: int, aliases: bool) -> None:
        self.root: Any = None
        self._most, self._deepest, self._aliases = most, deepest, aliases
        self._count = self._documents = 0
        self._open: list[_List | _Mapping] = []
        self._anchors: dict[str, Any] = {}

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise YamlMistake("a second document begins (---)", _line(event.start_mark))
        elif isinstance(event, yaml.ScalarEvent):
            self._add(_scalar(event), event)
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            node: _List | _Mapping = _List() if isinstance(event, yaml.SequenceStartEvent) else _Mapping()
            if event.tag not in (None, "!", f"{_TAG}{node.tag}"):
                raise YamlMistake(_QUOTE, _line(event.start_mark))
            self._add(node.value, event)
            self._open.append(node)
            if len(self._open) > self._deepest:
                raise YamlMistake("nested too deeply", _line(event.start_mark))
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise YamlMistake(_QUOTE, _line(event.start_mark))
            self._add(self._anchors[event.anchor], event)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self._open.pop().close()

    def _add(self, value: Any, event: Any) -> None:
        line = _line(event.start_mark)
        self._count += 1
        if self._count > self._most:
            raise YamlMistake(f"more than {self._most} values", line)
        if event.anchor is not None:
            if not self._aliases or value is None:  # an anchor of nothing: a password that begins with &
                raise YamlMistake(_QUOTE, line)
            self._anchors[event.anchor] = value
        if self._open:
            merge = self._aliases and isinstance(event, yaml.ScalarEvent) and event.implicit[0] and value == "<<"
            self._open[-1].add(value, merge, line)
        else:
            self.root = value


class _List:
    tag = "seq"

    def __init__(self) -> None:
        self.value: list[Any] = []

    def add(self, value: Any, merge: bool, line: int | None) -> None:
        self.value.append(value)

    def close(self) -> None:
        pass


class _Mapping:
    tag = "map"
    _NO_KEY = object()
    _MERGE = object()

    def __init__(self) -> None:
        self.value: dict[Hashable, Any] = {}
        self._key: Any = self._NO_KEY
        self._seen: set[str] = set()
        self._merged: list[tuple[Any, int | None]] = []

    def add(self, value: Any, merge: bool, line: int | None) -> None:
        if self._key is self._NO_KEY:
            self._key = self._MERGE if merge else self._checked(value, line)
        elif self._key is self._MERGE:
            self._merged.append((value, line))
            self._key = self._NO_KEY
        else:
            self.value[self._key] = value
            self._key = self._NO_KEY

    def close(self) -> None:
        for value, line in self._merged:
            for mapping in value if isinstance(value, list) else [value]:
                if not isinstance(mapping, dict):
                    raise YamlMistake("<< is followed by something that is no mapping", line)
                for key in list(mapping):
                    self.value.setdefault(key, mapping[key])

    def _checked(self, key: Any, line: int | None) -> Any:
        if isinstance(key, list | dict):
            raise YamlMistake("a key that is a list or a mapping", line)
        if str(key) in self._seen:
            raise YamlMistake(f"the key '{' '.join(str(key).split())[:60]}' is given twice", line)
        self._seen.add(str(key))
        return key


def _scalar(event: Any) -> Any:
    text = str(event.value)
    if event.tag in (None, "!") and not event.implicit[0]:
        return text  # in quotes, or said to be text by a lone "!"
    wanted = None if event.tag is None else event.tag.removeprefix(_TAG)
    if wanted in ("!", "str"):
        return text
    if wanted is None and text and text[0] not in "0123456789+-.~nNtTfF":
        return text
    for kind, pattern, value_of in _KINDS:
        if wanted in (None, kind) and pattern.fullmatch(text):
            if len(text) > _LONGEST_NUMBER:
                raise YamlMistake(f"a number of {len(text)} characters", _line(event.start_mark))
            return value_of(text)
    if wanted is None:
        return text
    raise YamlMistake(_QUOTE, _line(event.start_mark))


def _line(mark: Any) -> int | None:
    return None if mark is None else int(mark.line) + 1


class _Dumper(yaml.SafeDumper):
    """Puts text in quotes also where only the core schema would take it for a number."""


for _kind, _pattern, _ in _KINDS:
    if _kind in ("int", "float"):
        _Dumper.add_implicit_resolver(f"{_TAG}{_kind}", re.compile(f"(?:{_pattern.pattern})$"), list("0123456789+-."))
