"""What is done with events, cameras and zones in a real headless Chromium; skipped where there is none."""

import pytest
import yaml
from browsing import View, until
from made_up_page import MovingCameras
from sightings import attack, frame, sighting

from realtime.outputs.events.log import EventLog
from realtime.outputs.events.types import EventSettings
from realtime.outputs.web import WebPage
from realtime.settings.config import CameraConfig
from tools.maintain import screenshot

pytest.importorskip("selenium", reason="selenium is not installed")
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

#: Notes what the page tells the browser to show.
NOTIFICATIONS = """window.told = []; window.Notification = class {
    constructor(title, { body }) { told.push(`${title}: ${body}`); }
    static permission = "granted"; static requestPermission() { return Promise.resolve("granted"); } };
    document.addEventListener("alarm-sounded", () => told.push("sound"));"""


@pytest.fixture(scope="module")
def chrome(open_chrome):
    return open_chrome(1280, 900, ["--autoplay-policy=no-user-gesture-required"])


@pytest.fixture
def page(chrome, tmp_path):
    cameras = MovingCameras().start()
    log = EventLog(tmp_path / "events", EventSettings(min_free_bytes=0))
    log.offer(frame(), [attack(track_id=1, box=(10, 80, 60, 140))], 0.0)
    log.offer(frame(), [sighting(name="Bob", track_id=2)], 0.0)
    log.offer(frame("yard"), [sighting(name="Cyd", track_id=3)], 0.0)
    assert log.flush()
    with WebPage(cameras.pictures, log, port=0) as served:
        yield served
        chrome.get("about:blank")
    log.close()
    cameras.stop()


@pytest.fixture
def view(chrome, page):
    chrome.get(page.url)
    until(lambda: shown(chrome) == ["3", "2", "1"])
    return View(chrome)


def shown(chrome):
    return chrome.execute_script("return [...document.querySelectorAll('.event')].map((one) => one.dataset.id)")


def test_the_filter_is_in_the_address_and_comes_back_with_it(view, chrome, page):
    view.press("#filters [name=kind][value=known]")
    until(lambda: shown(chrome) == ["3", "2"])
    chrome.execute_script(
        "const form = document.querySelector('#filters'); form.camera.value = 'yard';"
        "form.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    until(lambda: shown(chrome) == ["3"])
    address = chrome.current_url
    assert address == f"{page.url}?kind=known&camera=yard"
    chrome.get("about:blank")
    chrome.get(address)
    until(lambda: shown(chrome) == ["3"])
    assert chrome.execute_script("return document.querySelector('#filter-box').open")
    view.press("#filters [type=reset]")
    until(lambda: len(shown(chrome)) == 3)
    assert chrome.current_url == page.url
    chrome.get(f"{page.url}?kind=nonsense&period=1%27")  # an address that somebody made up
    until(lambda: len(shown(chrome)) == 3)


def test_all_that_the_filter_shows_is_acknowledged_and_taken_back(view, chrome, page):
    view.press("#filters [name=kind][value=known]")
    until(lambda: shown(chrome) == ["3", "2"])
    view.press("#acknowledge-all")
    until(lambda: view.text("#acknowledged").startswith("2 acknowledged"))
    done = [page.events.get(number).acknowledged_at is not None for number in (1, 2, 3)]
    assert done == [False, True, True]
    view.press("#acknowledged button")
    until(lambda: view.text("#acknowledged") == "2 open again.")
    assert all(page.events.get(number).acknowledged_at is None for number in (1, 2, 3))


def test_a_note_is_kept_and_stands_on_the_card(view, page):
    view.press('[data-id="1"] [data-action="detail"]')
    until(lambda: view.find("#detail .noted").is_displayed())
    view.find("#detail textarea").send_keys("the <b>postman</b>")
    view.press("#detail .noted button")
    until(lambda: view.text('[data-id="1"] .note') == "the <b>postman</b>")
    assert page.events.get(1).note == "the <b>postman</b>"


def test_why_an_alarm_was_is_said_and_shown_as_one_picture(view, chrome):
    view.press('[data-id="1"] [data-action="detail"]')
    until(lambda: "Ada" in view.text("#detail .why"))
    assert screenshot.wait_for(chrome, "#detail .explained", 20)
    assert chrome.execute_script("return document.querySelector('.explained img').naturalWidth") > 300


def test_an_alarm_is_heard_and_told_only_where_that_was_ticked(view, chrome, page):
    chrome.execute_script(NOTIFICATIONS)
    page.events.offer(frame(), [attack(now=1000.0, track_id=11, box=(10, 80, 60, 140))], 1000.0)
    until(lambda: shown(chrome)[0] == "4")
    assert chrome.execute_script("return told") == []
    view.press("#alarms [name=message]")
    view.press("#alarms [name=sound]")
    until(lambda: chrome.execute_script("return told") == ["sound"])  # to try it
    chrome.execute_script("told.length = 0")
    page.events.offer(frame(), [sighting(name="Ada", track_id=12, now=2000.0)], 2000.0)
    page.events.offer(frame(), [attack(now=2000.0, track_id=13, box=(10, 80, 60, 140))], 2000.0)
    until(lambda: any("Suspected attack: door" in words for words in chrome.execute_script("return told")))
    assert len([words for words in chrome.execute_script("return told") if words != "sound"]) == 1
    chrome.refresh()
    until(lambda: shown(chrome))
    assert view.find("#alarms [name=sound]").is_selected()  # kept in this browser
    chrome.execute_script("localStorage.clear()")


def test_zones_are_drawn_by_pointer_and_keyboard_as_the_configuration_takes_them(view, chrome):
    assert screenshot.wait_for(chrome, '[data-camera="door"][data-state="live"]', 20)
    view.press("[aria-label='Zones of door']")
    canvas = view.find("#zones canvas")
    until(canvas.is_displayed)
    width, height = canvas.size["width"], canvas.size["height"]
    for x, y in ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75)):
        move = ActionChains(chrome).move_to_element_with_offset(canvas, (x - 0.5) * width, (y - 0.5) * height)
        move.click().perform()
    view.press("#zones [data-use=ignore]")
    for key in (Keys.ENTER, Keys.ARROW_RIGHT, Keys.ENTER, Keys.ARROW_DOWN, Keys.ENTER, Keys.ENTER, Keys.BACKSPACE):
        canvas.send_keys(key)
    zones = yaml.safe_load(view.text("#zones pre"))["zones"]
    assert [one["use"] for one in zones] == ["watch", "ignore"]
    clicked = [value for point in zones[0]["points"] for value in point]
    assert clicked == pytest.approx([0.25, 0.25, 0.75, 0.25, 0.75, 0.75], abs=0.01)
    assert zones[1]["points"] == [[0.5, 0.5], [0.51, 0.5], [0.51, 0.51]]
    assert len(CameraConfig.model_validate({"name": "door", "zones": zones[:1]}).zones) == 1


def test_one_of_several_cameras_is_enlarged_and_a_single_one_cannot_be(view, chrome, page):
    def wide(name):
        return view.find(f'[data-camera="{name}"]').size["width"]

    until(lambda: len(chrome.find_elements(By.CSS_SELECTOR, ".camera")) > 1)
    before = wide("yard")
    button = view.find('[data-camera="yard"] .large')
    view.press('[data-camera="yard"] .large')  # pictures that come now may move it
    until(lambda: wide("yard") > 1.5 * before)
    assert (button.text, button.get_attribute("aria-pressed")) == ("Reduce", "true")
    assert chrome.execute_script("return document.querySelector('.camera.enlarged').dataset.camera") == "yard"
    view.press('[data-camera="yard"] .large')
    until(lambda: wide("yard") == before)
    alone = MovingCameras().start()
    alone.statuses = lambda: [alone.live]
    alone.pictures._statuses = alone.statuses
    with WebPage(alone.pictures, None, port=0) as single:
        chrome.get(single.url)
        assert screenshot.wait_for(chrome, ".camera", 20)
        assert [one.is_displayed() for one in chrome.find_elements(By.CSS_SELECTOR, ".large")] == [False]
        chrome.get("about:blank")
    alone.stop()
