"""Measure the length of a FLAC frame by reading through its contents (RFC 9639, section 9.2). No header states it.

The beginning of a good frame always asks for more bytes. So a frame that ends within its file, although its decoder
failed, is damaged and not cut off.
"""

from dataclasses import dataclass

_WIDER_CHANNEL = {8: 1, 9: 0, 10: 1}
"""The channel that holds the difference of two channels, and so has one more bit, by their coupling."""
_ESCAPES = 15, 31
"""The Rice parameters that mark an uncoded partition, for parameters of 4 and of 5 bits."""


@dataclass(frozen=True)
class FrameHeader:
    """Holds what the header of a frame states about the rest of it."""

    header_bytes: int
    """The length of the header itself in bytes."""
    samples: int
    """The number of samples in each channel."""
    channels: int
    """The number of channels."""
    bits: int
    """The number of bits in a sample."""
    coupling: int
    """How channels are coded together: 8 left and side, 9 side and right, 10 middle and side; others separately."""


class DamagedFrame(Exception):
    """Reports a frame that states something impossible."""


class _BitReader:
    """Reads numbers bit by bit. Raises EOFError after the last bit."""

    def __init__(self, data: bytes) -> None:
        self._digits = bin(int.from_bytes(b"\1" + data, "big"))[3:]
        self.at = 0
        """The number of bits that were read."""

    def skip(self, count: int) -> None:
        """Skip so many bits."""
        self.at += count
        if self.at > len(self._digits):
            raise EOFError

    def read_number(self, count: int) -> int:
        """Return the number in the next so many bits."""
        self.skip(count)
        return int(self._digits[self.at - count : self.at], 2)

    def count_zeros(self) -> int:
        """Return the number of zeros before the next one, and skip them and the one."""
        place = self._digits.find("1", self.at)
        if place < 0:
            raise EOFError
        count = place - self.at
        self.at = place + 1
        return count


def frame_length(data: bytes, header: FrameHeader) -> int:
    """Return the length in bytes of the frame with which the data begin.

    Raises EOFError if the frame is longer than the data, and DamagedFrame if it states something impossible.
    """
    bits = _BitReader(data)
    bits.skip(8 * header.header_bytes)
    for channel in range(header.channels):
        _skip_channel(bits, header.samples, header.bits + (_WIDER_CHANNEL.get(header.coupling) == channel))
    whole = -(-bits.at // 8) + 2  # with the checksum
    if whole > len(data):
        raise EOFError
    return whole


def _skip_channel(bits: _BitReader, samples: int, sample_bits: int) -> None:
    """Skip the subframe of one channel."""
    if bits.read_number(1):
        raise DamagedFrame
    form = bits.read_number(6)
    if bits.read_number(1):
        sample_bits -= bits.count_zeros() + 1
    order = form - 31 if form > 31 else form - 8
    if sample_bits < 1 or order > samples or not (form < 2 or 8 <= form <= 12 or form > 31):
        raise DamagedFrame
    if form == 0:  # all samples are the same
        bits.skip(sample_bits)
    elif form == 1:  # samples are stored as they are
        bits.skip(sample_bits * samples)
    else:
        bits.skip(sample_bits * order)
        if form > 31:
            bits.skip((bits.read_number(4) + 1) * order + 5)
        _skip_residual(bits, samples, order)


def _skip_residual(bits: _BitReader, samples: int, order: int) -> None:
    """Skip the coded differences between the samples and a prediction of the given order."""
    method = bits.read_number(2)
    partitions = 1 << bits.read_number(4)
    if method > 1 or samples % partitions or samples // partitions < order:
        raise DamagedFrame
    for partition in range(partitions):
        count = samples // partitions - (0 if partition else order)
        parameter = bits.read_number(4 + method)
        if parameter == _ESCAPES[method]:
            bits.skip(bits.read_number(5) * count)
            continue
        for _ in range(count):
            bits.count_zeros()
            bits.skip(parameter)
