"""The fast path with a network of full width: without torch, and deciding as the reference does."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from models.bundle import Bundle, load_bundle
from models.engines import make_engine
from models.errors import BadInput
from models.network.guided_backprop import guided_backprop
from models.policy import decide
from models.recogniser import Recogniser
from models.saliency_mask import scale_saliency

openvino_only = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is an optional extra")
PREPARED = Path(__file__).parents[3] / "shared" / "data" / "pubfig30"


@pytest.mark.parametrize("name", ["onnxruntime", pytest.param("openvino", marks=openvino_only)])
def test_a_defended_pass_never_imports_torch(name: str, small_bundle: Bundle) -> None:
    code = (
        "import sys, numpy, models\n"
        f"recogniser = models.load_recogniser({str(small_bundle.folder)!r}, {name!r}, threads=1)\n"
        "recogniser.defend(numpy.zeros((1, 32, 32, 3), numpy.uint8))\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2], timeout=120)


@pytest.mark.slow
def test_real_faces_are_decided_as_by_the_reference() -> None:
    """The promise of the fast path on some shared photographs; ``tools.precision`` checks it on more."""
    if not PREPARED.is_dir():
        pytest.skip(f"{PREPARED} is not there")
    try:
        bundle = load_bundle()
    except BadInput as error:
        pytest.skip(str(error))
    files = sorted(PREPARED.rglob("*.jpg"))
    chosen = np.random.default_rng(0).choice(len(files), 6, replace=False)
    side = bundle.info.input_size
    crops = np.stack([cv2.resize(cv2.imread(str(files[i])), (side, side))[..., ::-1] for i in sorted(chosen)])
    fast, reference = (Recogniser(bundle, make_engine(name, bundle)) for name in ("onnxruntime-cpu", "torch"))
    ious, same, saliencies = [], 0, []
    for crop in crops:
        found, wanted = fast.defend(crop[None]), reference.defend(crop[None])
        saliencies.append(found.saliency)
        union = (found.mask | wanted.mask).sum()
        ious.append(1.0 if union == 0 else (found.mask & wanted.mask).sum() / union)
        a, b = decide(found[0], fast.policy), decide(wanted[0], fast.policy)
        same += (a.state, a.identity, a.claimed) == (b.state, b.identity, b.claimed)
    assert np.mean(ious) >= 0.99
    assert same >= 0.97 * len(crops)
    # In float32 a gate at its rounding error may stand either way, in torch as well: float64 is the judge. In a network
    # of half the channels one gate weighs more than in a whole one.
    pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).double() / 255
    judge = reference.torch_model().double()
    gradient = np.concatenate([guided_backprop(judge, some).permute(0, 2, 3, 1).numpy() for some in pixels.split(4)])
    percentile = bundle.info.defence.percentile
    difference = np.abs(np.concatenate(saliencies) - scale_saliency(gradient, percentile))
    assert np.median(difference.max(axis=(1, 2))) < 1e-3
    assert (difference > 0.01).mean() < 0.01
