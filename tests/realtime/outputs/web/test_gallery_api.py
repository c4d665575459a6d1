"""Who is to be known, over HTTP; with a made-up network that tells faces by their brightness."""

import io
import zipfile

import cv2
import numpy as np
import pytest
from asking_page import TOKEN, ask
from made_up_desk import FACE, call, jpeg
from sightings import attack, frame

from realtime.outputs.web.openapi import document

pytestmark = pytest.mark.usefixtures("nobody_yet")


def names(peopled):
    return [one["name"] for one in call(peopled, "GET", "/api/gallery")[1]["people"]]


def test_without_the_token_nobody_is_listed_or_changed(peopled):
    for method, path in (
        ("GET", "/api/gallery"),
        ("POST", "/api/gallery/undo"),
        ("GET", "/api/v1/recognition/subjects"),
    ):
        assert call(peopled, method, path, x_api_key="wrong")[0] == 401


def test_a_person_is_added_shown_renamed_removed_and_brought_back(peopled):
    files = [("pictures", "a.jpg", jpeg()), ("pictures", "wall.jpg", jpeg(np.full((99, 99, 3), 90, np.uint8)))]
    status, added = call(peopled, "POST", "/api/gallery/people", {"name": "Eileen", "consent": "yes"}, files)
    assert (status, added["pictures"]) == (201, 1)
    assert added["skipped"] == [{"name": "wall.jpg", "reason": "no face found"}]
    shown = call(peopled, "GET", "/api/gallery/people/eileen")[1]
    assert (shown["name"], shown["pictures"], "stated on the page" in shown["consent"]) == ("Eileen", 1, True)
    archive = ask(peopled, "/api/gallery/people/Eileen/export", x_api_key=TOKEN).content
    assert {"person.json", "vectors.npz"} <= set(zipfile.ZipFile(io.BytesIO(archive)).namelist())
    assert call(peopled, "POST", "/api/gallery/people/Eileen/rename", {"name": "Commander"})[0] == 200
    assert "Commander" in names(peopled)
    assert call(peopled, "DELETE", "/api/gallery/people/Commander")[0] == 200
    assert "Commander" not in names(peopled)
    call(peopled, "POST", "/api/gallery/undo")
    assert "Commander" in names(peopled)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "Eileen"}, "consent"),
        ({"name": "a/b", "consent": "yes"}, "without slashes"),
        ({"name": "person 1", "consent": "yes"}, "is there already"),
        ({"consent": "yes"}, "name is empty"),
    ],
)
def test_what_is_missing_or_wrong_is_said(peopled, given, said):
    status, answer = call(peopled, "POST", "/api/gallery/people", given, [("pictures", "a.jpg", jpeg())])
    assert (status, said in answer["error"]) == (400, True)
    assert names(peopled) == ["Person 0", "Person 1", "Person 2", "Person 3"]


def test_a_picture_that_breaks_off_and_one_too_large_are_refused(peopled):
    status, answer = call(
        peopled,
        "POST",
        "/api/gallery/people",
        {"name": "E", "consent": "yes"},
        [("pictures", "a.jpg", b"\xff\xd8half")],
    )
    assert (status, "no picture can be used" in answer["error"]) == (400, True)
    answer = ask(peopled, "/api/gallery/people", "POST", None, x_api_key=TOKEN, content_length=str(1 << 40))
    assert answer.status == 413


def test_a_face_under_alarm_is_learnt_only_when_confirmed_once_more(peopled, network):
    peopled.events.offer(frame(), [attack(track_id=9, box=(10, 80, 60, 140))], 100.0)
    assert peopled.events.flush()
    event = call(peopled, "GET", "/api/events?kind=suspected_attack")[1]["events"][0]
    crop = cv2.imdecode(np.frombuffer(peopled.events.picture(event["id"], "before"), np.uint8), cv2.IMREAD_COLOR)
    network.input_size = len(crop)  # the made-up events' own
    path, given = f"/api/events/{event['id']}/person", {"name": "Glasses", "consent": True}
    status, answer = call(peopled, "POST", path, given)
    assert (status, answer["confirm"], "under alarm" in answer["error"]) == (409, True, True)
    assert "Glasses" not in names(peopled)
    assert call(peopled, "POST", path, given | {"confirmed": True})[0] == 201
    assert "Glasses" in names(peopled)
    network.input_size = 112


def test_comprefaces_recognise_gives_the_weakest_view_and_zero_under_alarm(peopled, network):
    ask_for = "/api/v1/recognition/recognize?prediction_count=2"
    network.says = ([0.95, 0.02, 0, 0], [0.9, 0.05, 0, 0])
    status, answer = call(peopled, "POST", ask_for, {}, [("file", "a.jpg", jpeg())])
    (face,) = answer["result"]
    assert status == 200
    assert face["subjects"][0] == {"subject": "Person 0", "similarity": pytest.approx(0.9)}
    assert face["state"] == "known"
    assert set(face["box"]) == {"probability", "x_max", "y_max", "x_min", "y_min"}
    network.says = ([0.95, 0.02, 0, 0], [0.01, 0.95, 0, 0])
    (face,) = call(peopled, "POST", ask_for, {}, [("file", "a.jpg", jpeg())])[1]["result"]
    assert face["state"] == "suspected_attack"
    assert [one["similarity"] for one in face["subjects"]] == [0.0, 0.0]


def test_comprefaces_subjects_and_faces(peopled):
    asked = "/api/v1/recognition"
    assert call(peopled, "POST", f"{asked}/subjects", {"subject": "Eileen"}) == (201, {"subject": "Eileen"})
    status, face = call(peopled, "POST", f"{asked}/faces?subject=Eileen", {}, [("file", "a.jpg", jpeg())])
    assert (status, face["subject"]) == (201, "Eileen")
    found = call(peopled, "GET", f"{asked}/faces?subject=Eileen")[1]
    assert found["faces"] == [face]
    assert found["total_elements"] == 1
    assert call(peopled, "PUT", f"{asked}/subjects/Eileen", {"subject": "Commander"}) == (200, {"updated": True})
    assert "Commander" in call(peopled, "GET", f"{asked}/subjects")[1]["subjects"]
    assert call(peopled, "DELETE", f"{asked}/faces?subject=Commander") == (200, {"deleted": 1})
    assert call(peopled, "DELETE", f"{asked}/subjects/Commander")[0] == 404
    wall = jpeg(np.full((99, 99, 3), 90, np.uint8))
    assert call(peopled, "POST", f"{asked}/recognize", {}, [("file", "w.jpg", wall)]) == (
        400,
        {"message": "No face is found in the given image", "code": 28},
    )


def test_the_document_says_every_address_and_no_other(peopled):
    from realtime.outputs.web.compreface import CompreFace
    from realtime.outputs.web.events_api import EventsApi
    from realtime.outputs.web.explanations import Explanations
    from realtime.outputs.web.gallery_api import GalleryApi
    from realtime.outputs.web.sitting_api import SittingApi

    said = {(method.upper(), path) for path, one in document()["paths"].items() for method in one}
    routes = [*GalleryApi(None, None).routes(), *CompreFace(None).routes(), *EventsApi(None, None).routes()]
    routes += [*SittingApi(None, None).routes(), *Explanations(None).routes()]
    served = {(method, path.replace(":int}", "}")) for path, _, methods in routes for method in methods}
    assert served <= said
    assert {one for one in said if one[1].startswith(("/api/gallery", "/api/v1", "/api/events"))} <= served
    assert call(peopled, "GET", "/api/openapi.json")[1] == document()


def test_one_picture_is_shown_where_it_was_kept_and_is_taken_out(peopled):
    files = [("pictures", f"{turn}.jpg", jpeg(np.rot90(FACE, turn))) for turn in (0, 2)]
    given = {"name": "Eileen", "consent": "yes", "keep": "yes"}
    assert call(peopled, "POST", "/api/gallery/people", given, files)[1]["pictures"] == 2
    first, second = call(peopled, "GET", "/api/gallery/people/Eileen")[1]["kept"]
    address = "/api/gallery/people/Eileen/pictures"
    assert ask(peopled, f"{address}/{first}", x_api_key=TOKEN).content[:4] == b"\x89PNG"
    assert call(peopled, "DELETE", f"{address}/{first}")[0] == 200
    assert call(peopled, "GET", "/api/gallery/people/Eileen")[1]["digests"] == [second]
    assert call(peopled, "GET", f"{address}/{first}")[0] == 404
    status, answer = call(peopled, "DELETE", f"{address}/{second}")
    assert (status, "the only picture" in answer["error"]) == (400, True)


def test_everybody_is_reported_with_who_shares_a_picture(peopled):
    picture = [("pictures", "a.jpg", jpeg())]
    call(peopled, "POST", "/api/gallery/people", {"name": "Eileen", "consent": "yes"}, picture)
    given = {"name": "Commander", "consent": "yes", "anyway": "yes"}
    assert call(peopled, "POST", "/api/gallery/people", given, picture)[0] == 201
    (shared,) = call(peopled, "GET", "/api/gallery/report")[1]["duplicates"]
    assert {shared["first"][0], shared["second"][0], shared["exact"]} == {"Eileen", "Commander", True}
