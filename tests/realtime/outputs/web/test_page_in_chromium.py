"""The page in a real headless Chromium; skipped where there is none (apt-get install chromium chromium-driver)."""

import time

import cv2
import pytest
from asking_page import TOKEN
from made_up_page import MovingCameras
from sightings import attack, frame, quickly, sighting
from typer.testing import CliRunner

from models.errors import BadInput
from realtime.outputs.events.log import EventLog
from realtime.outputs.events.types import EventSettings
from realtime.outputs.web import WebPage
from tools.maintain import screenshot

selenium = pytest.importorskip("selenium", reason="selenium is not installed")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402


@pytest.fixture
def serve(chrome, tmp_path):
    """Starts one page with cameras and an empty event log."""
    stops = []

    def started(**options):
        cameras = MovingCameras().start()
        log = EventLog(tmp_path / "events", EventSettings(min_free_bytes=0))
        page = WebPage(cameras.pictures, log, port=0, **options)
        page.start()
        page.cameras = cameras
        stops.extend([page.stop, log.close, cameras.stop])
        return page

    chrome.get_log("browser")
    yield started
    chrome.get("about:blank")
    for stop in stops:
        stop()


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def one(chrome, selector):
    return chrome.find_element(By.CSS_SELECTOR, selector)


def complaints(chrome):
    return [entry["message"] for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"]


def brightest_column(chrome):
    """Where the orange box of the made-up camera stands, read from the pixels that Chromium shows."""
    return chrome.execute_script(
        """const canvas = document.querySelector('[data-camera="door"] canvas');
        const row = canvas.getContext("2d").getImageData(0, canvas.height / 2, canvas.width, 1).data;
        for (let x = 0; x < canvas.width; x++) if (row[4 * x] > 180) return x;
        return -1;"""
    )


def test_the_page_opens_without_complaint_and_its_pictures_move(chrome, serve):
    chrome.get(serve().url)
    assert screenshot.wait_for(chrome, '[data-camera="door"][data-state="live"]', 30)
    seen = set()
    until(lambda: seen.add(brightest_column(chrome)) or len(seen - {-1}) >= 4)
    assert one(chrome, '[data-camera="door"] .age').text.endswith("s old")
    assert "20.0 fps" in one(chrome, '[data-camera="door"] .rate').text
    assert one(chrome, '[data-camera="yard"] .state').text.strip() == "Refused"
    assert "the password is wrong" in one(chrome, '[data-camera="yard"] .veil').text
    assert complaints(chrome) == []


def test_an_attack_appears_with_its_four_pictures_and_is_acknowledged(chrome, serve):
    page = serve()
    chrome.get(page.url)
    assert screenshot.wait_for(chrome, '[data-camera="door"][data-state="live"]', 30)
    assert chrome.find_elements(By.CSS_SELECTOR, ".event") == []
    page.events.offer(frame(), [attack()], 0.0)
    assert screenshot.wait_for(chrome, '.event[data-kind="suspected_attack"]', 5)
    card = one(chrome, ".event")
    assert "Passes for Ada, is likely Bob" in card.text
    assert [caption.text for caption in card.find_elements(By.TAG_NAME, "figcaption")] == [
        *("Before", "Saliency", "Mask", "After")
    ]
    sizes = [picture.get_property("naturalWidth") for picture in card.find_elements(By.TAG_NAME, "img")]
    assert sizes == [32] * 4
    assert "Suspected attack" in one(chrome, "#announcer").get_property("textContent")
    one(chrome, '[data-action="acknowledge"]').click()
    until(lambda: page.events.get(1).acknowledged_at is not None)
    assert screenshot.wait_for(chrome, '.event[data-acknowledged="true"]', 5)
    assert complaints(chrome) == []


def test_a_name_that_is_likely_all_the_same_is_told_with_the_view_that_denies_it(chrome, serve):
    page = serve()
    chrome.get(page.url)
    page.events.offer(frame(), [attack(likely="Ada", dissent="lower_face")], 0.0)
    assert screenshot.wait_for(chrome, '.event[data-kind="suspected_attack"]', 30)
    card = one(chrome, ".event").text.replace("\u00a0", " ")
    assert "Passes for Ada, but the view without the lower face disagrees" in card
    assert "Ada 90 % before, not borne out after" in card


def test_details_and_history_work_from_the_keyboard(chrome, serve):
    page = serve()
    page.events.offer(frame(), [attack()], 0.0)
    page.events.offer(frame(), [sighting(name="Cyd", track_id=2)], 0.0)
    chrome.get(page.url)
    assert screenshot.wait_for(chrome, '[data-id="1"]', 30)
    detail = one(chrome, '[data-id="1"] [data-action="detail"]')
    detail.send_keys(Keys.ENTER)
    assert screenshot.wait_for(chrome, "dialog[open] .bars", 5)
    titles = [head.text for head in chrome.find_elements(By.CSS_SELECTOR, "dialog .bars thead th")]
    assert titles == ["Name", "Before", "Without eyewear", "After the mask"]
    first = one(chrome, "dialog .bars tbody tr").text.replace("\u00a0", " ").split("\n")
    assert first == ["Ada", "90.0 %", "25.0 %", "10.0 %"]
    one(chrome, "dialog").send_keys(Keys.ESCAPE)
    until(lambda: not chrome.find_elements(By.CSS_SELECTOR, "dialog[open]"))
    assert chrome.switch_to.active_element == detail
    one(chrome, '[data-id="1"] [data-action="history"]').send_keys(Keys.ENTER)
    until(lambda: [card.get_attribute("data-id") for card in chrome.find_elements(By.CSS_SELECTOR, ".event")] == ["1"])
    until(lambda: "History of Ada" in one(chrome, "#history").text)


def test_the_details_say_so_where_nobody_looked_at_the_saliency(chrome, serve):
    page = serve()
    page.events.offer(frame(), [quickly(sighting(name="Cyd"))], 0.0)
    chrome.get(page.url)
    assert screenshot.wait_for(chrome, '[data-id="1"]', 30)
    one(chrome, '[data-id="1"] [data-action="detail"]').click()
    assert screenshot.wait_for(chrome, "dialog[open] .bars", 5)
    assert "Saliency and mask were not looked at." in one(chrome, "dialog").text
    assert [caption.text for caption in chrome.find_elements(By.CSS_SELECTOR, "dialog figcaption")] == ["Before"]
    titles = [head.text for head in chrome.find_elements(By.CSS_SELECTOR, "dialog .bars thead th")]
    assert titles == ["Name", "Before", "Without eyewear"]
    assert complaints(chrome) == []


def test_every_control_that_is_reached_by_tab_shows_the_focus(chrome, serve):
    page = serve()
    page.events.offer(frame(), [attack()], 0.0)
    chrome.get(page.url)
    assert screenshot.wait_for(chrome, ".event", 10)
    reached = []
    for _ in range(12):
        one(chrome, "body").send_keys(Keys.TAB) if not reached else chrome.switch_to.active_element.send_keys(Keys.TAB)
        focused = chrome.switch_to.active_element
        if focused.tag_name == "body":
            break
        assert focused.value_of_css_property("outline-style") == "solid", focused.get_attribute("outerHTML")
        reached.append(focused.text or focused.get_attribute("aria-label"))
    assert any("Acknowledge" in text for text in reached)


def test_when_the_server_goes_the_page_says_so(chrome, serve):
    page = serve()
    chrome.get(page.url)
    assert screenshot.wait_for(chrome, '[data-camera="door"][data-state="live"]', 30)
    page.stop()
    assert screenshot.wait_for(chrome, '#connection[data-state="lost"]', 5)
    assert screenshot.wait_for(chrome, '[data-camera="door"][data-state="stale"]', 5)
    until(lambda: "lost its connection" in one(chrome, '[data-camera="door"] .veil').text)


def test_a_wrong_token_gets_nothing_and_the_right_one_everything(chrome, serve):
    page = serve(token=TOKEN)
    page.events.offer(frame(), [attack()], 0.0)
    chrome.get(page.url)
    assert chrome.current_url.endswith("/login")
    screenshot.log_in(chrome, "a wrong token of some length")
    assert screenshot.wait_for(chrome, "[role=alert]", 10)
    assert "That is not the token" in one(chrome, "[role=alert]").text
    chrome.get(f"{page.url}api/events")
    assert "Ada" not in chrome.page_source
    chrome.get(page.url)
    assert "door" not in chrome.page_source
    screenshot.log_in(chrome, TOKEN)
    assert screenshot.wait_for(chrome, '.event[data-kind="suspected_attack"]', 30)
    assert "spectaclear" not in chrome.execute_script("return document.cookie")
    one(chrome, "#logout button").click()
    until(lambda: chrome.current_url.endswith("/login"))


def test_on_a_phone_nothing_is_wider_than_the_screen(chrome, serve):
    page = serve()
    page.events.offer(frame(), [attack(claimed="A person with an uncommonly long name", likely=None)], 0.0)
    small = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", small)
    try:
        chrome.get(page.url)
        assert screenshot.wait_for(chrome, ".event", 10)
        assert chrome.execute_script("return document.documentElement.scrollWidth") <= 360
        heights = [button.size["height"] for button in chrome.find_elements(By.CSS_SELECTOR, ".event button")]
        assert min(heights) >= 44
    finally:
        chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_tool_takes_a_screenshot_of_a_running_page(chrome, serve, tmp_path):
    page = serve(token=TOKEN)
    page.events.offer(frame(), [attack()], 0.0)
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    out, options = tmp_path / "page.png", ["--width", "800", "--height", "600", "--theme", "dark", "--seconds", "20"]
    given = ["--out", str(out), "--url", page.url, "--token-file", str(tmp_path / "token"), *options]
    result = CliRunner().invoke(screenshot.app, given)
    assert result.exit_code == 0, result.output
    picture = cv2.imread(str(out))
    assert picture.shape == (600, 800, 3)
    assert picture.mean() < 90  # dark


def test_a_token_for_a_page_that_asks_for_none_is_one_clear_line(chrome, serve, tmp_path):
    page = serve()
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    given = ["--out", str(tmp_path / "page.png"), "--url", page.url, "--token-file", str(tmp_path / "token")]
    result = CliRunner().invoke(screenshot.app, given)
    assert isinstance(result.exception, BadInput)
    assert "asks for no token" in str(result.exception)
