"""The page's People view in a real headless Chromium; skipped where there is none."""

import time

import cv2
import numpy as np
import pytest
from made_up_bundle import made_up_bundle
from made_up_page import MovingCameras
from skimage.data import astronaut
from test_gallery_api import MadeUp

from models.errors import BadInput
from realtime.faces.mtcnn_onnx import MtcnnOnnxDetector
from realtime.faces.quality import QualityLimits
from realtime.outputs.web import WebPage
from realtime.people.live_desk import LiveDesk
from realtime.people.people import People
from tools.maintain import screenshot

pytest.importorskip("selenium", reason="selenium is not installed")
from selenium.webdriver.common.by import By


def until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


@pytest.fixture
def chrome():
    try:
        browser = screenshot.open_browser(390, 844)  # a phone's
    except BadInput as missing:
        pytest.skip(str(missing))
    yield browser
    browser.quit()


@pytest.fixture
def page(tmp_path):
    people = People(tmp_path / "people.npz", made_up_bundle(size=112), from_scratch=True)
    network = MadeUp(people.bundle.labels)
    desk = LiveDesk(people, network, lambda: MtcnnOnnxDetector(min_face=40), lambda: None, QualityLimits())
    cameras = MovingCameras().start()
    with WebPage(cameras.pictures, None, port=0, desk=desk) as served:
        yield served
    cameras.stop()


def test_a_person_is_added_renamed_removed_and_brought_back_on_a_phone(chrome, page, tmp_path):
    picture = tmp_path / "eileen.jpg"
    cv2.imwrite(str(picture), np.ascontiguousarray(astronaut()[:300, 100:400, ::-1]))

    def find(selector):
        return chrome.find_element(By.CSS_SELECTOR, selector)

    def names():
        return chrome.execute_script("return [...document.querySelectorAll('.person b')].map((b) => b.textContent)")

    def press(selector):
        chrome.execute_script("arguments[0].click()", find(selector))

    chrome.get(page.url)
    until(lambda: find("#people").is_displayed())
    find("#add-person [name=name]").send_keys("Eileen")
    find("#add-person [name=pictures]").send_keys(str(picture))
    press("#add-person [name=consent]")
    press("#add-person button[type=submit]")
    until(lambda: names() == ["Eileen"])
    assert "1 picture added" in find("#people-said").text
    press("[aria-label='Rename Eileen']")
    field = find("dialog.question input")
    field.clear()
    field.send_keys("Commander")
    press("dialog.question button[value=yes]")
    until(lambda: names() == ["Commander"])
    press("[aria-label='Remove Commander']")
    press("dialog.question button[value=yes]")
    until(lambda: names() == [])
    press("#people-undo")
    until(lambda: names() == ["Commander"])
    assert chrome.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert [entry for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"] == []
