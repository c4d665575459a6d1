"""Writes ``docs/configuration.md`` from the schema in ``realtime/settings/config.py``.

python -m tools.maintain.configuration_page
"""

from __future__ import annotations

import realtime.system.command_line as cli  # first: sets what must be set before torch and OpenCV are imported

# isort: split
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from realtime.settings.config import shipped_configs
from realtime.settings.reference import sections, settings

app = typer.Typer(add_completion=False, help=__doc__, rich_markup_mode=None)

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
HEAD = """\
# Every setting

<!-- Written by python -m tools.maintain.configuration_page from realtime/settings/config.py: change it there. -->

A configuration is a YAML file; `--config FILE` reads it. Write down what you want to differ, and leave the rest away.
An unknown key, a value outside its range or a key given twice is refused in one line that names file, key, what was
found and what is allowed.

```sh
python -m realtime config example > cameras.yaml     # everything, with its default and what it is for
python -m realtime config check cameras.yaml         # right, or what is wrong and how to mend it
python -m realtime config show --config cameras.yaml --changed   # what it changes; passwords are hidden
```

`${NAME}` in a value stands for the environment variable of that name; `$${` is a plain `${`. Options of the command
line go before the file. A path that is relative starts from the file's folder, and `~` is your home.
Shipped files can be given by name: SHIPPED.

Words such as *crop*, *view* and *saliency* are explained in [the glossary](defence.md#glossary).
"""


def _summary(model: type[Any]) -> str:
    """The first paragraph of its docstring, on one line."""
    return " ".join((model.__doc__ or "").strip().split("\n\n")[0].split()).replace("``", "`")


def page() -> str:
    """The page as it should be."""
    names = ", ".join(f"`{name}`" for name in sorted(shipped_configs()))
    parts = [HEAD.replace("SHIPPED", names)]
    for section, model in sections():
        parts.append(f"\n## {section.replace('[]', '')}\n\n{_summary(model)}\n")
        if section.endswith("[]"):
            parts.append("\nA list: each entry begins with `- `.\n")
        rows = settings(section, model)
        if rows:
            parts.append("\n| key | takes | default | what it is for |\n|---|---|---|---|\n")
            parts += [
                f"| `{one.key}` | {_cell(one.takes)} | {_value(one.default)} | {_cell(one.description)} |\n"
                for one in rows
            ]
    return "".join(parts)


def _value(value: Any) -> str:
    if value is None:
        return "empty"
    plain = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    return f"`{yaml.safe_dump(plain, default_flow_style=True).split(chr(10))[0]}`"


def _cell(text: str) -> str:
    """Markdown takes a bar for the next cell, and ``<`` for HTML."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("${ENV_VAR}", "`${ENV_VAR}`")


@app.command()
def main(out: Annotated[Path, typer.Option("--out", help="The page.")] = PAGE, json_file: cli.JsonFile = None) -> None:
    """Write the page."""
    cli.check_writable(out, json_file)
    cli.write_whole(out, page().encode())
    cli.write_json(json_file, {"out": out.name, "sections": [section for section, _ in sections()]})
    cli.console.print(str(out), soft_wrap=True)


if __name__ == "__main__":
    cli.run_app(app)
