"""Crowds of connections before the page's door, over real sockets; each page lets in few, so that few are a crowd."""

import contextlib
import http.client
import logging
import socket
import ssl
import subprocess
import sys
import time

import pytest
from asking_page import ask, connected, messages

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have one loopback address only")
MOST = 4 * 1 + 16  # of a page for one viewer


@pytest.fixture(scope="module")
def small(served):
    return served(max_viewers=1, patience=30.0)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    try:
        command = [*command.split(), "-keyout", "key", "-out", "chain"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return folder / "chain", folder / "key"


def port_of(page):
    return int(page.url.rsplit(":", 1)[1].rstrip("/"))


def silent(page, address, stack):
    """A connection that says nothing, from one of this machine's own addresses."""
    return stack.enter_context(
        socket.create_connection(("127.0.0.1", port_of(page)), timeout=5, source_address=(address, 0))
    )


def asked_from(page, address):
    connection = http.client.HTTPConnection("127.0.0.1", port_of(page), timeout=10, source_address=(address, 0))
    with contextlib.closing(connection):
        connection.request("GET", "/healthz")
        return connection.getresponse().status


@pytest.mark.parametrize("addresses", [["127.0.0.1"], [f"127.0.0.{number}" for number in range(2, 200)]])
def test_silent_connections_never_hold_more_than_their_share_and_everybody_else_is_answered(small, addresses):
    with contextlib.ExitStack() as stack:
        for number in range(150):
            silent(small, addresses[number % len(addresses)], stack)
        assert asked_from(small, "127.0.1.1") == 200
        assert asked_from(small, addresses[0]) == 200
        assert len(small._socket.guests) <= (MOST // 2 + 1 if len(addresses) == 1 else MOST)


def test_a_viewer_stays_while_a_crowd_comes_from_the_same_address(small):
    with connected(small, "/api/live") as viewer, contextlib.ExitStack() as stack:
        found = messages(viewer)
        next(found)
        for _ in range(60):
            silent(small, "127.0.0.1", stack)
        for _ in range(5):
            next(found)


def test_after_the_crowd_nothing_is_left_of_it(small):
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            silent(small, "127.0.0.1", stack)
    end = time.monotonic() + 5
    while small._socket.guests:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_client_that_never_shakes_hands_is_not_held_for_a_minute(served, certificate):
    page = served(certificate=certificate, patience=0.3)
    with contextlib.ExitStack() as stack:
        before = time.monotonic()
        with contextlib.suppress(ConnectionResetError):
            assert silent(page, "127.0.0.1", stack).recv(1) == b""
        assert time.monotonic() - before < 20  # asyncio's own patience is a minute


def test_over_https_too_a_crowd_shuts_nobody_out(served, certificate):
    page = served(certificate=certificate, max_viewers=1, patience=30.0)
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            silent(page, "127.0.0.1", stack)
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", port_of(page), timeout=10, context=context)
        with contextlib.closing(connection):
            connection.request("GET", "/healthz")
            assert connection.getresponse().status == 200


def test_a_crowd_is_said_once(served, caplog):
    page = served(max_viewers=1)
    with caplog.at_level(logging.WARNING), contextlib.ExitStack() as stack:
        for _ in range(60):
            silent(page, "127.0.0.1", stack)
        assert ask(page, "/healthz").status == 200
    (line,) = [record.getMessage() for record in caplog.records if "connections open" in record.getMessage()]
    assert line.startswith("the page has 10 connections open")
