"""The canonical crop, against transforms and pixels worked out by hand."""

import numpy as np
import pytest

from models.crop.pose import template
from realtime.faces.align import crop_face, inverse, scale_of, similarity, warp


def moved_template(angle_degrees: float, scale: float, shift: tuple[float, float], size: int = 224) -> np.ndarray:
    """The template turned, scaled and shifted: a face whose similarity is the inverse of that."""
    angle = np.deg2rad(angle_degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return template(size) @ turn.T + shift


def test_a_face_that_lies_in_the_template_needs_no_transform():
    np.testing.assert_allclose(similarity(template(224), 224), [[1, 0, 0], [0, 1, 0]], atol=1e-5)


def test_a_face_twice_as_large_and_shifted_is_halved_and_shifted_back():
    # x' = (x - 30) / 2, y' = (y + 12) / 2
    landmarks = template(224) * 2 + (30, -12)
    np.testing.assert_allclose(similarity(landmarks, 224), [[0.5, 0, -15], [0, 0.5, 6]], atol=1e-4)


def test_a_face_turned_by_a_quarter_is_turned_back():
    # turned clockwise on the screen: (x, y) -> (-y, x) + (300, 0); back: x' = y, y' = 300 - x
    landmarks = np.stack([300 - template(224)[:, 1], template(224)[:, 0]], axis=1)
    np.testing.assert_allclose(similarity(landmarks, 224), [[0, 1, 0], [-1, 0, 300]], atol=1e-4)


def test_a_smaller_crop_is_the_same_transform_scaled():
    landmarks = moved_template(17, 0.6, (40, 25)) + np.random.default_rng(3).normal(0, 2, (5, 2))
    np.testing.assert_allclose(similarity(landmarks, 112), similarity(landmarks, 224) / 2, atol=1e-6)


def test_landmarks_off_the_template_get_the_least_squares_fit():
    # One mouth corner 5 px lower: for a similarity z' = a z + b in the complex plane the normal equations give
    # a = sum(conj(z - mz) (w - mw)) / sum |z - mz|^2, an independent way to Umeyama's answer.
    landmarks = template(224).astype(np.float64)
    landmarks[3, 1] += 5
    z = landmarks[:, 0] + 1j * landmarks[:, 1]
    w = template(224)[:, 0] + 1j * template(224)[:, 1]
    a = (np.conj(z - z.mean()) * (w - w.mean())).sum() / (np.abs(z - z.mean()) ** 2).sum()
    b = w.mean() - a * z.mean()
    expected = [[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]]
    np.testing.assert_allclose(similarity(landmarks, 224), expected, atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_any_landmarks_get_the_transform_of_scikit_image(seed):
    from skimage.transform import SimilarityTransform

    random = np.random.default_rng(seed)
    landmarks = moved_template(random.uniform(-180, 180), random.uniform(0.2, 8), tuple(random.uniform(-900, 900, 2)))
    landmarks += random.normal(0, 20, (5, 2))
    expected = SimilarityTransform.from_estimate(landmarks, template(112).astype(np.float64)).params[:2]
    np.testing.assert_allclose(similarity(landmarks, 112), expected, atol=1e-8)


def test_a_mirrored_face_is_not_mirrored_back():
    landmarks = template(224) * (-1, 1) + (224, 0)
    matrix = similarity(landmarks, 224)
    assert matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0] > 0


@pytest.mark.parametrize("bad", [np.zeros((5, 2)), np.full((5, 2), np.nan), np.zeros((4, 2))])
def test_unusable_landmarks_are_refused(bad):
    with pytest.raises(ValueError, match="landmarks"):
        similarity(bad, 112)


def test_the_inverse_undoes_the_transform():
    matrix = similarity(moved_template(30, 1.7, (55, -8)), 112)
    point = np.array([12.0, 34.0])
    there = matrix[:, :2] @ point + matrix[:, 2]
    np.testing.assert_allclose(inverse(matrix)[:, :2] @ there + inverse(matrix)[:, 2], point, atol=1e-9)
    assert scale_of(matrix) == pytest.approx(0.5 / 1.7, rel=1e-4)


def test_the_crop_of_a_face_in_the_template_is_the_frame_in_rgb():
    frame = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    # 1 grey level: cv2 interpolates in fixed point, and the fit is exact only to rounding
    difference = crop_face(frame, template(112), 112).astype(int) - frame[..., ::-1]
    assert np.abs(difference).max() <= 1


def test_a_shifted_face_is_cut_out_where_it_is():
    frame = np.zeros((200, 240, 3), dtype=np.uint8)
    frame[80, 90] = (10, 20, 250)  # B, G, R
    crop = crop_face(frame, template(112) + np.array((60, 30)), 112)
    np.testing.assert_allclose(crop[50, 30], (250, 20, 10), atol=1)
    assert (crop.max(axis=2) > 3).sum() == 1


def test_outside_the_frame_is_black():
    frame = np.full((112, 112, 3), 255, dtype=np.uint8)
    crop = crop_face(frame, template(112) - (40, 0), 112)  # the crop's left 40 columns lie outside
    assert crop[:, :39].max() == 0
    assert crop[:, 41:].min() == 255


def test_a_large_face_is_averaged_not_sampled():
    # Chequered pixels of a face 4 times the crop: plain bilinear sampling would keep the pattern or alias it.
    chequered = (np.indices((448, 448)).sum(axis=0) % 2 * 255).astype(np.uint8)
    crop = crop_face(np.dstack([chequered] * 3), template(112) * 4, 112)
    inner = crop[8:-8, 8:-8]
    assert inner.min() >= 120
    assert inner.max() <= 135


def test_halving_averages_two_by_two():
    image = np.array([[0, 100, 40, 40], [200, 100, 40, 40]], dtype=np.uint8)
    halved = warp(image, np.array([[0.5, 0, -0.25], [0, 0.5, -0.25]]), 2, 1)
    np.testing.assert_allclose(halved, [[100, 40]], atol=1)
