"""The evaluation's HTML page in a real headless Chromium, also on a phone; skipped where there is none."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from accessibility import violations

from tools.evaluation.page import Example, html_page
from tools.evaluation.table import Table

pytest.importorskip("selenium", reason="selenium is not installed")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page as ``tools.evaluate`` writes it: tables wider than a phone, a curve, pictures; its address."""
    folder = tmp_path_factory.mktemp("evaluation")
    cv2.imwrite(str(folder / "success_against_steps.png"), np.full((120, 300, 3), 200, np.uint8))
    face = np.full((112, 112, 3), 120, np.uint8)
    example = Example("Ada as Bob's <friend>, 300 steps", face, face, face, face, face, "Known(Bob) 0.97", "Unknown")
    columns = ["attack", *(f"defence number {number}" for number in range(8))]
    rows = [[f"attack {number}", *["12 of 24: 50.0 % (31-69)"] * 8] for number in range(3)]
    tables = [Table(title, "What is counted.", columns, rows) for title in ("Attack success", 'Strangers\' "names"')]
    facts = {"bundle": "small", "command": "python -m tools.evaluate crops/"}
    curves = [folder / "success_against_steps.png"]
    (folder / "evaluation.html").write_text(html_page("Evaluation", facts, tables, curves, [example], "zones"))
    return Path(folder / "evaluation.html").as_uri()


@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_breaks_no_rule_and_is_no_wider_than_the_screen(chrome, page, width):
    metrics = {"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": width < 500}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    chrome.get(page)
    assert len(chrome.find_elements("css selector", "table")) == 3
    assert violations(chrome) == []
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
