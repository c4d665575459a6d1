"""The page over real connections: who sees what, what every answer carries, and what a slow viewer does to others."""

import contextlib
import http.client
import json
import ssl
import subprocess
import threading
import time
from dataclasses import replace
from itertools import pairwise
from urllib.parse import urlencode

import cv2
import numpy as np
import pytest
from made_up_page import MovingCameras
from sightings import attack, frame, sighting

from models.errors import BadInput
from realtime.outputs.event_types import EventSettings
from realtime.outputs.events import EventLog
from realtime.outputs.web import LivePictures, WebPage
from realtime.outputs.web.access import Access, is_loopback

TOKEN = "correct horse battery staple"
EVERYTHING = [
    *("/", "/metrics", "/api/cameras", "/api/live", "/cameras/door.mjpg", "/cameras/door.jpg", "/api/people"),
    *(
        "/api/events",
        "/api/events/1",
        "/api/events/1/frame",
        "/api/events/stream",
        "/api/events/export.csv",
        "/nothing",
    ),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Starts pages on free ports, each with its own cameras and two events."""
    with contextlib.ExitStack() as stack:

        def started(**options):
            moving = MovingCameras().start()
            stack.callback(moving.stop)
            log = EventLog(tmp_path_factory.mktemp("events"), EventSettings(min_free_bytes=0))
            stack.callback(log.close)
            log.offer(frame(), [attack(track_id=1, box=(10, 80, 60, 140))], 0.0)
            log.offer(frame(), [sighting(name="Bob", track_id=2)], 0.0)
            assert log.flush()
            page = stack.enter_context(WebPage(moving.pictures, log, port=0, **options))
            page.moving = moving
            return page

        yield started


@pytest.fixture(scope="module")
def page(served):
    """An open page; tests that change something start their own."""
    return served()


@pytest.fixture(scope="module")
def guarded(served):
    """A page that demands the token."""
    return served(token=TOKEN)


@pytest.fixture(scope="module")
def besieged(served):
    """A page that demands the token and sees many wrong ones."""
    return served(token=TOKEN)


def ask(page, path, method="GET", body=None, **headers):
    port = int(page.url.rsplit(":", 1)[1].rstrip("/"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection):
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        endless = path.split("?")[0] in ("/api/live", "/api/events/stream") or path.endswith(".mjpg")
        answer.content = b"" if answer.status == 200 and endless else answer.read()
        return answer


def log_in(page, token=TOKEN, **headers):
    form = {"Content_Type": "application/x-www-form-urlencoded", **headers}
    return ask(page, "/login", "POST", urlencode({"token": token}), **form)


def test_on_loopback_the_page_is_open(page):
    answer = ask(page, "/")
    assert answer.status == 200
    assert b"<title>Spectaclear</title>" in answer.content


@pytest.mark.parametrize("path", EVERYTHING)
def test_without_the_token_nothing_is_seen(besieged, path):
    for headers in ({}, {"Authorization": "Bearer wrong-wrong-wrong"}, {"Cookie": "spectaclear=99999999999.abc"}):
        answer = ask(besieged, path, **headers)
        assert (answer.status, answer.getheader("location")) in ((401, None), (303, "/login"))
        assert b"door" not in answer.content
        assert b"Ada" not in answer.content


@pytest.mark.parametrize("path", [path for path in EVERYTHING if path != "/nothing"])
def test_with_the_token_everything_is_seen(guarded, path):
    assert ask(guarded, path, Authorization=f"Bearer {TOKEN}").status == 200
    cookie = log_in(guarded).getheader("set-cookie").split(";")[0]
    assert ask(guarded, path, Cookie=cookie).status == 200


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(guarded):
    answer = log_in(guarded)
    assert (answer.status, answer.getheader("location")) == (303, "/")
    cookie = answer.getheader("set-cookie")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert TOKEN not in cookie


def test_a_session_ends_with_its_time_and_with_the_token(monkeypatch):
    access, changed = Access("0.0.0.0", TOKEN), Access("0.0.0.0", "another token altogether")
    session = access.new_session().split(";")[0].partition("=")[2]
    assert access._right_session(session)
    assert not changed._right_session(session)
    until, _, signature = session.partition(".")
    assert not access._right_session(f"{int(until) + 1}.{signature}")
    monkeypatch.setattr(time, "time", lambda: int(until) + 1)
    assert not access._right_session(session)


def test_five_wrong_tokens_and_even_the_right_one_is_refused_for_a_while(served):
    page = served(token=TOKEN)
    statuses = [log_in(page, "wrong").status for _ in range(5)]
    answer = log_in(page, TOKEN)
    assert statuses == [403] * 5
    assert (answer.status, answer.getheader("set-cookie")) == (429, None)
    assert 0 < int(answer.getheader("retry-after")) <= 60


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "camera.example"])
def test_beyond_loopback_a_token_is_demanded(host):
    cameras = MovingCameras()
    with pytest.raises(BadInput, match="give it a token"):
        WebPage(cameras.pictures, host=host)
    with pytest.raises(BadInput, match="at least 16"):
        WebPage(cameras.pictures, host=host, token="short")


def test_what_loopback_means():
    assert [host for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]") if not is_loopback(host)] == []
    assert [host for host in ("0.0.0.0", "::", "10.0.0.1", "localhost.example", "") if is_loopback(host)] == []


def test_a_name_that_was_rebound_to_loopback_gets_nothing(page):
    assert ask(page, "/api/events", Host="evil.example").status == 421
    assert ask(page, "/api/events", Host="localhost:1234").status == 200


def test_another_site_cannot_acknowledge(served):
    page = served()
    own = page.url.rstrip("/")
    assert ask(page, "/api/events/1/acknowledge", "POST", Origin="https://evil.example").status == 403
    assert ask(page, "/api/events/1/acknowledge", "POST", Sec_Fetch_Site="cross-site").status == 403
    assert json.loads(ask(page, "/api/events/1").content)["acknowledged"] is False
    assert ask(page, "/api/events/1/acknowledge", "POST", Origin=own).status == 200
    assert json.loads(ask(page, "/api/events/1").content)["acknowledged"] is True


@pytest.mark.parametrize("path", ["/", "/login", "/static/page.js", "/api/events", "/nothing", "/api/events/1/mask"])
def test_every_answer_carries_the_security_headers(page, path):
    answer = ask(page, path)
    policy = answer.getheader("content-security-policy")
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.getheader("x-content-type-options") == "nosniff"
    assert answer.getheader("referrer-policy") == "same-origin"
    assert answer.getheader("cross-origin-resource-policy") == "same-origin"
    assert answer.getheader("server") is None


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


def messages(connection):
    """(header, JPEG) pairs from the answer with all pictures, read with an independent parser."""
    answer = connection.opened = getattr(connection, "opened", None) or connection.getresponse()
    assert answer.status == 200
    while True:
        length = int.from_bytes(answer.read(4), "big")
        header = json.loads(answer.read(length))
        yield header, answer.read(header["bytes"])


@contextlib.contextmanager
def connected(page, path):
    connection = http.client.HTTPConnection("127.0.0.1", int(page.url.rsplit(":", 1)[1].rstrip("/")), timeout=5)
    connection.request("GET", path)
    with contextlib.closing(connection):
        yield connection


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


def told(answer, count=1):
    found = []
    while len(found) < count:
        line = answer.readline()
        if line.startswith(b"data: "):
            event = json.loads(line[6:])
            found.append((event["id"], event["identity"] or event["claimed"]))
    return found


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


def test_a_certificate_that_is_none_is_said_in_one_line(tmp_path):
    cameras = MovingCameras()
    (tmp_path / "key.pem").write_text("no key")
    with pytest.raises(BadInput, match="certificate"):
        WebPage(cameras.pictures, port=0, certificate=(tmp_path / "key.pem", tmp_path / "key.pem")).start()


def test_over_https_the_cookie_is_bound_to_https(served, tmp_path):
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    try:
        subprocess.run(
            [*command, "-subj", "/CN=localhost", "-keyout", key, "-out", chain], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    page = served(token=TOKEN, certificate=(chain, key))
    port = int(page.url.rsplit(":", 1)[1].rstrip("/"))
    context = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
    connection.request("POST", "/login", urlencode({"token": TOKEN}))
    answer = connection.getresponse()
    assert answer.getheader("set-cookie").startswith("__Host-spectaclear=")
    assert "; Secure" in answer.getheader("set-cookie")
    assert answer.getheader("strict-transport-security")
    connection.close()


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
