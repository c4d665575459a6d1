"""``engine: auto``: engines are tried in a process of their own, once, and the fastest that may is taken."""

import importlib.util
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

import models
from models.bundle import Bundle
from models.engines import choose, make_engine, registry
from models.engines import openvino_engine as openvino_module
from models.engines.choose import Choice, Tried
from models.errors import BadInput
from models.recogniser import Recogniser

pytestmark = pytest.mark.slow

openvino_only = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO has no wheel here")
FAST, SLOW = (1.0, 0.5), (1.0, 0.97)  # seconds of the default, and of the engine that was tried

#: Engines that end their process: one when it is opened, one only when it looks at saliency.
DYING = """
import os, signal
from dataclasses import replace
from models.engines import registry, trial

class Half:
    def __init__(self, engine): self.engine = engine
    def outputs(self, *given): return self.engine.outputs(*given)
    def outputs_and_saliency(self, *given): os.kill(os.getpid(), signal.SIGFPE)

cpu = registry.ENGINES["onnxruntime-cpu"]
registry.ENGINES["dying"] = replace(cpu, load=lambda *given: os.kill(os.getpid(), signal.SIGSEGV))
registry.ENGINES["half"] = replace(cpu, load=lambda *given: Half(cpu.load(*given)))
trial.main()
"""


@pytest.fixture(autouse=True)
def a_new_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was tried on it; the graphs that a trial derives are there as soon as one test has derived them."""
    another = {**choose.fingerprint(), "machine": str(tmp_path)}
    monkeypatch.setattr(choose, "fingerprint", lambda: another)


def with_zones(bundle: Bundle) -> Bundle:
    policy = bundle.info.policy.model_copy(update={"zones": ("eyewear",)})
    return Bundle(bundle.folder, bundle.info.model_copy(update={"policy": policy}))


def answered(monkeypatch: pytest.MonkeyPatch, **tried: Tried) -> None:
    monkeypatch.setattr(choose, "_tried", lambda *given: tried)


def choice(bundle: Bundle, deciding: list[str], explaining: list[str], threads: int | None = None) -> Choice:
    return choose.fastest_engines(bundle, "onnxruntime-cpu", deciding, explaining, threads=threads)


def test_an_engine_that_ends_its_process_is_left_out_and_remembered(
    small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "TRIAL", ("-P", "-c", DYING))
    monkeypatch.setattr(choose, "_CLEARLY", 100.0)  # whoever works is fast enough for this test
    names = ["dying", "half", "onnxruntime-int8"]
    found = choose._tried(small_bundle, "onnxruntime-cpu", names, 1)
    assert found["dying"] == {"failed": "it ends its process (SIGSEGV)"}
    assert found["half"]["failed"] == "it ends its process (SIGFPE)"
    assert found["half"].keys() == {"views", "failed"}  # what worked before is known
    assert found["onnxruntime-int8"].keys() == {"views", "saliency"}
    assert all(seconds > 0 for seconds in (*found["onnxruntime-int8"]["views"], *found["half"]["views"]))
    answered(monkeypatch, **found)
    assert choice(small_bundle, names, names) == Choice("onnxruntime-int8", "onnxruntime-int8")
    monkeypatch.setattr(choose, "_tried", lambda *given: pytest.fail("tried again"))
    assert choice(small_bundle, names, names).deciding == "onnxruntime-int8"


def test_a_process_that_cannot_be_started_or_is_ended_is_not_held_against_an_engine(
    small_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    python = sys.executable
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    assert choice(small_bundle, ["openvino"], []) == Choice("onnxruntime-cpu", "onnxruntime-cpu")
    monkeypatch.setattr(sys, "executable", python)
    monkeypatch.setattr(choose, "TRIAL", ("-c", f"import os; os.kill(os.getpid(), {int(signal.SIGTERM)})"))
    assert choice(small_bundle, ["openvino"], []) == Choice("onnxruntime-cpu", "onnxruntime-cpu")
    assert caplog.text.count("nothing could be tried, onnxruntime-cpu runs") == 2
    answered(monkeypatch, openvino={"views": FAST, "saliency": FAST})
    assert choice(small_bundle, ["openvino"], []).deciding == "openvino"


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "print('hello')"])
def test_a_trial_that_answers_nothing_ends(small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(choose, "TRIAL", ("-c", code))
    found = choose._tried(small_bundle, "onnxruntime-cpu", ["a", "b"], 1)
    assert found.keys() == {"a", "b"}
    assert all(set(one) == {"failed"} for one in found.values())


def test_what_was_tried_holds_for_the_same_machine_and_libraries_only(
    small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials: list[object] = []
    monkeypatch.setattr(choose, "_tried", lambda *given: trials.append(given) or {"openvino": {"failed": "SIGFPE"}})
    for _ in range(2):
        assert choice(small_bundle, ["openvino"], []).deciding == "onnxruntime-cpu"
    assert len(trials) == 1
    choice(small_bundle, ["openvino"], [], threads=1)
    assert len(trials) == 2
    other = {**choose.fingerprint(), "versions": {"openvino": "of tomorrow"}}
    monkeypatch.setattr(choose, "fingerprint", lambda: other)
    choice(small_bundle, ["openvino"], [])
    assert len(trials) == 3


def test_the_default_stays_unless_another_is_clearly_faster(
    small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(monkeypatch, openvino={"views": SLOW, "saliency": SLOW})
    assert choice(small_bundle, ["openvino"], ["openvino"]) == Choice("onnxruntime-cpu", "onnxruntime-cpu")
    monkeypatch.setattr(choose, "_remembered", lambda *given: pytest.fail("tried"))
    assert choice(small_bundle, [], []) == Choice("onnxruntime-cpu", "onnxruntime-cpu")


def test_each_part_gets_its_fastest_engine_and_where_zones_are_missing_saliency_decides(
    small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(monkeypatch, bf16={"views": FAST, "failed": "SIGFPE"}, int8={"views": FAST, "saliency": FAST})
    assert choice(with_zones(small_bundle), ["bf16"], ["bf16", "int8"]) == Choice("bf16", "int8")
    assert choice(small_bundle, ["bf16"], ["bf16", "int8"]) == Choice("onnxruntime-cpu", "int8")
    answered(monkeypatch, bf16={"views": FAST, "saliency": FAST}, int8={"views": FAST, "saliency": (1.0, 0.49)})
    # Two engines hold the weights twice, which 2 % do not pay for.
    assert choice(with_zones(small_bundle), ["bf16"], ["bf16", "int8"], threads=1) == Choice("bf16", "bf16")


def test_another_library_explains_only_where_it_is_clearly_faster_than_the_one_that_is_loaded(
    small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: dict[str, Tried] = {"onnxruntime-int8": {"saliency": (1.0, 0.6)}, "openvino-int8": {"saliency": (1.0, 0.55)}}
    answered(monkeypatch, **tried)
    assert choice(small_bundle, [], list(tried)) == Choice("onnxruntime-cpu", "onnxruntime-int8")
    answered(monkeypatch, **(tried | {"openvino-int8": {"saliency": (1.0, 0.3)}}))
    assert choice(small_bundle, [], list(tried), threads=1) == Choice("onnxruntime-cpu", "openvino-int8")


def test_what_decides_is_measured_by_the_bundle_and_what_explains_is_only_installed(
    small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry.importlib.util, "find_spec", lambda name: None if name == "openvino" else object())
    for record, wanted in (
        ({}, []),
        ({"int8": {"accepted": ["openvino-int8"]}}, []),
        ({"int8": {"accepted": ["onnxruntime-int8", "torch"]}}, ["onnxruntime-int8"]),
    ):
        bundle = Bundle(small_bundle.folder, small_bundle.info.model_copy(update={"calibration": record}))
        assert registry.candidates(bundle) == wanted
        assert registry._explaining() == ["onnxruntime-int8"]
    monkeypatch.setattr(registry.importlib.util, "find_spec", lambda name: object())
    assert registry.candidates(small_bundle) == ["openvino"]
    assert {"openvino-bf16", "openvino-f16", "openvino-int8"} < set(registry._explaining())


def test_saliency_of_another_engine_explains_and_never_decides(
    small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(monkeypatch, **{"onnxruntime-int8": {"views": SLOW, "saliency": FAST}})
    monkeypatch.setattr(registry.importlib.util, "find_spec", lambda name: None if name == "openvino" else object())
    found = models.load_recogniser(small_bundle.folder)
    assert "; saliency: onnxruntime" in found.engine
    assert "int8" in found.engine
    exact, rounded = (make_engine(name, small_bundle) for name in ("onnxruntime-cpu", "onnxruntime-int8"))
    crops = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    for zones in ((), ("eyewear",)):
        found.zones = zones
        alone = Recogniser(small_bundle, exact)
        alone.zones = zones
        evidence, wanted = found.defend(crops), alone.defend(crops)
        np.testing.assert_allclose(evidence.raw, wanted.raw, atol=1e-5)
        np.testing.assert_allclose(evidence.views, wanted.views, atol=1e-5)
        saliency = (rounded if zones else exact).outputs_and_saliency(crops, None, 99.0)[1]
        np.testing.assert_allclose(evidence.saliency, saliency, atol=1e-5)
        np.testing.assert_allclose(found.explain(crops[0], evidence[0]).saliency, _first(rounded, crops), atol=1e-5)


def _first(engine: models.engines.Engine, crops: np.ndarray) -> np.ndarray:
    saliency: np.ndarray = engine.outputs_and_saliency(crops[:1], None, 99.0)[1][0]
    return saliency


@openvino_only
def test_half_precision_is_refused_where_the_processor_has_it_not(
    small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    import openvino

    can = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    for name, needed in (("openvino-bf16", "BF16"), ("openvino-f16", "FP16")):
        if needed in can:
            assert make_engine(name, small_bundle).outputs(np.zeros((1, 32, 32, 3), np.uint8)).shape == (1, 4)
        else:
            with pytest.raises(BadInput, match=r"this processor does not compute in it \(it has .*FP32"):
                make_engine(name, small_bundle)


@openvino_only
def test_openvino_that_does_not_work_here_is_refused(small_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    import openvino

    def broken() -> None:
        raise RuntimeError("no plugin\nand more")

    monkeypatch.setattr(openvino, "Core", broken)
    with pytest.raises(BadInput, match=r"does not work here: no plugin$"):
        openvino_module.OpenVinoEngine(small_bundle)


@openvino_only
def test_a_real_trial_answers_for_every_engine(small_bundle: Bundle) -> None:
    names = ["openvino-bf16", "openvino", "openvino-int8"]
    found = choose._tried(small_bundle, "onnxruntime-cpu", names, 1)
    assert set(found) == set(names)
    assert found["openvino"].keys() == found["openvino-int8"].keys() == {"views", "saliency"}
    assert "failed" in found["openvino-bf16"] or "views" in found["openvino-bf16"]
