"""The one real face of the tests: Eileen Collins (NASA, public domain), as shipped by scikit-image."""

import numpy as np
import pytest
import skimage.data

# Read off the picture by eye, (x, y): an independent answer for detectors, good to about 4 pixels.
ASTRONAUT_LANDMARKS = np.array([(204, 103), (246, 104), (224, 127), (203, 140), (243, 141)], dtype=np.float32)


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """(512, 512, 3) uint8 BGR."""
    picture = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])
    picture.setflags(write=False)
    return picture


@pytest.fixture
def astronaut_landmarks() -> np.ndarray:
    return ASTRONAUT_LANDMARKS.copy()
