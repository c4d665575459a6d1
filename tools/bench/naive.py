"""The natural way, for comparison: what one writes first with the well-known packages, in one loop.

MTCNN (facenet-pytorch) on every frame, VGG16 in torch, Captum's guided backpropagation, the saliency mask, VGG16
again, a decision. Nothing is made slow on purpose: evaluation mode, no gradients where none are needed, and the
better of one and two torch threads is what it is judged by.
"""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import torch

from models.arrays import Bytes, Floats
from models.bundle import Bundle
from models.errors import BadInput
from models.evidence import CropEvidence
from models.heads import head_of
from models.policy import Decision, decide
from models.saliency_mask import apply_mask, saliency_to_mask, scale_saliency
from realtime.faces.align import crop_face


class Naive:
    """Decides on every face of every frame that it is given, one after the other.

    Raises:
        BadInput: captum is not installed.
    """

    def __init__(self, bundle: Bundle, *, min_face: int = 40, threshold: float = 0.9) -> None:
        try:
            from captum.attr import GuidedBackprop
        except ImportError as error:
            raise BadInput("--against naive needs captum; pip install 'spectaclear[test]'") from error
        from facenet_pytorch import MTCNN

        self._info, self._head = bundle.info, head_of(bundle)
        self._threshold = threshold
        self._mtcnn = MTCNN(keep_all=True, min_face_size=min_face, device="cpu").eval()
        self._model = bundle.torch_model()
        self._guided_backprop = GuidedBackprop(self._head.network(self._model, None, nobody=False))

    def decide(self, bgr: Bytes) -> list[Decision]:
        """The faces of one frame (H, W, 3)."""
        _, scores, landmarks = self._mtcnn.detect(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), landmarks=True)
        decisions = []
        for score, points in zip(scores, landmarks, strict=True) if landmarks is not None else ():
            if score >= self._threshold:
                crop = crop_face(bgr, np.asarray(points, np.float64), self._info.input_size)
                decisions.append(self.decide_crop(crop))
        return decisions

    def decide_crop(self, crop: Bytes) -> Decision:
        """One canonical crop (S, S, 3) RGB."""
        parameters = self._info.defence.parameters
        raw = self._probabilities(crop)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Captum tells at every call that it sets hooks
            gradient = self._guided_backprop.attribute(_tensor(crop).requires_grad_(), target=int(raw.argmax()))
        saliency = scale_saliency(gradient.detach().permute(0, 2, 3, 1).numpy(), parameters.percentile)
        mask = saliency_to_mask(saliency, parameters)
        masked = apply_mask(crop[np.newaxis], mask, self._info.trunk.spec.fill_rgb, parameters.fill)[0]
        defended = self._probabilities(masked)
        no_views = np.zeros((0, len(raw)), np.float32)
        evidence = CropEvidence(self._head.labels, raw, saliency[0], mask[0], masked, defended, no_views, ())
        return decide(evidence, self._info.policy.policy)

    def _probabilities(self, crop: Bytes) -> Floats:
        with torch.no_grad():
            found: Floats = self._head.probabilities(self._model(_tensor(crop)).numpy())[0]
        return found


def _tensor(crop: Bytes) -> torch.Tensor:
    return torch.from_numpy(crop).permute(2, 0, 1)[np.newaxis].float() / 255
