"""Commands are timed as their user waits for them."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from models.errors import BadInput
from tools.bench import identify, tables
from tools.bench.whole_command import seconds_of


def test_a_command_that_fails_is_said_with_what_it_said() -> None:
    with pytest.raises(BadInput, match=r"no-such-thing failed: .*No such command"):
        seconds_of("no-such-thing")


def test_one_picture_and_many_are_identified_and_the_first_command_is_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def command(name: str, what: str, *options: str) -> float:
        assert (name, options) == ("identify", ("--bundle", "hardened"))
        path = Path(what)
        asked.append(len(list(path.iterdir())) if path.is_dir() else 1)
        assert cv2.imread(str(path if path.is_file() else path / "001.png")).shape == (480, 640, 3)
        return 100.0 if len(asked) == 1 else float(asked[-1])

    monkeypatch.setattr(identify, "seconds_of", command)
    rows = identify.measure(tmp_path, bundle="hardened", engine=None, repeats=5)
    assert asked == [1] * 6 + [100]
    assert [(row["pictures"], row["seconds"]["p50"], row["seconds"]["n"]) for row in rows] == [(1, 1, 5), (100, 100, 1)]
    assert tables.identify_table(rows).row_count == 2
