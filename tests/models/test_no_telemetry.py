"""No name is looked up and nothing written into the home, by commands and by a program that imports our modules."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import models
import importlib.util, time, numpy, onnxruntime
from onnx import TensorProto, helper
x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": numpy.ones(1, "f")})
if importlib.util.find_spec("openvino"):
    import openvino
    openvino.Core().read_model(model, b"")
time.sleep(0.3)  # both report from threads
"""


def test_neither_runtime_reports_to_its_maker(tmp_path: Path) -> None:
    home, trace = tmp_path / "home", tmp_path / "trace"
    home.mkdir()
    watched = ["strace", "-f", "-qq", "-o", str(trace), "-e", "trace=openat,connect"] if shutil.which("strace") else []
    unset = {"ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "CI", "TF_BUILD", "JENKINS_URL"}
    environment = {key: value for key, value in os.environ.items() if key not in unset}
    result = subprocess.run(
        [*watched, sys.executable, "-c", PROGRAM],
        env={**environment, "HOME": str(home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert list(home.rglob("*")) == []  # where they report, ONNX Runtime leaves a device id and OpenVINO ~/intel
    if watched and trace.stat().st_size:  # strace is forbidden in some containers
        calls = trace.read_text(errors="replace")
        assert "openat(" in calls
        assert "/etc/resolv.conf" not in calls  # which a look-up of a name reads first
        assert "AF_INET" not in calls


@pytest.mark.parametrize("room", ["models.arrays", "realtime.types", "tools.common"])
def test_any_import_of_ours_switches_it_off_first(room: str) -> None:
    program = f"import {room}, os, sys; print(os.environ['ORT_DISABLE_TELEMETRY'], 'onnxruntime' in sys.modules)"
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, env={**environment, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert result.stdout == "1 False\n", result.stderr


def test_what_the_user_decided_for_onnx_runtime_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    from models.no_telemetry import switch_off

    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    before = len(sys.meta_path)
    switch_off()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "0"
    assert len(sys.meta_path) == before
    with pytest.raises(ModuleNotFoundError, match="openvino_telemetry"):
        __import__("openvino_telemetry.utils")
