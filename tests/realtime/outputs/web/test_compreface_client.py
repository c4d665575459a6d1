"""CompreFace's own client from PyPI, unchanged, against our paths and the shipped gallery.

It pins requests-toolbelt 0.9.1, which wants urllib3 < 2: an environment of its own. So this runs only where
``SPECTACLEAR_COMPREFACE`` names that environment's Python:

    python -m venv /tmp/compreface && /tmp/compreface/bin/pip install compreface-sdk "urllib3<2"
    SPECTACLEAR_COMPREFACE=/tmp/compreface/bin/python python -m pytest -n 0 tests/.../test_compreface_client.py
"""

import json
import os
import subprocess

import cv2
import numpy as np
import pytest
from asking_page import TOKEN
from skimage.data import astronaut

from models import load_recogniser
from realtime.faces.limits import QualityLimits
from realtime.faces.mtcnn_onnx import MtcnnOnnxDetector
from realtime.people.live_desk import live_desk

PYTHON = os.environ.get("SPECTACLEAR_COMPREFACE")
#: What a user of the client writes. Its answers go to standard output as JSON.
CLIENT = """
import json, sys
from compreface import CompreFace
port, token, photo, wall = sys.argv[1:]
service = CompreFace("http://127.0.0.1", port, {"limit": 0, "det_prob_threshold": 0.8, "prediction_count": 2})
recognition = service.init_face_recognition(token)
faces, subjects = recognition.get_face_collection(), recognition.get_subjects()
said = {"before": recognition.recognize(photo), "gone": subjects.delete("Eileen Collins")}
said["subject"] = subjects.add("Guest")
said["added"] = faces.add(photo, "Guest")
said["recognised"] = recognition.recognize(photo)
said["faces"] = faces.list()
said["renamed"] = subjects.update("Guest", "Visitor")
said["subjects"] = subjects.list()
said["deleted"] = faces.delete_all("Visitor")
said["nobody"] = recognition.recognize(wall)
print(json.dumps(said))
"""


@pytest.mark.skipif(PYTHON is None, reason="SPECTACLEAR_COMPREFACE names no environment with compreface-sdk")
def test_the_public_client_recognises_adds_renames_and_removes(served, tmp_path):
    recogniser = load_recogniser(None, "onnxruntime")
    desk = live_desk(
        tmp_path / "people.npz", recogniser, lambda: MtcnnOnnxDetector(min_face=40), lambda: None, QualityLimits()
    )
    page = served(desk=desk, token=TOKEN)
    photo, wall = tmp_path / "photo.png", tmp_path / "wall.png"
    cv2.imwrite(str(photo), astronaut()[..., ::-1])
    cv2.imwrite(str(wall), np.full((99, 99, 3), 90, np.uint8))
    port = page.url.rsplit(":", 1)[1].rstrip("/")

    def run():
        command = [PYTHON, "-c", CLIENT, port, TOKEN, str(photo), str(wall)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    # A change is taken up by the run's follower; here the gallery is read anew before each question.
    seen = desk.recognise
    desk.recognise = lambda bgr: (recogniser.use_gallery(desk.people.gallery()), seen(bgr))[1]
    said = run()
    (face,) = said["before"]["result"]
    assert face["subjects"][0]["subject"] == "Eileen Collins"
    assert face["subjects"][0]["similarity"] > 0.05
    assert said["gone"] == {"subject": "Eileen Collins"}
    assert said["subject"] == {"subject": "Guest"}
    assert said["added"]["subject"] == "Guest"
    (face,) = said["recognised"]["result"]
    assert (face["subjects"][0]["subject"], face["state"]) == ("Guest", "known")
    assert said["added"]["image_id"] in [one["image_id"] for one in said["faces"]["faces"]] or said["faces"][
        "total_elements"
    ] > len(said["faces"]["faces"])
    assert said["renamed"] == {"updated": True}
    assert "Visitor" in said["subjects"]["subjects"]
    assert said["deleted"] == {"deleted": 1}
    assert said["nobody"]["code"] == 28
