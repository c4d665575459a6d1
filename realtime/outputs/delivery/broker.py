"""What every delivery to an MQTT broker needs: its settings, a client, and names that are fit for topics."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field, SecretStr

from models.errors import BadInput
from realtime.outputs.delivery.delivery import DeliverySection
from realtime.system.redact import remember_secret


class BrokerSection(DeliverySection):
    """Which broker, and as whom."""

    host: str | None = Field(default=None, description="The broker; needs the extra mqtt")
    port: int = Field(default=1883, ge=1, le=65535, description="The broker's port")
    topic: str = Field(default="spectaclear", min_length=1, description="Everything goes below this topic")
    user: str | None = Field(default=None, description="For the broker")
    password: SecretStr | None = Field(default=None, description="For the broker; ${ENV_VAR}")
    tls: bool = Field(default=False, description="Encrypt the connection (brokers use port 8883 then)")

    @property
    def asked_for(self) -> bool:
        """Whether there is a broker."""
        return self.host is not None

    @property
    def secret(self) -> str | None:
        """The password itself."""
        return None if self.password is None else self.password.get_secret_value()


def new_client(user: str | None, password: str | None, *, tls: bool, timeout: float) -> Any:
    """A client that is not connected yet. Raises ``BadInput`` where the package is missing."""
    try:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion
    except ModuleNotFoundError:
        raise BadInput("MQTT needs paho-mqtt; pip install 'spectaclear[mqtt]'") from None
    if password:
        remember_secret(password)
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect_timeout = timeout
    if user is not None:
        client.username_pw_set(user, password)
    if tls:
        client.tls_set()
    return client


def checked_topic(topic: str, where: str) -> str:
    """A topic to publish below. Raises ``BadInput`` for one with wildcards."""
    if not topic.strip("/") or re.search(r"[#+\x00]", topic):
        raise BadInput(f"{where}: {topic!r} is no topic to publish on; leave # and + out")
    return topic.strip("/")


def refusal(reason: str, where: str) -> str:
    """Why the broker does not let us in, in words."""
    if reason in ("Bad user name or password", "Not authorized"):
        return (
            f"the MQTT broker refuses user name or password; mend user and password under {where} in the configuration"
        )
    return f"the MQTT broker refuses the connection: {reason}"


def level(name: str) -> str:
    """A name as one level of a topic."""
    return re.sub(r"[/#+\x00]", "_", str(name)) or "_"
