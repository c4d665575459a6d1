"""Notices that a whole H.264 picture is missing.

FFmpeg fills such a gap in silence: a camera that drops a picture from its full send buffer leaves no sign in the
decoder, and what follows is smeared until the next key frame. The gap shows in the slices' ``frame_num``
(ITU-T H.264, 7.3.2.1.1, 7.3.3 and 7.4.3), which needs a few bits of two headers.
"""

from __future__ import annotations

_HIGH_PROFILES = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
_SLICE, _IDR_SLICE, _SEQUENCE_PARAMETERS = 1, 5, 7
_START = b"\x00\x00\x01"
_HEADER = 64  # bytes that hold all of a header that is read here


def goes_on(unit: bytes) -> bool:
    """Whether an access unit in Annex B form begins in the middle of a picture: with a later slice than the first."""
    at = unit.find(_START)
    while 0 <= at < len(unit) - len(_START) - 1:
        start = at + len(_START)
        if unit[start] & 31 in (_SLICE, _IDR_SLICE):
            return not unit[start + 1] & 0x80  # the first macroblock's number is not 0
        at = unit.find(_START, start)
    return False


class FrameNumbers:
    """Follows ``frame_num`` through the access units of one stream, in decoding order."""

    def __init__(self) -> None:
        self._bits: int | None = None  # of frame_num; None: not known, or gaps are allowed by the stream
        self._last_reference: int | None = None

    def is_gap_before(self, unit: bytes) -> bool:
        """Whether a reference picture is missing between the former access unit and this one.

        ``unit`` is in Annex B form (start codes); any other comes back False, as does all that cannot be read.
        """
        if not unit.startswith((_START, b"\x00" + _START)):
            return False
        try:
            return self._next(unit)
        except (IndexError, ValueError):  # damaged: the decoder will tell
            return False

    def _next(self, unit: bytes) -> bool:
        at = unit.find(_START)
        while at >= 0:
            start = at + len(_START)
            kind, is_reference = unit[start] & 31, bool(unit[start] & 0x60)
            if kind == _SEQUENCE_PARAMETERS:
                self._bits = _frame_number_bits(unit[start + 1 : start + _HEADER])
            elif kind in (_SLICE, _IDR_SLICE):
                return self._slice(unit[start + 1 : start + _HEADER], kind, is_reference)
            at = unit.find(_START, start)
        return False

    def _slice(self, header: bytes, kind: int, is_reference: bool) -> bool:
        if self._bits is None:
            return False
        bits = _Bits(header)
        for _ in range(3):  # first macroblock, slice type, picture parameter set
            bits.exponential_golomb()
        number, last = bits.take(self._bits), self._last_reference
        if is_reference:
            self._last_reference = number
        if kind == _IDR_SLICE or last is None:
            return False
        return number not in (last, (last + 1) % (1 << self._bits))


def _frame_number_bits(parameters: bytes) -> int | None:
    """Length of ``frame_num`` from a sequence parameter set; None where the stream may leave gaps on purpose."""
    bits = _Bits(parameters)
    profile = bits.take(8)
    bits.take(16)
    bits.exponential_golomb()
    if profile in _HIGH_PROFILES:
        chroma = bits.exponential_golomb()
        if chroma == 3 and bits.take(1):
            return None  # separate colour planes: another slice header
        bits.exponential_golomb()
        bits.exponential_golomb()
        bits.take(1)
        if bits.take(1):
            return None  # scaling lists stand in between; no camera is known to send them
    length = bits.exponential_golomb() + 4
    order = bits.exponential_golomb()
    if order == 0:
        bits.exponential_golomb()
    elif order == 1:
        return None
    bits.exponential_golomb()  # number of reference frames
    gaps_allowed = bits.take(1)
    return None if gaps_allowed or length > 16 else length


class _Bits:
    """Reads bits from the left, without the bytes that keep start codes from arising inside."""

    def __init__(self, content: bytes) -> None:
        content = content.replace(b"\x00\x00\x03", b"\x00\x00")
        self._value = int.from_bytes(content, "big")
        self._left = 8 * len(content)

    def take(self, count: int) -> int:
        if count > self._left:
            raise IndexError("no bits left")
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def exponential_golomb(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 31:
                raise ValueError("no number")
        return (1 << zeros) - 1 + self.take(zeros)
