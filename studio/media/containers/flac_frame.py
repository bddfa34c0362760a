"""Measure how far a FLAC frame reaches, from its contents (RFC 9639, section 9.2). No head gives its length.

The beginning of a good frame always asks for more bytes. So a frame that ends within its file, although its decoder
failed, is damaged and not cut off.
"""

from dataclasses import dataclass

_SIDE = {8: 1, 9: 0, 10: 1}
"""The index of the channel that is a difference, and so one bit wider, by how channels are coded together."""
_ESCAPES = 15, 31
"""The parameter that stands for uncoded samples, by how parameters are coded."""


@dataclass(frozen=True)
class Form:
    """Describes the rest of a frame, as its head states it."""

    head: int
    """Its own bytes."""
    count: int
    """Samples of each channel."""
    channels: int
    bits: int
    """Bits of a sample."""
    sort: int
    """The number of the way in which channels are coded together."""


class Damaged(Exception):
    """A frame states something impossible."""


class _Bits:
    """Reads numbers bit by bit. Raises EOFError after the last one."""

    def __init__(self, data: bytes) -> None:
        self._digits = bin(int.from_bytes(b"\1" + data, "big"))[3:]
        self.at = 0

    def skip(self, count: int) -> None:
        self.at += count
        if self.at > len(self._digits):
            raise EOFError

    def number(self, count: int) -> int:
        self.skip(count)
        return int(self._digits[self.at - count : self.at], 2)

    def zeros(self) -> int:
        """Return how many zeros come before the next one."""
        place = self._digits.find("1", self.at)
        if place < 0:
            raise EOFError
        count = place - self.at
        self.at = place + 1
        return count


def length(data: bytes, form: Form) -> int:
    """Return the bytes of the frame that this data begins with. Raises EOFError if it reaches further, and Damaged."""
    bits = _Bits(data)
    bits.skip(8 * form.head)
    for channel in range(form.channels):
        _channel(bits, form.count, form.bits + (_SIDE.get(form.sort) == channel))
    whole = -(-bits.at // 8) + 2  # its checksum
    if whole > len(data):
        raise EOFError
    return whole


def _channel(bits: _Bits, count: int, wide: int) -> None:
    """Step over the samples of a channel, each so many bits wide."""
    if bits.number(1):
        raise Damaged
    how = bits.number(6)
    if bits.number(1):
        wide -= bits.zeros() + 1
    order = how - 31 if how > 31 else how - 8
    if wide < 1 or order > count or not (how < 2 or 8 <= how <= 12 or how > 31):
        raise Damaged
    if how == 0:  # all are the same
        bits.skip(wide)
    elif how == 1:  # as they are
        bits.skip(wide * count)
    else:
        bits.skip(wide * order)
        if how > 31:
            bits.skip((bits.number(4) + 1) * order + 5)
        _errors(bits, count, order)


def _errors(bits: _Bits, count: int, order: int) -> None:
    """Step over the errors of a prediction from so many samples before."""
    coded = bits.number(2)
    parts = 1 << bits.number(4)
    if coded > 1 or count % parts or count // parts < order:
        raise Damaged
    for part in range(parts):
        each = count // parts - (0 if part else order)
        parameter = bits.number(4 + coded)
        if parameter == _ESCAPES[coded]:
            bits.skip(bits.number(5) * each)
            continue
        for _ in range(each):
            bits.zeros()
            bits.skip(parameter)
