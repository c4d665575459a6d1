"""A teacher is any graph that embeds aligned crops; what is no such graph is refused by its file's name."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from models.crop.pose import template
from models.errors import BadInput
from tools.training.teacher import Teacher


def write_teacher(path: Path, kind: int = TensorProto.UINT8, side: int = 112) -> Path:
    """The mean colour of the left half and of the right half: six numbers."""
    nodes = [
        helper.make_node("Cast", ["crops"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("Split", ["x"], ["left", "right"], axis=2, num_outputs=2),
        helper.make_node("ReduceMean", ["left", "axes"], ["l"], keepdims=0),
        helper.make_node("ReduceMean", ["right", "axes"], ["r"], keepdims=0),
        helper.make_node("Concat", ["l", "r"], ["embedding"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "teacher",
        [helper.make_tensor_value_info("crops", kind, ["N", side, side, 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 6])],
        [helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return path


def test_an_embedding_is_the_unit_mean_of_the_aligned_crop_and_its_mirror_image(tmp_path: Path) -> None:
    crops = np.zeros((20, 128, 128, 3), np.uint8)
    crops[:, :, :64] = (0, 40, 80)
    crops[:, :, 64:] = (60, 40, 20)
    found = Teacher(write_teacher(tmp_path / "t.onnx"), threads=1).embed(crops, template(128).astype(np.float64))
    wanted = np.array([30, 40, 50] * 2) / np.linalg.norm([30, 40, 50] * 2)  # both halves, seen from both sides
    np.testing.assert_allclose(found, np.tile(wanted, (20, 1)), atol=0.02)


@pytest.mark.parametrize("kind", ["missing", "other size", "other numbers", "no graph"])
def test_what_is_no_teacher_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "t.onnx"
    if kind == "other size":
        write_teacher(path, side=96)
    elif kind == "other numbers":
        write_teacher(path, TensorProto.INT8)
    elif kind == "no graph":
        path.write_bytes(b"nothing")
    with pytest.raises(BadInput) as error:
        Teacher(path)
    assert "\n" not in str(error.value)
