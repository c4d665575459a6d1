import io
import time

import numpy as np
import pytest
from rich.console import Console

from realtime.outputs.seen_so_far import seen_so_far
from realtime.types import Frame

PICTURE = np.zeros((4, 4, 3), np.uint8)


@pytest.mark.parametrize("terminal", [True, False])
def test_who_waits_for_a_file_sees_how_far_it_is_read(terminal: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=80)
    with seen_so_far(console) as show:
        for index in range(3):
            show(Frame("clip", index, PICTURE, time.monotonic(), time.time(), 60.0 + index), PICTURE)
            time.sleep(0.15)
    written = console.file.getvalue()
    assert ("every frame: 3 pictures, second 62.0 of the file" in written) is terminal
    assert terminal or not written.strip()
