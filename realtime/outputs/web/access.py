"""Who may see the page: token, session cookie, throttle; and the headers that every answer carries.

On loopback the page is open, but only under a loopback name, so that a website which rebinds its own name to
127.0.0.1 gets nothing. Beyond loopback (or wherever a token is set) a session cookie or a bearer token is
demanded. The token itself travels only in the body of the login form or in an ``Authorization`` header, never in
an address.

A session lasts twelve hours and survives a restart. One that was logged out never comes back: which ones were is kept
in a file beside the events; a page without events has no such file, and its sessions end with the program.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import logging
import math
import secrets
import threading
import time
from collections import deque
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.errors import BadInput
from realtime.system.command_line import whole_file
from realtime.system.redact import redact

_log = logging.getLogger(__name__)

SHORTEST_TOKEN = 16
SESSION_SECONDS = 12 * 3600
_FAILURES, _FAILURES_IN = 5, 60.0
_OPEN_TO_ALL = ("/login", "/healthz", "/readyz")
_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # under "no-referrer" browsers send the login form with the origin "null"
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to a server that listens on ``host``."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class Access:
    """Checks tokens and sessions. Safe to share between threads.

    ``ended``: the file of the sessions that were logged out; None: a restart ends them all.
    Raises ``BadInput`` where ``host`` can be reached from outside and there is no token, or too short a one.
    """

    def __init__(self, host: str, token: str | None, *, secure: bool = False, ended: Path | None = None) -> None:
        if token is None and not is_loopback(host):
            raise BadInput(f"the page on {host} can be seen by others; give it a token, or serve it on 127.0.0.1")
        if token is not None and len(token) < SHORTEST_TOKEN:
            raise BadInput(f"the token has {len(token)} characters; give at least {SHORTEST_TOKEN}")
        self._secret = None if token is None else hashlib.sha256(token.encode()).digest()
        self._salt = b"" if ended is not None else secrets.token_bytes(16)
        self._ended = EndedSessions(ended)
        self._names = {"localhost", "127.0.0.1", "::1", host.strip("[]").lower()}
        self.secure = secure
        self.cookie = "__Host-spectaclear" if secure else "spectaclear"
        self._failures: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    @property
    def demanded(self) -> bool:
        """Whether a token is needed at all."""
        return self._secret is not None

    def known_host(self, host: str) -> bool:
        """Whether the ``Host`` header may name this server. Without a token only loopback names do."""
        if self.demanded:
            return True
        try:
            return (urlsplit(f"//{host}").hostname or "") in self._names
        except ValueError:
            return False

    def may(self, headers: Headers, client: str) -> bool:
        """Whether this request may see anything."""
        if self._secret is None:
            return True
        bearer = headers.get("authorization", "")
        if bearer[:7].lower() == "bearer ":
            return self.right_token(bearer[7:].strip(), client)
        if headers.get("x-api-key"):  # how programs for CompreFace send it
            return self.right_token(headers["x-api-key"].strip(), client)
        return self._right_session(_cookie(headers, self.cookie))

    def right_token(self, given: str, client: str) -> bool:
        """Compare in constant time; a client with five wrong ones in a minute is refused whatever it sends."""
        if self._secret is None or self.wait(client) > 0:
            return False
        right = hmac.compare_digest(hashlib.sha256(given.encode()).digest(), self._secret)
        with self._lock:
            if right:
                self._failures.pop(client, None)
            else:
                if len(self._failures) > 1000:  # a flood of addresses must not eat the memory
                    self._failures.clear()
                self._failures.setdefault(client, deque(maxlen=_FAILURES)).append(time.monotonic())
        return right

    def wait(self, client: str) -> float:
        """Seconds until this client may try a token again."""
        with self._lock:
            failures = self._failures.get(client)
            if failures is None or len(failures) < _FAILURES:
                return 0.0
            return max(0.0, failures[0] + _FAILURES_IN - time.monotonic())

    def new_session(self) -> str:
        """The ``Set-Cookie`` value after a right token. Sessions end with their time, with the token or logged out."""
        session = f"{int(time.time()) + SESSION_SECONDS}.{secrets.token_hex(8)}"
        secure = "; Secure" if self.secure else ""
        return (
            f"{self.cookie}={session}.{self._sign(session)}; Path=/; Max-Age={SESSION_SECONDS}; "
            f"HttpOnly; SameSite=Strict{secure}"
        )

    def end_session(self, headers: Headers) -> str:
        """Log the request's session out, whoever has a copy of it; gives the ``Set-Cookie`` value that forgets it."""
        value = _cookie(headers, self.cookie)
        if self._secret is not None and self._right_session(value):
            self._ended.add(value.rpartition(".")[0])
        return f"{self.cookie}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict{'; Secure' if self.secure else ''}"

    def _right_session(self, value: str) -> bool:
        session, _, signature = value.rpartition(".")
        until = session.partition(".")[0]
        if not (until.isascii() and until.isdigit() and len(until) < 12):
            return False
        right = hmac.compare_digest(signature.encode(), self._sign(session).encode())
        return right and time.time() < int(until) and session not in self._ended

    def _sign(self, session: str) -> str:
        assert self._secret is not None
        said = b"spectaclear session " + self._salt + session.encode()
        return hmac.new(self._secret, said, hashlib.sha256).hexdigest()


class EndedSessions:
    """The sessions that were logged out before their time, ``<until>.<number>`` each, a line each in a file."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        lines = file.read_text("ascii", "replace").split() if file is not None and file.is_file() else []
        self._sessions = {line for line in lines if not _over(line)}

    def __contains__(self, session: str) -> bool:
        return session in self._sessions

    def add(self, session: str) -> None:
        """Never let this one in again."""
        with self._lock:
            self._sessions = {one for one in self._sessions if not _over(one)} | {session}
            if self._file is not None:
                try:
                    with whole_file(self._file, permissions=0o600) as file:
                        file.write("".join(f"{one}\n" for one in sorted(self._sessions)).encode())
                except BadInput as error:
                    _log.warning("a session that was logged out is forgotten with the next start: %s", error)


def _over(session: str) -> bool:
    until = session.partition(".")[0]
    return not until.isdigit() or int(until) < time.time()


class Shield:
    """Wraps the whole application: refuses who may not enter, and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
                if self._access.secure:
                    headers["strict-transport-security"] = "max-age=31536000"
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await _answer(send_with_headers, *refusal)
            return
        try:
            await self._app(scope, receive, send_with_headers)
        except (ClientDisconnect, TimeoutError) as error:  # the other side has gone, or gives nothing
            _log.debug("%s %s: %r", scope["method"], redact(scope["path"]), error)
        except Exception as error:  # the application has answered with a 500, and its own log would be a page long
            _log.error("%s %s failed: %s", scope["method"], redact(scope["path"]), redact(repr(error)))
            _log.debug("its traceback", exc_info=error)

    def _refusal(self, scope: Scope) -> tuple[int, str, dict[str, str]] | None:
        headers, path = Headers(scope=scope), scope["path"]
        if not self._access.known_host(headers.get("host", "")):
            return 421, "this page is not served under that name", {}
        if scope["method"] not in ("GET", "HEAD") and not _same_origin(headers):
            return 403, "requests from other sites are refused", {}
        if path in _OPEN_TO_ALL or path.startswith("/static/"):
            return None
        if self._access.may(headers, client_of(scope)):
            return None
        wait = self._access.wait(client_of(scope))
        if wait > 0 and "authorization" in headers:
            seconds = math.ceil(wait)
            return 429, f"too many wrong tokens; try again in {seconds} seconds", {"retry-after": str(seconds)}
        if path == "/":
            return 303, "log in first", {"location": "/login"}
        return 401, "a token is needed", {"www-authenticate": "Bearer"}


def client_of(scope: Scope) -> str:
    """The address of the other side (never a header's claim)."""
    return str(scope["client"][0]) if scope.get("client") else ""


def _same_origin(headers: Headers) -> bool:
    """Browsers send ``Origin`` with every POST; what sends neither header is not a browser that was lured."""
    origin = headers.get("origin")
    if origin is not None:
        try:
            return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
        except ValueError:  # http://[
            return False
    return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def _cookie(headers: Headers, name: str) -> str:
    """A cookie's value, whatever other programs on this host have set: Python's own parser stops at their JSON."""
    return cookie_parser(headers.get("cookie", "")).get(name, "")


async def _answer(send: Send, status: int, message: str, headers: dict[str, str]) -> None:
    body = json.dumps({"error": message}).encode()
    given = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    raw = [(key.encode(), value.encode()) for key, value in given.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
