"""Publishes every event on an MQTT broker. Needs the extra ``mqtt``."""

from __future__ import annotations

import json
import queue
from collections.abc import Callable
from typing import Any

from realtime.outputs.delivery.broker import BrokerSection, checked_topic, level, new_client, refusal
from realtime.outputs.delivery.delivery import Delivery


class MqttConfig(BrokerSection):
    """Publishing every event to an MQTT broker."""

    def open(self) -> Mqtt:
        """The connection to the broker. Raises ``BadInput``."""
        return Mqtt(self.host or "", self.port, topic=self.topic, user=self.user, password=self.secret, tls=self.tls)


class Mqtt(Delivery):
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
        new_client(user, password, tls=tls, timeout=timeout)  # says now what is missing
        self._host, self._port, self._timeout = host, port, timeout
        self._topic = checked_topic(topic, "mqtt")
        self._new_client: Callable[[], Any] = lambda: new_client(user, password, tls=tls, timeout=timeout)
        self._client: Any = None

    def deliver(self, event: dict[str, Any]) -> None:
        """Publish one event and wait until the broker has it. Raises an exception where it has not."""
        if self._client is None or not self._client.is_connected():
            self._connect()
        topic = "/".join((self._topic, level(event["camera"]), level(event["kind"])))
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
            raise ConnectionError(refusal(str(reason), "mqtt"))
