import threading
import time
import urllib.request

import pytest
from sightings import attack, crop, frame, track, verdict

from models.errors import BadInput
from models.policy import Decision
from realtime.cameras.states import CameraState, CameraStatus
from realtime.metrics import Meter
from realtime.outputs.delivery.webhook import Webhook
from realtime.outputs.events.types import EventSettings
from realtime.outputs.services import PageSettings, Services, ServiceSettings
from realtime.types import FaceCrop, FacesInFrame

ROOMY = EventSettings(min_free_bytes=0)


def statuses():
    return [CameraStatus("door", CameraState.LIVE, fps=25.0)]


def test_from_a_decision_of_the_pipeline_to_the_page(tmp_path):
    settings = ServiceSettings(tmp_path / "events", ROOMY, page=PageSettings(port=0))
    with Services(settings, statuses, Meter("onnxruntime")) as services:
        shot, said = frame(), verdict("suspected_attack", "Ada", now=time.monotonic())
        face = FaceCrop(track(), shot, crop())
        decision = Decision.suspected("Ada", 0.9)
        services.feed.on_decision(face, said.evidence, decision, decision)
        services.feed.on_verdicts(FacesInFrame(shot, (face,)), {1: said})
        services.show(shot, shot.bgr)
        assert services.events.flush()
        with urllib.request.urlopen(f"{services.page.url}api/events/1/before") as answer:
            assert answer.status == 200
        with urllib.request.urlopen(f"{services.page.url}metrics") as answer:
            assert b'spectaclear_engine{engine="onnxruntime"} 1.0' in answer.read()
        with urllib.request.urlopen(f"{services.page.url}cameras/door.jpg") as answer:
            assert answer.read(2) == b"\xff\xd8"


def test_frames_that_were_not_displayed_are_told_by_camera_and_reason():
    meter = Meter()
    for camera, count in (("door", 3), ("yard", 1), ("door", 2)):
        meter.frame_dropped(camera, count=count)
    with (
        Services(ServiceSettings(page=PageSettings(port=0)), statuses, meter) as services,
        urllib.request.urlopen(f"{services.page.url}metrics") as answer,
    ):
        lines = answer.read().decode().splitlines()
    assert [line for line in lines if line.startswith("spectaclear_frames_not_displayed_total")] == [
        'spectaclear_frames_not_displayed_total{camera="door",reason="overtaken"} 5.0',
        'spectaclear_frames_not_displayed_total{camera="yard",reason="overtaken"} 1.0',
    ]


def test_figures_of_the_process_that_cannot_be_had_take_no_others_along(monkeypatch):
    def no_descriptor(_):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("psutil.Process.memory_info", no_descriptor)
    with (
        Services(ServiceSettings(page=PageSettings(port=0)), statuses, Meter()) as services,
        urllib.request.urlopen(f"{services.page.url}metrics") as answer,
    ):
        told = answer.read().decode()
    assert "spectaclear_threads" in told
    assert "process_resident_memory_bytes" not in told


def test_what_a_webhook_does_not_take_is_seen_in_the_metrics(tmp_path):
    webhook = Webhook("http://127.0.0.1:9/")  # nobody listens there
    settings = ServiceSettings(tmp_path / "events", ROOMY, deliveries={"webhook": webhook}, page=PageSettings(port=0))
    with Services(settings, statuses) as services:
        for number in range(3):
            services.events.offer(frame(wall_time=time.time()), [attack(track_id=number)], 0.0)
        assert services.events.flush()

        def metrics():
            with urllib.request.urlopen(f"{services.page.url}metrics") as answer:
                return answer.read().decode()

        end = time.monotonic() + 10
        while 'spectaclear_deliveries_total{outcome="failed",target="webhook"} 0.0' in metrics():
            assert time.monotonic() < end
            time.sleep(0.05)
        assert 'spectaclear_queue_depth{queue="webhook"} 3.0' in metrics()
        assert 'spectaclear_deliveries_total{outcome="sent",target="webhook"} 0.0' in metrics()
        services.events.store.close()  # as a database that can no longer be read
        assert 'spectaclear_queue_depth{queue="events"} 0.0' in metrics()


def test_closing_is_quick_and_leaves_no_thread_behind_though_the_webhook_does_not_answer(tmp_path):
    before = set(threading.enumerate())
    settings = ServiceSettings(
        tmp_path / "events", ROOMY, deliveries={"webhook": Webhook("http://192.0.2.1/")}, page=PageSettings(port=0)
    )
    services = Services(settings, statuses)
    services.events.offer(frame(), [], 0.0)
    started = time.monotonic()
    services.close()
    services.close()
    assert time.monotonic() - started < 4.5  # the webhook alone would take five seconds
    assert set(threading.enumerate()) <= before


def test_what_was_opened_is_closed_again_when_the_page_cannot_be(tmp_path):
    wrong = ServiceSettings(tmp_path / "events", ROOMY, page=PageSettings(host="0.0.0.0", port=0))
    with pytest.raises(BadInput, match="token"):
        Services(wrong, statuses)
    Services(ServiceSettings(tmp_path / "events", ROOMY), statuses).close()


def test_without_events_and_page_nothing_is_opened(tmp_path):
    with Services(ServiceSettings(), statuses) as services:
        services.show(frame(), frame().bgr)
        assert (services.events, services.feed, services.page) == (None, None, None)


def test_the_token_is_not_in_the_representation():
    assert "hidden" not in repr(PageSettings(token="hidden-hidden-hidden"))
