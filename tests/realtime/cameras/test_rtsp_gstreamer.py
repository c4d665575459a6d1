"""An RTSP server that is not ours: GStreamer's, from Debian's packages."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from realtime.cameras import CameraError, CameraState, Cause
from realtime.cameras.rtsp import NetworkStream

PYTHON = Path("/usr/bin/python3")
NEEDS = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
PACKAGES = "gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good python3-gi"
PASSWORD = "p@ss:w/rd%1"


def _is_there():
    return PYTHON.exists() and subprocess.run([PYTHON, "-c", NEEDS], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(
    not _is_there(), reason=f"GStreamer's RTSP server is absent: apt-get install {PACKAGES}"
)


@pytest.fixture(scope="module")
def film(kit, tmp_path_factory):
    return kit.write_video(tmp_path_factory.mktemp("film") / "film.mkv", range(75), key_every=25)


@pytest.fixture
def serve(film):
    """Starts a server; gives its port."""
    started = []

    def start(*credentials):
        script = Path(__file__).with_name("gstreamer_server.py")
        server = subprocess.Popen(
            [PYTHON, script, film, *credentials], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        started.append(server)
        return int(server.stdout.readline())

    yield start
    for server in started:
        server.kill()
        server.wait()
        server.stdout.close()


def test_every_picture_of_another_server_comes_whole_and_in_order(kit, serve):
    camera = NetworkStream(f"rtsp://127.0.0.1:{serve()}/stream")
    frames, error = kit.read_all(camera)
    camera.close()
    numbers = [kit.number_of(frame.bgr) for frame in frames]
    assert numbers == list(range(75))
    assert error.cause is Cause.DISCONNECTED  # the film is over
    assert camera.codec == "h264"
    assert not camera.dropped


def test_digest_authentication_takes_a_password_with_every_special_character(kit, serve):
    port = serve("admin", PASSWORD)
    camera = NetworkStream(f"rtsp://admin:{PASSWORD}@127.0.0.1:{port}/stream")
    assert kit.number_of(camera.read().bgr) == 0
    camera.close()


def test_what_another_server_refuses_has_its_cause(serve):
    port = serve("admin", PASSWORD)
    for credentials, path, cause in (
        ("", "stream", Cause.UNAUTHORISED),
        ("admin:wr0ng&pass@", "stream", Cause.UNAUTHORISED),
        (f"admin:{PASSWORD}@", "elsewhere", Cause.NOT_FOUND),
    ):
        with pytest.raises(CameraError) as caught:
            NetworkStream(f"rtsp://{credentials}127.0.0.1:{port}/{path}")
        assert caught.value.cause is cause
        assert caught.value.state is CameraState.REFUSED
        assert "p@ss" not in caught.value.message
