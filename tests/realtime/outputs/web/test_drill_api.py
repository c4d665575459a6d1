"""The drill over HTTP: what may be put on, on which camera, and who may end it."""

import cv2
import numpy as np
import pytest
from asking_page import TOKEN
from made_up_desk import call, jpeg

from realtime.drill import Drill

BAR = np.zeros((64, 64, 4), np.uint8)
BAR[16:32, 8:56] = (0, 0, 255, 255)


@pytest.fixture(scope="module")
def drill():
    return Drill(lambda: None)


@pytest.fixture(scope="module")
def drilled(served, drill):
    return served(drill=drill, token=TOKEN)


def test_a_drill_is_begun_on_one_camera_told_and_ended(drilled, drill):
    status, answer = call(drilled, "POST", "/api/drill/door", body=cv2.imencode(".png", BAR)[1].tobytes())
    assert (status, list(answer["cameras"])) == (201, ["door"])
    assert 110 < call(drilled, "GET", "/api/cameras")[1]["drill"]["cameras"]["door"]["seconds"] <= 120
    assert (drill._of("door") == BAR[..., [2, 1, 0, 3]]).all()
    assert drill._of("yard") is None
    assert call(drilled, "DELETE", "/api/drill/door")[1]["cameras"] == {}
    assert drill._of("door") is None


def test_without_a_picture_the_last_one_is_worn(drilled, drill):
    call(drilled, "POST", "/api/drill/door", body=cv2.imencode(".png", BAR)[1].tobytes())
    call(drilled, "DELETE", "/api/drill/door")
    assert call(drilled, "POST", "/api/drill/yard")[0] == 201
    assert (drill._of("yard") == BAR[..., [2, 1, 0, 3]]).all()
    call(drilled, "DELETE", "/api/drill/yard")


@pytest.mark.parametrize(
    ("camera", "body", "status", "said"),
    [
        ("attic", None, 404, "no such camera"),
        ("door", jpeg(), 400, "cannot|not a picture that can be worn"),
        ("door", b"nothing", 400, "not a picture that can be worn"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_worn(drilled, drill, camera, body, status, said):
    found, answer = call(drilled, "POST", f"/api/drill/{camera}", body=body)
    assert found == status
    assert any(words in answer["error"] for words in said.split("|"))
    assert drill.said() == {}


def test_nobody_without_the_token_puts_anything_on(drilled):
    assert call(drilled, "POST", "/api/drill/door", x_api_key="wrong")[0] == 401


def test_a_whole_run_that_is_a_drill_is_not_ended_here(served):
    page = served(drill=Drill(lambda: None, BAR), token=TOKEN)
    assert call(page, "DELETE", "/api/drill/door") == (409, {"error": "this whole run is a drill (--wear)"})
    assert call(page, "GET", "/api/cameras")[1]["drill"]["whole_run"] is True
