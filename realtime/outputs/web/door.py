"""The page's door: how many connections may be open, in all and from one address, and which goes for a newcomer.

Silent connections need no token. Without a bound a thousand of them use up the process's file descriptors, and then a
camera, an event or a figure fails for want of one; with a bound alone a hundred lock everybody else out. So
whoever is between two requests, or has not sent a whole one yet, makes room for a newcomer.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import socket
import time
from collections import Counter
from typing import Any

from models.errors import BadInput

_log = logging.getLogger(__name__)
_SEND_BUFFER = 256 * 1024  # bytes the system may hold per viewer; megabytes would be seconds of old pictures
_UNREAD_MS = 20_000  # a connection that takes nothing for so long is ended by the system
#: connections that the system may hold before they are accepted
BACKLOG = 64
_COMPLAIN_EVERY = 60.0


class Door(socket.socket):
    """A listening socket that never has more than ``most`` connections open, ``most // 2`` of them from one address.

    An IPv6 address stands for its network of 64 bits. Where there is no room, the oldest idle connection goes, of the
    same address or of the one that has the most; where none is idle, the newcomer is turned away. Raises ``BadInput``
    where the address cannot be listened on.
    """

    def __init__(self, host: str, port: int, most: int) -> None:
        super().__init__(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        self.guests: dict[int, Guest] = {}
        self._most, self._of_one_address = most, max(1, most // 2)
        self._next_complaint = 0.0
        try:
            self._listen(host, port)
        except (OSError, OverflowError) as error:
            self.close()
            reason = getattr(error, "strerror", None) or str(error)
            raise BadInput(f"the page cannot listen on {host} port {port}: {reason}; choose another port") from None

    def _listen(self, host: str, port: int) -> None:
        if os.name == "posix":  # elsewhere it would let another program take the port over
            self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MS)
        self.bind((host.strip("[]"), port))
        self.listen(BACKLOG)

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection. Raises ``ConnectionAbortedError``, which asyncio takes in silence, for one too many."""
        accepted, address = super().accept()
        guest = Guest(accepted.detach(), self, _network(address[0]))
        if not self._room_for(guest):
            guest.close()
            raise ConnectionAbortedError("too many connections are open")
        self.guests[guest.fileno()] = guest
        return guest, address

    def _room_for(self, newcomer: Guest) -> bool:
        by_address = Counter(guest.network for guest in self.guests.values())
        crowded = by_address[newcomer.network] >= self._of_one_address
        if not crowded and len(self.guests) < self._most:
            return True
        self._complain()
        idle = [guest for guest in self.guests.values() if guest.idle]
        if crowded:
            idle = [guest for guest in idle if guest.network == newcomer.network]
        if not idle:
            return False
        max(idle, key=lambda guest: by_address[guest.network]).send_away()  # of the first, which is the oldest
        return True

    def _complain(self) -> None:
        now = time.monotonic()
        if now >= self._next_complaint:
            self._next_complaint = now + _COMPLAIN_EVERY
            _log.warning("the page has %d connections open; idle ones are closed for new ones", len(self.guests))


class Guest(socket.socket):
    """An accepted connection. ``idle``: it waits for its client, not its client for it."""

    def __init__(self, descriptor: int, door: Door, network: bytes) -> None:
        super().__init__(fileno=descriptor)
        self.network, self.idle = network, True
        self._door = door

    def send_away(self) -> None:
        """End the connection; whoever reads from it closes it then."""
        self._leave()
        with contextlib.suppress(OSError):  # the other side has gone
            self.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it, and leave its place to another."""
        self._leave()
        super().close()

    def _leave(self) -> None:
        if self._door.guests.get(self.fileno()) is self:
            del self._door.guests[self.fileno()]


def _network(host: str) -> bytes:
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        return address.packed[:8] if address.ipv4_mapped is None else address.ipv4_mapped.packed
    return address.packed
