"""Which provider is asked for, and that a silent fallback is noticed. There is no GPU here: the runtime is faked."""

import os
from contextlib import nullcontext
from typing import Any, ClassVar

import numpy as np
import pytest

from models.crop.zones import every_view
from models.engines import providers
from models.engines.onnxruntime_engine import _Runner
from models.engines.providers import open_session, wanted_providers
from models.errors import BadInput

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


class FakeSession:
    working: ClassVar[set[str]] = {CPU}
    asked: ClassVar[list[Any]] = []
    options: ClassVar[Any] = None

    def __init__(self, model: object, options: Any, providers: list[Any]) -> None:
        type(self).asked, type(self).options = providers, options
        names = [entry if isinstance(entry, str) else entry[0] for entry in providers]
        self._running = [name for name in names if name in self.working]

    def get_providers(self) -> list[str]:
        return self._running


@pytest.fixture(autouse=True)
def gpu_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is built with every provider, the driver is there, and only the CPU works."""
    monkeypatch.setattr(providers.onnxruntime, "InferenceSession", FakeSession)
    monkeypatch.setattr(providers.onnxruntime, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])
    monkeypatch.setattr(providers.onnxruntime, "preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr(providers, "nvidia_driver", lambda: True)
    monkeypatch.setattr(FakeSession, "working", {CPU})


def test_cuda_is_preferred_where_there_is_a_driver() -> None:
    assert wanted_providers("auto") == [CUDA, CPU]
    assert wanted_providers("tensorrt") == [TENSORRT, CUDA, CPU]
    assert wanted_providers("cpu") == [CPU]


def test_without_a_driver_cuda_is_not_even_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "nvidia_driver", lambda: False)
    assert wanted_providers("auto") == [CPU]


def test_the_provider_that_runs_is_the_first_of_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeSession, "working", {CUDA, CPU})
    session = open_session(b"", device="cuda", strict=True)
    assert session.get_providers()[0] == CUDA
    assert (CUDA, {"use_tf32": "0"}) in FakeSession.asked


@pytest.mark.parametrize("half", [False, True])
def test_tensorrt_computes_in_half_precision_only_where_asked_to(monkeypatch: pytest.MonkeyPatch, half: bool) -> None:
    monkeypatch.setattr(FakeSession, "working", {TENSORRT, CUDA, CPU})
    open_session(b"", device="tensorrt", half=half)
    (options,) = [entry[1] for entry in FakeSession.asked if entry[0] == TENSORRT]
    assert options["trt_fp16_enable"] == str(int(half))


def test_strict_refuses_the_cpu_where_cuda_was_asked_for() -> None:
    with pytest.raises(BadInput, match=f"{CUDA} was asked for, {CPU} runs; install the CUDA"):
        open_session(b"", device="cuda", strict=True)


def test_strict_refuses_cuda_where_tensorrt_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeSession, "working", {CUDA, CPU})
    with pytest.raises(BadInput, match=f"{TENSORRT} was asked for, {CUDA} runs"):
        open_session(b"", device="tensorrt", strict=True)


@pytest.mark.parametrize(
    ("available", "driver", "advice"),
    [([CPU], True, "install the package onnxruntime-gpu"), ([CUDA, CPU], False, "install the NVIDIA driver")],
)
def test_the_refusal_says_how_to_mend_it(
    monkeypatch: pytest.MonkeyPatch, available: list[str], driver: bool, advice: str
) -> None:
    monkeypatch.setattr(providers.onnxruntime, "get_available_providers", lambda: available)
    monkeypatch.setattr(providers, "nvidia_driver", lambda: driver)
    with pytest.raises(BadInput, match=advice):
        open_session(b"", device="cuda", strict=True)


def test_a_fallback_that_is_allowed_is_said_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    open_session(b"", device="cuda")
    assert f"{CUDA} was asked for, {CPU} runs" in caplog.text


@pytest.mark.parametrize("fails", [False, True])
def test_a_fallback_is_one_line_without_what_onnxruntime_says_of_it(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    fails: bool,
) -> None:
    severities: list[int] = []

    class Chatty(FakeSession):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            print("*** EP Error ***")
            if severities[-1:] != [4]:
                os.write(2, b"[E:onnxruntime:Default] Failed to load library\n")
            if fails:
                raise RuntimeError("no such graph")

    monkeypatch.setattr(providers.onnxruntime, "InferenceSession", Chatty)
    monkeypatch.setattr(providers.onnxruntime, "set_default_logger_severity", severities.append)
    with pytest.raises(BadInput, match="no such graph") if fails else nullcontext():
        open_session(b"", device="cuda")
    printed = capfd.readouterr()
    assert "EP Error" not in printed.out
    assert "Failed to load library" not in printed.err
    assert severities == [4, 2]
    assert len(caplog.records) == (0 if fails else 1)


def test_the_cpu_by_choice_is_no_fallback(caplog: pytest.LogCaptureFixture) -> None:
    open_session(b"", device="cpu", strict=True)
    assert not caplog.records


def test_threads_are_explicit_and_do_not_spin() -> None:
    open_session(b"", device="cpu", threads=3)
    options = FakeSession.options
    assert options.intra_op_num_threads == 3
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.get_session_config_entry("session.inter_op.allow_spinning") == "0"


class FakeValue:
    copies: ClassVar[int] = 0
    updates: ClassVar[int] = 0

    def __init__(self, array: np.ndarray) -> None:
        self.array = array.copy()

    @classmethod
    def ortvalue_from_numpy(cls, array: np.ndarray, device: str, index: int) -> "FakeValue":
        assert (device, index) == ("cuda", 0)
        cls.copies += 1
        return cls(array)

    def shape(self) -> list[int]:
        return list(self.array.shape)

    def update_inplace(self, array: np.ndarray) -> None:
        type(self).updates += 1
        self.array[:] = array


class FakeBinding:
    def __init__(self) -> None:
        self.inputs: dict[str, Any] = {}
        self.outputs: list[tuple[str, str, int]] = []

    def bind_ortvalue_input(self, name: str, value: FakeValue) -> None:
        self.inputs[name] = value.array

    def bind_cpu_input(self, name: str, values: np.ndarray) -> None:
        self.inputs[name] = values

    def bind_output(self, name: str, device: str, index: int) -> None:
        self.outputs.append((name, device, index))

    def copy_outputs_to_cpu(self) -> list[np.ndarray]:
        return [self.inputs["crops"].sum(axis=(1, 2, 3)) for _ in self.outputs]


class FakeGpuSession:
    def get_providers(self) -> list[str]:
        return [CUDA, CPU]

    def io_binding(self) -> FakeBinding:
        return FakeBinding()

    def run_with_iobinding(self, binding: FakeBinding) -> None:
        assert binding.outputs == [("logits", "cuda", 0)]


def test_on_a_gpu_the_buffer_of_the_crops_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers.onnxruntime, "OrtValue", FakeValue)
    runner = _Runner(FakeGpuSession())
    first, second = (np.full((2, 4, 4, 3), value, np.uint8) for value in (1, 2))
    assert runner.run(["logits"], first)[0].tolist() == [48, 48]
    assert runner.run(["logits"], second)[0].tolist() == [96, 96]
    assert runner.run(["logits"], second[:1])[0].tolist() == [96]
    assert runner.run(["logits"], first)[0].tolist() == [48, 48]  # a batch of this size came before
    assert (FakeValue.copies, FakeValue.updates) == (2, 2)


def test_a_graph_never_answers_for_other_zones_than_it_has_views_of() -> None:
    with pytest.raises(ValueError, match="views of \\(\\) was asked for \\('eyewear',\\)"):
        _Runner(FakeGpuSession()).run(["logits"], np.zeros((1, 32, 32, 3), np.uint8), every_view(("eyewear",), 1))
