"""Clients that keep the page waiting, over real sockets."""

import contextlib
import socket
import time

import pytest
from asking_page import ask, connected, messages

PATIENCE = 0.4


@pytest.fixture(scope="module")
def impatient(served):
    return served(max_viewers=1, patience=PATIENCE)


@contextlib.contextmanager
def opened(page):
    port = int(page.url.rsplit(":", 1)[1].rstrip("/"))
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        yield connection


def test_silent_connections_shut_nobody_out_for_long(impatient):
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(opened(impatient)) for _ in range(30)]  # more than are served at a time
        end = time.monotonic() + 5
        while ask(impatient, "/healthz").status != 200:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert [connection.recv(1) for connection in silent] == [b""] * 30


@pytest.mark.parametrize(
    "beginning",
    [
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ",
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["head", "body", "second request"],
)
def test_bytes_that_trickle_in_gain_no_time(impatient, beginning):
    with opened(impatient) as connection:
        connection.sendall(beginning)
        started = time.monotonic()
        time.sleep(0.05)
        with contextlib.suppress(OSError):
            while time.monotonic() - started < 5:
                connection.sendall(b"a")
                time.sleep(0.05)
        assert PATIENCE - 0.1 < time.monotonic() - started < 3


def test_a_viewer_that_only_looks_is_not_ended(impatient):
    with connected(impatient, "/api/live") as connection:
        found, started = messages(connection), time.monotonic()
        while time.monotonic() - started < 3 * PATIENCE:
            next(found)
