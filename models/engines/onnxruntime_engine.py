"""The default engine: ONNX Runtime, with the whole defended pass as one graph. Torch is never imported."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime

from models.bundle import Bundle
from models.defended_graph import Style, kept_values
from models.engines.graphs import Precision, classifier, defended_pass
from models.engines.providers import Device, open_session
from models.evidence import Bytes, Floats

_CPU = "CPUExecutionProvider"


class OnnxRuntimeEngine:
    """See ``models.engines.base.Engine``. The graph of the defended pass is loaded when it is first needed."""

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
        self._precision = precision
        self._settings: dict[str, Any] = {"threads": threads, "device": device, "strict": strict}
        self._classifier = _Runner(open_session(classifier(bundle, precision), **self._settings))
        self._defended: _Runner | None = None
        self.name = f"onnxruntime {onnxruntime.__version__} ({self._classifier.provider}, {precision})"

    def logits(self, crops: Bytes) -> Floats:
        if len(crops) == 0:
            return np.zeros((0, len(self._bundle.info.labels)), np.float32)
        (logits,) = self._classifier.run(["logits"], crops)
        return logits

    def logits_and_saliency(self, crops: Bytes, percentile: float) -> tuple[Floats, Floats]:
        if len(crops) == 0:
            return self.logits(crops), np.zeros(crops.shape[:3], np.float32)
        if self._defended is None:
            style: Style = "blocked" if self._classifier.provider == _CPU else "plain"
            self._defended = _Runner(
                open_session(defended_pass(self._bundle, style, self._precision), **self._settings)
            )
        kept = np.array([kept_values(crops.shape[1], percentile)], np.int64)
        logits, saliency = self._defended.run(["logits", "saliency"], crops, kept=kept)
        return logits, saliency


class _Runner:
    """A session and, on a GPU, its buffers there: crops are copied into the same memory again and again."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.provider: str = session.get_providers()[0]
        self._crops: Any = None  # an OrtValue on the device, of the last batch's shape

    def run(self, outputs: list[str], crops: Bytes, **inputs: Any) -> list[Floats]:
        if self.provider == _CPU:
            results: list[Floats] = self._session.run(outputs, {"crops": crops, **inputs})
            return results
        if self._crops is None or tuple(self._crops.shape()) != crops.shape:
            self._crops = onnxruntime.OrtValue.ortvalue_from_numpy(crops, "cuda", 0)
        else:
            self._crops.update_inplace(crops)
        binding = self._session.io_binding()
        binding.bind_ortvalue_input("crops", self._crops)
        for name, values in inputs.items():
            binding.bind_cpu_input(name, values)
        for name in outputs:
            binding.bind_output(name, "cuda", 0)
        self._session.run_with_iobinding(binding)
        copied: list[Floats] = binding.copy_outputs_to_cpu()
        return copied
