"""The command, on costs that are made up."""

from __future__ import annotations

import json
import sys

import pytest
from typer.testing import CliRunner

from models.errors import BadInput
from realtime.system.command_line import typer as typer_of_cli
from tools import capacity


@pytest.fixture
def stages(tmp_path):
    frames = [{"faces": n, "decode": 1.0, "detect": 20.0, "follow": 2.0, "draw": 2.0} for n in (1, 2)]
    costs = {"frames": frames, "decision": {"cpu": 100.0, "alarm": 100.0}, "detect_every": 5}
    file = tmp_path / "stages.json"
    file.write_text(json.dumps({"results": costs}))
    return file


def test_a_plan_says_cameras_per_node_sites_and_how_near_live_runs_are(stages, tmp_path):
    row = {"faces": 1, "cameras": 1, "captured_fps": {"cam1": 25.0}, "cpu_percent_of_a_core": 100.0, "decisions": 10}
    row |= {"full_decisions": 0, "decisions_per_second": 8.0}
    live = tmp_path / "live.json"
    live.write_text(json.dumps({"machine": {"cores": 2, "quiet": False}, "results": [row]}))
    out = tmp_path / "capacity.json"
    words = [stages, "--live", live, "--cameras", 20, "--cameras", 100_000, "--seconds", 10, "--json", out]
    done = CliRunner().invoke(capacity.app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    found = json.loads(out.read_text())
    carried = [one["cameras"] for one in found["per_node"]]
    assert carried == sorted(carried)
    assert carried[0] >= 1
    of_16 = next(one["cameras"] for one in found["per_node"] if one["cores"] == 16)
    assert [site["nodes"] for site in found["sites"]] == [-(-count // of_16) + 1 for count in (20, 100_000)]
    # a frame takes 5 ms, and of 5 searches a second each 18 more: 0.215 cores; what is left of one decides
    assert found["live"][0]["reckoned"] == pytest.approx((1 - 0.215) / 0.1, abs=0.01)
    assert found["live"][0]["error"] == pytest.approx(7.85 / 8 - 1, abs=2e-3)


def test_files_of_something_else_are_bad_input(stages, tmp_path):
    command = typer_of_cli.main.get_command(capacity.app).main
    with pytest.raises(BadInput, match="--what stages"):
        command([str(tmp_path / "missing.json")], standalone_mode=False)
    with pytest.raises(BadInput, match="--what live"):
        command([str(stages), "--live", str(stages), "--cameras", "10", "--seconds", "10"], standalone_mode=False)


def test_without_simpy_it_is_one_line(stages, monkeypatch):
    monkeypatch.setitem(sys.modules, "simpy", None)
    with pytest.raises(BadInput, match=r"\[cluster\]"):
        typer_of_cli.main.get_command(capacity.app).main([str(stages)], standalone_mode=False)
