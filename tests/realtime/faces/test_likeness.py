"""A look at light and shade: the same face stays alike, another does not."""

import numpy as np
import pytest

from realtime.faces.likeness import LEAST_LIKENESS, likeness, thumbnail


def test_a_face_is_like_itself_whatever_the_exposure(astronaut):
    face = astronaut[40:200, 150:310]
    darker = np.rint(face * 0.6 + 10).astype(np.uint8)
    assert likeness(thumbnail(face), thumbnail(darker)) > 0.99


def test_a_face_that_moves_a_little_in_its_crop_stays_alike(astronaut):
    one, other = astronaut[40:200, 150:310], astronaut[44:204, 147:307]
    assert likeness(thumbnail(one), thumbnail(other)) > LEAST_LIKENESS


def test_another_picture_is_not_alike(astronaut):
    one, other = astronaut[40:200, 150:310], astronaut[300:460, 20:180]
    assert likeness(thumbnail(one), thumbnail(other)) < LEAST_LIKENESS


def test_thumbnails_are_unit_vectors_worked_out_by_hand():
    halves = np.zeros((32, 32, 3), np.uint8)
    halves[16:] = 200
    found = thumbnail(halves)
    assert found[:128] == pytest.approx(-1 / 16)
    assert found[128:] == pytest.approx(1 / 16)


def test_a_flat_crop_is_like_nothing_but_another():
    flat, shade = np.full((32, 32, 3), 77, np.uint8), np.tile(np.arange(32, dtype=np.uint8)[:, None, None], (1, 32, 3))
    assert likeness(thumbnail(flat), thumbnail(flat)) == 1
    assert likeness(thumbnail(flat), thumbnail(shade)) == 0
