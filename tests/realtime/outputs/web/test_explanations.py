"""Why an event was, asked of the page."""

import json

import cv2
import numpy as np
from asking_page import ask


def test_the_page_answers_with_words_and_with_a_picture(page):
    said = json.loads(ask(page, "/api/events/1/explanation").content)
    assert said["heading"].startswith("Suspected attack: passes for Ada")
    assert {"view", "most_like", "given_to_name"} <= set(said["views"][0])
    answer = ask(page, "/api/events/1/explanation.png")
    assert answer.getheader("content-type") == "image/png"
    assert cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR).shape[1] > 400
    assert ask(page, "/api/events/99/explanation").status == 404
