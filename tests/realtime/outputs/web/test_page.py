"""The page over real connections: what it answers, and what a slow viewer does to others."""

import http.client
import json
import threading
import time
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from asking_page import TOKEN, ask, connected, messages, told
from sightings import attack, frame

from models.errors import BadInput
from realtime.outputs.web import LivePictures, WebPage


def test_the_page_has_no_inline_script_style_or_outside_resource(guarded):
    for path in ("/", "/login"):
        text = ask(guarded, path, Authorization=f"Bearer {TOKEN}").content.decode()
        assert "style=" not in text
        assert "<script>" not in text
        assert "http://" not in text.replace("http://www.w3.org/", "")
        assert "https://" not in text


@pytest.mark.parametrize(
    "path",
    [
        "/static/../server.py",
        "/static/..%2fserver.py",
        "/static/%2e%2e/server.py",
        "/static//etc/passwd",
        "/api/events/1/../../../events.sqlite",
        "/api/events/1/..%2f..%2f..%2fevents.sqlite",
        "/api/events/1/mask.png",
        "/api/events/1/%00",
        "/api/events/-1/mask",
        "/api/events/1.0/mask",
        "/api/events/99999999999999999999999/mask",
        "/api/events/99/mask",
        "/cameras/..%2f..%2fevents.jpg",
        "/cameras/cellar.jpg",
    ],
)
def test_no_path_leads_out_of_the_page(page, path):
    assert ask(page, path).status == 404


@pytest.mark.parametrize("query", ["kind=nonsense", "since=tomorrow", "limit=-1", "limit=1e9", "before_id=nan"])
def test_a_wrong_filter_is_a_clear_error(page, query):
    answer = ask(page, f"/api/events?{query}")
    assert answer.status == 400
    assert query.partition("=")[0] in json.loads(answer.content)["error"]


def test_events_are_filtered_and_exported(page):

    def names(query):
        return [event["identity"] or event["claimed"] for event in json.loads(ask(page, query).content)["events"]]

    assert names("/api/events") == ["Bob", "Ada"]
    assert names("/api/events?kind=suspected_attack") == ["Ada"]
    assert names("/api/events?person=Bob") == ["Bob", "Ada"]
    assert names("/api/events?before_id=2&limit=1") == ["Ada"]
    assert len(ask(page, "/api/events/export.csv?kind=known").content.splitlines()) == 2
    assert json.loads(ask(page, "/api/events/export.jsonl?kind=known").content)["identity"] == "Bob"


def test_evidence_pictures_are_served_as_they_were_stored(page):
    mask = cv2.imdecode(np.frombuffer(ask(page, "/api/events/1/mask").content, np.uint8), 0)
    assert mask.shape == (32, 32)
    assert ask(page, "/api/events/1/frame").getheader("content-type") == "image/jpeg"


def test_health_and_readiness(served):
    page = served(token=TOKEN)
    cameras = page.moving
    assert ask(page, "/healthz").content == b"ok\n"
    assert ask(page, "/readyz").status == 200
    cameras.live = cameras.refused
    assert ask(page, "/readyz").status == 503


def test_metrics_count_frames_by_camera_and_name_nobody(page):
    time.sleep(0.3)
    text = ask(page, "/metrics").content.decode()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert values['spectaclear_frames_captured_total{camera="door"}'] == "7.0"
    assert values['spectaclear_frames_dropped_total{camera="door",reason="grey"}'] == "2.0"
    assert values['spectaclear_reconnects_total{camera="door"}'] == "2.0"
    assert values['spectaclear_camera_state{camera="yard",state="refused"}'] == "1.0"
    assert float(values['spectaclear_frames_displayed_total{camera="door"}']) >= 3
    assert float(values['spectaclear_frame_age_seconds_count{camera="door"}']) >= 3
    assert values['spectaclear_events_total{outcome="written"}'] == "2.0"
    assert float(values["process_resident_memory_bytes"]) > 1e7
    assert "Ada" not in text
    assert "Bob" not in text


def test_all_cameras_come_over_one_connection_with_state_and_age(page):
    with connected(page, "/api/live") as connection:
        found = messages(connection)
        header, _ = next(found)
        assert [(camera["name"], camera["state"]) for camera in header["cameras"]] == [
            ("door", "live"),
            ("yard", "refused"),
        ]
        assert header["cameras"][1]["cause"] == "unauthorised"
        pictures = [one for one in (next(found) for _ in range(8)) if "picture" in one[0]]
    assert [header["sequence"] for header, _ in pictures] == sorted({header["sequence"] for header, _ in pictures})
    assert all(header["age"] < 1 for header, _ in pictures)
    positions = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1)[90, :, 2].argmax() for _, jpeg in pictures]
    assert len(set(positions)) > 3


def test_one_camera_is_an_mjpeg_stream_that_opencv_reads(page):
    capture = cv2.VideoCapture(f"{page.url}cameras/door.mjpg", cv2.CAP_FFMPEG)
    read = [capture.read() for _ in range(3)]
    capture.release()
    assert all(fine and picture.shape == (180, 320, 3) for fine, picture in read)


def test_a_viewer_that_does_not_read_gets_new_pictures_afterwards_and_delays_nobody(served):
    page = served(picture_rate=50.0)
    shown, noise = page.moving.pictures, frame("door", size=(540, 960)).bgr  # about 400 kB as a JPEG
    with connected(page, "/api/live") as asleep:
        next(messages(asleep))
        slowest = 0.0
        for index in range(100, 200):
            before = time.monotonic()
            shown.show(replace(frame("door", size=(8, 8)), index=index), noise)
            slowest = max(slowest, time.monotonic() - before)
            time.sleep(0.01)
        newest = shown.newest("door")
        sequences = []
        for header, _ in messages(asleep):
            sequences += [header["sequence"]] if "picture" in header else []
            if sequences and sequences[-1] >= newest:
                break
    assert slowest < 0.2
    assert max(later - earlier for earlier, later in pairwise(sequences)) > 10  # what it missed is not sent
    assert len(sequences) < 60


def test_too_many_viewers_are_refused_and_leaving_makes_room(served):
    page = served(max_viewers=1)
    with connected(page, "/api/live") as first:
        next(messages(first))
        answer = ask(page, "/api/live")
        assert answer.status == 503
        assert "too many viewers" in json.loads(answer.content)["error"]
        assert ask(page, "/api/cameras").status == 200
    end = time.monotonic() + 5
    while ask(page, "/api/live").status != 200:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_events_are_told_as_they_happen_and_again_after_a_lost_connection(served):
    page = served()
    log = page.events
    with connected(page, "/api/events/stream") as connection:
        answer = connection.getresponse()
        assert answer.getheader("content-type").startswith("text/event-stream")
        assert answer.readline() == b"retry: 2000\n"
        threading.Timer(0.1, lambda: log.offer(frame(), [attack(track_id=9, claimed="Cyd")], 0.0)).start()
        assert told(answer) == [(3, "Cyd")]
    port = int(page.url.rsplit(":", 1)[1].rstrip("/"))
    again = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    again.request("GET", "/api/events/stream", headers={"Last-Event-ID": "1"})
    assert told(again.getresponse(), 2) == [(2, "Bob"), (3, "Cyd")]
    again.close()


def test_a_form_that_is_too_long_is_refused(guarded):
    assert ask(guarded, "/login", "POST", "token=" + "x" * 10_000).status == 413


def test_stopping_ends_open_streams_at_once(served):
    page = served()
    with connected(page, "/api/live") as connection:
        next(messages(connection))
        before = time.monotonic()
        page.stop()
        assert time.monotonic() - before < 5.0
    assert not page._thread.is_alive()


def test_a_taken_port_is_said_in_one_line(page):
    with pytest.raises(BadInput, match="choose another port"):
        WebPage(page.moving.pictures, port=int(page.url.rsplit(":", 1)[1].rstrip("/"))).start()


def test_pictures_are_encoded_once_and_only_when_somebody_looks(monkeypatch):
    pictures = LivePictures(list, max_width=100)
    encoded, here, original = [], threading.get_ident(), cv2.imencode

    def imencode(*given):
        if threading.get_ident() == here:  # not the page of another test that is still closing
            encoded.append(1)
        return original(*given)

    monkeypatch.setattr(cv2, "imencode", imencode)
    for _ in range(5):
        pictures.show(frame("door"), frame("door").bgr)
    assert encoded == []
    assert pictures.picture("door") is pictures.picture("door")
    assert len(encoded) == 1
    assert cv2.imdecode(np.frombuffer(pictures.picture("door").jpeg, np.uint8), 1).shape == (75, 100, 3)
    assert pictures.displayed() == {"door": 1}  # one frame, shown again as it aged
    assert pictures.picture("yard") is None
