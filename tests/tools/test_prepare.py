from pathlib import Path

import pytest

from tools import prepare as command


def test_the_command_line_exits_with_two_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.argv", ["prepare", str(tmp_path / "nowhere"), str(tmp_path / "out")])
    with pytest.raises(SystemExit) as stop:
        command.cli.run_app(command.app)
    assert stop.value.code == 2
    shown = capsys.readouterr()
    assert len((shown.out + shown.err).strip().splitlines()) == 1
    assert "no such folder" in shown.err
