"""A teacher: another network that embeds faces, as an ONNX file, for distillation and for the ceiling."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from skimage.transform import SimilarityTransform

from models.arrays import Bytes, Floats
from models.crop.pose import template
from models.engines.providers import open_session
from models.errors import BadInput
from models.files import whole_file

#: ArcFace's five points for a 112 x 112 crop (Deng et al. 2019), as (x, y).
ARCFACE_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
_AT_ONCE = 16


class Teacher:
    """Embeds canonical face crops with a graph that takes uint8 RGB (N, 112, 112, 3) in ArcFace's alignment.

    Raises:
        BadInput: the file is missing, or a graph of other inputs.
    """

    def __init__(self, path: Path, *, threads: int = 2) -> None:
        if not path.is_file():
            raise BadInput(f"teacher {path}: no such file; give an .onnx that embeds faces")
        self._session = open_session(path.read_bytes(), device="cpu", threads=threads)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        wanted = len(inputs) == 1 and inputs[0].type == "tensor(uint8)" and list(inputs[0].shape[1:]) == [112, 112, 3]
        if not wanted or len(outputs) != 1 or len(outputs[0].shape) != 2:
            raise BadInput(f"teacher {path}: does not take crops (N, 112, 112, 3) uint8 and give one vector for each")
        self._input = inputs[0].name

    def embed(self, crops: Bytes, template: npt.NDArray[np.float64]) -> Floats:
        """(N, S, S, 3) uint8 RGB, five points at ``template`` (for side S) -> (N, W) unit vectors.

        The embedding is the mean over the crop and its mirror image.
        """
        warp = SimilarityTransform.from_estimate(template, ARCFACE_TEMPLATE).params[:2]
        parts = []
        for first in range(0, len(crops), _AT_ONCE):
            some = crops[first : first + _AT_ONCE]
            aligned = np.stack([cv2.warpAffine(c, warp, (112, 112), borderMode=cv2.BORDER_REPLICATE) for c in some])
            parts.append(self._run(aligned) + self._run(aligned[:, :, ::-1]))
        both = np.concatenate(parts)
        unit: Floats = both / np.linalg.norm(both, axis=1, keepdims=True)
        return unit

    def _run(self, aligned: Bytes) -> Floats:
        (found,) = self._session.run(None, {self._input: np.ascontiguousarray(aligned)})
        return np.asarray(found, np.float32)


def kept_embeddings(crops: Bytes, teacher: Path, work: Path, threads: int) -> Floats:
    """The teacher's embedding of each crop (N, S, S, 3), kept in ``work``."""
    net = teacher.read_bytes() if teacher.is_file() else b""  # a missing one is told below
    key = hashlib.sha256(np.ascontiguousarray(crops).tobytes() + net).hexdigest()
    kept = work / f"teacher-{key[:16]}.npy"
    if kept.is_file():
        found: Floats = np.load(kept, allow_pickle=False)
        return found
    corners = template(crops.shape[1]).astype(np.float64)
    found = Teacher(teacher, threads=threads).embed(crops, corners)
    with whole_file(kept) as stream:
        np.save(stream, found)
    return found
