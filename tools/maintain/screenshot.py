"""Takes a picture of the live page with a headless Chromium, as the one in the README.

    python -m realtime demo --headless --web --events events/ &
    python -m tools.maintain.screenshot --out page.png --wait-for suspected_attack

Needs Debian's ``chromium`` and ``chromium-driver`` (or Chrome with its driver) and the extra ``test``.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.errors import BadInput
from realtime.system.command_line import JsonFile, run_app, write_json

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

app = typer.Typer(add_completion=False, help=__doc__, rich_markup_mode=None)


class Theme(StrEnum):
    """How the page looks."""

    light = "light"
    dark = "dark"


def open_browser(width: int, height: int, scale: float = 1.0, more: Sequence[str] = ()) -> Chrome:
    """A headless Chromium whose page is ``width`` x ``height`` CSS pixels. Raises ``BadInput`` without one.

    ``more``: further arguments of its command line.
    """
    try:
        from selenium import webdriver
        from selenium.common.exceptions import WebDriverException
    except ModuleNotFoundError:
        raise BadInput("a screenshot needs selenium; pip install 'spectaclear[test]'") from None
    browser, driver = find_chromium()
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    # --no-sandbox: Chromium refuses to start as root (containers); the only page it opens is our own.
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--hide-scrollbars",
        *more,
    ):
        options.add_argument(argument)
    options.add_argument("--remote-debugging-pipe")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    try:
        chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    except WebDriverException as error:
        raise BadInput(f"Chromium does not start: {error.msg}; check that browser and driver fit together") from None
    metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    return chrome


def find_chromium() -> tuple[str, str]:
    """Paths of browser and driver. Raises ``BadInput`` where one is missing."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        missing = "browser" if browser is None else "driver"
        raise BadInput(f"no Chromium {missing} was found; apt-get install chromium chromium-driver")
    return browser, driver


def log_in(chrome: Chrome, token: str) -> None:
    """Fill the login form in, send it and wait for the page that answers (a click returns before it is there).

    Raises ``BadInput`` where the page asks for no token, or nothing answers within ten seconds.
    """
    from selenium.common.exceptions import NoSuchElementException, TimeoutException
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.expected_conditions import staleness_of
    from selenium.webdriver.support.wait import WebDriverWait

    try:
        chrome.find_element(By.ID, "token").send_keys(token)
        button = chrome.find_element(By.CSS_SELECTOR, "form button")
        button.click()
        WebDriverWait(chrome, 10).until(staleness_of(button))
    except NoSuchElementException:
        raise BadInput(f"{chrome.current_url} asks for no token; leave --token-file away") from None
    except TimeoutException:
        raise BadInput(
            f"{chrome.current_url} does not answer a login within 10 s; is the page still running?"
        ) from None


def wait_for(chrome: Chrome, selector: str, seconds: float) -> bool:
    """Wait until the page has an element that matches, with all pictures in it loaded."""
    script = """const found = document.querySelector(arguments[0]);
        return !!found && [...found.querySelectorAll("img")].every((one) => one.complete && one.naturalWidth > 0)"""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if chrome.execute_script(script, selector):
            return True
        time.sleep(0.1)
    return False


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="The PNG to write")],
    url: Annotated[str, typer.Option(help="Where the page runs")] = "http://127.0.0.1:8080/",
    width: Annotated[int, typer.Option(min=320, max=4096, help="Of the page, in CSS pixels")] = 1440,
    height: Annotated[int, typer.Option(min=320, max=4096)] = 900,
    scale: Annotated[float, typer.Option(min=0.5, max=4, help="Pixels of the picture per CSS pixel")] = 1.0,
    theme: Annotated[Theme, typer.Option()] = Theme.light,
    event: Annotated[str, typer.Option("--wait-for", help="A kind of event to wait for")] = "suspected_attack",
    seconds: Annotated[float, typer.Option(min=1, max=600, help="How long to wait at most")] = 60.0,
    token_file: Annotated[Path | None, typer.Option(help="File with the page's token, where it demands one")] = None,
    json_file: JsonFile = None,
) -> None:
    """Open the page, wait for a moving camera and an event, and save what is seen."""
    chrome = open_browser(width, height, scale)
    try:
        chrome.execute_cdp_cmd("Page.enable", {})
        script = f"localStorage.setItem('theme', '{theme.value}')"
        chrome.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": f"try {{ {script} }} catch {{ }}"})
        _open(chrome, url)
        if token_file is not None:
            log_in(chrome, token_file.read_text().strip())
        if not wait_for(chrome, '.camera[data-state="live"]', seconds):
            raise BadInput(f"{url}: no camera is live after {seconds:.0f} s; start the page first")
        if event and not wait_for(chrome, f'.event[data-kind="{event}"]', seconds):
            raise BadInput(f"{url}: no event of kind {event} within {seconds:.0f} s; try --wait-for ''")
        time.sleep(1.0)  # the fade-in of a new event
        if not chrome.save_screenshot(str(out)):
            raise BadInput(f"cannot write {out}; give a file in a folder that exists")
    finally:
        chrome.quit()
    write_json(json_file, {"out": str(out), "width": width, "height": height, "theme": theme.value})


def _open(chrome: Chrome, url: str) -> None:
    from selenium.common.exceptions import WebDriverException

    try:
        chrome.get(url)
    except WebDriverException:
        raise BadInput(f"{url}: no page answers there; start it first (python -m realtime run ... --web)") from None


if __name__ == "__main__":
    run_app(app)
