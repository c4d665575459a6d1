"""Other programs' loops over the same frames, undefended: a detector and an embedding on every frame.

``YuNet and SFace`` is OpenCV's own pair (``cv2.FaceDetectorYN``, ``cv2.FaceRecognizerSF``), the fast peer; its two
files are given by path. ``deepface`` is the loop of ``deepface.stream`` without its window: ``DeepFace.extract_faces``
and an embedding of each face found. What cannot run here is said, with the reason.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.arrays import Bytes, Floats
from models.errors import BadInput
from models.policy import Decision
from realtime.types import Frame

_WHERE = "OpenCV's model zoo has it (models/face_recognition_sface)"
_SURE = 0.363  # SFace's own threshold of the cosine
_DEEPFACE_FILE = "facenet512_weights.h5"  # of the model that its stream takes


class YuNetAndSFace:
    """The faces of a frame by YuNet, each compared with those enrolled by SFace's cosine.

    Raises:
        BadInput: a file is missing, or OpenCV cannot run it.
    """

    def __init__(self, yunet: Path, sface: Path, *, min_face: int = 40) -> None:
        for path in (yunet, sface):
            if not path.is_file():
                raise BadInput(f"{path}: no such file; {_WHERE}")
        try:
            self._detector = cv2.FaceDetectorYN.create(str(yunet), "", (320, 320), 0.7)
            self._recogniser = cv2.FaceRecognizerSF.create(str(sface), "")
            self._enrolled: Floats = np.zeros((0, self._embed(np.zeros((112, 112, 3), np.uint8)).shape[1]), np.float32)
        except cv2.error as error:
            raise BadInput(f"{yunet}, {sface}: OpenCV {cv2.__version__} cannot run them as YuNet and SFace") from error
        self._min_face = min_face

    def enrol(self, bgr: Bytes) -> None:
        """Know the faces of a picture from now on."""
        found = [self._embed(np.asarray(self._recogniser.alignCrop(bgr, row), np.uint8)) for row in self._rows(bgr)]
        self._enrolled = np.concatenate([self._enrolled, *found])

    def __call__(self, frame: Frame) -> Sequence[Decision]:
        """One undefended answer for every face."""
        answers = []
        for row in self._rows(frame.bgr):
            aligned = np.asarray(self._recogniser.alignCrop(frame.bgr, row), np.uint8)
            cosines = self._enrolled @ self._embed(aligned)[0]
            best = int(cosines.argmax()) if len(cosines) else -1
            sure = best >= 0 and float(cosines[best]) >= _SURE
            answers.append(Decision.known(str(best), float(cosines[best])) if sure else Decision.unknown("stranger"))
        return answers

    def _rows(self, bgr: Bytes) -> list[Any]:
        self._detector.setInputSize((bgr.shape[1], bgr.shape[0]))
        _, rows = self._detector.detect(bgr)
        return [] if rows is None else [row for row in rows if max(row[2:4]) >= self._min_face]

    def _embed(self, aligned: Bytes) -> Floats:
        vector = np.asarray(self._recogniser.feature(aligned), np.float32)
        found: Floats = vector / max(float(np.linalg.norm(vector)), 1e-12)
        return found


def deepface_loop() -> Callable[[Frame], Sequence[Decision]]:
    """What ``deepface.stream`` does with a frame, with its detector and model.

    Raises:
        BadInput: the package is not installed, or its weights are not here (it would download them).
    """
    if importlib.util.find_spec("deepface") is None:
        raise BadInput("the package deepface is not installed")
    home = Path(os.environ.get("DEEPFACE_HOME") or Path.home()) / ".deepface" / "weights"
    if not (home / _DEEPFACE_FILE).is_file():
        raise BadInput(f"{home / _DEEPFACE_FILE} is not there, and nothing is downloaded while measuring")
    from deepface import DeepFace

    def decide(frame: Frame) -> Sequence[Decision]:
        faces = DeepFace.represent(
            frame.bgr, model_name="Facenet512", detector_backend="opencv", enforce_detection=False
        )
        return [Decision.unknown("stranger") for face in faces if face["facial_area"]["w"] < frame.bgr.shape[1]]

    return decide


def peers(
    yunet: Path | None, sface: Path | None, first: Frame
) -> tuple[dict[str, Callable[[Frame], Sequence[Decision]]], dict[str, str]]:
    """The loops that run here by their names, and why each other one does not. ``first``: shows whom SFace enrols."""
    ways: dict[str, Callable[[Frame], Sequence[Decision]]] = {}
    absent: dict[str, str] = {}
    name = "YuNet and SFace, undefended"
    if yunet is None or sface is None:
        absent[name] = "give both files as --yunet and --sface"
    else:
        pair = YuNetAndSFace(yunet, sface)
        pair.enrol(first.bgr)
        ways[name] = pair
    name = "deepface, undefended"
    try:
        ways[name] = deepface_loop()
    except BadInput as error:
        absent[name] = str(error)
    return ways, absent
