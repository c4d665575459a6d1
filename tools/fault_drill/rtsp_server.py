"""A small RTSP camera on loopback: real H.264 over TCP, and the faults that are asked for."""

from __future__ import annotations

import base64
import itertools
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

from tools.fault_drill.loopback import LoopbackServer
from tools.fault_drill.pictures import Units

_LARGEST_PAYLOAD = 1300

#: changes an RTP payload of the n-th picture, or loses it (None)
Edit = Callable[[int, bytes], bytes | None]


def unchanged(number: int, payload: bytes) -> bytes:
    """The edit of a sound network."""
    return payload


def flip_bits(number: int, payload: bytes) -> bytes:
    """Damages every payload that is not tiny (parameter sets are)."""
    if len(payload) < 60:
        return payload
    changed = bytearray(payload)
    for index in range(30, len(changed), 40):
        changed[index] ^= 0x24
    return bytes(changed)


class RtspServer(LoopbackServer):
    """Serves ``units`` again and again to everybody who connects.

    What it can be told at any time: ``silent`` (accept, never answer), ``password`` (401 until it comes, user
    ``admin``), ``running`` cleared or ``pause_within_a_picture`` (stop and go on), ``cut()``, ``edit`` (change or
    lose RTP payloads), ``stamp`` (change the n-th picture's RTP time), ``units`` (another stream, another size),
    ``speed`` (1 is real time).
    ``sent`` counts the pictures that were sent whole, to all clients together.
    """

    def __init__(self, units: Units, *, fps: int = 25, port: int = 0) -> None:
        self.units, self.fps, self.speed = units, fps, 1.0
        self.silent = False
        self.password: str | None = None
        self.edit: Edit = unchanged
        self.stamp: Callable[[int, int], int] = lambda number, stamp: stamp
        self.running = threading.Event()
        self.running.set()
        self.requests: list[str] = []
        self.sent = 0
        self._pause_within = False
        super().__init__(port=port)

    def close(self) -> None:
        super().close()
        self.running.set()

    def url(self, credentials: str = "") -> str:
        return f"rtsp://{credentials + '@' if credentials else ''}127.0.0.1:{self.port}/stream1"

    def pause_within_a_picture(self) -> None:
        """Stop after the first packet of a picture that has several."""
        self._pause_within = True

    def go_on(self) -> None:
        """End a pause."""
        self._pause_within = False
        self.running.set()

    def serve(self, connection: socket.socket) -> None:
        lock = threading.Lock()
        reader = connection.makefile("rb")
        while request := _request(reader):
            method, headers = request
            self.requests.append(method)
            if self.silent:
                continue
            status, extra, body = self._answer(method, headers)
            lines = [f"RTSP/1.0 {status}", f"CSeq: {headers.get('cseq', 0)}", *extra]
            if body:
                lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
            with lock:
                connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            if method == "PLAY" and status.startswith("200"):
                threading.Thread(target=self._play, args=(connection, lock), daemon=True).start()
            if method == "TEARDOWN":
                break

    def _answer(self, method: str, headers: dict[str, str]) -> tuple[str, list[str], bytes]:
        if self.password is not None and method != "OPTIONS":
            expected = base64.b64encode(f"admin:{self.password}".encode()).decode()
            if headers.get("authorization") != f"Basic {expected}":
                return "401 Unauthorized", ['WWW-Authenticate: Basic realm="camera"'], b""
        if method == "OPTIONS":
            return "200 OK", ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"], b""
        if method == "DESCRIBE":
            return "200 OK", [f"Content-Base: {self.url()}/"], self._description()
        if method == "SETUP":
            return "200 OK", ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1;timeout=60"], b""
        return "200 OK", ["Session: 1"], b""

    def _description(self) -> bytes:
        sets = [nal for nal in self.units[0] if nal[0] & 31 in (7, 8)]
        encoded = ",".join(base64.b64encode(nal).decode() for nal in sets)
        lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=camera", "c=IN IP4 0.0.0.0", "t=0 0", "m=video 0 RTP/AVP 96"]
        lines += ["a=rtpmap:96 H264/90000", f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={encoded}"]
        return "\r\n".join([*lines, f"a=framerate:{self.fps}", "a=control:trackID=1", ""]).encode()

    def _play(self, connection: socket.socket, lock: threading.Lock) -> None:
        sequence = random.randrange(1000)
        due = time.monotonic()
        with suppress(OSError):
            for number in itertools.count():
                if connection not in self.open_connections:
                    return
                stamp = self.stamp(number, number * 90000 // self.fps) % 2**32
                for index, (payload, is_last) in enumerate(_payloads(self.units[number % len(self.units)])):
                    if index and self._pause_within:
                        self._pause_within = False
                        self.running.clear()
                    self.running.wait()
                    edited = self.edit(number, payload)
                    sequence = (sequence + 1) % 65536  # a lost packet leaves a gap
                    if edited is not None:
                        marker = 0x80 if is_last else 0
                        packet = struct.pack(">BBHII", 0x80, 96 | marker, sequence, stamp, 0x1234) + edited
                        with lock:
                            connection.sendall(b"$\x00" + struct.pack(">H", len(packet)) + packet)
                self.sent += 1
                due = max(due + 1 / (self.fps * self.speed), time.monotonic() - 0.5)
                time.sleep(max(due - time.monotonic(), 0))


def _request(reader: BinaryIO) -> tuple[str, dict[str, str]] | None:
    """Method and headers of the next request; None where the client has gone."""
    while True:
        first = reader.read(1)
        if first == b"$":  # the client's RTCP
            reader.read(struct.unpack(">BH", reader.read(3))[1])
            continue
        line = first + reader.readline()
        if not line.strip():
            if not first:
                return None
            continue
        headers = {}
        while (header := reader.readline().decode().strip()) != "":
            name, _, value = header.partition(":")
            headers[name.strip().lower()] = value.strip()
        return line.decode().split()[0], headers


def _payloads(nals: list[bytes]) -> list[tuple[bytes, bool]]:
    """RTP payloads of one access unit (RFC 6184: single NAL units, FU-A for large ones); whether each is the last."""
    payloads = []
    for nal in nals:
        if len(nal) <= _LARGEST_PAYLOAD:
            payloads.append(nal)
            continue
        pieces = [nal[i : i + _LARGEST_PAYLOAD] for i in range(1, len(nal), _LARGEST_PAYLOAD)]
        for index, piece in enumerate(pieces):
            flags = (0x80 if index == 0 else 0) | (0x40 if index == len(pieces) - 1 else 0)
            payloads.append(bytes([(nal[0] & 0x60) | 28, flags | (nal[0] & 0x1F)]) + piece)
    return [(payload, index == len(payloads) - 1) for index, payload in enumerate(payloads)]
