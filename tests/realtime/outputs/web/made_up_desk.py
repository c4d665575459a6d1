"""People who can be changed beside a page, by a made-up network and a made-up look at where a head is turned."""

import json
import uuid

import cv2
import numpy as np
from asking_page import TOKEN, ask
from skimage.data import astronaut

from models.evidence import Evidence
from models.gallery.gallery import unit
from models.policy import Policy
from realtime.types import DetectedFace

FACE = np.ascontiguousarray(astronaut()[:300, 100:400, ::-1])
#: Where MTCNN finds its face.
LANDMARKS = np.array(((105, 102), (147, 104), (125, 129), (102, 141), (145, 142)), np.float32)
#: The colour (BGR) in a picture's corner says where its head looks, see ``MarkedDetector``.
MARKS = {"straight": (0, 0, 0), "left": (0, 0, 255), "right": (0, 255, 0), "up": (255, 0, 0), "nobody": (255, 255, 255)}


class MadeUp:
    """Embeds every crop alike; ``says`` are the probabilities (K,) that a face is given, raw and without eyewear."""

    input_size, policy = 112, Policy()

    def __init__(self, labels):
        self.labels, self.says = labels, None

    def embed(self, crops):
        rng = np.random.default_rng(int(crops.mean() * 10))
        return unit(rng.normal(size=(len(crops), 3, 8)))

    def defend(self, crops):
        raw, view = (np.array([row], np.float32) for row in self.says)
        nothing = np.zeros(crops.shape[:3], np.float32)
        return Evidence(self.labels, raw, nothing, nothing > 0, crops, raw, view[:, None], ("eyewear",))


class MarkedDetector:
    """Finds the portrait where it stands, in pictures of its size, and its nose where the corner's colour says."""

    def detect(self, bgr):
        corner = bgr[4:16, 4:16].reshape(-1, 3).mean(axis=0)
        pose = min(MARKS, key=lambda one: np.linalg.norm(corner - MARKS[one]))
        if pose == "nobody" or bgr.shape != FACE.shape:
            return []
        landmarks = LANDMARKS.copy()
        landmarks[2] += {"left": (10, 0), "right": (-10, 0), "up": (0, -10)}.get(pose, (0, 0))
        return [DetectedFace(np.array([84, 50, 165, 165], np.float32), landmarks, 1.0)]


def marked(pose, number=0):
    """The portrait with the mark of a pose, or a white wall; every ``number`` is another picture."""
    if pose == "nobody":
        return np.full_like(FACE, 255)
    picture = FACE.copy()
    picture[:24, :24] = MARKS[pose]
    picture[-24:, -24:] = number * 40 % 256
    return picture


def call(page, method, path, given=None, files=(), body=None, **headers):
    """(status, JSON) of an answer. ``files``: a form with (field, name, content); ``body``: bytes as they are."""
    boundary = uuid.uuid4().hex
    headers = {"x_api_key": TOKEN, **headers}
    if files:
        start = f"--{boundary}\r\nContent-Disposition: form-data; name="
        parts = [f'{start}"{key}"\r\n\r\n{value}\r\n'.encode() for key, value in given.items()]
        for field, name, content in files:
            head = f'{start}"{field}"; filename="{name}"\r\n\r\n'
            parts.append(head.encode() + content + b"\r\n")
        body = b"".join(parts) + f"--{boundary}--\r\n".encode()
        headers["content_type"] = f"multipart/form-data; boundary={boundary}"
    elif given is not None:
        body = json.dumps(given)
    answer = ask(page, path, method, body, **headers)
    return answer.status, json.loads(answer.content)


def jpeg(picture=FACE):
    return cv2.imencode(".jpg", picture)[1].tobytes()
