"""Who sees what: loopback, the token, sessions, other sites, HTTPS, and the headers of every answer."""

import http.client
import json
import logging
import sqlite3
import ssl
import subprocess
import time
from urllib.parse import urlencode

import pytest
from asking_page import EVERYTHING, TOKEN, ask, log_in
from made_up_page import MovingCameras
from starlette.datastructures import Headers

from models.errors import BadInput
from realtime.outputs.web import WebPage
from realtime.outputs.web.access import Access, is_loopback


def test_on_loopback_the_page_is_open(page):
    answer = ask(page, "/")
    assert answer.status == 200
    assert b"<title>Spectaclear</title>" in answer.content


@pytest.mark.parametrize("path", EVERYTHING)
def test_without_the_token_nothing_is_seen(besieged, path):
    for headers in ({}, {"Authorization": "Bearer wrong-wrong-wrong"}, {"Cookie": "spectaclear=99999999999.abc"}):
        answer = ask(besieged, path, **headers)
        assert (answer.status, answer.getheader("location")) in ((401, None), (429, None), (303, "/login"))
        assert b"door" not in answer.content
        assert b"Ada" not in answer.content


@pytest.mark.parametrize("path", [path for path in EVERYTHING if path != "/nothing"])
def test_with_the_token_everything_is_seen(guarded, path):
    assert ask(guarded, path, Authorization=f"Bearer {TOKEN}").status == 200
    cookie = log_in(guarded).getheader("set-cookie").split(";")[0]
    assert ask(guarded, path, Cookie=cookie).status == 200


@pytest.mark.parametrize("others", ['prefs={"a":1}', "x[y]=1", "a b", "=", "spectaclear-other=1", 'said="; b=2"'])
def test_cookies_of_other_programs_on_this_host_do_not_hide_the_session(guarded, others):
    session = log_in(guarded).getheader("set-cookie").split(";")[0]
    for both in (f"{others}; {session}", f"{session}; {others}"):
        assert ask(guarded, "/api/events", Cookie=both).status == 200
    assert ask(guarded, "/api/events", Cookie=others).status == 401


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
    until, _, rest = session.partition(".")
    assert not access._right_session(f"{int(until) + 1}.{rest}")
    monkeypatch.setattr(time, "time", lambda: int(until) + 1)
    assert not access._right_session(session)


def test_five_wrong_tokens_and_even_the_right_one_is_refused_for_a_while(served):
    page = served(token=TOKEN)
    statuses = [log_in(page, "wrong").status for _ in range(5)]
    answer = log_in(page, TOKEN)
    assert statuses == [403] * 5
    assert (answer.status, answer.getheader("set-cookie")) == (429, None)
    assert 0 < int(answer.getheader("retry-after")) <= 60


def test_a_bearer_that_is_locked_out_is_told_so_and_for_how_long(served):
    page = served(token=TOKEN)
    wrong = [ask(page, "/api/events", Authorization="Bearer wrong-wrong-wrong").status for _ in range(5)]
    answer = ask(page, "/api/events", Authorization=f"Bearer {TOKEN}")
    assert wrong == [401] * 4 + [429]  # the fifth is the last
    assert (answer.status, ask(page, "/api/events").status) == (429, 401)
    assert 0 < int(answer.getheader("retry-after")) <= 60
    assert "try again in" in json.loads(answer.content)["error"]


def test_a_session_that_was_logged_out_is_over_for_every_copy_of_its_cookie(served):
    page = served(token=TOKEN)
    ours, others = (log_in(page).getheader("set-cookie").split(";")[0] for _ in range(2))
    assert ask(page, "/logout", "POST", Cookie=ours).status == 303
    assert [ask(page, "/api/events", Cookie=cookie).status for cookie in (ours, others)] == [401, 200]


def test_a_session_survives_a_restart_and_one_that_was_logged_out_does_not_come_back(tmp_path):
    def started(ended):
        return Access("0.0.0.0", TOKEN, ended=ended)

    def session(access):
        return {"cookie": access.new_session().split(";")[0]}

    first = started(tmp_path / "ended")
    kept, ended = session(first), session(first)
    assert "Max-Age=0" in first.end_session(Headers(ended))
    again = started(tmp_path / "ended")
    assert [again.may(Headers(one), "client") for one in (kept, ended)] == [True, False]
    assert (tmp_path / "ended").stat().st_mode & 0o077 == 0
    without_file = session(started(None))
    assert not started(None).may(Headers(without_file), "client")  # lest one that was logged out does


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "//", "null", "http://\udcff"])
def test_an_origin_that_is_none_is_another_site(page, origin):
    answer = ask(page, "/api/events/1/acknowledge", "POST", Origin=origin.encode("utf-8", "surrogateescape"))
    assert answer.status == 403
    assert answer.getheader("x-content-type-options") == "nosniff"


def test_while_another_program_holds_the_events_that_is_the_answer(served, monkeypatch, caplog):
    page = served()

    def locked(_):
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(page.events, "acknowledge", locked)
    answer = ask(page, "/api/events/1/acknowledge", "POST")
    assert (answer.status, answer.getheader("retry-after")) == (503, "2")
    assert "database is locked" in json.loads(answer.content)["error"]
    assert caplog.records == []


def test_a_handler_that_fails_is_answered_with_500_and_a_line_in_the_log(served, monkeypatch, caplog):
    page = served()

    def broken(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(page.events, "query", broken)
    with caplog.at_level(logging.INFO):
        answer = ask(page, "/api/events")
        assert (answer.status, answer.getheader("x-frame-options")) == (500, "DENY")
        end = time.monotonic() + 5
        while not caplog.records:  # it is written after the answer
            assert time.monotonic() < end
            time.sleep(0.01)
    (record,) = caplog.records
    assert record.getMessage() == "GET /api/events failed: OSError(5, 'Input/output error')"
    assert record.exc_info is None


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
