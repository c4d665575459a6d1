"""OpenVINO, for Intel and other x86 or ARM processors, in float32, half precision where they have it, and 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.arrays import Bytes, Floats
from models.bundle import Bundle
from models.crop.zones import ViewSelection
from models.engines.base import with_views_apart
from models.engines.graphs import Precision, classifier, defended_pass
from models.engines.providers import give_memory_back
from models.errors import BadInput, first_line
from models.graphs.defended import kept_values

#: What OpenVINO calls a precision, and what the processor must be able to do.
_HINTS: dict[Precision, str] = {"float32": "f32", "int8": "f32", "bfloat16": "bf16", "float16": "f16"}
_NEEDED: dict[Precision, str] = {"bfloat16": "BF16", "float16": "FP16"}


class OpenVinoEngine:
    """See ``models.engines.base.Engine``. Either graph is loaded when it is first needed.

    Raises:
        BadInput: the package is not installed, does not work here, or the processor has not that precision.
    """

    def __init__(self, bundle: Bundle, *, threads: int | None = None, precision: Precision = "float32") -> None:
        openvino = _openvino()
        self._version = openvino.__version__.split("-")[0]
        try:
            self._core = openvino.Core()
        except RuntimeError as error:
            raise BadInput(f"openvino {self._version} does not work here: {first_line(error)}") from error
        self._refuse_absent(precision)
        self._bundle = bundle
        self._fill_rgb = bundle.info.trunk.spec.fill_rgb
        self._precision = precision
        self._settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads or 0,
            "ENABLE_CPU_PINNING": False,  # the camera and the detector need the cores too
            # By itself OpenVINO takes half precision where the processor has it, and int8 activations before int8
            # weights: logits would differ by 0.02, saliency by 0.01, and nobody would have asked for it.
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
        }
        self._classifier: Any = None
        self._defended: Any = None
        self.name = f"openvino {self._version} (CPU, {precision})"

    def outputs(self, crops: Bytes, selection: ViewSelection | None = None) -> Floats:
        crops = selection.and_crops(crops, self._fill_rgb) if selection else crops
        if len(crops) == 0:
            return np.zeros((0, self._bundle.info.width), np.float32)
        if self._classifier is None:
            self._classifier = self._compiled(classifier(self._bundle, self._precision))
        results = self._classifier.infer({"crops": crops})
        outputs: Floats = np.array(results[0])
        return outputs

    def outputs_and_saliency(
        self, crops: Bytes, rows: Floats | None, percentile: float, selection: ViewSelection | None = None
    ) -> tuple[Floats, Floats]:
        if selection:
            return with_views_apart(self, crops, rows, percentile, selection, self._fill_rgb)
        if len(crops) == 0:
            return self.outputs(crops), np.zeros(crops.shape[:3], np.float32)
        if self._defended is None:
            graph = defended_pass(self._bundle, "plain", self._precision, cosines=rows is not None)
            self._defended = self._compiled(graph)
        inputs: dict[str, Any] = {"crops": crops, "kept": np.array([kept_values(crops.shape[1], percentile)], np.int64)}
        if rows is not None:
            inputs["gallery"] = rows
        results = self._defended.infer(inputs)
        return np.array(results["logits"]), np.array(results["saliency"])

    def _refuse_absent(self, precision: Precision) -> None:
        """OpenVINO would compute in another precision without a word."""
        can = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision in _NEEDED and _NEEDED[precision] not in can:
            raise BadInput(
                f"engine openvino in {precision}: this processor does not compute in it (it has {', '.join(can)}); "
                "choose engine auto"
            )

    def _compiled(self, graph: bytes) -> Any:
        try:
            model = self._core.read_model(graph, b"")
            request = self._core.compile_model(model, "CPU", self._settings).create_infer_request()
        except RuntimeError as error:
            raise BadInput(f"openvino {self._version} cannot load the graph: {first_line(error)}") from error
        del model
        give_memory_back()
        return request


def _openvino() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise BadInput(
            "engine openvino: the package is not installed (it has no wheel for every machine); pip install openvino, "
            "or choose engine onnxruntime"
        ) from error
    return openvino
