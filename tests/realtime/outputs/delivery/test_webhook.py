import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import logging
import socket
import threading
import time

import pytest
from sightings import attack, frame

from models.errors import BadInput
from realtime.outputs.delivery.outbox import OutboxSender
from realtime.outputs.delivery.webhook import Webhook
from realtime.outputs.events import retention
from realtime.system import redact

QUICK = {"first_wait": 0.02, "longest_wait": 0.1, "poll": 0.02}


class Receiver(http.server.ThreadingHTTPServer):
    """Answers with the statuses given, then with 200; keeps what it took."""

    daemon_threads = True

    def __init__(self, *statuses):
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses, self.taken, self.asked = list(statuses), [], 0
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"127.0.0.1:{self.server_address[1]}"

    def keys(self):
        return [json.loads(body)["key"] for _, _, body in self.taken]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked += 1
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if status == 200:
            self.server.taken.append((self.path, self.headers, body))
        self.send_response(status)
        if status == 302:
            self.send_header("location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receive():
    servers = []

    def started(*statuses):
        servers.append(Receiver(*statuses))
        return servers[-1]

    yield started
    for server in servers:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def dripping(beginning):
    """An address whose answers begin like this and then come one byte at a time, for ever."""

    def serve(listening):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(listening.accept()[0],), daemon=True).start()

    def drip(connection):
        with contextlib.suppress(OSError), connection:
            connection.sendall(beginning)
            while True:
                connection.sendall(b"1")
                time.sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def send(open_log):
    senders = []

    def started(log, url, **options):
        sender = OutboxSender(log.store, "webhook", Webhook(url, **options).deliver, **QUICK)
        senders.append(sender)
        sender.start()
        return sender

    yield started
    for sender in senders:
        sender.stop()
    redact.forget_secrets()


def happen(log, *numbers):
    for number in numbers:
        log.offer(frame(wall_time=time.time()), [attack(track_id=number)], 0.0)  # an old one would be pruned
    assert log.flush()


def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_every_event_is_posted_once_and_in_order(open_log, receive, send):
    log, server = open_log(deliver_to=["webhook"]), receive()
    sender = send(log, f"http://{server.url}/hook?room=1")
    happen(log, 1, 2, 3)
    until(lambda: len(server.taken) == 3)
    assert server.keys() == [log.get(number).key for number in (1, 2, 3)]
    path, headers, body = server.taken[0]
    assert path == "/hook?room=1"
    assert headers["idempotency-key"] == log.get(1).key
    assert json.loads(body)["claimed"] == "Ada"
    until(lambda: sender.waiting() == 0)
    assert sender.counts() == {"sent": 3, "failed": 0, "refused": 0, "given_up": 0}


def test_letters_beyond_ascii_in_the_address_are_percent_encoded(open_log, receive, send):
    log, server = open_log(deliver_to=["webhook"]), receive()
    send(log, f"http://{server.url}/b\u00fcro/a%20b?door=\u00e9")
    happen(log, 1)
    until(lambda: len(server.taken) == 1)
    assert server.taken[0][0] == "/b%C3%BCro/a%20b?door=%C3%A9"


def test_a_receiver_that_is_unwell_gets_everything_in_order_when_it_is_well(open_log, receive, send):
    log, server = open_log(deliver_to=["webhook"]), receive(503, 500, 302, 401, 429)
    sender = send(log, f"http://{server.url}/")
    happen(log, 1, 2)
    until(lambda: len(server.taken) == 2)
    assert server.keys() == [log.get(1).key, log.get(2).key]
    assert sender.counts()["failed"] == 5


def test_what_is_refused_for_good_does_not_hold_up_the_rest(open_log, receive, send):
    log, server = open_log(deliver_to=["webhook"]), receive(422)
    sender = send(log, f"http://{server.url}/")
    happen(log, 1, 2)
    until(lambda: len(server.taken) == 1)
    assert server.keys() == [log.get(2).key]
    assert sender.counts()["refused"] == 1


def test_the_outbox_survives_a_restart(open_log, receive, send):
    log = open_log(deliver_to=["webhook"])
    happen(log, 1, 2)
    log.close()
    again, server = open_log(deliver_to=["webhook"]), receive()
    send(again, f"http://{server.url}/")
    until(lambda: len(server.taken) == 2)


def test_nobody_there_is_no_busy_loop(open_log, receive, send):
    log, server = open_log(deliver_to=["webhook"]), receive()
    server.shutdown()
    server.server_close()
    sender = send(log, f"http://{server.url}/")
    happen(log, 1)
    time.sleep(0.5)
    assert 2 <= sender.counts()["failed"] <= 12
    assert sender.waiting() == 1


@pytest.mark.parametrize(
    ("scheme", "beginning"),
    [("http", b"HTTP/1.1 200 OK\r\nX-Slow: "), ("http", b"HTTP/1.1 200"), ("https", b"\x16\x03\x03\x40\x00")],
    ids=["a header", "the status", "the handshake"],
)
def test_an_answer_that_drips_for_ever_is_a_failure_like_any_other(open_log, send, scheme, beginning):
    log = open_log(deliver_to=["webhook"])
    with dripping(beginning) as address:
        sender = send(log, f"{scheme}://{address}/", timeout=0.15)
        happen(log, 1)
        until(lambda: sender.counts()["failed"] >= 2, seconds=10)
        assert sender.waiting() == 1
        sender.stop()


def test_waits_double_up_to_the_longest(open_log):
    sender = OutboxSender(open_log().store, "webhook", print, first_wait=1.0, longest_wait=60.0)
    waits = [sender.wait_after(failures) for failures in range(1, 10)]
    assert all(0.75 * full <= wait <= full for wait, full in zip(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True))
    assert sender.wait_after(10_000) <= 60


def test_an_entry_is_given_up_after_its_time(open_log, receive):
    log, server = open_log(deliver_to=["webhook"]), receive(*[500] * 100)
    happen(log, 1)
    deliver = Webhook(f"http://{server.url}/").deliver
    sender = OutboxSender(log.store, "webhook", deliver, give_up_after=0.0, **QUICK)
    sender.start()
    until(lambda: sender.counts()["given_up"] == 1)
    sender.stop()
    assert sender.waiting() == 0


def test_an_event_that_was_forgotten_is_not_sent(open_log, receive, send):
    log, server = open_log(deliver_to=["webhook"]), receive()
    happen(log, 1)
    log.offer(frame(), [attack(track_id=2, claimed="Cyd", likely=None)], 0.0)
    assert log.flush()
    retention.forget_person(log.store, "Ada")
    send(log, f"http://{server.url}/")
    until(lambda: len(server.taken) == 1)
    assert json.loads(server.taken[0][2])["claimed"] == "Cyd"
    assert "Ada" not in json.loads(server.taken[0][2])["probabilities"]["labels"]


def test_the_signature_can_be_checked_by_the_receiver(open_log, receive, send):
    log, server = open_log(deliver_to=["webhook"]), receive()
    send(log, f"http://{server.url}/", secret="a shared secret")
    happen(log, 1)
    until(lambda: server.taken)
    _, headers, body = server.taken[0]
    text = headers["x-spectaclear-timestamp"].encode() + b"." + body
    expected = hmac.new(b"a shared secret", text, hashlib.sha256).hexdigest()
    assert headers["x-spectaclear-signature"] == f"sha256={expected}"


def test_a_password_reaches_the_receiver_and_no_log(open_log, receive, send, caplog):
    caplog.set_level(logging.DEBUG)
    log, server = open_log(deliver_to=["webhook"]), receive(500, 422)
    send(log, f"http://user:p%40ss%3Aw%2Frd%25!@{server.url}/hook")
    happen(log, 1, 2)
    until(lambda: server.taken)
    credentials = base64.b64decode(server.taken[0][1]["authorization"].removeprefix("Basic ")).decode()
    assert credentials == "user:p@ss:w/rd%!"
    assert caplog.records
    assert "p@ss" not in caplog.text
    assert "p%40ss" not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hook",
        "ftp://host/",
        "http://",
        "http://host:port/",
        "http://host/a b",
        "http://[::1/",
        "http://user:pa/ss@host/",
        "https://user:12/x@host/",
        "http://user:p#x@host/",
    ],
)
def test_an_address_that_is_none_or_ambiguous_is_refused_without_its_password(url):
    with pytest.raises(BadInput) as error:
        Webhook(url)
    assert "webhook" in str(error.value)
    for secret in ("pa/ss", "12/x", "p#x"):
        assert secret not in str(error.value)
