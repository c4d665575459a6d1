"""OpenCV's YuNet (Wu, Peng and Yu 2023) as a face detector, for users who bring its ONNX file.

Several times faster than MTCNN. The file is not shipped; OpenCV's model zoo has it
(github.com/opencv/opencv_zoo, models/face_detection_yunet).
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from models.arrays import Bytes
from models.errors import BadInput
from realtime.faces.detect import check_settings, shrink, to_faces
from realtime.types import DetectedFace

_WHERE = "the file is in OpenCV's model zoo, models/face_detection_yunet"


class YuNetDetector:
    """``cv2.FaceDetectorYN``. Its threads are OpenCV's (``cv2.setNumThreads``), which belong to the whole process."""

    def __init__(
        self, model: str | Path, *, min_face: int = 40, working_size: int = 640, threshold: float = 0.7
    ) -> None:
        """
        Args:
            model: path of the ONNX file.
            min_face: faces whose box's longer side is below it are dropped, in pixels of the frame.
            working_size: the picture is shrunk until its longer side is at most this many pixels.
            threshold: faces scored below this are dropped, in [0, 1] (YuNet scores lower than MTCNN).

        Raises:
            BadInput: the file is missing, or OpenCV cannot read it as YuNet.
        """
        check_settings(min_face=min_face, working_size=working_size, threshold=threshold, threads=1)
        path = Path(model)
        if not path.is_file():
            raise BadInput(f"face detector {path}: no such file; {_WHERE}, or use the built-in detector mtcnn")
        log_level = cv2.utils.logging.getLogLevel()
        # OpenCV 5 warns on stderr, at each creation, about a setting that YuNet makes by itself
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            self._net = cv2.FaceDetectorYN.create(str(path), "", (320, 320), threshold)
            self._net.detect(np.zeros((320, 320, 3), dtype=np.uint8))  # a wrong network shows itself only here
        except cv2.error as error:
            raise BadInput(
                f"face detector {path}: OpenCV {cv2.__version__} cannot run it as YuNet; {_WHERE}"
            ) from error
        finally:
            cv2.utils.logging.setLogLevel(log_level)
        self._min_face = min_face
        self._working_size = working_size
        self._threshold = threshold

    def detect(self, bgr: Bytes) -> list[DetectedFace]:
        if min(bgr.shape[:2]) < self._min_face:
            return []
        picture, scale = shrink(bgr, self._working_size)
        self._net.setInputSize((picture.shape[1], picture.shape[0]))
        _, rows = self._net.detect(picture)
        if rows is None:
            return []
        # x, y, width, height; then "right eye, left eye, nose, right and left mouth corner" of the *person*, which
        # is image-left first; then the score.
        table = np.asarray(rows, dtype=np.float32)
        boxes = np.hstack([table[:, :2], table[:, :2] + table[:, 2:4]])
        points = table[:, 4:14].reshape(-1, 5, 2)
        return to_faces(boxes, points, table[:, 14], scale=scale, threshold=self._threshold, min_face=self._min_face)
