"""Publishes every event on an MQTT broker. Needs the extra ``mqtt``."""

from __future__ import annotations

import json
import queue
import re
from collections.abc import Callable
from typing import Any

from pydantic import Field, SecretStr

from models.errors import BadInput
from realtime.outputs.delivery.delivery import DeliverySection
from realtime.system.redact import remember_secret


class MqttConfig(DeliverySection):
    """Publishing every event to an MQTT broker."""

    host: str | None = Field(default=None, description="The broker; needs the extra mqtt")
    port: int = Field(default=1883, ge=1, le=65535, description="The broker's port")
    topic: str = Field(default="spectaclear", min_length=1, description="Events go below this topic")
    user: str | None = Field(default=None, description="For the broker")
    password: SecretStr | None = Field(default=None, description="For the broker; ${ENV_VAR}")
    tls: bool = Field(default=False, description="Encrypt the connection (brokers use port 8883 then)")

    @property
    def asked_for(self) -> bool:
        """Whether there is a broker."""
        return self.host is not None

    def open(self) -> Mqtt:
        """The connection to the broker. Raises ``BadInput``."""
        password = None if self.password is None else self.password.get_secret_value()
        return Mqtt(self.host or "", self.port, topic=self.topic, user=self.user, password=password, tls=self.tls)


class Mqtt:
    """Publishes to ``<topic>/<camera>/<kind>`` with quality of service 1: the broker confirms each one.

    Args:
        host, port: of the broker.
        topic: first part of the topics.
        tls: encrypt, with the system's certificates.
        timeout: seconds to wait for connection and confirmation.

    Raises ``BadInput`` where the package is missing.
    """

    def __init__(
        self,
        host: str,
        port: int = 1883,
        *,
        topic: str = "spectaclear",
        user: str | None = None,
        password: str | None = None,
        tls: bool = False,
        timeout: float = 5.0,
    ) -> None:
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ModuleNotFoundError:
            raise BadInput("MQTT needs paho-mqtt; pip install 'spectaclear[mqtt]'") from None
        if not topic or re.search(r"[#+\x00]", topic):
            raise BadInput(f"mqtt: {topic!r} is no topic to publish on; leave # and + out")
        self._host, self._port, self._topic, self._timeout = host, port, topic.strip("/"), timeout
        self._user, self._password, self._tls = user, password, tls
        self._new_client: Callable[[], Any] = lambda: Client(CallbackAPIVersion.VERSION2)
        self._client: Any = None
        if password:
            remember_secret(password)

    def deliver(self, event: dict[str, Any]) -> None:
        """Publish one event and wait until the broker has it. Raises an exception where it has not."""
        if self._client is None or not self._client.is_connected():
            self._connect()
        topic = "/".join((self._topic, _level(event["camera"]), _level(event["kind"])))
        message = self._client.publish(topic, json.dumps(event, ensure_ascii=False), qos=1)
        message.wait_for_publish(self._timeout)
        if not message.is_published():
            self.close()
            raise ConnectionError("the MQTT broker does not confirm")

    def close(self) -> None:
        """End the connection and its thread."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def _connect(self) -> None:
        self.close()
        # A new client each time: the old one would send by itself what the outbox is going to send again.
        client = self._new_client()
        client.connect_timeout = self._timeout
        if self._user is not None:
            client.username_pw_set(self._user, self._password)
        if self._tls:
            client.tls_set()
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        client.on_connect = lambda _client, _data, _flags, reason, _properties: answers.put(reason)
        client.connect(self._host, self._port)
        client.loop_start()
        self._client = client
        try:
            reason = answers.get(timeout=self._timeout)
        except queue.Empty:
            self.close()
            raise ConnectionError("the MQTT broker does not answer") from None
        if reason.is_failure:
            self.close()
            raise ConnectionError(_refusal(str(reason)))


def _refusal(reason: str) -> str:
    if reason in ("Bad user name or password", "Not authorized"):
        return "the MQTT broker refuses user name or password; mend user and password under mqtt in the configuration"
    return f"the MQTT broker refuses the connection: {reason}"


def _level(name: str) -> str:
    return re.sub(r"[/#+\x00]", "_", str(name)) or "_"
