"""Where events can be sent. Another place is a file beside this one and an entry here, under its section's name."""

from __future__ import annotations

from realtime.outputs.delivery.delivery import DeliverySection
from realtime.outputs.delivery.home_assistant import HomeAssistantConfig
from realtime.outputs.delivery.mqtt import MqttConfig
from realtime.outputs.delivery.webhook import WebhookConfig

DELIVERIES: dict[str, type[DeliverySection]] = {
    "webhook": WebhookConfig,
    "mqtt": MqttConfig,
    "home_assistant": HomeAssistantConfig,
}
