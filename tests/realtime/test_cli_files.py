"""Results on the disk: whole or not at all, through links, into pipes, and without credentials."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from models.errors import BadInput
from realtime.system.command_line import check_writable, write_json, write_whole


def test_json_holds_plain_values(tmp_path):
    write_json(tmp_path / "out.json", {"a": np.float32(0.5), "b": np.arange(3), "c": float("nan"), 4: Path("x")})
    assert json.loads((tmp_path / "out.json").read_text()) == {"a": 0.5, "b": [0, 1, 2], "c": None, "4": "x"}


def test_without_a_path_no_json_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_json(None, {"a": 1})
    assert not list(tmp_path.iterdir())


def test_json_holds_no_credentials(tmp_path):
    write_json(tmp_path / "out.json", {"source": ["rtsp://a:b@h/x"]})
    assert json.loads((tmp_path / "out.json").read_text()) == {"source": ["rtsp://***@h/x"]}


def test_a_missing_folder_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match=r"cannot write .*out\.json: No such file or directory; give a file in a folder"):
        write_json(tmp_path / "missing" / "out.json", {})


@pytest.mark.parametrize(
    ("file", "words"), [("", "it is a folder"), ("none/x.json", "there is no folder"), (".", "it is")]
)
def test_a_place_that_cannot_hold_a_file_is_found_before_the_work(tmp_path, monkeypatch, file, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=words):
        check_writable(None, Path(file))
    check_writable(None, Path("x.json"))


def test_a_folder_in_the_place_of_the_file_is_bad_input_and_leaves_nothing(tmp_path):
    (tmp_path / "out.json").mkdir()
    with pytest.raises(BadInput, match="cannot write"):
        write_json(tmp_path / "out.json", {})
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_bad_input(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(BadInput, match="cannot write"):
        write_json(tmp_path / "out.json", {})


def test_a_failed_write_leaves_the_old_file_and_no_part(tmp_path, monkeypatch):
    target = tmp_path / "out.json"
    write_whole(target, b"old")

    def full(part, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(BadInput, match="No space left on device"):
        write_whole(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "away").mkdir()
    link = tmp_path / "out.json"
    link.symlink_to(tmp_path / "away" / "real.json")
    for content in (b"first", b"second"):  # the file it names is missing at first
        check_writable(link)
        write_whole(link, content)
        assert (tmp_path / "away" / "real.json").read_bytes() == content
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["away", "out.json", "real.json"]


def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    check_writable(pipe)
    write_whole(pipe, b"figures")
    assert os.read(reader, 100) == b"figures"
    os.close(reader)
    assert pipe.is_fifo()


def test_figures_may_go_to_the_standard_output(tmp_path):
    # not /dev/stdout, which a failure of this test would replace where root runs it
    program = "from realtime.system.command_line import write_json; print(1); write_json('/dev/fd/1', 2); print(3)"
    command = [sys.executable, "-c", program]
    piped = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (piped.stdout, piped.stderr) == ("1\n2\n3\n", "")
    with (tmp_path / "out.txt").open("w") as file:
        subprocess.run(command, stdout=file, timeout=60, check=True)
    assert (tmp_path / "out.txt").read_text() == "1\n2\n3\n"


def test_a_written_file_has_the_usual_permissions(tmp_path):
    started = time.time()
    (tmp_path / "usual").write_bytes(b"")
    write_whole(tmp_path / "ours", b"x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert (tmp_path / "ours").stat().st_mtime >= started - 2
