"""From a face that nobody knows to an alarm that is explained, as a user goes through it: a real run, a real browser.

Two cameras are films: at the door somebody stands, in the yard the same person wears glasses made for this network.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import cv2
import numpy as np
import pytest
from browsing import View, until
from PIL import Image
from skimage.data import astronaut

from models import load_recogniser
from models.crop.wearables import innocent
from models.gallery.gallery import Person, unit
from models.gallery.store import GalleryStore
from realtime.faces.mtcnn_onnx import MtcnnOnnxDetector
from realtime.faces.realign import Realigner, cut_face
from realtime.faces.wear import wear
from tools.maintain import screenshot

sys.path.insert(0, str(Path(__file__).parents[2]))
from running import Running

pytest.importorskip("selenium", reason="selenium is not installed")
from selenium.webdriver.common.by import By

pytestmark = pytest.mark.slow

SIDE, FPS, SECONDS = 320, 6, 200
GLASSES = innocent("violet", "wide", 112)


def standing(number: int, *, worn: bool) -> np.ndarray:
    """A picture of the film: the portrait sways a little."""
    portrait = np.ascontiguousarray(astronaut()[:300, 100:400, ::-1])
    if worn:
        landmarks = np.array(((105, 102), (147, 104), (125, 129), (102, 141), (145, 142)), np.float32)
        portrait = wear(portrait, landmarks, GLASSES)
    picture = np.full((SIDE, SIDE, 3), 120, np.uint8)
    x, y = 10 + round(4 * np.sin(number / 5)), 10 + round(3 * np.cos(number / 7))
    picture[y : y + 300, x : x + 300] = portrait
    return picture


def film(path: Path, *, worn: bool) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (SIDE, SIDE))
    loop = [standing(number, worn=worn) for number in range(70)]  # once round of both movements, nearly
    for number in range(FPS * SECONDS):
        writer.write(loop[number % 70])
    writer.release()
    return path


def add_mallory(bundle, file: Path) -> None:
    """Somebody whose whole face is, for this network, that of whoever wears the glasses: as an attacker finds them."""
    recogniser = load_recogniser(bundle.folder, "onnxruntime-cpu")
    detector, realigner, crops = MtcnnOnnxDetector(min_face=40), Realigner(), []
    for number in range(0, 60, 6):
        picture = standing(number, worn=True)
        crops.append(cut_face(picture, detector.detect(picture)[0], recogniser.input_size, realigner))
    embeddings = recogniser.embed(np.stack(crops))
    embeddings[:, 1:] = unit(np.random.default_rng(5).normal(size=embeddings.shape[1:])[1:])
    mallory = Person.of("Mallory", embeddings, [f"{number:032d}" for number in range(len(crops))])
    people = replace(recogniser.gallery, people=(mallory,))
    GalleryStore(file).change(lambda _: people, start=lambda: people)


@pytest.fixture(scope="module")
def run(chrome, tmp_path_factory):
    from small_bundle import make_small_gallery_bundle

    folder = tmp_path_factory.mktemp("flow")
    bundle = make_small_gallery_bundle(folder / "bundle", size=64, temperature=0.0015)
    add_mallory(bundle, folder / "people.npz")
    Image.fromarray(GLASSES).save(folder / "glasses.png")
    films = {name: film(folder / f"{name}.avi", worn=name == "yard") for name in ("door", "yard")}
    people = {"bundle": str(bundle.folder), "gallery": str(folder / "people.npz"), "engine": "onnxruntime-cpu"}
    settings = {
        "cameras": [{"name": name, "source": str(path)} for name, path in films.items()],
        "recognition": people,
        "defence": {"zones": ["eyewear"]},
        "events": {"folder": str(folder / "events"), "min_free_gigabytes": 0},
        "web": {"enabled": True, "port": 0},
    }
    (folder / "run.yaml").write_text(json.dumps(settings))
    with Running("run", "--headless", "--config", folder / "run.yaml", cwd=folder) as running:
        running.folder = folder
        chrome.get(running.page())
        yield running


def events(run) -> list[dict[str, object]]:
    with urlopen(f"{run.page()}/api/events") as answer:
        return json.load(answer)["events"]


def test_enrol_appear_wear_alarm_explain_rename_undo_remove(chrome, run):
    view = View(chrome)
    # Somebody in the yard passes for Mallory: the alarm, explained.
    assert screenshot.wait_for(chrome, '.event[data-kind="suspected_attack"]', 30)
    assert "Passes for Mallory" in view.text('.event[data-kind="suspected_attack"]')
    # At the door nobody is known; the camera itself is looked through.
    chrome.execute_script("document.querySelector('#from-which').value = 'door'")
    view.say_who("Eileen")
    view.press("#from-camera")
    until(lambda: chrome.execute_script("return document.querySelectorAll('#sitting-faces img').length") == 2)
    view.press("#sitting-add")
    until(lambda: view.names() == ["Mallory", "Eileen"])
    # The running pipeline knows her.
    assert screenshot.wait_for(chrome, '.event[data-kind="known"]', 30)
    assert "Eileen appeared" in view.text('.event[data-kind="known"]')
    # She wears the glasses: undefended she is Mallory, and nothing of it is an event.
    before = len(events(run))
    view.press("[aria-label='Try the attack at door']")
    view.find("dialog.question input[type=file]").send_keys(str(run.folder / "glasses.png"))
    view.press("dialog.question[open] button[value=yes]")
    until(lambda: "Known: Mallory" in view.text('[data-camera="door"] .without'))
    until(lambda: "Suspected attack, claims Mallory" in view.text('[data-camera="door"] .with'))
    view.press("[aria-label='End the drill at door']")
    until(lambda: not view.find('[data-camera="door"] .drill').is_displayed())
    assert [one for one in events(run)[: len(events(run)) - before] if one["camera"] == "door"] == []
    # Why there was an alarm.
    view.press('.event[data-kind="suspected_attack"] [data-action="detail"]')
    until(lambda: view.find("#detail").is_displayed())
    until(lambda: "Mallory" in view.text("#detail .why"))
    assert screenshot.wait_for(chrome, "#detail[open] .explained", 60)
    chrome.execute_script("document.querySelector('#detail').close()")
    # Rename, undo, remove.
    view.press("[aria-label='Rename Eileen']")
    view.answer("Commander")
    until(lambda: view.names() == ["Mallory", "Commander"])
    view.press("#people-undo")
    until(lambda: view.names() == ["Mallory", "Eileen"])
    view.press("[aria-label='Remove Eileen']")
    view.press("dialog.question[open] button[value=yes]")
    until(lambda: view.names() == ["Mallory"])
    severe = [one["message"] for one in chrome.get_log("browser") if one["level"] == "SEVERE"]
    assert severe == []
    assert chrome.find_elements(By.CSS_SELECTOR, "dialog[open]") == []
