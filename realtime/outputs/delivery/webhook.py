"""Tells another program of every event: an HTTP POST of JSON, repeated until it is taken."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pydantic import Field, SecretStr

from models.errors import BadInput
from realtime.outputs.delivery.delivery import Delivery, DeliverySection, Refused
from realtime.system.redact import redact, remember_secret

_NEVER = (400, 405, 410, 413, 415, 422)  # the receiver says that this request is wrong, not that it is unwell


class WebhookConfig(DeliverySection):
    """Posting every event to an address."""

    url: str | None = Field(default=None, description="http(s) address; ${ENV_VAR} for credentials")
    secret: SecretStr | None = Field(default=None, description="Signs the posts (HMAC-SHA256)")

    @property
    def asked_for(self) -> bool:
        """Whether there is an address."""
        return self.url is not None

    def open(self) -> Webhook:
        """The webhook. Raises ``BadInput``."""
        return Webhook(self.url or "", secret=None if self.secret is None else self.secret.get_secret_value())


class Webhook(Delivery):
    """Posts events to one address.

    Args:
        url: http or https; ``user:password@`` becomes an ``Authorization`` header.
        secret: signs each body: ``X-Spectaclear-Signature: sha256=<hex HMAC of timestamp + "." + body>``, with the
            timestamp in ``X-Spectaclear-Timestamp``.
        timeout: seconds for connecting and for each answer, of which every byte may take its own; twice as long, and
            the delivery is ended as a failure.
        headers: sent along.

    Redirects are not followed: they count as a failure. Raises ``BadInput`` for an address that is none.
    """

    def __init__(
        self,
        url: str,
        *,
        secret: str | None = None,
        timeout: float = 5.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._scheme, self._host, self._port, self._path, authorization = _parts(url)
        self._secret, self._timeout = secret, timeout
        self._headers = {"Content-Type": "application/json", "User-Agent": "spectaclear", **(headers or {})}
        if authorization is not None:
            self._headers["Authorization"] = authorization
        for value in (secret, *(headers or {}).values()):
            if value:
                remember_secret(value)

    def deliver(self, event: dict[str, Any]) -> None:
        """Post one event. Raises ``Refused``, or another exception where it may work later."""
        body = json.dumps(event, ensure_ascii=False).encode()
        headers = {**self._headers, "Idempotency-Key": str(event["key"])}
        if self._secret is not None:
            moment = str(int(time.time()))
            signed = hmac.new(self._secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
            headers |= {"X-Spectaclear-Timestamp": moment, "X-Spectaclear-Signature": f"sha256={signed}"}
        connection = self._connection()
        with _ended_after(2 * self._timeout, connection):
            connection.request("POST", self._path, body, headers)
            status = connection.getresponse().status
        if status in _NEVER:
            raise Refused(f"the webhook answers {status}")
        if not 200 <= status < 300:
            raise ConnectionError(f"the webhook answers {status}")

    def close(self) -> None:
        """Nothing stays open between two events."""

    def _connection(self) -> http.client.HTTPConnection:
        if self._scheme == "https":
            context = ssl.create_default_context()
            return _Https(self._host, self._port, timeout=self._timeout, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)


class _Https(http.client.HTTPSConnection):
    """Holds its socket while it shakes hands, so that a handshake without end can be ended from outside."""

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        context: ssl.SSLContext = self._context  # type: ignore[attr-defined]
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock.do_handshake()


@contextmanager
def _ended_after(seconds: float, connection: http.client.HTTPConnection) -> Iterator[None]:
    """Close ``connection`` at the end, and break it off after ``seconds``: a drip of bytes outlasts every timeout.

    Raises ``TimeoutError`` where it was broken off.
    """
    late = threading.Event()

    def break_off() -> None:
        late.set()
        if connection.sock is not None:
            with suppress(OSError):
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)  # not TLS's own, which waits for an answer

    timer = threading.Timer(seconds, break_off)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception:
        if not late.is_set():
            raise
    finally:
        timer.cancel()
        connection.close()
    if late.is_set():  # also where what was there by then looked like an answer
        raise TimeoutError(f"the webhook has not answered within {seconds:g} s")


def _parts(url: str) -> tuple[str, str, int | None, str, str | None]:
    """Scheme, host, port, path with query, and the Authorization header."""
    wrong = BadInput(f"webhook: {redact(url)!r} is no address; give one like https://host:port/path")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("http", "https") or not host or any(c.isspace() for c in url):
        raise wrong
    if "@" in url.partition("://")[2].partition(parts.netloc)[2]:
        # Is it part of the path, or of a password with a "/"? Guessing wrong would send events to a stranger.
        raise BadInput(f"webhook: {redact(url)!r} can be read in two ways; write / as %2F and @ as %40 in it")
    user_info, at, _ = parts.netloc.rpartition("@")
    path = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe="!#$%&'()*+,/:;=?@[]~")
    authorization = None
    if at:
        user, _, password = user_info.partition(":")
        remember_secret(password)
        pair = f"{unquote(user)}:{unquote(password)}".encode()
        authorization = f"Basic {base64.b64encode(pair).decode()}"
    return parts.scheme, host, port, path, authorization
