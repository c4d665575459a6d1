"""Every view of the page, on desktop and phone and in the dark, against axe-core's rules; skipped without Chromium."""

import pytest
from accessibility import violations
from browsing import View, until
from made_up_bundle import made_up_bundle
from made_up_desk import MadeUp, MarkedDetector, jpeg, marked
from made_up_page import MovingCameras
from sightings import attack, frame, sighting

from realtime.drill import Drill
from realtime.faces.limits import QualityLimits
from realtime.outputs.events.log import EventLog
from realtime.outputs.events.types import EventSettings
from realtime.outputs.web import WebPage
from realtime.people.live_desk import LiveDesk
from realtime.people.people import People
from tools.maintain import screenshot

pytest.importorskip("selenium", reason="selenium is not installed")

SIZES = {"desktop": (1280, 900, "light"), "phone": (360, 740, "light"), "dark": (1280, 900, "dark")}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Cameras, two events, two people who share a picture, and a drill."""
    people = People(tmp_path_factory.mktemp("people") / "people.npz", made_up_bundle(size=112), from_scratch=True)
    desk = LiveDesk(people, MadeUp(()), MarkedDetector, lambda: None, QualityLimits())
    for name in ("Ada", "Countess"):
        sitting = desk.begin(name, more=False, keep=True)
        from realtime.people.sources import shot_of

        desk.look(sitting, shot_of(jpeg(marked("straight")), "a.jpg"))
        desk.look(sitting, shot_of(jpeg(marked("left", len(name))), "b.jpg"))
        desk.finish(sitting, anyway=True)
    cameras = MovingCameras().start()
    log = EventLog(tmp_path_factory.mktemp("events"), EventSettings(min_free_bytes=0))
    log.offer(frame(), [attack(track_id=1, box=(10, 80, 60, 140))], 0.0)
    log.offer(frame(), [sighting(name="Bob", track_id=2)], 0.0)
    assert log.flush()
    with WebPage(cameras.pictures, log, port=0, desk=desk, drill=Drill(lambda: None)) as served:
        yield served
    log.close()
    cameras.stop()


@pytest.fixture(params=SIZES)
def view(request, chrome, page):
    """The page in one of the sizes, with everything on it there."""
    width, height, theme = SIZES[request.param]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    chrome.get(page.url)
    chrome.execute_script(f"localStorage.setItem('theme', '{theme}')")
    chrome.refresh()
    found = View(chrome)
    assert screenshot.wait_for(chrome, '.event[data-kind="suspected_attack"]', 20)
    until(lambda: len(found.names()) == 2)
    assert chrome.execute_script("return document.documentElement.dataset.theme") == theme
    yield found
    assert chrome.execute_script("return document.documentElement.scrollWidth <= innerWidth")


def test_no_view_breaks_a_rule(view, chrome):
    found = {}

    def look(name, part="html"):
        broken = violations(chrome, part)
        if broken:
            found[name] = broken

    def dialog(button, shown, name):
        view.press(button)
        until(lambda: any(one.is_displayed() for one in chrome.find_elements("css selector", shown)))
        look(name, "dialog[open]")
        chrome.execute_script("document.querySelectorAll('dialog[open]').forEach((one) => one.close())")

    chrome.execute_script("document.querySelector('#filter-box').open = true")
    until(lambda: view.text("#people-warnings li"))
    look("the page")
    dialog('.event [data-action="detail"]', "#detail .facts", "an event")
    dialog("[aria-label='Look at Ada']", "#person .pictures img", "a person")
    dialog("[aria-label='Rename Ada']", "dialog.question input", "a question")
    dialog("[aria-label='Remove Ada']", "dialog.question input", "another question")
    dialog("[aria-label='Zones of door']", "#zones canvas", "zones")
    dialog("[aria-label='Try the attack at door']", "dialog.question input", "before a drill")
    view.press("[aria-label='Try the attack at door']")
    view.press("dialog.question[open] button[value=yes]")
    until(lambda: view.find('[data-camera="door"] .drill').is_displayed())
    view.say_who("Grace")
    view.press("#from-camera")
    until(lambda: view.text("#sitting-wanted"))
    look("a drill, and somebody being added")
    view.press("#sitting-end")
    view.press("[aria-label='End the drill at door']")
    until(lambda: not view.find('[data-camera="door"] .drill').is_displayed())
    assert found == {}


def test_the_login_breaks_no_rule(chrome, tmp_path):
    cameras = MovingCameras().start()
    with WebPage(cameras.pictures, None, port=0, token="correct horse battery staple") as served:
        chrome.get(served.url)
        until(lambda: chrome.current_url.endswith("/login"))
        assert violations(chrome) == []
    cameras.stop()


def test_a_broken_rule_would_be_found(chrome):
    chrome.get("data:text/html,<title>t</title><img src=x>")
    assert any(line.startswith("image-alt") for line in violations(chrome))
