"""Looks at what a camera that refuses, or sends no video, says instead: for the message, never for the pictures."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from urllib.parse import urlsplit

import av
import av.error

from realtime.cameras.address import Address

_PORTS = {"rtsp": 554, "http": 80}
_LOOK = 2.0  # seconds
_ENOUGH = 2048  # bytes
_CHALLENGE = re.compile(r"^www-authenticate:\s*(.*)$", re.IGNORECASE | re.MULTILINE)
_PAGE = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head|body)", re.IGNORECASE)


def asks_for_sha256(address: Address) -> bool:
    """Whether it wants digest authentication by SHA-256 (RFC 7616), which FFmpeg does not know. Sends no password."""
    if address.scheme not in _PORTS:
        return False
    parts = urlsplit(address.url)
    host = parts.netloc.rpartition("@")[2]
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    if address.scheme == "rtsp":
        request = f"DESCRIBE rtsp://{host}{target} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
    else:
        request = f"GET {target} HTTP/1.0\r\nHost: {host}\r\n\r\n"
    answer = b""
    with suppress(OSError, ValueError):
        where = (parts.hostname or "", parts.port or _PORTS[address.scheme])
        with socket.create_connection(where, timeout=_LOOK) as connection:
            connection.sendall(request.encode())
            while b"\r\n\r\n" not in answer and len(answer) < 8192 and (more := connection.recv(4096)):
                answer += more
    return any("sha-256" in challenge.lower() for challenge in _CHALLENGE.findall(answer.decode("latin-1")))


def first_bytes(address: Address, timeouts: tuple[float, float]) -> bytes:
    """What an HTTP address sends first, whatever it is; empty where it sends nothing."""
    content = b""
    with suppress(av.error.FFmpegError), av.open(address.url, format="data", timeout=timeouts) as container:
        for packet in container.demux():
            content += bytes(packet)
            if len(content) >= _ENOUGH or not packet.size:
                break
    return content


def is_page(content: bytes) -> bool:
    """Whether it is a page for people."""
    return _PAGE.match(content) is not None


def holds_jpeg(content: bytes) -> bool:
    """Whether a JPEG begins in it, alone or as a part of something."""
    return b"\xff\xd8\xff" in content
