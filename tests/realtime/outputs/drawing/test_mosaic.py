"""Several cameras in one window."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from realtime.cameras import CameraState, CameraStatus
from realtime.outputs.drawing.mosaic import TILE, Mosaic, tiled
from realtime.types import Frame

WIDE, HIGH = TILE


def cameras(*names):
    return [CameraStatus(name, CameraState.LIVE) for name in names]


def frame(camera):
    return Frame(camera, 0, np.zeros((4, 4, 3), np.uint8), 0.0, 0.0)


def grey(value, size=(HIGH, WIDE)):
    return np.full((*size, 3), value, np.uint8)


def test_a_single_camera_keeps_its_size():
    mosaic = Mosaic(lambda: cameras("a"))
    mosaic.put(frame("a"), grey(7, (33, 55)))
    assert np.array_equal(mosaic.next(0), grey(7, (33, 55)))


@pytest.mark.parametrize(("count", "rows", "columns"), [(2, 1, 2), (3, 2, 2), (4, 2, 2), (5, 2, 3), (9, 3, 3)])
def test_several_stand_in_a_grid_in_their_order(count, rows, columns):
    names = [str(number) for number in range(count)]
    whole = tiled(cameras(*names), {name: grey(10 * (number + 1)) for number, name in enumerate(names)})
    assert whole.shape == (rows * HIGH, columns * WIDE, 3)
    for number in range(count):
        row, column = divmod(number, columns)
        assert (whole[row * HIGH : (row + 1) * HIGH, column * WIDE : (column + 1) * WIDE] == 10 * (number + 1)).all()


def test_a_picture_of_another_shape_is_fitted_without_distortion():
    whole = tiled(cameras("a", "b"), {"a": grey(200, (HIGH, HIGH))})
    margin = (WIDE - HIGH) // 2
    assert (whole[:, :margin] == 0).all()
    assert (whole[:, margin + 1 : margin + HIGH - 1] == 200).all()


def test_a_camera_without_a_picture_shows_its_name_and_state():
    lost = [CameraStatus("gate", CameraState.LIVE), CameraStatus("roof", CameraState.LOST)]
    whole = tiled(lost, {"gate": grey(0)})
    assert whole[:, :WIDE].max() == 0
    assert whole[:, WIDE:].max() > 100


def test_there_is_a_picture_only_when_there_is_news():
    mosaic = Mosaic(lambda: cameras("a", "b"))
    assert mosaic.next(0) is None
    threading.Timer(0.05, mosaic.put, (frame("b"), grey(9))).start()
    assert mosaic.next(5) is not None
    assert mosaic.next(0) is None
