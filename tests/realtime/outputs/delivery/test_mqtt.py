"""MQTT against a broker of our own: enough of the protocol to connect and to confirm what is published."""

import contextlib
import json
import socketserver
import sys
import threading
import time

import pytest
from sightings import attack, frame

from models.errors import BadInput
from realtime.outputs.delivery.mqtt import Mqtt
from realtime.outputs.delivery.outbox import OutboxSender


class Broker(socketserver.ThreadingTCPServer):
    """``connack``: what it answers to a connection, None: nothing. ``confirms``: what is published."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, connack=0, confirms=True):
        super().__init__(("127.0.0.1", 0), Talk)
        self.connack, self.confirms, self.published = connack, confirms, []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class Talk(socketserver.StreamRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError):
            while head := self.rfile.read(1):
                self.answer(head[0] >> 4, self.rfile.read(self.length()))

    def length(self):
        total, shift = 0, 0
        while True:
            byte = self.rfile.read(1)[0]
            total |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return total

    def answer(self, kind, content):
        if kind == 1 and self.server.connack is not None:  # CONNECT -> CONNACK
            self.wfile.write(bytes((0x20, 2, 0, self.server.connack)))
        elif kind == 3 and self.server.confirms:  # PUBLISH with quality 1 -> PUBACK
            length = int.from_bytes(content[:2], "big")
            topic, number, body = (
                content[2 : 2 + length].decode(),
                content[2 + length : 4 + length],
                content[4 + length :],
            )
            self.server.published.append((topic, json.loads(body)))
            self.wfile.write(b"\x40\x02" + number)


@pytest.fixture
def broker():
    pytest.importorskip("paho.mqtt")
    servers = []

    def started(**options):
        servers.append(Broker(**options))
        return servers[-1]

    yield started
    for server in servers:
        server.shutdown()
        server.server_close()


def test_events_are_published_and_confirmed(open_log, broker):
    server, log = broker(), open_log(deliver_to=["mqtt"])
    target = Mqtt(*server.server_address)
    sender = OutboxSender(log.store, "mqtt", target.deliver, poll=0.02)
    sender.start()
    log.offer(frame(camera="yard/1+"), [attack()], 0.0)
    end = time.monotonic() + 5
    while sender.counts()["sent"] < 1 and time.monotonic() < end:
        time.sleep(0.02)
    sender.stop()
    target.close()
    ((topic, event),) = server.published
    assert topic == "spectaclear/yard_1_/suspected_attack"
    assert event["claimed"] == "Ada"
    assert sender.waiting() == 0


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ({"confirms": False}, "does not confirm"),
        ({"connack": None}, "does not answer"),
        ({"connack": 3}, "refuses the connection: Server unavailable"),
        ({"connack": 4}, "refuses user name or password; mend user and password under mqtt"),
        ({"connack": 5}, "refuses user name or password; mend user and password under mqtt"),
    ],
)
def test_an_event_that_the_broker_does_not_take_is_not_taken_for_sent_and_the_reason_is_said(broker, behaviour, said):
    target = Mqtt(*broker(**behaviour).server_address, user="ada", password="not the broker's", timeout=0.5)
    with pytest.raises(ConnectionError, match=said):
        target.deliver({"camera": "door", "kind": "known"})
    assert target._client is None
    assert not [thread for thread in threading.enumerate() if "paho" in thread.name]


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(BadInput, match=r"spectaclear\[mqtt\]"):
        Mqtt("127.0.0.1")


@pytest.mark.parametrize("topic", ["", "a/#", "a/+/b"])
def test_a_topic_that_cannot_be_published_on_is_refused(topic):
    pytest.importorskip("paho.mqtt")
    with pytest.raises(BadInput, match="topic"):
        Mqtt("127.0.0.1", topic=topic)
