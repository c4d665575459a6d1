import io

from rich.console import Console

from realtime.metrics import Act, Meter
from realtime.outputs.summary import print_summary


def printed(summary, width=120):
    console = Console(file=io.StringIO(), width=width)
    print_summary(summary, console)
    return console.file.getvalue()


def a_run():
    meter = Meter("onnxruntime [CPU]")
    for index in range(26):
        meter.frame_captured(index / 25)
        meter.frame_displayed(index / 25, index / 25)
    meter.stage("detect", 38.4)
    defended = {"SuspectedAttack(Tom)": 3, "Unknown": 1}
    act = Act(name="adversarial glasses", frames=4, undefended={"Known(Tom)": 4}, defended=defended)
    return meter.summary() | {"acts": [act]}


def test_the_summary_shows_what_ran_and_how_fast():
    text = printed(a_run())
    assert "onnxruntime [CPU]" in text
    assert "26 (25.0 per second)" in text
    assert "38" in text


def test_each_act_shows_its_verdicts_with_and_without_the_defence():
    text = printed(a_run())
    assert "adversarial glasses" in text
    assert "Known(Tom)  4 (100 %)" in text
    assert "SuspectedAttack(Tom)  3 (75 %)" in text
    assert "Unknown  1 (25 %)" in text


def test_a_run_without_faces_or_acts_is_printed_without_an_act_table():
    text = printed(Meter().summary())
    assert "Acts" not in text
    assert "none" in text


def test_the_summary_fits_a_terminal_of_80_columns():
    assert max(map(len, printed(a_run(), width=80).splitlines())) <= 80
