"""What a user does on the page in a browser."""

import time

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By


def until(condition, seconds=60.0):
    """Wait for it; what the page has not drawn yet, or replaced just now, has not happened yet."""

    def happened():
        try:
            return condition()
        except (NoSuchElementException, StaleElementReferenceException):
            return False

    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


class View:
    """What a user does on the page."""

    def __init__(self, chrome):
        self.chrome = chrome

    def find(self, selector):
        return self.chrome.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.chrome.execute_script("return document.querySelector(arguments[0])?.textContent ?? ''", selector)

    def press(self, selector):
        """Once it is there: the page draws its lists anew."""
        click = "const found = document.querySelector(arguments[0]); found?.click(); return found !== null"
        until(lambda: self.chrome.execute_script(click, selector))

    def names(self):
        return self.chrome.execute_script(
            "return [...document.querySelectorAll('.person b')].map((b) => b.textContent)"
        )

    def say_who(self, name):
        self.find("#add-person [name=name]").send_keys(name)
        self.press("#add-person [name=consent]")

    def answer(self, name):
        field = self.find("dialog.question input")
        field.clear()
        field.send_keys(name)
        self.press("dialog.question[open] button[value=yes]")

    def add_files(self, name, *files):
        self.say_who(name)
        self.find("#add-person [name=pictures]").send_keys("\n".join(map(str, files)))
        until(lambda: self.chrome.execute_script("return document.querySelectorAll('#sitting-faces img').length"))
        until(lambda: not self.text("#sitting-say").startswith("Looking"))
        self.press("#sitting-add")
        until(lambda: name in self.names())
