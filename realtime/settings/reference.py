"""The schema told to people: every setting with its default, as an example to edit, and as rows for a page."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from realtime.settings.config import config_model
from realtime.settings.yaml_file import allowed

HEAD = "# Everything that can be set, with its default. Keep what you change, and delete the rest.\n"


@dataclass(frozen=True)
class Setting:
    """One key: ``section`` is where it stands (``cameras[]``, ``web``), ``takes`` what is allowed, in words."""

    section: str
    key: str
    takes: str
    default: Any
    description: str


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, one or a list or mapping of them; None for plain values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType, list, tuple, dict) or hasattr(annotation, "__metadata__"):
        return next((found for one in get_args(annotation) if (found := model_in(one)) is not None), None)
    return None


def is_list(annotation: Any) -> bool:
    """Whether a field holds a list, or nothing or a list."""
    if get_origin(annotation) in (list, tuple):
        return True
    return get_origin(annotation) in (Union, types.UnionType) and any(is_list(one) for one in get_args(annotation))


def sections(
    model: type[BaseModel] | None = None, at: tuple[str | int, ...] = ()
) -> Iterator[tuple[str, type[BaseModel]]]:
    """Every section by its place (``cameras[]``, ``web``), outer ones first."""
    for name, field in (model or config_model()).model_fields.items():
        found = model_in(field.annotation)
        if found is not None:
            place: tuple[str | int, ...] = (*at, name, 0) if is_list(field.annotation) else (*at, name)
            yield "".join("[]" if part == 0 else f".{part}" for part in place).lstrip("."), found
            yield from sections(found, place)


def settings(section: str, model: type[BaseModel]) -> list[Setting]:
    """The plain keys of one section, as declared."""
    schema = model.model_json_schema()
    rows = []
    for name, field in model.model_fields.items():
        if model_in(field.annotation) is None:
            takes = allowed(schema, (name,)) + (
                ", or empty" if field.get_default(call_default_factory=True) is None else ""
            )
            rows.append(Setting(section, name, takes, _default(field), field.description or ""))
    return rows


def example() -> str:
    """A configuration in YAML with every key at its default and what it is for beside it."""
    model = config_model()
    return HEAD + "\n".join(_lines(model, model().model_dump(mode="json"), "")) + "\n"


def _lines(model: type[BaseModel], values: dict[str, Any], indent: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        value, inner = values[name], model_in(field.annotation)
        if inner is None or not value:
            note = f"  # {field.description}" if field.description else ""
            yield f"{indent}{name}: {_scalar(value)}{note}"
        elif isinstance(value, list):
            yield from _titled(name, inner, indent)
            for one in value:
                first, *rest = _lines(inner, one, f"{indent}    ")
                yield f"{indent}  - {first.lstrip()}"
                yield from rest
        else:
            yield from _titled(name, inner, indent)
            yield from _lines(inner, value, f"{indent}  ")


def _titled(name: str, model: type[BaseModel], indent: str) -> Iterator[str]:
    if not indent:
        yield ""
    yield f"{indent}{name}:  # {(model.__doc__ or '').strip().splitlines()[0]}"


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True)


def _scalar(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).split("\n")[0]
