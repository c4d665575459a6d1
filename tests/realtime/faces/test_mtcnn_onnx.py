"""MTCNN in ONNX Runtime against the one in torch: the same faces to half a pixel; its parts against torch's."""

import cv2
import numpy as np
import pytest
import torch
import torchvision
from torch.nn.functional import interpolate

from realtime.faces.detect import MtcnnDetector
from realtime.faces.mtcnn_onnx import (
    MtcnnOnnxDetector,
    _bins,
    _cut_out,
    _resample,
    _suppress,
    _suppress_nested,
)


def portraits(astronaut) -> dict[str, np.ndarray]:
    face = astronaut[20:240, 110:330]
    two = np.full((480, 640, 3), 90, dtype=np.uint8)
    two[60:230, 20:190] = cv2.resize(face, (170, 170))
    two[100:360, 320:580] = cv2.resize(face, (260, 260))
    turned = cv2.warpAffine(astronaut, cv2.getRotationMatrix2D((224, 117), 20, 1.0), (512, 512))
    return {
        "as it is": astronaut,
        "two": two,
        "turned": turned,
        "large": cv2.resize(astronaut, (1400, 1400)),
        "small": cv2.resize(astronaut, (200, 200), interpolation=cv2.INTER_AREA),
        "dark": (astronaut * 0.3).astype(np.uint8),
        "cut by the edge": astronaut[95:],
    }


@pytest.mark.parametrize("min_face", [25, 40])
@pytest.mark.parametrize("name", ["as it is", "two", "turned", "large", "small", "dark", "cut by the edge"])
def test_boxes_and_landmarks_equal_those_of_the_torch_nets(astronaut, name, min_face):
    picture = portraits(astronaut)[name]
    expected = MtcnnDetector(min_face=min_face, threshold=0.7).detect(picture)
    found = MtcnnOnnxDetector(min_face=min_face, threshold=0.7).detect(picture)
    assert len(found) == len(expected)
    assert expected or name == "cut by the edge"
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.box, other.box, atol=0.5)
        np.testing.assert_allclose(one.landmarks, other.landmarks, atol=0.5)
        assert one.score == pytest.approx(other.score, abs=1e-4)


@pytest.mark.parametrize("shape", [(480, 640), (39, 400), (15, 15), (1, 1)])
def test_a_picture_without_a_face_gives_none(shape):
    assert MtcnnOnnxDetector().detect(np.full((*shape, 3), 127, dtype=np.uint8)) == []


def test_noise_gives_no_face_and_no_error():
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    assert MtcnnOnnxDetector().detect(noise) == []


@pytest.mark.parametrize(("length", "cells"), [(10, 5), (7, 3), (3, 7), (24, 24), (1, 4)])
def test_bins_are_those_of_torchs_area_mode(length, cells):
    values = torch.arange(length, dtype=torch.float64) ** 2
    expected = interpolate(values[None, None, :, None], size=(cells, 1), mode="area")[0, 0, :, 0]
    first, last = _bins(length, cells)
    averages = [values[i:j].mean().item() for i, j in zip(first, last, strict=True)]
    np.testing.assert_allclose(averages, expected)


def test_the_whole_picture_is_resampled_as_torchs_area_mode_does():
    picture = np.random.default_rng(1).integers(0, 256, (53, 71, 3), dtype=np.uint8)
    expected = interpolate(torch.from_numpy(picture).permute(2, 0, 1)[None].float(), size=(20, 31), mode="area")
    np.testing.assert_allclose(_resample(cv2.integral(picture), 20, 31), expected, atol=1e-4)


def test_candidates_are_cut_out_and_resampled_as_torchs_area_mode_does():
    picture = np.random.default_rng(2).integers(0, 256, (90, 80, 3), dtype=np.uint8)
    corners = np.array([[0, 0, 80, 90], [10, 20, 17, 26], [30, 5, 79, 60], [79, 89, 80, 90]])
    cut = _cut_out(cv2.integral(picture), corners, 24)
    for (x1, y1, x2, y2), pixels in zip(corners, cut, strict=True):
        part = torch.from_numpy(picture[y1:y2, x1:x2].copy()).permute(2, 0, 1)[None].float()
        np.testing.assert_allclose(pixels, interpolate(part, size=(24, 24), mode="area")[0], atol=1e-4)


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_suppression_keeps_what_torchvision_keeps(threshold):
    random = np.random.default_rng(3)
    corner, sides = random.integers(0, 60, (300, 2)), random.integers(10, 40, (300, 2))
    rows = np.column_stack([corner, corner + sides, random.random(300)]).astype(np.float64)
    expected = torchvision.ops.nms(torch.from_numpy(rows[:, :4]), torch.from_numpy(rows[:, 4]), threshold)
    np.testing.assert_array_equal(_suppress(rows, threshold), expected.numpy())


def test_a_face_within_a_face_is_suppressed_and_a_neighbour_stays():
    boxes = np.array([[0, 0, 99, 99], [20, 20, 49, 49], [90, 0, 189, 99]], dtype=float)
    assert _suppress_nested(boxes, np.array([0.9, 0.99, 0.8]), 0.7) == [1, 2]


def test_no_candidates_are_no_trouble():
    assert len(_suppress(np.empty((0, 9)), 0.5)) == 0
    assert _suppress_nested(np.empty((0, 4)), np.empty(0), 0.7) == []
