"""What limits the defended pass: which ops take the time, and how near they come to the machine's matrix peak.

ONNX Runtime's own profile of the float32 graphs, summed by kind of op, against the fastest matrix product
(float32, torch) that the same number of threads reaches in the same minute.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import onnxruntime
import torch

from models.bundle import Bundle
from models.engines.graphs import classifier, defended_pass
from models.graphs.defended import kept_values
from models.network import architecture
from realtime.faces.detect import torch_threads
from tools.bench.timing import milliseconds
from tools.bench.untrained import bundle_of_size

_MATRIX = 1536  # side of the product that the peak is taken from: far larger than any cache line, well within memory


class Row(TypedDict):
    """A graph at a size: ``ops`` by their share of the time, floating-point operations, and share of the peak."""

    size: int
    graph: str
    ms: float
    gflop: float
    gflops: float
    matrix_peak_gflops: float
    share_of_peak: float
    ops: dict[str, float]
    threads: int


def measure(bundle: Bundle, sizes: tuple[int, ...], folder: Path, *, repeats: int, threads: int) -> list[Row]:
    """A row per size and graph."""
    rows: list[Row] = []
    for size in sizes:
        sized = bundle_of_size(bundle, size, folder / str(size))
        kept = np.array([kept_values(size, sized.info.defence.percentile)], np.int64)
        for name, graph, inputs, passes in (
            ("bare forward", classifier(sized, "float32"), {}, 1),
            ("logits and saliency", defended_pass(sized, "blocked", "float32"), {"kept": kept}, 2),
        ):
            crops = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
            peak = matrix_peak(threads)
            ops, took = op_times(graph, {"crops": crops, **inputs}, repeats=repeats, threads=threads)
            operations = passes * convolution_operations(size)
            reached = operations / (took / 1e3) / 1e9
            total = sum(ops.values())
            rows.append(
                {
                    "size": size,
                    "graph": name,
                    "ms": round(took, 2),
                    "gflop": round(operations / 1e9, 2),
                    "gflops": round(reached, 1),
                    "matrix_peak_gflops": round(peak, 1),
                    "share_of_peak": round(reached / peak, 3),
                    "ops": {op: round(value / total, 4) for op, value in ops.most_common(12)},
                    "threads": threads,
                }
            )
    return rows


def op_times(
    graph: bytes | Path, inputs: Mapping[str, Any], *, repeats: int, threads: int
) -> tuple[Counter[str], float]:
    """Microseconds by kind of op over all runs, and the median milliseconds of a run without profiling."""
    model = graph if isinstance(graph, bytes) else str(graph)
    plain = onnxruntime.InferenceSession(model, _options(threads), providers=["CPUExecutionProvider"])
    plain.run(None, inputs)
    took = float(np.median([milliseconds(lambda: plain.run(None, inputs)) for _ in range(repeats)]))
    with tempfile.TemporaryDirectory(prefix="spectaclear-profile-") as folder:
        options = _options(threads)
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "run")
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        for _ in range(repeats + 1):
            session.run(None, inputs)
        events = json.loads(Path(session.end_profiling()).read_text())
    times: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            times[event["args"]["op_name"]] += event["dur"]
    return times, took


def convolution_operations(size: int) -> int:
    """Floating-point operations of the 13 convolutions at a crop of side ``size``; product and sum count as two."""
    total, channels, side = 0, 3, size
    for count, width in architecture.BLOCKS:
        for _ in range(count):
            total += 2 * 9 * channels * width * side * side
            channels = width
        side //= 2
    return total


def matrix_peak(threads: int, *, repeats: int = 5) -> float:
    """GFLOP/s of the best of a few large float32 matrix products."""
    with torch_threads(threads), torch.inference_mode():
        a, b = torch.rand(_MATRIX, _MATRIX), torch.rand(_MATRIX, _MATRIX)
        torch.mm(a, b)
        best = min(milliseconds(lambda: torch.mm(a, b)) for _ in range(repeats))
    return 2 * _MATRIX**3 / (best / 1e3) / 1e9


def _options(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
