"""Credentials must not come through, in whatever shape they stand."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.system import redact as redaction
from realtime.system.redact import JsonFormatter, RedactingFormatter, redact, remember_secret

PASSWORDS = ["s3cr3t", "p@ssw0rd", "@begin", "end@", "pa:ss", ":begin", "end:", "pa/ss", "/begin", "end/", "pa%ss"]
PASSWORDS += ["%begin", "end%", "a@b:c/d%e", "//@@::%%", "12/34", "p?q#r", "@", "p%40ss"]


@pytest.fixture(autouse=True)
def _nothing_remembered():
    redaction.forget_secrets()
    yield
    redaction.forget_secrets()


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("scheme", ["rtsp", "http", "https", "rtsps"])
def test_a_password_in_an_address_is_hidden_and_the_host_is_shown(scheme, password):
    text = redact(f"cannot open {scheme}://admin:{password}@cam.local:554/stream1: timed out")
    assert text == f"cannot open {scheme}://***@cam.local:554/stream1: timed out"


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_percent_encoded_password_is_hidden(password):
    assert redact(f"rtsp://admin:{quote(password, safe='')}@host/x") == "rtsp://***@host/x"


@pytest.mark.parametrize("password", PASSWORDS)
def test_an_address_that_is_encoded_as_a_whole_is_hidden(password):
    url = quote(f"rtsp://admin:{password}@host/x", safe="")
    assert redact(f"GET /add?source={url}&name=a") == "GET /add?source=rtsp%3A%2F%2F***%40host%2Fx&name=a"


@given(st.text(st.characters(codec="ascii", exclude_categories=["Zs", "Cc"]), min_size=1, max_size=20))
def test_any_password_without_space_is_hidden(password):
    assert redact(f"rtsp://admin:{password}@host.local/x") in ("rtsp://***@host.local/x", "rtsp://***")


@given(st.text(max_size=200))
def test_redacting_twice_changes_nothing_more(text):
    assert redact(redact(text)) == redact(text)


def test_a_user_without_password_is_hidden_too():
    assert redact("http://token123@host/") == "http://***@host/"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://host/v?user=joe&pwd=a@b&x=1", "http://host/v?user=***&pwd=***&x=1"),
        ("http://host:80/snap.cgi?loginuse=a&loginpas=b", "http://host:80/snap.cgi?loginuse=***&loginpas=***"),
        ("http://host/video?_sid=a&pw=b&psw=c", "http://host/video?_sid=***&pw=***&psw=***"),
        ("http://host/video#ticket=d", "http://host/video#ticket=***"),
        ("https://host/x?access_token=abc.def", "https://host/x?access_token=***"),
        ("/page?token=abc HTTP/1.1", "/page?token=*** HTTP/1.1"),
        ("http://host/snap.cgi?u=admin&p=Hunter2xyz&page=2", "http://host/snap.cgi?u=***&p=***&page=2"),
        ("rtsp://host:554/user=admin_password=tlJwpbo6_channel=1.sdp", "rtsp://host:554/user=***"),  # XMeye recorders
    ],
)
def test_secrets_in_queries_are_hidden(text, expected):
    assert redact(text) == expected


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("before", ["", "rtsp:", "rtsp:/", "rtsp//", "rtsp:\\\\", "--source="])
def test_a_password_is_hidden_where_the_scheme_is_missing_or_mistyped(before, password):
    text = redact(f"'{before}admin:{password}@cam.local:554/x' does not exist")
    assert text.endswith("***@cam.local:554/x' does not exist")
    assert password not in text.removesuffix("@cam.local:554/x' does not exist")


def test_a_bare_password_before_an_address_with_its_scheme_is_hidden():
    assert redact("http:/admin:s3cr3t@host/x?next=http://y/z") == "***@host/x?next=http://y/z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nobody@example.org wrote",
        "rtsp://host:554/stream",
        "http://[::1]:8080/x?size=2",
        "rtsp://host/stream@1",
        "12:30 me@home.org",
        "12:30:15@door and 2024-01-01T12:30:00+0000@yard",
        r"C:\clips\me@home.mp4 and D:/clips/me@home.mp4",
        "git@github.com:owner/name",
        "drawn by:@somebody",
        "camera:rtsp://host/stream@1",
    ],
)
def test_text_without_credentials_stays_as_it_is(text):
    assert redact(text) == text


def test_a_very_long_word_takes_no_time():
    started = time.monotonic()
    for text in ("x" * 100_000, "x" * 100_000 + "@", "a:" * 50_000 + "@"):
        assert redact(text) == text
    assert time.monotonic() - started < 5  # minutes, where every letter was tried as the beginning of an address


def test_two_addresses_in_one_text_are_both_redacted():
    assert redact("rtsp://a:b@h1/x and rtsp://c:d@h2/y") == "rtsp://***@h1/x and rtsp://***@h2/y"


def test_a_remembered_password_is_hidden_wherever_it_stands():
    remember_secret("tr0ub4dor&3")
    assert redact("login with tr0ub4dor&3 or tr0ub4dor%263 failed") == "login with *** or *** failed"


def test_an_ordinary_word_is_not_remembered():
    remember_secret("live")
    assert redact("state: live") == "state: live"


def test_an_authorization_header_is_hidden():
    assert redact("Authorization: Basic YWRtaW46cA==\r\nX: y") == "Authorization: Basic ***\r\nX: y"


def _logged(handler_setup, emit):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler_setup(handler)
    logger = logging.Logger("test")
    logger.addHandler(handler)
    emit(logger)
    return stream.getvalue()


def _emit_everything(logger):
    url = "rtsp://admin:p@ss/w:o%rd@cam.local/x"
    logger.error("argument %s", url)
    try:
        raise ValueError(f"exception {url}")
    except ValueError:
        logger.exception("failed on %s", url, stack_info=True)


@pytest.mark.parametrize(
    "setup",
    [
        lambda handler: handler.setFormatter(RedactingFormatter()),
        lambda handler: handler.setFormatter(JsonFormatter()),
    ],
    ids=["formatter", "json"],
)
def test_logs_hide_arguments_exceptions_and_stacks(setup):
    text = _logged(setup, _emit_everything)
    assert "p@ss" not in text
    assert "w:o%rd" not in text
    assert text.count("***@cam.local/x") >= 3


def test_json_logs_stay_json():
    lines = _logged(lambda h: h.setFormatter(JsonFormatter()), _emit_everything).splitlines()
    assert [json.loads(line)["level"] for line in lines] == ["error", "error"]


def test_an_exception_in_a_thread_is_logged_without_credentials():
    code = (
        "import threading; from realtime.system.redact import setup_logging; setup_logging()\n"
        "def f(): raise RuntimeError('rtsp://u:hunter22@h/x')\n"
        "t = threading.Thread(target=f, name='capture door'); t.start(); t.join()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "capture door ended unexpectedly" in result.stderr
    assert "hunter22" not in result.stderr.replace("def f()", "")
