"""A stream that a GPU should decode, on a machine without one: the processor does, and one line says so."""

from pathlib import Path

import av
import numpy as np
import pytest

from realtime.cameras import hardware


@pytest.fixture
def film(tmp_path: Path) -> str:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        for level in range(5):
            picture = np.full((64, 64, 3), 40 * level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return str(path)


@pytest.mark.parametrize(("driver", "words"), [(False, "no NVIDIA driver"), (True, "cannot be used")])
def test_without_a_gpu_the_processor_decodes_and_says_so(
    film: str, driver: bool, words: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if hardware.nvidia_driver():
        pytest.skip("there is a GPU here")
    monkeypatch.setattr(hardware, "nvidia_driver", lambda: driver)
    with hardware.open_container(film, hardware=True) as container:
        assert len(list(container.decode(video=0))) == 5
    assert words in caplog.text
    assert len(caplog.records) == 1


def test_nothing_is_said_where_no_gpu_was_asked_for(film: str, caplog: pytest.LogCaptureFixture) -> None:
    with hardware.open_container(film) as container:
        assert len(list(container.decode(video=0))) == 5
    assert not caplog.records
