"""``config show | check | example``."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from realtime.commands.config import app
from realtime.settings.config import Config, load_config


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_the_example_holds_every_default_and_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(printed("example"))
    assert load_config(file) == Config()


def test_show_changed_gives_what_the_file_changes_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "some.yaml"
    file.write_text("verdict: {window: 9, agreement: 5}\nweb: {port: 8080}\n")
    assert yaml.safe_load(printed("show", "--config", str(file), "--changed")) == {"verdict": {"window": 9}}


def test_show_hides_what_is_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOOR", "open-sesame-12345")
    file = tmp_path / "secret.yaml"
    file.write_text("cameras: [{source: 'rtsp://ann:open-sesame-12345@host/x'}]\nweb: {token: '${DOOR}'}\n")
    text = printed("show", "--config", str(file))
    assert "open-sesame" not in text
    assert "host/x" in text


def test_check_reads_it_as_a_run_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "two.yaml"
    file.write_text("cameras: [{name: door, source: '${DOOR_CAMERA}'}, {name: yard, source: '0'}]\n")
    monkeypatch.delenv("DOOR_CAMERA", raising=False)
    with pytest.raises(Exception, match="DOOR_CAMERA is not set"):
        printed("check", str(file))
    monkeypatch.setenv("DOOR_CAMERA", "1")
    assert "cameras: door, yard" in printed("check", str(file))


def test_shipped_configurations_are_shown_without_their_environment() -> None:
    assert yaml.safe_load(printed("show", "--config", "cctv"))["detection"]["working_size"] == 1280
