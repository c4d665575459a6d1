"""Recordings made for the tests, and read by a decoder that is not the encoder's library."""

import time

import cv2
import numpy as np

from realtime.outputs.recording.video_writer import VideoRecorder


def grey(level, width=64, height=48):
    return np.full((height, width, 3), level, np.uint8)


def record(path, pictures_and_times, fps=25.0):
    """Record without hurry: the queue is never full."""
    with VideoRecorder(path, fps) as recorder:
        for picture, at in pictures_and_times:
            while recorder._queue.full():
                time.sleep(0.001)
            assert recorder.write(picture, at)
    assert recorder.error is None
    return recorder


def decoded(path):
    """The mean grey level of each picture, by a decoder that is not the encoder's library."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    assert capture.isOpened()
    levels = []
    while (read := capture.read())[0]:
        levels.append(float(read[1].mean()))
    return levels, capture.get(cv2.CAP_PROP_FPS)
