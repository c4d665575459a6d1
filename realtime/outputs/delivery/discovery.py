"""What Home Assistant is told about each camera, so that its entities appear by themselves.

Sources: Home Assistant's pages "MQTT" (MQTT discovery: ``<prefix>/<component>/<node>/<object>/config``), "MQTT Sensor",
"MQTT Binary sensor" and "MQTT Image" of home-assistant.io. One message a component: every release understands these.
"""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from realtime.outputs.delivery.broker import level

ALARM_LASTS = 30  # seconds after which Home Assistant takes an alarm back by itself


def slug(name: str) -> str:
    """The name in the letters that discovery allows, and another one for every other name."""
    plain = re.sub(r"[^a-zA-Z0-9_-]", "_", name)
    return plain if plain == name else f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def available_topic(base: str) -> str:
    """Where is told whether the whole run is there."""
    return f"{base}/available"


def camera_topic(base: str, camera: str, *levels: str) -> str:
    """A topic of one camera."""
    return "/".join((base, level(camera), *levels))


def discovered(base: str, camera: str, prefix: str) -> dict[str, dict[str, Any]]:
    """The configurations of a camera's entities by the topics that they are published on, retained.

    Args:
        base: the topic that everything goes below; it also tells this installation from another on one broker.
        prefix: Home Assistant's, ``homeassistant``.
    """
    node = f"{slug(base)}_{slug(camera)}"
    live, status = {"topic": available_topic(base)}, {"topic": camera_topic(base, camera, "status")}
    common: dict[str, Any] = {
        "device": {
            "identifiers": [node],
            "name": f"Spectaclear {camera}",
            "manufacturer": "Spectaclear",
            "model": "face recognition that notices adversarial glasses",
            "sw_version": _version(),
        },
        "origin": {"name": "Spectaclear", "sw_version": _version()},
        "availability": [live, status],
        "availability_mode": "all",
        "qos": 1,
    }
    last = camera_topic(base, camera, "last_face")
    entities: dict[tuple[str, str], dict[str, Any]] = {
        ("sensor", "last_face"): {
            "name": "Last face",
            "icon": "mdi:face-recognition",
            "state_topic": last,
            "value_template": "{{ value_json.said }}",
            "json_attributes_topic": last,
        },
        ("image", "last_face_picture"): {
            "name": "Last face picture",
            "image_topic": camera_topic(base, camera, "last_face", "snapshot"),
            "content_type": "image/png",
        },
        ("binary_sensor", "suspected_attack"): {
            "name": "Suspected attack",
            "device_class": "safety",
            "state_topic": camera_topic(base, camera, "alarm"),
            "json_attributes_topic": camera_topic(base, camera, "alarm", "attributes"),
            "off_delay": ALARM_LASTS,
        },
        ("binary_sensor", "camera"): {
            "name": "Camera",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "state_topic": camera_topic(base, camera, "status"),
            "payload_on": "online",
            "payload_off": "offline",
            "availability": [live],
        },
    }
    found: dict[str, dict[str, Any]] = {}
    for (component, name), own in entities.items():
        config = common | own | {"unique_id": f"{node}_{name}"}
        if component == "image":
            del config["qos"]  # its page knows none
        found[f"{prefix}/{component}/{node}/{name}/config"] = config
    return found


def _version() -> str:
    try:
        return version("spectaclear")
    except PackageNotFoundError:  # run from its folder
        return "0"
