"""Offline work on a real local Ray gives what it gives without; what can go wrong is one line."""

from __future__ import annotations

import json
import operator
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
from small_people import crops
from typer.testing import CliRunner

from models.errors import BadInput, refuse_unknown
from models.recogniser import Recogniser
from models.saliency_mask import MaskParameters
from realtime.system.command_line import typer as typer_of_cli
from tools import evaluate, make_glasses, tune_defence
from tools.evaluation.answered import Asker
from tools.evaluation.defences import make_defences
from tools.fan_out.fan import Fan, checked_address, fanned_out
from tools.tuning.answers import Answers
from tools.tuning.grid import Axes

ENGINE = "onnxruntime-cpu"
TIMES = ("command", "date", "seconds", "stage_seconds", "seconds of this run", "milliseconds")


@pytest.fixture(scope="module")
def narrow() -> None:
    """In the place of the narrow networks of other tests: Ray's workers are processes of their own, which know of
    networks of the ordinary width only."""


@pytest.fixture(scope="module")
def fan() -> Iterator[Fan]:
    pytest.importorskip("ray")
    with ExitStack() as stack:
        try:
            started = stack.enter_context(Fan("local", engine=ENGINE, threads=1, cores=1))
        except BadInput as error:
            if "timed out" not in str(error):
                raise
            pytest.skip("this machine is too busy: Ray gives its own agent 15 s to start")
        yield started


def test_every_item_comes_back_with_its_place(fan):
    assert sorted(fan.map(operator.mul, 3.0, range(5))) == [(i, 3.0 * i) for i in range(5)]


def test_bad_input_of_a_worker_is_bad_input_here(fan):
    refuse = partial(refuse_unknown, known=["known"])
    with pytest.raises(BadInput, match="--name 'unknown': unknown, give one of known"):
        list(fan.map(refuse, "--name", ["known", "unknown"]))


def test_nothing_that_it_started_listens_beyond_this_machine(fan):
    assert list(fan.map(operator.mul, 1.0, [1.0]))
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    open_to_all = {
        (connection.laddr.ip, connection.laddr.port)
        for connection in psutil.net_connections("tcp")
        if connection.pid in children and connection.status == psutil.CONN_LISTEN
        and not connection.laddr.ip.startswith(("127.", "::1", "::ffff:127."))
    }  # fmt: skip
    assert open_to_all == set()


def timeless(value: object) -> object:
    """A result without what differs between any two runs."""
    if isinstance(value, dict):
        return {key: timeless(one) for key, one in value.items() if key not in TIMES}
    return [timeless(one) for one in value] if isinstance(value, list) else value


def glasses(recogniser: Recogniser, people: Path, out: Path, *options: str) -> object:
    words = [people, "--out", out, "--pairs", 3, "--at-once", 2, "--steps", 3, "--shape", "wide", "--engine", ENGINE]
    words += ["--bundle", recogniser.bundle.folder, "--aligned", "--threads", 1, *options]
    result = CliRunner().invoke(make_glasses.app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return timeless(json.loads((out / "manifest.json").read_text()))


@pytest.fixture
def on(fan, monkeypatch):
    """The commands' ``--ray`` takes the workers that are there."""
    monkeypatch.setattr(Fan, "__enter__", lambda self: fan)
    monkeypatch.setattr(Fan, "__exit__", lambda self, *_: None)


def test_glasses_are_the_same_pictures_and_records_as_on_one_core_and_a_rest_is_made_after_it(
    recogniser, people, tmp_path, on, monkeypatch
):
    alone = glasses(recogniser, people, tmp_path / "alone")
    fanned = glasses(recogniser, people, tmp_path / "fanned", "--ray")
    assert fanned == alone  # the pictures' checksums among it
    (tmp_path / "fanned" / "pairs" / "0002" / "record.json").unlink()
    asked: list[int] = []
    monkeypatch.setattr(Fan, "map", counted(asked, Fan.map))
    assert glasses(recogniser, people, tmp_path / "fanned", "--ray") == alone
    assert asked == [1]


def counted(asked: list[int], real):
    def map_(self, work, shared, items):
        asked.append(len(items))
        return real(self, work, shared, items)

    return map_


def test_an_evaluation_finds_the_same_figures_and_keeps_its_answers_under_the_same_names(tuned, people, tmp_path, on):
    found = []
    for name, options in (("alone", ()), ("fanned", ("--ray",))):
        words = [people, "--out", tmp_path / name, "--bundle", tuned.bundle.folder, "--aligned", "--threads", 1]
        words += ["--engine", ENGINE, "--shape", "wide", "--pairs", 2, "--attack", "sharif", "--steps", 2, "--clean", 3]
        words += [
            "--attack",
            "A1",
            "--adaptive-pairs",
            2,
            "--adaptive-steps",
            2,
            "--no-detect",
            "--defence",
            "tuned",
            *options,
        ]
        typer_of_cli.main.get_command(evaluate.app).main([str(word) for word in words], standalone_mode=False)
        found.append(timeless(json.loads((tmp_path / name / "evaluation.json").read_text())))
    assert found[0] == found[1]
    kept = [sorted(path.name for path in (tmp_path / name / "answers").iterdir()) for name in ("alone", "fanned")]
    assert kept[0] == kept[1]


def test_tuning_asks_the_same_masks_and_hears_the_same_answers(recogniser, tmp_path, fan):
    grid = Axes((0.3, 0.9), (1,), (2, 8), (99.0,)).combinations()
    faces, labels = crops(3), np.zeros(3, np.int64)
    alone, fanned = Answers(recogniser, tmp_path / "alone"), Answers(recogniser, tmp_path / "fanned", fan=fan)
    here, there = (one.measure(faces, labels, None, grid) for one in (alone, fanned))
    for name, values in vars(here).items():
        np.testing.assert_array_equal(values, vars(there)[name], err_msg=name)
    assert fanned.classified == alone.classified > 0
    again = Answers(recogniser, tmp_path / "fanned", fan=fan)
    again.measure(faces, labels, None, grid)
    assert again.classified == 0


def test_a_defence_that_was_changed_travels_with_its_changes(tuned, tmp_path, fan):
    (defence,) = make_defences(tuned, ["tuned"], band_model=None, seed=0)
    tuned.mask_parameters = MaskParameters(threshold=0.2, iterations=1, min_area=2)
    here, there = (Asker(tuned, tmp_path / name, fan=one) for name, one in (("a", None), ("b", fan)))
    np.testing.assert_array_equal(here(defence, crops(3), "x").mask, there(defence, crops(3), "x").mask)


def test_without_ray_it_is_one_line_that_says_how_to_install_it(recogniser, people, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    for app in (make_glasses.app, evaluate.app, tune_defence.app):
        words = [str(people), "--aligned", "--ray", "--bundle", str(recogniser.bundle.folder)]
        with pytest.raises(BadInput, match=r"Ray is not installed; leave --ray out, or install it: .*\[cluster\]"):
            typer_of_cli.main.get_command(app).main(words, standalone_mode=False)


def test_a_folder_that_stands_behind_the_option_is_not_taken_for_an_address(people):
    pytest.importorskip("ray")
    with pytest.raises(BadInput, match="is no address; give --ray alone"):
        typer_of_cli.main.get_command(make_glasses.app).main(["--ray", str(people)], standalone_mode=False)


def test_an_address_where_nothing_answers_is_bad_input_at_once():
    pytest.importorskip("ray")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = taken.getsockname()[1]
    with pytest.raises(BadInput, match=f"--ray 127.0.0.1:{closed}: nothing answers there"):
        checked_address(f"127.0.0.1:{closed}")


def test_a_gpu_is_not_fanned_out_to():
    import torch

    with pytest.raises(BadInput, match="--device cpu"), fanned_out("local", ENGINE, 1, torch.device("cuda")):
        pass


def test_without_the_option_nothing_is_started():
    import torch

    with fanned_out(None, ENGINE, 1, torch.device("cpu")) as fan:
        assert fan is None
