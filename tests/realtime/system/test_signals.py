"""What ends a run in good order, in a process of its own."""

import signal
import subprocess
import sys

import pytest

from realtime.system.signals import ENDING

PROGRAM = """
import signal, sys, threading
from realtime.system.signals import ENDING, terminated_by_signal
for name in ENDING:  # as a terminal starts it, however this test was started: in the background some are ignored
    signal.signal(getattr(signal, name), signal.SIG_DFL)
if "nohup" in sys.argv:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
asked = threading.Event()
with terminated_by_signal() as when_asked:
    when_asked(asked.set)
    print("ready", flush=True)
    asked.wait(1.0 if "nohup" in sys.argv else 20.0)
print("finished", asked.is_set(), flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGPWR"), reason="only Linux has all of them")
@pytest.mark.parametrize(
    ("name", "options", "stopped"),
    [*((name, [], True) for name in ENDING), ("SIGHUP", ["nohup"], False)],
)
def test_a_run_is_finished_when_it_is_told_to_end_also_by_a_terminal_that_is_closed(name, options, stopped):
    run = subprocess.Popen([sys.executable, "-c", PROGRAM, *options], stdout=subprocess.PIPE, text=True)
    with run:
        assert run.stdout.readline() == "ready\n"
        run.send_signal(getattr(signal, name))
        assert run.stdout.readline() == f"finished {stopped}\n"
    assert run.returncode == 0
