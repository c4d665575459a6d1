"""What cameras say or send instead of video: each is told as what it is, with the way to mend it."""

from __future__ import annotations

import time
from contextlib import closing

import numpy as np
import pytest

from realtime.cameras import CameraError, CameraState, Cause
from realtime.cameras.rtsp import NetworkStream
from tools.fault_drill.pictures import write_video

SHA256 = 'WWW-Authenticate: Digest realm="c", nonce="n", algorithm=SHA-256'


def error_of(url):
    with pytest.raises(CameraError) as caught, closing(NetworkStream(url, open_timeout=2, read_timeout=2)) as camera:
        list(iter(camera.read, None))
    assert "hunter22" not in str(caught.value.as_bad_input())
    assert "ffmpeg -i" not in str(caught.value.as_bad_input())  # advice for files
    return caught.value


def answers_rtsp(status, *headers):
    def answer(connection):
        while request := connection.recv(4096).decode():
            sequence = next(line for line in request.splitlines() if line.lower().startswith("cseq"))
            connection.sendall("\r\n".join([f"RTSP/1.0 {status}", sequence, *headers, "", ""]).encode())

    return answer


def answers_http(head, *parts, pause=0.0):
    def answer(connection):
        connection.recv(4096)
        connection.sendall(f"HTTP/1.0 {head}\r\n\r\n".encode())
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)

    return answer


@pytest.mark.parametrize(
    ("status", "cause", "state", "line"),
    [
        ("461 Unsupported Transport", Cause.UNSUPPORTED, CameraState.REFUSED, r"\(461\); set transport: udp"),
        ("453 Not Enough Bandwidth", Cause.BUSY, CameraState.REFUSED, r"no room for one more viewer \(453\); close"),
        ("455 Method Not Valid", Cause.DECODE_ERROR, CameraState.LOST, "offers no video, only sound; choose"),
        ("503 Service Unavailable", Cause.UNREACHABLE, CameraState.LOST, r"is not ready \(503\); wait"),
    ],
)
def test_a_refusal_over_rtsp_says_what_to_do(kit, status, cause, state, line):
    with kit.tcp_server(answers_rtsp(status)) as port:
        error = error_of(f"rtsp://127.0.0.1:{port}/x")
    assert (error.cause, error.state) == (cause, state)
    assert error.as_bad_input().args[0].startswith(f"rtsp://127.0.0.1:{port}/x ")
    with pytest.raises(Exception, match=line):
        raise error.as_bad_input()


def test_digest_authentication_by_sha256_is_named(kit):
    with kit.tcp_server(answers_rtsp("401 Unauthorized", SHA256)) as port:
        error = error_of(f"rtsp://admin:hunter22@127.0.0.1:{port}/x")
    assert error.cause is Cause.UNSUPPORTED
    assert "by SHA-256, which FFmpeg does not know (401); allow MD5 digest" in str(error.as_bad_input())


@pytest.mark.parametrize("host", ["fe80::1", "fe80::1%25nowhere"])
def test_an_address_that_wants_its_interface_is_told_so(host):
    error = error_of(f"rtsp://[{host}]/x")
    assert error.cause is Cause.UNREACHABLE
    assert "wants its interface as well, as in [fe80::1%eth0]" in str(error.as_bad_input())


def test_too_many_requests_are_told_as_such(kit):
    with kit.tcp_server(answers_http("429 Too Many Requests")) as port:
        error = error_of(f"http://127.0.0.1:{port}/x")
    assert error.cause is Cause.BUSY
    assert "asked too often (429); wait" in str(error.as_bad_input())


def test_a_login_page_is_told_as_such(kit):
    page = b"<!doctype html><html><body>Please log in</body></html>" * 20
    with kit.tcp_server(answers_http("200 OK\r\nContent-Type: text/html", page)) as port:
        error = error_of(f"http://127.0.0.1:{port}/x")
    assert "is a web page, perhaps one to log in, not a video; open it in a browser" in str(error.as_bad_input())


def test_a_snapshot_is_told_as_such(kit):
    with kit.tcp_server(answers_http("200 OK\r\nContent-Type: image/jpeg", kit.jpeg_of(3))) as port:
        error = error_of(f"http://127.0.0.1:{port}/snapshot.jpg")
    assert "is a single picture, not a stream; give the address of its video" in str(error.as_bad_input())


@pytest.mark.parametrize(
    ("before", "between"),
    [
        (b"", b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n"),  # without the first boundary
        (b"--frame\r\n\r\n", b"\r\n--frame\r\n\r\n"),  # without content types
    ],
)
def test_jpegs_in_an_odd_multipart_are_found(kit, before, between):
    parts = [before + kit.jpeg_of(0), *(between + kit.jpeg_of(number) for number in range(1, 60))]
    head = "200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame"
    with kit.tcp_server(answers_http(head, *parts, pause=0.02)) as port:
        camera = NetworkStream(f"http://127.0.0.1:{port}/x", open_timeout=2, read_timeout=2)
        numbers = [kit.number_of(camera.read().bgr) for _ in range(10)]
        camera.close()
    assert np.all(np.diff(numbers) > 0)


@pytest.mark.parametrize("name", ["film.mkv", "film.ts"])  # the latter does not say how long it lasts
def test_a_recording_over_http_is_played_once_at_its_rate(kit, tmp_path, name):
    film = write_video(tmp_path / name, [kit.numbered_picture(number) for number in range(25)]).read_bytes()
    head = f"200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {len(film)}"
    with kit.tcp_server(answers_http(head, film)) as port:
        camera = NetworkStream(f"http://127.0.0.1:{port}/{name}")
        started = time.monotonic()
        frames, error = kit.read_all(camera)
        camera.close()
    assert [kit.number_of(frame.bgr) for frame in frames] == list(range(25))
    assert time.monotonic() - started > 0.9
    assert (error.cause, error.permanent) == (Cause.END_OF_FILE, True)
