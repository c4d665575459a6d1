"""YAML into a pydantic model; every mistake is one line: file, key, what was found, what is allowed."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from models import yaml_core
from models.errors import BadInput
from models.files import read_regular
from realtime.system.redact import redact, remember_secret

Model = TypeVar("Model", bound=BaseModel)

#: Under this name a validator finds the folder of the file in its context, which relative paths start from.
FOLDER = "folder"

_LARGEST_FILE = 256 * 1024  # bytes
_MOST_VALUES = 10_000  # aliases can make a small file describe a tree without end
_CUT_BY_A_COMMENT = re.compile(rb"://[^@\s'\"]*[ \t]+#\S*@")  # rtsp://user:pass #word@host: read as rtsp://user:pass
_PLACEHOLDER = re.compile(r"\$(\$\{)|\$\{([^}]*)\}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_model(path: Path, model: type[Model], *, unused: str = "") -> Model:
    """Read ``path`` as a ``model``.

    ``unused``: values whose keys fit (``cameras.*.source``) keep their ``${NAME}``; nobody needs to set it.

    Raises ``BadInput``.
    """
    values = _substituted(_parsed(path), path, (), [0], unused)
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise BadInput(f"{path}: found {_shown(values)} at the top, expected keys with values, such as 'cameras:'")
    try:
        return model.model_validate(values, context={FOLDER: path.parent})
    except ValidationError as error:
        raise BadInput(f"{path}: {explain(error, model)}") from None


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """The first mistake in one line, and how many more there are."""
    mistakes = error.errors(include_url=False)
    schema = model.model_json_schema()
    first, more = mistakes[0], len(mistakes) - 1
    key = " ".join(".".join(str(part) for part in first["loc"]).split())  # a key may hold line breaks
    if first["type"] == "extra_forbidden":
        line = f"{key}: unknown key; {_known_keys(schema, first['loc'])}"
    elif first["type"] == "missing":
        line = f"{key}: missing; expected {allowed(schema, first['loc'])}"
    elif first["type"] in ("value_error", "assertion_error"):
        line = (f"{key}: " if key else "") + first["msg"].removeprefix("Value error, ")
    else:
        secret = bool(_node_at(schema, first["loc"]).get("writeOnly"))  # so pydantic marks a SecretStr
        found = _shown(first["input"], secret=secret)
        line = f"{key}: found {found}, expected {allowed(schema, first['loc'])}"
        line += "; put it in quotes" * (first["type"] == "string_type" and isinstance(first["input"], int | float))
    return line + (f" (and {more} more)" if more else "")


def _parsed(path: Path) -> Any:
    text = read_regular(path, _LARGEST_FILE)
    if _CUT_BY_A_COMMENT.search(text):
        raise BadInput(f"{path}: an address is cut at ' #', where a comment begins; put the whole address in quotes")
    try:
        return yaml_core.load(text, most=_MOST_VALUES, aliases=True)
    except yaml_core.YamlMistake as mistake:
        where = f" in line {mistake.line}" if mistake.line else ""
        raise BadInput(f"{path}: is no valid YAML{where}: {redact(mistake.problem)}") from None


def _substituted(value: Any, path: Path, key: tuple[str, ...], count: list[int], unused: str) -> Any:
    """``value`` with every ``${NAME}`` replaced by the environment's value; ``$${`` stays as ``${``."""
    count[0] += 1
    if count[0] > _MOST_VALUES or len(key) > 20:
        raise BadInput(f"{path}: holds more values than a configuration can have")
    if isinstance(value, dict):
        return {str(k): _substituted(item, path, (*key, str(k)), count, unused) for k, item in value.items()}
    if isinstance(value, list):
        return [_substituted(item, path, (*key, str(i)), count, unused) for i, item in enumerate(value)]
    if isinstance(value, str) and not fnmatchcase(".".join(key), unused):
        return _PLACEHOLDER.sub(lambda match: _from_environment(match, value, path, ".".join(key)), value)
    return value


def _from_environment(match: re.Match[str], template: str, path: Path, key: str) -> str:
    if match[1]:
        return match[1]
    name = match[2]
    if not _ENV_NAME.fullmatch(name):
        raise BadInput(f"{path}: {key}: found ${{{name}}}, expected the name of an environment variable, ${{NAME}}")
    found = os.environ.get(name)
    if not found:
        trouble = "is not set" if found is None else "is empty"
        raise BadInput(f"{path}: {key}: the environment variable {name} {trouble}; set it before starting")
    if "://" not in template[: match.start()]:
        return found
    # Inside an address the value stands for itself, whatever it holds: encode it, so that no @ or / ends it.
    if match.start() > template.rfind("@") and "?" not in template[: match.start()]:
        return found
    remember_secret(found)  # user info, or of the query
    return quote(found, safe="")


# -- what the schema allows, in words --


def _node_at(schema: Mapping[str, Any], location: tuple[int | str, ...]) -> Mapping[str, Any]:
    node: Mapping[str, Any] = schema
    for part in location:
        node = _resolved(schema, node)
        others = node.get("additionalProperties")  # of a mapping from names to models
        of_any_name = others if isinstance(others, dict) else {}
        node = node.get("items", {}) if isinstance(part, int) else node.get("properties", {}).get(part, of_any_name)
    return _resolved(schema, node)


def _resolved(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    for _ in range(10):
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        elif "anyOf" in node:
            node = next((option for option in node["anyOf"] if option.get("type") != "null"), {})
        else:
            break
    return node


def _known_keys(schema: Mapping[str, Any], location: tuple[int | str, ...]) -> str:
    known = list(_node_at(schema, location[:-1]).get("properties", {}))
    near = difflib.get_close_matches(str(location[-1]), known, 1)
    return f"did you mean '{near[0]}'?" if near else f"allowed are {', '.join(known)}"


def allowed(schema: Mapping[str, Any], location: tuple[int | str, ...]) -> str:
    """What the schema allows at ``location``, in words: ``a whole number from 1 to 64``."""
    node = _node_at(schema, location)
    if "enum" in node or "const" in node:
        return f"one of {', '.join(str(option) for option in node.get('enum', [node.get('const')]))}"
    words = {
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "string": "text",
        "array": "a list",
        "object": "keys with values",
    }.get(str(node.get("type")), "another kind of value")
    if "pattern" in node:
        words += f" that fits {node['pattern']}"
    low, above = node.get("minimum"), node.get("exclusiveMinimum")
    high, least, most = node.get("maximum"), node.get("minItems"), node.get("maxItems")
    shortest = node.get("minLength")
    limits = [
        f"from {low}" if low is not None else f"above {above}" if above is not None else "",
        f"to {high}" if high is not None else "",
        f"of at least {least}" if least is not None else "",
        f"of at most {most}" if most is not None else "",
        f"of at least {shortest} character{'s' * (shortest > 1)}" if shortest is not None else "",
    ]
    return " ".join([words, *(limit for limit in limits if limit)])


def _shown(value: Any, *, secret: bool = False) -> str:
    """A found value, short and without credentials; of a secret only whether it is text."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "keys with values"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if secret:
        return "text (not shown)" if isinstance(value, str) else "a value without quotes (not shown)"
    text = redact(str(value)).replace("\n", " ")
    text = text if len(text) <= 60 else text[:57] + "..."
    if isinstance(value, bool):
        return text.lower()
    return f"'{text}'" if isinstance(value, str) else text
