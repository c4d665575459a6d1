"""The default engine: ONNX Runtime, with the whole defended pass as one graph. Torch is never imported."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime

from models.arrays import Bytes, Floats
from models.bundle import Bundle
from models.crop.zones import ViewSelection, Zone
from models.engines.base import with_views_apart
from models.engines.graphs import Precision, classifier, defended_pass
from models.engines.providers import Device, give_memory_back, open_session, wanted_providers
from models.graphs.defended import Style, kept_values

_CPU = "CPUExecutionProvider"


class OnnxRuntimeEngine:
    """See ``models.engines.base.Engine``. The graph of the defended pass is loaded when it is first needed.

    bfloat16 is emulated, and only for what is decided on: saliency is float32's.

    In float32 on the CPU views with a zone hidden are part of either graph, which is loaded anew when other zones
    are looked at; elsewhere the views are crops like others.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        threads: int | None = None,
        device: Device = "auto",
        strict: bool = False,
        precision: Precision = "float32",
    ) -> None:
        self._bundle = bundle
        self._fill_rgb = bundle.info.trunk.spec.fill_rgb
        self._precision = precision
        self._settings: dict[str, Any] = {"threads": threads, "device": device, "strict": strict}
        self._settings["half"] = precision == "float16"
        # What only explains never names: on the processor the classifier is loaded when it is first asked.
        self._classifier = None if wanted_providers(device)[0] == _CPU else self._opened(())
        self._provider = self._classifier.provider if self._classifier else _CPU
        self._shares = self._provider == _CPU and precision == "float32"
        if self._shares:
            self._settings["device"] = "cpu"  # what is loaded later stays there
        self._defended: _Runner | None = None
        self.name = f"onnxruntime {onnxruntime.__version__} ({self._provider}, {precision})"

    def outputs(self, crops: Bytes, selection: ViewSelection | None = None) -> Floats:
        if selection and not self._shares:
            crops, selection = selection.and_crops(crops, self._fill_rgb), None
        if len(crops) == 0:
            return np.zeros((0, self._bundle.info.width), np.float32)
        runner = self._classifier
        if runner is None or (selection and selection.zones != runner.zones):
            # The views of the policy, which are looked at next: another graph would be loaded and thrown away.
            usual = self._bundle.info.policy.zones if self._shares else ()
            runner = self._classifier = self._opened(selection.zones if selection else usual)
            give_memory_back()  # that of the graph before
        (outputs,) = runner.run(["logits"], crops, selection)
        return outputs

    def _opened(self, zones: tuple[Zone, ...]) -> _Runner:
        graph = classifier(self._bundle, self._precision, zones, emulated=True)
        return _Runner(open_session(graph, **self._settings), zones)

    def outputs_and_saliency(
        self, crops: Bytes, rows: Floats | None, percentile: float, selection: ViewSelection | None = None
    ) -> tuple[Floats, Floats]:
        if len(crops) == 0:
            return self.outputs(crops), np.zeros(crops.shape[:3], np.float32)
        if selection and not self._shares:
            return with_views_apart(self, crops, rows, percentile, selection, self._fill_rgb)
        runner = self._defended
        if runner is None or (selection and selection.zones != runner.zones):
            style: Style = "blocked" if self._provider == _CPU else "plain"
            zones = selection.zones if selection else ()
            precision: Precision = "int8" if self._precision == "int8" else "float32"
            graph = defended_pass(self._bundle, style, precision, zones, cosines=rows is not None)
            runner = self._defended = _Runner(open_session(graph, **self._settings), zones)
        inputs: dict[str, Any] = {"kept": np.array([kept_values(crops.shape[1], percentile)], np.int64)}
        if rows is not None:
            inputs["gallery"] = rows
        wanted = ["saliency", "logits", *(["views"] if selection else [])]
        saliency, *of_crops_and_views = runner.run(wanted, crops, selection, **inputs)
        return np.concatenate(of_crops_and_views), saliency


class _Runner:
    """A session and, on a GPU, its buffers there: crops are copied into the same memory again and again."""

    def __init__(self, session: Any, zones: tuple[Zone, ...] = ()) -> None:
        self._session = session
        self.zones = zones
        self.provider: str = session.get_providers()[0]
        self._crops: dict[tuple[int, ...], Any] = {}  # OrtValues on the device by a batch's shape

    def run(
        self, outputs: list[str], crops: Bytes, selection: ViewSelection | None = None, **inputs: Any
    ) -> list[Floats]:
        """The outputs.

        Raises:
            ValueError: ``selection`` at other zones than the graph has views for.
        """
        if selection and selection.zones != self.zones:
            raise ValueError(f"a graph with views of {self.zones} was asked for {selection.zones}")
        for number, zone in enumerate(self.zones):
            inputs[f"{zone}.of"] = selection.of(number) if selection else np.zeros(0, np.int64)
        if self.provider == _CPU:
            results: list[Floats] = self._session.run(outputs, {"crops": crops, **inputs})
            return results
        if crops.shape in self._crops:
            self._crops[crops.shape].update_inplace(crops)
        else:
            self._crops[crops.shape] = onnxruntime.OrtValue.ortvalue_from_numpy(crops, "cuda", 0)
        binding = self._session.io_binding()
        binding.bind_ortvalue_input("crops", self._crops[crops.shape])
        for name, values in inputs.items():
            binding.bind_cpu_input(name, values)
        for name in outputs:
            binding.bind_output(name, "cuda", 0)
        self._session.run_with_iobinding(binding)
        copied: list[Floats] = binding.copy_outputs_to_cpu()
        return copied
