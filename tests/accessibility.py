"""Runs axe-core on what a browser shows: the rules that a machine can check of WCAG and of good practice."""

from importlib.resources import files

import pytest

_SCRIPT = """const done = arguments[arguments.length - 1];
    const line = ({ id, impact, nodes }) => `${id} (${impact}): ${nodes.map((node) => node.target).join(", ")}`;
    axe.run(document.querySelector(arguments[0]), {resultTypes: ["violations"]})
        .then((found) => done(found.violations.map(line)));"""


def violations(chrome, part="html"):
    """A line for every rule that this part of the page breaks."""
    package = pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    if not chrome.execute_script("return typeof axe === 'object'"):
        chrome.execute_script((files(package) / "axe.min.js").read_text(encoding="utf-8"))
    chrome.set_script_timeout(30)
    return chrome.execute_async_script(_SCRIPT, part)
