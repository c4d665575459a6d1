"""Asks a page as a browser would, over real connections."""

import contextlib
import http.client
import json
from urllib.parse import urlencode

TOKEN = "correct horse battery staple"
EVERYTHING = [
    *("/", "/metrics", "/api/cameras", "/api/live", "/cameras/door.mjpg", "/cameras/door.jpg", "/api/people"),
    *(
        "/api/events",
        "/api/events/1",
        "/api/events/1/frame",
        "/api/events/stream",
        "/api/events/export.csv",
        "/nothing",
    ),
]


def ask(page, path, method="GET", body=None, **headers):
    port = int(page.url.rsplit(":", 1)[1].rstrip("/"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        endless = path.split("?")[0] in ("/api/live", "/api/events/stream") or path.endswith(".mjpg")
        answer.content = b"" if answer.status == 200 and endless else answer.read()
        return answer


def log_in(page, token=TOKEN, **headers):
    form = {"Content_Type": "application/x-www-form-urlencoded", **headers}
    return ask(page, "/login", "POST", urlencode({"token": token}), **form)


def messages(connection):
    """(header, JPEG) pairs from the answer with all pictures, read with an independent parser."""
    answer = connection.opened = getattr(connection, "opened", None) or connection.getresponse()
    assert answer.status == 200
    while True:
        length = int.from_bytes(answer.read(4), "big")
        header = json.loads(answer.read(length))
        yield header, answer.read(header["bytes"])


@contextlib.contextmanager
def connected(page, path):
    connection = http.client.HTTPConnection("127.0.0.1", int(page.url.rsplit(":", 1)[1].rstrip("/")), timeout=5)
    connection.request("GET", path)
    with contextlib.closing(connection):
        yield connection


def told(answer, count=1):
    found = []
    while len(found) < count:
        line = answer.readline()
        if line.startswith(b"data: "):
            event = json.loads(line[6:])
            found.append((event["id"], event["identity"] or event["claimed"]))
    return found
