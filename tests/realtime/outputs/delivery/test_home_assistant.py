"""Home Assistant, against a real broker (mosquitto) where there is one; discovery against its documented fields."""

import json
import re
import shutil
import socket
import subprocess
import time

import pytest
from sightings import attack, frame, sighting

from models.errors import BadInput
from realtime.outputs.delivery.discovery import discovered, slug
from realtime.outputs.delivery.home_assistant import HomeAssistant, as_frigate_event
from realtime.outputs.events.types import EventSettings
from realtime.outputs.services import Services, ServiceSettings

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")

#: The fields that home-assistant.io documents ("Configuration Variables") of each component's MQTT page, and their
#: types; those that it requires begin with "!". "device" and "availability" are lists of further fields there.
_COMMON = {
    "availability": list, "availability_mode": str, "availability_template": str, "availability_topic": str,
    "device": dict, "enabled_by_default": bool, "encoding": str, "entity_category": str, "icon": str,
    "json_attributes_template": str, "json_attributes_topic": str, "name": str, "object_id": str, "origin": dict,
    "unique_id": str, "default_entity_id": str,
}  # fmt: skip
_STATE = {
    "!state_topic": str, "device_class": str, "expire_after": int, "force_update": bool, "payload_available": str,
    "payload_not_available": str, "qos": int, "value_template": str,
}  # fmt: skip
DOCUMENTED = {
    "sensor": _COMMON | _STATE | {"options": list, "state_class": str, "unit_of_measurement": str},
    "binary_sensor": _COMMON | _STATE | {"off_delay": int, "payload_on": str, "payload_off": str},
    "image": _COMMON | {"content_type": str, "image_encoding": str, "!image_topic": str, "url_template": str},
}
DEVICE = {
    "configuration_url", "connections", "hw_version", "identifiers", "manufacturer", "model", "name", "serial_number",
    "suggested_area", "sw_version", "via_device",
}  # fmt: skip
AVAILABILITY = {"payload_available", "payload_not_available", "topic", "value_template"}
DISCOVERY_TOPIC = re.compile(r"homeassistant/(sensor|binary_sensor|image)/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config")


def test_what_is_discovered_has_documented_fields_only_and_all_that_are_required():
    found = discovered("spectaclear", "front door/1", "homeassistant")
    assert {topic.split("/")[1] for topic in found} == set(DOCUMENTED)
    for topic, config in found.items():
        component = DISCOVERY_TOPIC.fullmatch(topic)[1]
        fields = {name.lstrip("!"): kind for name, kind in DOCUMENTED[component].items()}
        assert {name[1:] for name in DOCUMENTED[component] if name.startswith("!")} <= set(config)
        for name, value in config.items():
            assert isinstance(value, fields[name]), (topic, name)
        assert set(config["device"]) <= DEVICE
        assert config["device"]["identifiers"]
        assert all({"topic"} <= set(one) <= AVAILABILITY for one in config["availability"])
        assert config["availability_mode"] in ("all", "any", "latest")
    assert len({config["unique_id"] for config in found.values()}) == len(found)


def test_names_that_look_alike_have_ids_of_their_own():
    assert slug("door") == "door"
    assert len({slug(name) for name in ("a b", "a_b", "a/b", "ä", "ö")}) == 5
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", slug("Ünder the stairs/#+"))


def test_of_an_alarm_frigate_s_event_names_nobody():
    event = {
        "id": 7, "key": "k", "camera": "door", "kind": "suspected_attack", "text": "t", "time": "2026-11-30T10:00:00Z",
        "identity": None, "claimed": "Ada", "likely": None, "reason": "r", "confidence": 0.9, "box": [0, 0, 1, 1],
        "pictures": ["frame"], "ended": None,
    }  # fmt: skip
    told = as_frigate_event(event)
    assert told["type"] == "new"
    assert told["after"]["sub_label"] is None
    assert told["after"]["claimed"] == "Ada"
    over = as_frigate_event(event | {"ended": "2026-11-30T10:00:07Z"})
    assert over["type"] == "end"
    assert over["after"]["end_time"] - over["after"]["start_time"] == 7
    assert as_frigate_event(event | {"kind": "known", "identity": "Bob"})["after"]["sub_label"] == ["Bob", 0.9]


@pytest.mark.parametrize("topic", ["", "a/#", "a/+/b"])
def test_a_topic_that_cannot_be_published_on_is_refused(topic):
    pytest.importorskip("paho.mqtt")
    with pytest.raises(BadInput, match="home_assistant"):
        HomeAssistant("127.0.0.1", topic=topic)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """A mosquitto of our own; gives its port."""
    pytest.importorskip("paho.mqtt")
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path_factory.mktemp("mosquitto") / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen([MOSQUITTO, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            break
        except OSError:
            time.sleep(0.05)
    yield port
    process.terminate()
    process.wait(10)


class Listener:
    """Everything that the broker sends, the newest of each topic."""

    def __init__(self, port):
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.heard, self.retained = {}, set()
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.on_message = self._take
        self.client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _take(self, client, data, message):
        self.heard[message.topic] = message.payload
        if message.retain:
            self.retained.add(message.topic)

    def wait_for(self, *topics, **values):
        end = time.monotonic() + 15
        while time.monotonic() < end:
            right = all(self.heard.get(name.replace("__", "/")) == value for name, value in values.items())
            if right and set(topics) <= set(self.heard):
                return self.heard
            time.sleep(0.02)
        raise AssertionError((topics, values, sorted(self.heard)))

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def listen(broker):
    opened = []

    def listener():
        opened.append(Listener(broker))
        return opened[-1]

    yield listener
    for one in opened:
        one.close()


class Camera:
    def __init__(self, name, live=True):
        from realtime.cameras.states import CameraState

        self.name = name
        self.state = CameraState.LIVE if live else CameraState.REFUSED


@pytest.fixture
def run(broker, tmp_path):
    """Services with Home Assistant and two cameras, below a topic of the test's own."""
    opened = []

    def started(topic, cameras):
        delivery = HomeAssistant("127.0.0.1", broker, topic=topic)
        events = EventSettings(min_free_bytes=0, settle=0.0)
        settings = ServiceSettings(tmp_path / topic, events, deliveries={"home_assistant": delivery})
        opened.append(Services(settings, lambda: cameras))
        return opened[-1]

    yield started
    for one in opened:
        one.close()


def test_events_cameras_and_faces_reach_whoever_comes_later_too(run, listen):
    now = time.time()
    services = run("house", [Camera("door"), Camera("yard", live=False)])
    services.events.offer(frame(wall_time=now), [sighting(name="Bob", track_id=1)], 0.0)
    services.events.offer(frame(wall_time=now), [attack(track_id=2, box=(10, 80, 60, 140))], 0.0)
    first = listen()
    first.wait_for("house/door/last_face", "house/door/alarm", "house/events", house__available=b"online")
    assert services.events.flush()
    later = listen()  # as Home Assistant after a start of its own
    heard = later.wait_for("house/door/alarm/attributes", house__yard__status=b"offline", house__door__status=b"online")
    last = json.loads(heard["house/door/last_face"])
    assert (last["said"], last["claimed"], last["identity"]) == ("suspected attack", "Ada", None)
    assert heard["house/door/last_face/snapshot"] == services.events.picture(2, "before")
    assert {"house/door/last_face", "house/door/last_face/snapshot", "house/available"} <= later.retained
    assert "house/door/alarm" not in heard  # an alarm is no state that lasts
    face = json.loads(first.heard["house/tracked_object_update"])
    assert (face["type"], face["name"], face["camera"]) == ("face", "Bob", "door")
    config = json.loads(heard["homeassistant/sensor/house_door/last_face/config"])
    assert config["state_topic"] == "house/door/last_face"


def test_a_camera_that_is_lost_and_the_end_of_the_run_are_told(run, listen):
    from realtime.cameras.states import CameraState

    camera = Camera("door")
    services, ear = run("shop", [camera]), listen()
    ear.wait_for(shop__door__status=b"online")
    camera.state = CameraState.REFUSED
    ear.wait_for(shop__door__status=b"offline")
    services.close()
    ear.wait_for(shop__available=b"offline")


def test_when_home_assistant_starts_it_is_told_everything_once_more(run, listen):
    run("flat", [Camera("door")])
    ear = listen()
    ear.wait_for("homeassistant/image/flat_door/last_face_picture/config")
    ear.heard.clear()
    ear.client.publish("homeassistant/status", "online", qos=1)
    ear.wait_for("homeassistant/image/flat_door/last_face_picture/config", flat__available=b"online")


def test_one_that_is_killed_is_told_gone_by_the_broker(broker, listen):
    from realtime.outputs.delivery.delivery import Surroundings

    dies = HomeAssistant("127.0.0.1", broker, topic="gone")
    dies.begin(Surroundings(lambda number, name: None, lambda: {"door": True}))
    ear = listen()
    ear.wait_for(gone__available=b"online")
    dies._client._sock_close()  # the connection ends without a goodbye
    dies._client.loop_stop()
    ear.wait_for(gone__available=b"offline")
    dies.close()


def test_an_event_waits_while_there_is_no_broker():
    pytest.importorskip("paho.mqtt")
    alone = HomeAssistant("127.0.0.1", 1)
    with pytest.raises(ConnectionError, match="does not answer"):
        alone.deliver({"camera": "door", "kind": "known"})
    alone.close()
