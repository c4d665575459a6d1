"""Tells Home Assistant, by MQTT discovery: who was seen last, with the face; alarms; which cameras are there.

Below the topic (``spectaclear``), laid out as Frigate's where the two have the same thing to say:

    available                       online or offline; the broker says offline where we are gone (last will)   retained
    CAMERA/status                   online or offline                                                          retained
    CAMERA/last_face                the last event in short, as JSON                                            retained
    CAMERA/last_face/snapshot       its face, PNG                                                               retained
    CAMERA/alarm                    ON with every suspected attack, OFF at its end
    CAMERA/alarm/attributes         who was claimed, who is likely, and why, as JSON                            retained
    events                          every event as Frigate's ``frigate/events`` has them
    tracked_object_update           whoever was recognised, as Frigate's face recognition says it
"""

from __future__ import annotations

import json
import logging
import threading
import time
from datetime import datetime
from typing import Any

from pydantic import Field

from realtime.outputs.delivery.broker import BrokerSection, checked_topic, new_client, refusal
from realtime.outputs.delivery.delivery import Delivery, Surroundings
from realtime.outputs.delivery.discovery import ALARM_LASTS, available_topic, camera_topic, discovered

_log = logging.getLogger(__name__)
_LOOK_EVERY = 1.0  # seconds between two looks at which cameras are there
_ONLINE, _OFFLINE = "online", "offline"


class HomeAssistantConfig(BrokerSection):
    """Appearing in Home Assistant: cameras, the last face, alarms, over its MQTT broker."""

    discovery: str = Field(default="homeassistant", min_length=1, description="Home Assistant's discovery prefix")

    def open(self) -> HomeAssistant:
        """The connection to the broker. Raises ``BadInput``."""
        return HomeAssistant(
            self.host or "",
            self.port,
            topic=self.topic,
            discovery=self.discovery,
            user=self.user,
            password=self.secret,
            tls=self.tls,
        )


class HomeAssistant(Delivery):
    """One lasting connection, so that the broker can say that we are gone.

    Args:
        host, port: of the broker.
        topic: first part of the topics.
        discovery: Home Assistant's prefix.
        tls: encrypt, with the system's certificates.
        timeout: seconds to wait for a confirmation.

    Raises ``BadInput`` where the package is missing or a topic is none.
    """

    tells_ends = True

    def __init__(
        self,
        host: str,
        port: int = 1883,
        *,
        topic: str = "spectaclear",
        discovery: str = "homeassistant",
        user: str | None = None,
        password: str | None = None,
        tls: bool = False,
        timeout: float = 5.0,
    ) -> None:
        self._host, self._port, self._timeout = host, port, timeout
        self._base, self._prefix = checked_topic(topic, "home_assistant"), checked_topic(discovery, "home_assistant")
        self._client = new_client(user, password, tls=tls, timeout=timeout)
        self._client.will_set(available_topic(self._base), _OFFLINE, qos=1, retain=True)
        self._client.reconnect_delay_set(1, 60)
        self._client.on_connect = self._connected
        self._client.on_message = lambda *_: self._announce()
        self._around: Surroundings | None = None
        self._refused = ""
        self._told: dict[str, bool] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch_cameras, name="home-assistant", daemon=True)

    def begin(self, around: Surroundings) -> None:
        """Connect, now or as soon as the broker is there, and tell of the cameras."""
        self._around = around
        self._client.connect_async(self._host, self._port, keepalive=30)
        self._client.loop_start()
        self._thread.start()

    def deliver(self, event: dict[str, Any]) -> None:
        """Publish one event and wait until the broker has it. Raises an exception where it has not."""
        if not self._client.is_connected():
            raise ConnectionError(self._refused or "the MQTT broker does not answer")
        camera = str(event["camera"])
        messages: list[tuple[str, str | bytes, bool]] = [
            (f"{self._base}/events", _json(as_frigate_event(event)), False),
        ]
        if event["ended"] is not None:  # all but this was told when it began
            if event["kind"] == "suspected_attack":
                messages.append((camera_topic(self._base, camera, "alarm"), "OFF", False))
            self._publish(messages)
            return
        if event["kind"] != "same_name_twice":
            face = self._around.picture(event["id"], "before") if self._around is not None else None
            if face is not None:
                messages.append((camera_topic(self._base, camera, "last_face", "snapshot"), face, True))
            messages.append((camera_topic(self._base, camera, "last_face"), _json(in_short(event)), True))
        if event["kind"] == "known":
            messages.append((f"{self._base}/tracked_object_update", _json(as_face_update(event)), False))
        if event["kind"] == "suspected_attack":
            messages.append((camera_topic(self._base, camera, "alarm", "attributes"), _json(in_short(event)), True))
            if time.time() - _seconds(event) < ALARM_LASTS:  # one that has waited for the broker is no alarm any more
                messages.append((camera_topic(self._base, camera, "alarm"), "ON", False))
        self._publish(messages)

    def close(self) -> None:
        """Say goodbye and end the connection and its thread."""
        self._stopping.set()
        if self._client.is_connected():
            gone = self._client.publish(available_topic(self._base), _OFFLINE, qos=1, retain=True)
            try:
                gone.wait_for_publish(1.0)
            except (RuntimeError, ValueError):  # the connection was lost in this moment
                _log.debug("home assistant was not told of the end")
        self._client.disconnect()
        self._client.loop_stop()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def _publish(self, messages: list[tuple[str, str | bytes, bool]]) -> None:
        sent = [self._client.publish(topic, content, qos=1, retain=retain) for topic, content, retain in messages]
        end = time.monotonic() + self._timeout
        for one in sent:
            one.wait_for_publish(max(0.01, end - time.monotonic()))
            if not one.is_published():
                raise ConnectionError("the MQTT broker does not confirm")

    def _connected(self, client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            said = refusal(str(reason), "home_assistant")
            if said != self._refused:
                _log.warning("%s", said)
            self._refused = said
            return
        self._refused = ""
        client.subscribe(f"{self._prefix}/status", qos=1)  # Home Assistant has started: it wants all once more
        self._announce()

    def _announce(self) -> None:
        """Discovery, and what is known of the cameras; from the client's thread, so it waits for nothing."""
        if self._around is None:
            return
        cameras = dict(self._around.cameras())
        for camera, live in cameras.items():
            for topic, config in discovered(self._base, camera, self._prefix).items():
                self._client.publish(topic, _json(config), qos=1, retain=True)
            self._tell_status(camera, live)
        self._told = cameras
        self._client.publish(available_topic(self._base), _ONLINE, qos=1, retain=True)

    def _watch_cameras(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY):
            if self._around is None or not self._client.is_connected():
                continue
            cameras = dict(self._around.cameras())
            for camera, live in cameras.items():
                if self._told.get(camera) != live:
                    self._tell_status(camera, live)
            self._told = cameras

    def _tell_status(self, camera: str, live: bool) -> None:
        topic = camera_topic(self._base, camera, "status")
        self._client.publish(topic, _ONLINE if live else _OFFLINE, qos=1, retain=True)


def in_short(event: dict[str, Any]) -> dict[str, Any]:
    """An event as a state with attributes: ``said`` is the state, in a word or a name."""
    said = {"known": event["identity"], "suspected_attack": "suspected attack"}.get(event["kind"]) or "unknown"
    wanted = ("id", "kind", "text", "camera", "time", "identity", "claimed", "likely", "confidence", "reason")
    return {"said": said, **{key: event[key] for key in wanted}}


def as_frigate_event(event: dict[str, Any]) -> dict[str, Any]:
    """An event as ``frigate/events`` has them, and what Frigate has no word for under names of our own.

    Source: "MQTT" of docs.frigate.video. ``sub_label`` is a name and a score: only of whom is known.
    """
    known = event["kind"] == "known"
    after = {
        "id": event["key"],
        "camera": event["camera"],
        "label": "person",
        "sub_label": [event["identity"], event["confidence"]] if known else None,
        "start_time": _seconds(event),
        "end_time": None if event["ended"] is None else _seconds(event, "ended"),
        "score": event["confidence"],
        "box_share": event["box"],
        "has_snapshot": "frame" in event["pictures"],
        "has_clip": "clip" in event["pictures"],
        "false_positive": False,
        "event_id": event["id"],
        **{key: event[key] for key in ("kind", "text", "claimed", "likely", "reason")},
    }
    return {"type": "new" if event["ended"] is None else "end", "before": after, "after": after}


def as_face_update(event: dict[str, Any]) -> dict[str, Any]:
    """Whoever was recognised, as ``frigate/tracked_object_update`` says it."""
    return {
        "type": "face",
        "id": event["key"],
        "name": event["identity"],
        "score": event["confidence"],
        "camera": event["camera"],
        "timestamp": _seconds(event),
    }


def _seconds(event: dict[str, Any], key: str = "time") -> float:
    return datetime.fromisoformat(str(event[key])).timestamp()


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False)
