"""What ``identify`` prints."""

from __future__ import annotations

import pytest

from realtime.cli import console
from realtime.identify import print_faces


@pytest.mark.parametrize("odd", ["holiday [final].jpg", "a[/b].jpg", "me :smile: you.jpg"])
def test_brackets_and_colons_in_names_are_printed_as_they_are(odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    face = {
        "box": [10.0, 20.0, 60.0, 80.0],
        "state": "suspected_attack",
        "identity": None,
        "claimed": f"claimed {odd}",
        "likely": f"likely {odd}",
        "confidence": 0.9,
        "reason": f"reason {odd}",
        "undefended": {"name": f"raw {odd}", "confidence": 0.9},
    }
    monkeypatch.setattr(console, "width", 300)
    with console.capture() as printed:
        print_faces({"photo": odd, "faces": [face]}, console)
    title, *table = printed.get().splitlines()
    assert title.strip() == odd
    for column in ("claimed", "likely", "reason", "raw"):
        assert f"{column} {odd}" in "\n".join(table)


def test_who_is_likely_is_told_where_it_is_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    face = {"box": [0.0] * 4, "state": "suspected_attack", "identity": None, "claimed": "Ada", "confidence": 0.9}
    faces = [{**face, "likely": likely, "reason": "", "undefended": None} for likely in ("Bob", "Ada", None)]
    monkeypatch.setattr(console, "width", 300)
    with console.capture() as printed:
        print_faces({"photo": "three.png", "faces": faces}, console)
    assert printed.get().count("Ada (likely Bob)") == 1
    assert printed.get().count("Ada (claimed)") == 2
