"""Reads source strings: what kind it is, where its credentials end, and how it may be shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from models.errors import BadInput
from realtime.system.redact import HIDDEN, redact, remember_secret

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_LOOSE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HOST_PORT = re.compile(r"(?:\[[0-9A-Fa-f:.]+(?:%[\w.~-]+)?\]|[^\s:@/?#\[\]]+)(?::(\d{1,5}))?")
_FULL_HOST = re.compile(
    r"(?:\[|localhost(?![^:])|\d{1,3}(?:\.\d{1,3}){3}(?![^:])|(?:[A-Za-z0-9_-]+\.)+[A-Za-z]{2,}(?![^:]))", re.IGNORECASE
)
_ENCODED_ZONE = re.compile(r"(?<=^\[)([0-9A-Fa-f:.]+)%25(?=[\w.~-]+\])")
_KEPT = "!$&'()*+,;=-._~%"


@dataclass(frozen=True)
class Address:
    """A network source. ``url`` is what is opened (credentials percent-encoded); ``shown`` has none."""

    scheme: str
    url: str
    shown: str

    def __repr__(self) -> str:
        return f"Address({self.shown})"


def scheme_of(source: str) -> str | None:
    """``rtsp`` for ``rtsp://...``, None for a file, a camera number or a name. ``C:/clip.mp4`` has none."""
    match = _SCHEME.match(source)
    return match[1].lower() if match else None


def parse_address(source: str) -> Address:
    """Find the credentials in ``source``, encode what is not encoded, and remember the password for redaction.

    A password may hold ``@ : / ? #`` and ``%`` as they are: of the two readings of ``u:p@ss/w@10.0.0.7/x`` the
    one with the likelier host is taken. ``%41`` counts as encoded already. Raises ``BadInput`` where there is
    no host.
    """
    match = _SCHEME.match(source.strip())
    if match is None:
        raise BadInput(f"{redact(source)!r} is not an address; give one like rtsp://host:554/stream")
    scheme, rest = match[1].lower(), match[2]
    if re.search(r"[\x00-\x20\x7f]", rest):
        host = redact(re.split(r"[\x00-\x20\x7f]", rest.rpartition("@")[2])[0])  # no net catches a secret with a space
        where = f"{scheme}://{HIDDEN + '@' if '@' in rest else ''}{host}"
        raise BadInput(f"the address {where!r} holds a space or a control character; percent-encode it (%20)")
    user_info, rest = _split_user_info(rest)
    rest = _ENCODED_ZONE.sub(r"\1%", rest)  # RFC 6874; libav takes the zone as it is
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    found = _HOST_PORT.fullmatch(host)
    if found is None or (found[1] and not 0 < int(found[1]) < 65536) or _misleads(host):
        where = redact(f"{scheme}://{HIDDEN + '@' if user_info else ''}{rest}")
        cut = "" if "@" in rest or user_info else " (was it cut at a '#' or a space? put it in quotes)"
        raise BadInput(f"the address {where} names no host; give one like {scheme}://host:port/path{cut}")
    if not user_info:
        url = f"{scheme}://{rest}"
        return Address(scheme, url, redact(url))
    user, colon, password = user_info.partition(":")
    if password:
        remember_secret(password)
    url = f"{scheme}://{_encoded(user)}{colon}{_encoded(password)}@{rest}"
    return Address(scheme, url, redact(f"{scheme}://{HIDDEN}@{rest}"))


def _misleads(host: str) -> bool:
    """Whether the host holds a character that others read as ``/ ? # @ :`` (U+2100 for ``a/c``)."""
    try:
        urlsplit(f"rtsp://{host}")
    except ValueError:
        return True
    return False


def _split_user_info(rest: str) -> tuple[str, str]:
    """(user info, host and what follows). The standard reading, unless another ``@`` has a likelier host."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    standard = authority.rfind("@")
    last = rest.rfind("@")
    end = last if _likeness(rest[last + 1 :]) > _likeness(rest[standard + 1 :]) else standard
    return (rest[:end], rest[end + 1 :]) if end >= 0 else ("", rest)


def _likeness(address: str) -> int:
    """How much ``address`` begins like a host: 0 not at all, 1 a word, 2 with a port, 3 a full name or number."""
    host = re.split(r"[/?#]", address, maxsplit=1)[0]
    found = _HOST_PORT.fullmatch(host)
    if found is None:
        return 0
    if _FULL_HOST.match(host):
        return 3
    return 2 if found[1] else 1


def _encoded(text: str) -> str:
    return quote(_LOOSE_PERCENT.sub("%25", text), safe=_KEPT)
