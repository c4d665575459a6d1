"""Where credentials end, and that they are neither shown nor lost."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import BadInput
from realtime.cameras.address import parse_address, scheme_of
from realtime.system.redact import forget_secrets, redact


@pytest.fixture(autouse=True)
def _nothing_remembered():
    yield
    forget_secrets()


@pytest.mark.parametrize(
    "password",
    ["simple", "p@ss", "pa:ss", "pa/ss", "pa%ss", "@:/%", "a@b/c", "p?q", "p#q", "end@", "/start", "12/34", "ä ö"[0]],
)
@pytest.mark.parametrize("host", ["cam.local", "10.0.0.7:554", "localhost:8554", "[::1]:554"])
def test_a_raw_password_reaches_the_camera_whole(password, host):
    address = parse_address(f"rtsp://admin:{password}@{host}/stream1")
    parts = urlsplit(address.url)  # another reader
    assert (unquote(parts.username), unquote(parts.password)) == ("admin", password)
    assert parts.netloc.endswith(f"@{host}")
    assert parts.path == "/stream1"
    assert address.shown == f"rtsp://***@{host}/stream1"
    assert password not in repr(address) or password == "simple"[:0]


def test_an_encoded_password_is_not_encoded_again():
    assert parse_address("rtsp://a:p%40s@host/x").url == "rtsp://a:p%40s@host/x"


@pytest.mark.parametrize(
    "source", ["rtsp://host:554/stream@1", "http://host/x?mail=a@b", "rtsp://[::1]/x", "http://cam.local/v1@2/x"]
)
def test_a_sign_in_the_path_is_no_password(source):
    assert parse_address(source).url == source


def test_the_path_after_credentials_may_hold_a_sign():
    assert parse_address("rtsp://u:p@cam.local/stream@1").url == "rtsp://u:p@cam.local/stream@1"


def test_a_password_is_remembered_for_redaction():
    parse_address("rtsp://admin:tr0ub4dor&3@host/x")
    assert redact("sent tr0ub4dor&3") == "sent ***"


@pytest.mark.parametrize(
    "source",
    ["rtsp://", "rtsp:///x", "rtsp://u:hunter22@", "rtsp://host:99999/", "rtsp://u:hunter22@:554/x", "rtsp://℀"],
)
def test_an_address_without_host_is_bad_input(source):
    with pytest.raises(BadInput, match="names no host") as caught:
        parse_address(source)
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize(
    "source",
    ["rtsp://admin:geheim99", "rtsp://admin:ge/heim99", "http://admin:geheim99?", "rtsp://a:!geheim99", "rtsp://a:9heim99/x"],
)  # fmt: skip
def test_of_an_address_that_was_cut_before_its_host_the_password_is_not_shown(source):
    """What ``rtsp://admin:geheim99 #1@192.168.1.20/x`` becomes in a shell or in YAML."""
    with pytest.raises(BadInput, match=r"//\w+:\*\*\* names no host.*put it in quotes") as caught:
        parse_address(source)
    assert "heim99" not in str(caught.value)
    assert "heim99" not in redact(f"x {source} y")


@pytest.mark.parametrize(
    "text", ["rtsp://cam:554/x", "http://cam:8080: refused", "rtsp://cam: gone", "rtsp://fe80::1/x", "'http://h:80'."]
)  # fmt: skip
def test_a_port_is_no_password(text):
    assert redact(text) == text


def test_a_space_in_an_address_is_bad_input():
    with pytest.raises(BadInput, match="percent-encode"):
        parse_address("rtsp://host/a b")


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://admin:my S3cretPw@10.0.0.7/x", "'rtsp://***@10.0.0.7/x'"),
        ("http://10.0.0.7/snap.cgi?user=a&pwd=my S3cretPw", "'http://10.0.0.7/snap.cgi?user=***&pwd=***'"),
    ],
)
def test_a_secret_with_a_space_in_it_is_not_shown(source, shown):
    with pytest.raises(BadInput, match="holds a space") as caught:
        parse_address(source)
    assert shown in str(caught.value)
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize("zone", ["%eth0", "%25eth0"])
def test_a_zone_of_a_link_local_address_reaches_the_library_as_it_wants_it(zone):
    address = parse_address(f"rtsp://admin:hunter22@[fe80::1{zone}]:554/x")
    assert address.url == "rtsp://admin:hunter22@[fe80::1%eth0]:554/x"
    assert address.shown == "rtsp://***@[fe80::1%eth0]:554/x"


@pytest.mark.parametrize(
    ("source", "scheme"), [("RTSP://x", "rtsp"), ("C:/clip.mp4", None), ("clip.mp4", None), ("0", None), ("a:b", None)]
)
def test_schemes(source, scheme):
    assert scheme_of(source) == scheme


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_bad_input(rest):
    try:
        address = parse_address(f"rtsp://{rest}")
    except BadInput:
        return
    assert urlsplit(address.url).scheme == "rtsp"
