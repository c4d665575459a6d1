"""Network streams against servers on loopback: what goes wrong has a typed cause, in time, without credentials."""

from __future__ import annotations

import base64
import random
import threading
import time

import pytest

from realtime.cameras import BackOff, CameraError, CameraState, Cause, NewestFrame
from realtime.cameras.rtsp import NetworkStream

CREDENTIALS = "admin:p@ss/w:o%rd"


def _open(url, **options):
    return NetworkStream(url, **{"open_timeout": 1.0, "read_timeout": 1.0, **options})


def _error_of(url, **options):
    started = time.monotonic()
    with pytest.raises(CameraError) as caught:
        _open(url, **options)
    error = caught.value
    for text in (error.message, str(error), repr(error), str(error.as_bad_input())):
        assert "p@ss" not in text
        assert "w:o" not in text
        assert "p%40ss" not in text
    assert not error.permanent
    return error, time.monotonic() - started


def test_a_camera_that_accepts_and_never_answers_times_out(kit):
    with kit.tcp_server(lambda connection: connection.recv(10**6) and time.sleep(10)) as port:
        error, took = _error_of(f"rtsp://{CREDENTIALS}@127.0.0.1:{port}/x")
    assert error.cause is Cause.TIMEOUT
    assert 0.8 < took < 5


def test_a_port_where_nobody_listens_is_unreachable(kit):
    with kit.tcp_server(lambda connection: None) as port:
        pass
    error, took = _error_of(f"rtsp://{CREDENTIALS}@127.0.0.1:{port}/x")
    assert error.cause is Cause.UNREACHABLE
    assert error.state is CameraState.LOST
    assert f"rtsp://***@127.0.0.1:{port}/x" in error.message
    assert took < 5


def test_an_unknown_host_is_unreachable():
    error, _ = _error_of(f"rtsp://{CREDENTIALS}@camera.invalid/x", open_timeout=8.0)
    assert error.cause is Cause.UNREACHABLE


@pytest.mark.parametrize(
    ("status", "cause", "state"),
    [
        ("401 Unauthorized", Cause.UNAUTHORISED, CameraState.REFUSED),
        ("403 Forbidden", Cause.UNAUTHORISED, CameraState.REFUSED),
        ("404 Stream Not Found", Cause.NOT_FOUND, CameraState.REFUSED),
        ("503 Service Unavailable", Cause.UNREACHABLE, CameraState.LOST),
    ],
)
def test_what_a_rtsp_camera_refuses_has_its_cause(kit, status, cause, state):
    def refuse(connection):
        while request := connection.recv(4096).decode():
            sequence = next(line for line in request.splitlines() if line.lower().startswith("cseq"))
            answer = [f"RTSP/1.0 {status}", sequence, 'WWW-Authenticate: Basic realm="camera"']
            connection.sendall("\r\n".join([*answer, "", ""]).encode())

    with kit.tcp_server(refuse) as port:
        error, _ = _error_of(f"rtsp://{CREDENTIALS}@127.0.0.1:{port}/x")
    assert (error.cause, error.state) == (cause, state)


def test_garbage_is_a_decode_error(kit):
    def garbage(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/x-whatever\r\n\r\n")
        while True:
            connection.sendall(random.randbytes(4096))

    with kit.tcp_server(garbage) as port:
        error, _ = _error_of(f"http://{CREDENTIALS}@127.0.0.1:{port}/x")
    assert error.cause is Cause.DECODE_ERROR


@pytest.mark.parametrize(("status", "cause"), [(401, Cause.UNAUTHORISED), (404, Cause.NOT_FOUND)])
def test_what_a_http_camera_refuses_has_its_cause(mjpeg_server, status, cause):
    mjpeg_server.status = status
    error, _ = _error_of(f"http://{CREDENTIALS}@127.0.0.1:{mjpeg_server.server_port}/video")
    assert error.cause is cause


def test_motion_jpeg_over_http_is_read_as_it_comes(kit, mjpeg_server):
    camera = _open(f"http://127.0.0.1:{mjpeg_server.server_port}/video?x=1")
    frames, error = kit.read_all(camera)
    camera.close()
    numbers = [kit.number_of(frame.bgr) for frame in frames]
    assert numbers == list(range(30))
    assert error.cause is Cause.DISCONNECTED
    assert frames[-1].captured_at - frames[0].captured_at > 0.5  # not all at the end


def test_a_password_reaches_the_camera_whole(mjpeg_server):
    mjpeg_server.asks_for_password = True
    camera = _open(f"http://{CREDENTIALS}@127.0.0.1:{mjpeg_server.server_port}/video")
    camera.read()
    camera.close()
    sent = {base64.b64decode(header.split()[1]).decode() for _, header in mjpeg_server.requests if header}
    assert sent == {CREDENTIALS}


def test_a_camera_that_falls_silent_times_out(kit):
    def fall_silent(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n")
        for number in range(10):
            jpeg = kit.jpeg_of(number)
            connection.sendall(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg))
            connection.sendall(jpeg + b"\r\n")
        time.sleep(10)

    with kit.tcp_server(fall_silent) as port:
        camera = _open(f"http://127.0.0.1:{port}/video")
        started = time.monotonic()
        frames, error = kit.read_all(camera)
        camera.close()
    assert len(frames) >= 9
    assert error.cause is Cause.TIMEOUT
    assert time.monotonic() - started < 8  # not the server's 10


def test_a_camera_that_hangs_up_is_connected_again(kit, mjpeg_server):
    mjpeg_server.pictures = mjpeg_server.pictures[:5]
    source = NewestFrame(
        "door",
        lambda: _open(f"http://127.0.0.1:{mjpeg_server.server_port}/video"),
        back_off=BackOff(first=0.05, longest=0.1),
    )
    source.start()
    try:
        assert kit.eventually(lambda: source.status().reconnects >= 2, within=10)
        assert source.status().captured >= 8
    finally:
        assert source.stop()


def test_nothing_is_printed_by_the_libraries(kit, capfd):
    with kit.tcp_server(lambda connection: connection.close()) as port:
        _error_of(f"rtsp://{CREDENTIALS}@127.0.0.1:{port}/x")
    _error_of(f"rtsp://{CREDENTIALS}@127.0.0.1:{port}/x")
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_no_thread_stays_behind(mjpeg_server):
    before = threading.active_count()
    camera = _open(f"http://127.0.0.1:{mjpeg_server.server_port}/video")
    camera.read()
    camera.close()
    camera.close()
    mjpeg_server.pictures = []
    assert threading.active_count() <= before + 1  # the server's own
