"""The canonical template, against the numbers of the design."""

import numpy as np
import pytest

from models.crop.pose import LANDMARK_NAMES, template


def test_the_template_of_a_224_crop_is_the_published_one():
    expected = [(73.1, 79.2), (150.9, 79.2), (112.0, 114.0), (77.0, 163.5), (147.0, 163.5)]
    np.testing.assert_allclose(template(224), expected, rtol=1e-6)


def test_the_template_scales_with_the_crops_side():
    expected = [(36.55, 39.6), (75.45, 39.6), (56.0, 57.0), (38.5, 81.75), (73.5, 81.75)]
    np.testing.assert_allclose(template(112), expected, rtol=1e-6)


def test_left_means_the_images_left():
    points = dict(zip(LANDMARK_NAMES, template(112), strict=True))
    assert points["left eye"][0] < points["nose tip"][0] < points["right eye"][0]
    assert points["left mouth corner"][0] < points["right mouth corner"][0]


def test_a_crop_without_pixels_is_refused():
    with pytest.raises(ValueError, match="positive"):
        template(0)
