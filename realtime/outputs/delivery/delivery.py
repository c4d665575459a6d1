"""What a delivery of events is: a place that takes one at a time, and its section of the configuration."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from realtime.settings.section import Section


class Refused(Exception):
    """The target answers that it will never take this one."""


@dataclass(frozen=True)
class Surroundings:
    """What a delivery can ask of the run. Both may be called from any thread.

    ``picture``: (event's number, name of a picture) -> its file's content, None where there is none.
    ``cameras``: every camera's name and whether it is live now.
    """

    picture: Callable[[int, str], bytes | None]
    cameras: Callable[[], Mapping[str, bool]]


class Delivery(Protocol):
    """Sends events somewhere. Its outbox calls it from a thread of its own, one event at a time.

    ``tells_ends``: an event is delivered once more when it is over (``phase`` is "end" then).
    """

    tells_ends: bool = False

    def begin(self, around: Surroundings) -> None:
        """The run begins: for those who tell of more than events. Returns at once."""
        return

    def deliver(self, event: dict[str, Any]) -> None:
        """Send one event (``Event.as_dict()``) within a few seconds, and return once it has arrived.

        Raises ``Refused`` to have it dropped, anything else to be called again later.
        """

    def close(self) -> None:
        """End what is open; nothing follows."""


class DeliverySection(Section):
    """The section of the configuration that a delivery has under its name in the registry."""

    @property
    @abstractmethod
    def asked_for(self) -> bool:
        """Whether events are to be delivered there; False for the defaults."""

    @abstractmethod
    def open(self) -> Delivery:
        """The delivery as configured. Raises ``BadInput`` where it cannot be."""
