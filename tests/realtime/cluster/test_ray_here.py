"""Ray is not there, is another version, asks for a secret: one line each."""

from __future__ import annotations

import os
import socket
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from models.errors import BadInput
from realtime.cluster import deploy
from realtime.cluster.commands import app
from realtime.cluster.deploy import why_not_connected
from realtime.cluster.ray_here import environment, make_token, ray_module
from realtime.cluster.settings import ClusterSection


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with pytest.raises(BadInput, match=r"pip install 'spectaclear\[cluster\]'") as said:
        ray_module(ClusterSection(token=str(tmp_path / "token")))
    assert "\n" not in str(said.value)


def test_ray_reports_nothing_and_asks_for_the_token_whatever_the_user_had_set() -> None:
    found = environment(ClusterSection(token="/secret"))
    assert found["RAY_USAGE_STATS_ENABLED"] == "0"
    assert (found["RAY_AUTH_MODE"], found["RAY_AUTH_TOKEN_PATH"]) == ("token", "/secret")
    assert "RAY_USE_TLS" not in found


def test_tls_and_redis_are_handed_on() -> None:
    section = ClusterSection(certificate="c.pem", key="k.pem", authority="a.pem", redis="127.0.0.1:6379")
    found = environment(section)
    assert (found["RAY_USE_TLS"], found["RAY_TLS_CA_CERT"], found["RAY_REDIS_ADDRESS"]) == (
        "1",
        "a.pem",
        "127.0.0.1:6379",
    )


def test_the_token_is_made_on_the_head_for_its_owner_only_and_has_to_be_brought_to_others(tmp_path: Path) -> None:
    section = ClusterSection(token=str(tmp_path / "sub" / "token"))
    with pytest.raises(BadInput, match="copy it from the head"):
        make_token(section, head=False)
    make_token(section, head=True)
    file = tmp_path / "sub" / "token"
    first = file.read_text()
    assert len(first) == 64
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    make_token(section, head=True)
    assert file.read_text() == first


def test_another_version_of_ray_is_one_line() -> None:
    said = "Version mismatch: The cluster was started with:\n    Ray: 2.50.0\nThis process:\n    Ray: 2.60.0"
    line = why_not_connected(said, "10.0.0.1:6390")
    assert "another version than the head's" in line
    assert "2.50.0" in line
    assert "\n" not in line
    assert "nobody answers" in why_not_connected("timed out", "10.0.0.1:6390")


def test_the_commands_are_there() -> None:
    said = CliRunner().invoke(app, ["--help"]).output
    assert all(name in said for name in ("up", "status", "down"))


def test_where_nobody_listens_that_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "ray_module", lambda section: SimpleNamespace(is_initialized=lambda: False))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        section = ClusterSection(port=taken.getsockname()[1])
        with pytest.raises(BadInput, match="nobody answers; start it with cluster up"):
            deploy.connect(section)
