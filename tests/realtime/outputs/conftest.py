import pytest

from realtime.outputs.events.log import EventLog
from realtime.outputs.events.types import EventSettings

ROOMY = {"min_free_bytes": 0, "settle": 0.0, "same_name_settle": 0.0}


@pytest.fixture
def open_log(tmp_path):
    """Opens event logs in a temporary folder and closes them."""
    logs = []

    def opened(folder="events", deliver_to=(), tell_ends=(), explain=None, find_faces=None, **settings):
        log = EventLog(
            tmp_path / folder,
            EventSettings(**{**ROOMY, **settings}),
            deliver_to=deliver_to,
            tell_ends=tell_ends,
            explain=explain,
            find_faces=find_faces,
        )
        logs.append(log)
        return log

    yield opened
    for log in logs:
        log.close()
