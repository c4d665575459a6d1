"""A person's name: what may be one, and when two of them are the same."""

from __future__ import annotations

import unicodedata

from models.errors import BadInput

LONGEST = 100
#: Turn the reading direction: a name with them could look like another one.
_TURNING = frozenset(map(chr, [0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]))


def checked_name(name: str) -> str:
    """The name in Unicode's composed form (NFC), runs of blanks made one.

    Raises:
        BadInput: it is empty, too long, or holds a slash, a control character or one that turns the direction.
    """
    found = unicodedata.normalize("NFC", " ".join(name.split(" "))).strip()
    if not found:
        raise BadInput("a person's name is empty; give one")
    if len(found) > LONGEST:
        raise BadInput(f"the name {found[:20]!r}... has {len(found)} characters; give at most {LONGEST}")
    for character in found:
        if character in "/\\":
            raise BadInput(f"the name {found!r} holds {character!r}; give one without slashes")
        if unicodedata.category(character) in ("Cc", "Cs", "Cn", "Zl", "Zp") or character in _TURNING:
            raise BadInput(f"the name {found!r} holds a control character; give one without")
    if found.startswith("."):
        raise BadInput(f"the name {found!r} begins with a dot; give one that does not")
    return " ".join(found.split())


def key_of(name: str) -> str:
    """What two spellings of one name share: composed, blanks made one, case folded."""
    composed = unicodedata.normalize("NFC", " ".join(name.split()))
    return unicodedata.normalize("NFC", composed.casefold())
