"""Tracks over made-up detections on a moving portrait: numbers, epochs, landmarks, and what is carried."""

from dataclasses import replace

import numpy as np
import pytest
import supervision as sv

from realtime.faces.boxes import overlap
from realtime.faces.track import FaceTracker
from realtime.types import DetectedFace, Frame

STEP = 0.04  # seconds between frames


class Scene:
    """The portrait's face, put at (x, y) of a frame as often as asked; detections are exact."""

    def __init__(self, astronaut, landmarks):
        self.patch = astronaut[40:200, 150:300]
        self.landmarks = landmarks - (150, 40)
        self.index = 0

    def frame(self, *places, index=None):
        self.index = self.index + 1 if index is None else index
        bgr = np.full((480, 900, 3), 120, dtype=np.uint8)
        for x, y in places:
            bgr[y : y + 160, x : x + 150] = self.patch
        return Frame("camera", self.index, bgr, captured_at=100 + self.index * STEP, wall_time=0)

    def face(self, x, y, score=0.99):
        box = np.array([31 + x, 22 + y, 118 + x, 132 + y], np.float32)
        return DetectedFace(box=box, landmarks=(self.landmarks + np.array((x, y))).astype(np.float32), score=score)


@pytest.fixture
def scene(astronaut, astronaut_landmarks):
    return Scene(astronaut, astronaut_landmarks)


def seen(tracker, scene, *places):
    return tracker.update([scene.face(*place) for place in places], scene.frame(*places))


def test_a_face_is_a_track_from_its_second_detection(scene):
    tracker = FaceTracker()
    assert seen(tracker, scene, (100, 100)) == []
    (track,) = seen(tracker, scene, (104, 100))
    assert track.epoch == 0
    assert track.detected
    np.testing.assert_array_equal(track.face.landmarks, scene.face(104, 100).landmarks)


def test_a_moving_face_keeps_its_number_and_epoch(scene):
    tracker = FaceTracker()
    tracks = [seen(tracker, scene, (100 + 6 * step, 100 + 2 * step)) for step in range(30)][1:]
    assert {(track.track_id, track.epoch) for (track,) in tracks} == {(tracks[0][0].track_id, 0)}


def test_each_track_keeps_its_own_landmarks_whatever_the_order_of_detections(scene):
    tracker = FaceTracker()
    places = [(50, 100), (350, 150), (650, 200)]
    seen(tracker, scene, *places)
    first = {track.track_id: track for track in seen(tracker, scene, *places)}
    second = {track.track_id: track for track in seen(tracker, scene, *reversed(places))}
    assert len(first) == 3
    for track_id, track in first.items():
        np.testing.assert_array_equal(track.face.landmarks, second[track_id].face.landmarks)
        assert overlap(track.face.box, second[track_id].face.box) == 1


def test_a_face_is_carried_along_between_detections(scene):
    tracker = FaceTracker()
    seen(tracker, scene, (100, 100))
    seen(tracker, scene, (104, 101))
    for step in range(2, 7):
        (track,) = tracker.carry(scene.frame((100 + 4 * step, 100 + step)))
        assert not track.detected
        np.testing.assert_allclose(track.face.landmarks, scene.face(100 + 4 * step, 100 + step).landmarks, atol=1.5)
    (found,) = seen(tracker, scene, (128, 107))
    assert (found.track_id, found.epoch, found.detected) == (track.track_id, 0, True)


def test_a_face_that_detection_misses_is_held_for_a_while_and_then_gone(scene):
    tracker = FaceTracker(hold=0.22)
    seen(tracker, scene, (100, 100))
    seen(tracker, scene, (100, 100))
    held = [tracker.update([], scene.frame((100, 100))) for _ in range(10)]
    assert [len(tracks) for tracks in held] == [1] * 5 + [0] * 5  # 5 frames of 40 ms
    assert not held[0][0].detected


def test_a_face_is_not_lost_because_detection_is_slow(scene):
    tracker = FaceTracker(hold=0.2)
    seen(tracker, scene, (100, 100))
    seen(tracker, scene, (100, 100))
    for _ in range(20):  # 0.8 s without any detection running
        assert len(tracker.carry(scene.frame((100, 100)))) == 1
    (track,) = seen(tracker, scene, (100, 100))
    assert track.epoch == 0


def test_a_face_of_a_file_is_not_lost_because_the_work_is_slow(scene):
    tracker = FaceTracker()
    for index in (1, 2):
        place = scene.frame((100, 100), index=index)
        slow = replace(place, captured_at=100 * index, file_time=index * STEP)
        tracks = tracker.update([scene.face(100, 100)], slow)
    assert [track.epoch for track in tracks] == [0]


def test_a_lost_track_comes_back_under_a_new_epoch(scene):
    tracker = FaceTracker(hold=0.2, forget=2)
    seen(tracker, scene, (100, 100))
    (before,) = seen(tracker, scene, (100, 100))
    for _ in range(10):
        tracker.update([], scene.frame((100, 100)))
    (after,) = seen(tracker, scene, (100, 100))
    assert after.track_id == before.track_id
    assert after.epoch == before.epoch + 1


def test_a_face_missed_briefly_keeps_its_epoch(scene):
    tracker = FaceTracker(hold=0.2)
    seen(tracker, scene, (100, 100))
    (before,) = seen(tracker, scene, (100, 100))
    for _ in range(3):
        tracker.update([], scene.frame((100, 100)))
    (after,) = seen(tracker, scene, (100, 100))
    assert (after.track_id, after.epoch) == (before.track_id, before.epoch)


def test_a_face_forgotten_comes_back_as_a_new_track(scene):
    tracker = FaceTracker(hold=0.2, forget=1)
    seen(tracker, scene, (100, 100))
    (before,) = seen(tracker, scene, (100, 100))
    for _ in range(40):
        tracker.update([], scene.frame((100, 100)))
    seen(tracker, scene, (100, 100))
    (after,) = seen(tracker, scene, (100, 100))
    assert after.track_id != before.track_id


def test_a_jump_within_a_track_is_a_new_epoch(scene):
    # ByteTrack takes a box that overlaps a little for the same face; but nothing was seen moving there.
    tracker = FaceTracker()
    seen(tracker, scene, (100, 100))
    (before,) = seen(tracker, scene, (100, 100))
    jumped = scene.face(160, 100)
    (after,) = tracker.update([jumped], scene.frame((100, 100)))
    assert after.track_id == before.track_id
    assert after.epoch == before.epoch + 1


def test_a_face_that_cannot_be_followed_is_hidden_and_comes_back_under_a_new_epoch(scene):
    tracker = FaceTracker()
    seen(tracker, scene, (100, 100))
    (before,) = seen(tracker, scene, (100, 100))
    assert tracker.carry(scene.frame()) == []  # an empty frame: whoever comes next may be somebody else
    (after,) = seen(tracker, scene, (100, 100))
    assert (after.track_id, after.epoch) == (before.track_id, before.epoch + 1)


def test_an_older_frame_changes_nothing(scene):
    tracker = FaceTracker()
    seen(tracker, scene, (100, 100))
    (before,) = seen(tracker, scene, (100, 100))
    (after,) = tracker.update([scene.face(300, 100)], scene.frame((300, 100), index=1))
    np.testing.assert_array_equal(after.face.box, before.face.box)
    assert not after.detected


def test_results_of_a_slow_detection_may_come_after_newer_frames_were_carried(scene):
    tracker = FaceTracker()
    seen(tracker, scene, (100, 100))
    seen(tracker, scene, (100, 100))
    detected_on = scene.frame((104, 100))
    tracker.carry(scene.frame((108, 100)))
    (track,) = tracker.update([scene.face(104, 100)], detected_on)
    (track,) = tracker.carry(scene.frame((112, 100)))
    assert track.epoch == 0
    np.testing.assert_allclose(track.face.landmarks, scene.face(112, 100).landmarks, atol=1.5)


def test_numbers_are_never_given_twice(scene):
    tracker = FaceTracker()
    seen(tracker, scene, (100, 100))
    (before,) = seen(tracker, scene, (100, 100))
    tracker.reset()
    assert tracker.carry(scene.frame((100, 100))) == []
    seen(tracker, scene, (100, 100))
    (after,) = seen(tracker, scene, (100, 100))
    assert after.track_id > before.track_id


def test_an_empty_scene_is_no_trouble(scene):
    tracker = FaceTracker()
    assert tracker.update([], scene.frame()) == []
    assert tracker.carry(scene.frame()) == []


def test_overlap_is_intersection_over_union():
    box = np.array([0, 0, 10, 10], np.float32)
    assert overlap(box, box + np.array([5, 0, 5, 0], np.float32)) == pytest.approx(1 / 3)
    assert overlap(box, box + 20) == 0
    assert overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0  # they only touch
    assert overlap(np.zeros(4, np.float32), np.zeros(4, np.float32)) == 0
    boxes = np.random.default_rng(0).uniform(0, 9, (20, 2, 2))
    boxes = np.concatenate([boxes.min(axis=1), boxes.max(axis=1)], axis=1)
    expected = sv.box_iou_batch(boxes, boxes)
    np.testing.assert_allclose([[overlap(one, two) for two in boxes] for one in boxes], expected, atol=1e-6)


def test_holding_longer_than_remembering_is_refused():
    with pytest.raises(ValueError, match="hold"):
        FaceTracker(hold=3, forget=2)
