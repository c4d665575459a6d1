"""The teacher of the trunk's adaptation: a face embedding as a TensorFlow Lite file (optional extra ``adapt``)."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from skimage.transform import SimilarityTransform

from models.errors import BadInput

#: ArcFace's five points for a 112 x 112 crop (Deng et al. 2019), as (x, y).
ARCFACE_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


class Teacher:
    """Embeds canonical face crops with a model that wants RGB, (x - 127.5) / 128, ArcFace alignment at 112."""

    def __init__(self, path: Path, *, threads: int = 2) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise BadInput("the teacher needs ai-edge-litert: pip install 'spectaclear[adapt]'") from error
        if not path.is_file():
            raise BadInput(f"teacher {path}: no such file; give a MobileFaceNet .tflite")
        self._net = Interpreter(str(path), num_threads=threads)
        self._net.allocate_tensors()
        self._input = self._net.get_input_details()[0]
        self._output = self._net.get_output_details()[0]
        self.batch = int(self._input["shape"][0])

    def embed(self, crops: npt.NDArray[np.uint8], template: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """(N, S, S, 3) uint8 RGB, five points at ``template`` (for side S) -> (N, W) unit vectors.

        The embedding is the mean over the crop and its mirror image.
        """
        warp = SimilarityTransform.from_estimate(template, ARCFACE_TEMPLATE).params[:2]
        aligned = [cv2.warpAffine(c, warp, (112, 112), borderMode=cv2.BORDER_REPLICATE) for c in crops]
        both = self._run(np.stack(aligned)) + self._run(np.stack([a[:, ::-1] for a in aligned]))
        unit: npt.NDArray[np.float32] = both / np.linalg.norm(both, axis=1, keepdims=True)
        return unit

    def _run(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        scaled = (pictures.astype(np.float32) - 127.5) / 128
        found = []
        for first in range(0, len(scaled), self.batch):
            part = scaled[first : first + self.batch]
            padded = np.concatenate([part, np.repeat(part[-1:], self.batch - len(part), axis=0)])
            self._net.set_tensor(self._input["index"], padded)
            self._net.invoke()
            out = self._net.get_tensor(self._output["index"])[: len(part)]
            found.append(out / np.linalg.norm(out, axis=1, keepdims=True))
        return np.concatenate(found)
