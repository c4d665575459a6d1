"""bfloat16 as processors compute it, against torch's own rounding layer by layer."""

import numpy as np
import onnx
import onnxruntime
import torch

from models.bundle import Bundle
from models.engines import make_engine
from models.graphs.defended import chain_of
from models.graphs.half import bfloat16_graph, rounded_to_bfloat16


def test_numbers_are_rounded_as_torch_rounds_them() -> None:
    values = np.random.default_rng(0).normal(0, 10, 10_000).astype(np.float32)
    values[:4] = 1 + 2**-8, 1 + 3 * 2**-8, -(1 + 2**-8), 0  # ties go to the even one
    wanted = torch.from_numpy(values).bfloat16().float().numpy()
    np.testing.assert_array_equal(rounded_to_bfloat16(values), wanted)


def test_pixels_weights_and_what_each_layer_gives_are_rounded(small_bundle: Bundle) -> None:
    def rounded(x: torch.Tensor) -> torch.Tensor:
        return x.bfloat16().float()

    crops = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    model, wanted = small_bundle.torch_model(), []
    with torch.inference_mode():
        x = rounded(model.normalise(torch.from_numpy(crops).permute(0, 3, 1, 2).float()))
        for layer in [*model.trunk, torch.nn.Flatten(), *model.head]:
            if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
                layer.weight.copy_(rounded(layer.weight))
            x = layer(x)
            if isinstance(layer, torch.nn.ReLU):
                x = rounded(x)
                wanted.append(x.numpy())
    classifier = onnx.load(str(small_bundle.classifier_path))
    graph = bfloat16_graph(classifier)
    names = [layer.output for layer in chain_of(classifier) if layer.kind == "Relu"]
    graph.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(names, {"crops": crops})
    for mine, reference in zip(found, wanted, strict=True):
        assert np.array_equal(mine, rounded_to_bfloat16(mine))
        np.testing.assert_allclose(mine, reference, atol=0.05 * reference.std(), rtol=2**-6)
    # A sum at a rounding's edge may fall to either side, and what follows differs by a little then.
    assert [np.mean(mine == reference) > 0.99 for mine, reference in zip(found[:3], wanted, strict=False)] == [True] * 3
    logits = make_engine("onnxruntime-bf16", small_bundle).outputs(crops)
    assert np.array_equal(logits, rounded_to_bfloat16(logits))
