"""Who is to be known, over HTTP; with a made-up network that tells faces by their brightness."""

import json
import uuid
from dataclasses import replace

import cv2
import numpy as np
import pytest
from asking_page import TOKEN, ask
from made_up_bundle import made_up_bundle
from sightings import attack, frame
from skimage.data import astronaut

from models.evidence import Evidence
from models.gallery.gallery import Gallery, unit
from models.policy import Policy
from realtime.faces.mtcnn_onnx import MtcnnOnnxDetector
from realtime.faces.quality import QualityLimits
from realtime.outputs.web.openapi import document
from realtime.people.live_desk import LiveDesk
from realtime.people.people import People

FACE = np.ascontiguousarray(astronaut()[:300, 100:400, ::-1])


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


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return People(tmp_path_factory.mktemp("gallery") / "people.npz", made_up_bundle(size=112))


@pytest.fixture(scope="module")
def network(people):
    return MadeUp(people.bundle.labels)


@pytest.fixture(scope="module")
def page(served, people, network):
    """A page beyond whose door people can be changed."""
    desk = LiveDesk(people, network, lambda: MtcnnOnnxDetector(min_face=40), lambda: None, QualityLimits())
    return served(desk=desk, token=TOKEN)


@pytest.fixture(autouse=True)
def nobody_yet(people):
    """Every test begins with the bundle's people."""
    embedded = people.bundle.gallery
    people.store.change(lambda _: replace(embedded), start=lambda: Gallery((), "", "", embedded.views))


def call(page, method, path, given=None, files=(), **headers):
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
    else:
        body = None if given is None else json.dumps(given)
    answer = ask(page, path, method, body, **headers)
    return answer.status, json.loads(answer.content)


def jpeg(picture=FACE):
    return cv2.imencode(".jpg", picture)[1].tobytes()


def names(page):
    return [one["name"] for one in call(page, "GET", "/api/gallery")[1]["people"]]


def test_without_the_token_nobody_is_listed_or_changed(page):
    for method, path in (
        ("GET", "/api/gallery"),
        ("POST", "/api/gallery/undo"),
        ("GET", "/api/v1/recognition/subjects"),
    ):
        assert call(page, method, path, x_api_key="wrong")[0] == 401


def test_a_person_is_added_shown_renamed_removed_and_brought_back(page):
    files = [("pictures", "a.jpg", jpeg()), ("pictures", "wall.jpg", jpeg(np.full((99, 99, 3), 90, np.uint8)))]
    status, added = call(page, "POST", "/api/gallery/people", {"name": "Eileen", "consent": "yes"}, files)
    assert (status, added["pictures"]) == (201, 1)
    assert added["skipped"] == [{"name": "wall.jpg", "reason": "no face found"}]
    shown = call(page, "GET", "/api/gallery/people/eileen")[1]
    assert (shown["name"], shown["pictures"], "stated on the page" in shown["consent"]) == ("Eileen", 1, True)
    assert call(page, "POST", "/api/gallery/people/Eileen/rename", {"name": "Commander"})[0] == 200
    assert "Commander" in names(page)
    assert call(page, "DELETE", "/api/gallery/people/Commander")[0] == 200
    assert "Commander" not in names(page)
    call(page, "POST", "/api/gallery/undo")
    assert "Commander" in names(page)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "Eileen"}, "consent"),
        ({"name": "a/b", "consent": "yes"}, "without slashes"),
        ({"name": "person 1", "consent": "yes"}, "is there already"),
        ({"consent": "yes"}, "name is empty"),
    ],
)
def test_what_is_missing_or_wrong_is_said(page, given, said):
    status, answer = call(page, "POST", "/api/gallery/people", given, [("pictures", "a.jpg", jpeg())])
    assert (status, said in answer["error"]) == (400, True)
    assert names(page) == ["Person 0", "Person 1", "Person 2", "Person 3"]


def test_a_picture_that_breaks_off_and_one_too_large_are_refused(page):
    status, answer = call(
        page, "POST", "/api/gallery/people", {"name": "E", "consent": "yes"}, [("pictures", "a.jpg", b"\xff\xd8half")]
    )
    assert (status, "no picture can be used" in answer["error"]) == (400, True)
    answer = ask(page, "/api/gallery/people", "POST", None, x_api_key=TOKEN, content_length=str(1 << 40))
    assert answer.status == 413


def test_a_face_under_alarm_is_learnt_only_when_confirmed_once_more(page, network):
    page.events.offer(frame(), [attack(track_id=9, box=(10, 80, 60, 140))], 100.0)
    assert page.events.flush()
    event = call(page, "GET", "/api/events?kind=suspected_attack")[1]["events"][0]
    crop = cv2.imdecode(np.frombuffer(page.events.picture(event["id"], "before"), np.uint8), cv2.IMREAD_COLOR)
    network.input_size = len(crop)  # the made-up events' own
    path, given = f"/api/events/{event['id']}/person", {"name": "Glasses", "consent": True}
    status, answer = call(page, "POST", path, given)
    assert (status, answer["confirm"], "under alarm" in answer["error"]) == (409, True, True)
    assert "Glasses" not in names(page)
    assert call(page, "POST", path, given | {"confirmed": True})[0] == 201
    assert "Glasses" in names(page)
    network.input_size = 112


def test_comprefaces_recognise_gives_the_weakest_view_and_zero_under_alarm(page, network):
    ask_for = "/api/v1/recognition/recognize?prediction_count=2"
    network.says = ([0.95, 0.02, 0, 0], [0.9, 0.05, 0, 0])
    status, answer = call(page, "POST", ask_for, {}, [("file", "a.jpg", jpeg())])
    (face,) = answer["result"]
    assert status == 200
    assert face["subjects"][0] == {"subject": "Person 0", "similarity": pytest.approx(0.9)}
    assert face["state"] == "known"
    assert set(face["box"]) == {"probability", "x_max", "y_max", "x_min", "y_min"}
    network.says = ([0.95, 0.02, 0, 0], [0.01, 0.95, 0, 0])
    (face,) = call(page, "POST", ask_for, {}, [("file", "a.jpg", jpeg())])[1]["result"]
    assert face["state"] == "suspected_attack"
    assert [one["similarity"] for one in face["subjects"]] == [0.0, 0.0]


def test_comprefaces_subjects_and_faces(page):
    asked = "/api/v1/recognition"
    assert call(page, "POST", f"{asked}/subjects", {"subject": "Eileen"}) == (201, {"subject": "Eileen"})
    status, face = call(page, "POST", f"{asked}/faces?subject=Eileen", {}, [("file", "a.jpg", jpeg())])
    assert (status, face["subject"]) == (201, "Eileen")
    found = call(page, "GET", f"{asked}/faces?subject=Eileen")[1]
    assert found["faces"] == [face]
    assert found["total_elements"] == 1
    assert call(page, "PUT", f"{asked}/subjects/Eileen", {"subject": "Commander"}) == (200, {"updated": True})
    assert "Commander" in call(page, "GET", f"{asked}/subjects")[1]["subjects"]
    assert call(page, "DELETE", f"{asked}/faces?subject=Commander") == (200, {"deleted": 1})
    assert call(page, "DELETE", f"{asked}/subjects/Commander")[0] == 404
    wall = jpeg(np.full((99, 99, 3), 90, np.uint8))
    assert call(page, "POST", f"{asked}/recognize", {}, [("file", "w.jpg", wall)]) == (
        400,
        {"message": "No face is found in the given image", "code": 28},
    )


def test_the_document_says_every_address_and_no_other(page):
    from realtime.outputs.web.compreface import CompreFace
    from realtime.outputs.web.gallery_api import GalleryApi

    said = {(method.upper(), path) for path, one in document()["paths"].items() for method in one}
    routes = [*GalleryApi(None, None).routes(), *CompreFace(None).routes()]
    served = {(method, path.replace("{id:int}", "{id}")) for path, _, methods in routes for method in methods}
    assert served <= said
    assert {one for one in said if one[1].startswith(("/api/gallery", "/api/v1"))} <= served
    assert call(page, "GET", "/api/openapi.json")[1] == document()
