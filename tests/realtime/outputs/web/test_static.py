"""The page's scripts as they are shipped."""

import re
from graphlib import TopologicalSorter
from importlib import resources

STATIC = resources.files("realtime.outputs.web") / "static"


def imports():
    """What each script imports, by name."""
    scripts = {file.name: file.read_text() for file in STATIC.iterdir() if file.name.endswith(".js")}
    return {name: set(re.findall(r'^import .* from "\./(.+)";$', text, re.M)) for name, text in scripts.items()}


def test_the_scripts_import_one_another_in_no_circle():
    assert {"events.js", "dom.js"} <= imports()["page.js"] | imports()["events.js"]
    TopologicalSorter(imports()).prepare()  # raises CycleError


def test_every_script_that_is_imported_is_there():
    assert {name for wanted in imports().values() for name in wanted} <= set(imports())
