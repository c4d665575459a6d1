"""The page's People view in a real headless Chromium whose webcam is a film; skipped where there is none."""

import threading
import time

import cv2
import numpy as np
import pytest
from browsing import View, until
from made_up_bundle import made_up_bundle
from made_up_desk import MadeUp, MarkedDetector, jpeg, marked
from made_up_page import MovingCameras

from realtime.faces.limits import QualityLimits
from realtime.outputs.web import WebPage
from realtime.people.live_desk import LiveDesk
from realtime.people.people import People
from realtime.types import Frame

pytest.importorskip("selenium", reason="selenium is not installed")
from selenium.webdriver.common.by import By

LOOKS = ("straight", "left", "right", "up")


@pytest.fixture(scope="module")
def chrome(open_chrome, tmp_path_factory):
    """A phone's browser; its webcam looks straight, left, right and up in turn, at 8 pictures a second."""
    film = tmp_path_factory.mktemp("film") / "webcam.mjpeg"
    film.write_bytes(b"".join(jpeg(marked(pose, number)) for number in range(2) for pose in LOOKS for _ in range(16)))
    webcam = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    return open_chrome(390, 844, [*webcam, f"--use-file-for-fake-video-capture={film}"])


class Turning(MovingCameras):
    """``door`` sees somebody who looks about, at random: however slowly one asks, every look comes."""

    def show(self):
        picture = marked(LOOKS[np.random.default_rng(self.shown // 12).integers(4)], self.shown)
        self.pictures.show(Frame("door", self.shown, picture, time.monotonic(), time.time()), picture)
        self.shown += 1


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    people = People(tmp_path_factory.mktemp("people") / "people.npz", made_up_bundle(size=112), from_scratch=True)
    network = MadeUp(people.bundle.labels)
    desk = LiveDesk(people, network, MarkedDetector, lambda: None, QualityLimits())
    cameras = Turning().start()
    with WebPage(cameras.pictures, None, port=0, desk=desk) as served:
        served.people = people
        yield served
    cameras.stop()


@pytest.fixture
def view(chrome, page):
    """The People view of nobody."""
    if page.people.store.path.exists():
        page.people.store.change(lambda found: type(found)((), found.trunk, found.cover, found.views))
    chrome.get(page.url)
    until(lambda: chrome.find_element(By.ID, "people").is_displayed())
    yield View(chrome)
    assert chrome.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert [one["message"] for one in chrome.get_log("browser") if "refused" in one["message"].lower()] == []


@pytest.mark.parametrize("source", ["webcam", "camera"])
def test_a_person_is_led_through_every_look(view, page, source):
    view.press(f"#from-{source}")
    until(lambda: view.text("#sitting-say") == "Give a name first.")
    view.say_who("Ada")
    view.press(f"#from-{source}")
    said = set()
    until(lambda: said.add(view.text("#sitting-say")) or view.text("#sitting-say").startswith("That is enough"), 120)
    assert any("Turn your head" in words or "Look straight" in words or "Lift" in words for words in said)
    assert view.text("#sitting-add") == "Add Ada (5 pictures)"
    assert not page.people.store.path.exists() or page.people.gallery().labels == ()  # nothing is kept before
    view.press("#sitting-add")
    until(lambda: view.names() == ["Ada"])
    assert "5 pictures added" in view.text("#people-said")
    assert page.people.gallery().person("Ada").counts == 5


def test_a_person_is_added_from_files_renamed_removed_and_brought_back(view, page, tmp_path):
    for name, picture in (("eileen.jpg", marked("straight")), ("wall.jpg", marked("nobody"))):
        cv2.imwrite(str(tmp_path / name), picture)
    view.add_files("Eileen", tmp_path / "wall.jpg", tmp_path / "eileen.jpg")
    assert "1 picture added" in view.text("#people-said")
    view.press("[aria-label='Rename Eileen']")
    view.answer("a/b")
    until(lambda: "without slashes" in view.text("#people-said"))
    view.press("[aria-label='Rename Eileen']")
    view.answer("Commander")
    until(lambda: view.names() == ["Commander"])
    view.press("[aria-label='Remove Commander']")
    view.press("dialog.question[open] button[value=yes]")
    until(lambda: view.names() == [])
    view.press("#people-undo")
    until(lambda: view.names() == ["Commander"])
    view.press("[aria-label='Remove Commander']")
    view.press("dialog.question [name=for-good]")
    view.press("dialog.question[open] button[value=yes]")
    until(lambda: view.names() == [])
    assert all(
        page.people.store.__class__(state).read().find("Commander") is None for state in page.people.store.states()
    )


def test_what_is_wrong_with_a_file_is_said_beside_it(view, tmp_path):
    cv2.imwrite(str(tmp_path / "wall.jpg"), marked("nobody"))
    (tmp_path / "half.jpg").write_bytes(jpeg()[:2000])
    view.say_who("Nobody")
    view.find("#add-person [name=pictures]").send_keys(f"{tmp_path / 'wall.jpg'}\n{tmp_path / 'half.jpg'}")
    until(lambda: view.text("#sitting-refused").count(":") >= 2)
    assert "wall.jpg: no face found" in view.text("#sitting-refused")
    assert "half.jpg: cut short" in view.text("#sitting-refused")
    assert view.find("#sitting-add").get_property("disabled")
    view.press("#sitting-end")
    until(lambda: not view.find("#sitting").is_displayed())


def test_the_same_face_under_two_names_is_warned_of_and_merged(view, page, tmp_path):
    cv2.imwrite(str(tmp_path / "one.jpg"), marked("straight", 1))
    cv2.imwrite(str(tmp_path / "two.jpg"), marked("straight", 2))
    view.add_files("Ada", tmp_path / "one.jpg")
    view.add_files("Countess", tmp_path / "one.jpg", tmp_path / "two.jpg")
    until(lambda: "Ada and Countess share" in view.text("#people-warnings"))
    view.press("[aria-label='Merge Ada and Countess']")
    view.press("dialog.question[open] button[value=yes]")
    until(lambda: view.names() == ["Ada"])
    assert page.people.gallery().person("Ada").counts == 2
    view.press("[aria-label='Look at Ada']")
    until(lambda: len(view.chrome.find_elements(By.CSS_SELECTOR, "#person .pictures li")) == 2)
    assert view.find("#person a[download]").get_attribute("href").endswith("/Ada/export")
    view.press("[aria-label='Delete picture 1 of Ada']")
    until(lambda: len(view.chrome.find_elements(By.CSS_SELECTOR, "#person .pictures li")) == 1)
    view.press("[aria-label='Delete picture 1 of Ada']")
    until(lambda: "the only picture" in view.text("#person .wrong"))


def test_somebody_else_s_pictures_are_asked_about_before_they_are_added(view, page, tmp_path):
    cv2.imwrite(str(tmp_path / "one.jpg"), marked("straight", 1))
    view.add_files("Ada", tmp_path / "one.jpg")
    view.say_who("Countess")
    view.find("#add-person [name=pictures]").send_keys(str(tmp_path / "one.jpg"))
    until(lambda: view.text("#sitting-say") != "" and not view.text("#sitting-say").startswith("Looking"))
    until(lambda: not view.find("#sitting-add").get_property("disabled"))
    view.press("#sitting-add")
    until(lambda: "are Ada's already" in view.text("dialog.question p"))
    assert page.people.gallery().labels == ("Ada",)
    view.press("dialog.question[open] button[value=yes]")
    until(lambda: view.names() == ["Ada", "Countess"])


def test_a_connection_that_is_lost_in_the_middle_leaves_nothing_and_is_gone_on_with(view, page):
    view.say_who("Ada")
    view.press("#from-camera")
    until(lambda: view.chrome.execute_script("return document.querySelectorAll('#sitting-faces img').length"))
    condition = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    view.chrome.execute_cdp_cmd("Network.enable", {})
    view.chrome.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": True, **condition})
    until(lambda: "connection is lost" in view.text("#sitting-say"))
    assert not page.people.store.path.exists() or page.people.gallery().labels == ()
    view.chrome.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, **condition})
    until(lambda: view.text("#sitting-say").startswith("That is enough"), 120)
    view.press("#sitting-add")
    until(lambda: view.names() == ["Ada"])


def test_two_changes_at_once_both_count(view, page):
    page.people.add("Ada", [_good(1)], MadeUp(()).embed, consent="yes")
    results = []

    def add(number):
        results.append(page.people.add(f"Person {number}", [_good(number)], MadeUp(()).embed, consent="yes"))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(2, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    view.chrome.refresh()
    until(lambda: sorted(view.names()) == ["Ada", "Person 2", "Person 3", "Person 4", "Person 5"])


def _good(number):
    from realtime.people.judge import GoodFace

    return GoodFace(f"{number}", np.full((112, 112, 3), number * 20, np.uint8), f"{number:032d}", 0.5)
