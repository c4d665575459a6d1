from __future__ import annotations

from tools.common.provenance import command_line


def test_the_command_line_that_is_kept_holds_no_credentials() -> None:
    kept = command_line("tools.benchmark", ["--source", "rtsp://me:p@ss:w/rd@host/stream"])
    assert kept.startswith("python -m tools.benchmark --source rtsp://")
    assert "p@ss" not in kept
    assert kept.endswith("@host/stream")


def test_the_command_line_that_is_kept_names_no_folder_of_this_machine() -> None:
    kept = command_line("tools.evaluate", ["/home/me/crops/test", "--out", "runs/evaluate", "--strangers", "/data/146"])
    assert kept == "python -m tools.evaluate test --out runs/evaluate --strangers 146"


def test_a_word_with_a_blank_is_quoted() -> None:
    assert command_line("tools.evaluate", ["--attack", "zones double"]) == (
        "python -m tools.evaluate --attack 'zones double'"
    )
