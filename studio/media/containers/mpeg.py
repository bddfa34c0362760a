"""Find MP3 sounds and those of older MPEG layers: rows of frames without a total length.

Between and after frames there may be tags, another file that was joined, or damage.
"""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from studio.media.containers.spliced_file import ByteRange, SplicedFile, add_range, file_size, read_bytes_at
from studio.media.containers.streams import BROKEN, CUT, AudioStream

_KBIT = {  # of MPEG 1 by layer, and of MPEG 2 by layer
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_FRAME_START_BYTES = 200
"""Bytes of a frame that are looked at: a table of contents begins after 40 and has 120."""
_BLOCK = 65_536
_MIN_FRAMES = 3
"""Frames that must follow each other, so that random bytes do not count as a frame."""


class MpegFrame(NamedTuple):
    """Describes a frame: what all frames of a sound share, and its length in bytes."""

    sort: tuple[int, int, int, bool]
    """Version, layer, rate in Hz, and whether it has one channel."""
    length: int
    samples: int


class _FrameRow(NamedTuple):
    """States where the frames of a sound lie."""

    ranges: list[tuple[int, int]]
    stop: int
    """The place where the sound ends."""
    reach: int
    """The place where the search for its frames ended."""
    frames: int
    broken: bool
    """True if other bytes lie between its frames."""
    cut: bool
    """True if its last frame is cut off."""


def parse_frame(head: bytes) -> MpegFrame | None:
    """Return the frame that begins with these four bytes, or None."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version = head[1] >> 3 & 3
    layer = 4 - (head[1] >> 1 & 3)
    number = head[2] >> 4
    which = head[2] >> 2 & 3
    padding = head[2] >> 1 & 1
    if version == 1 or layer == 4 or which == 3 or not 1 <= number <= 14:
        return None
    rate = _RATES[version][which]
    old = 1 if version == 3 else 2
    bits = 1000 * _KBIT[old, layer][number - 1]
    if layer == 1:
        samples = 384
        length = 4 * (12 * bits // rate + padding)
    else:
        samples = 576 if old == 2 and layer == 3 else 1152
        length = samples // 8 * bits // rate + padding
    return MpegFrame((version, layer, rate, head[3] >> 6 == 3), length, samples)


def find_first_frame(file: BinaryIO, start: int, stop: int) -> int:
    """Return where several frames in a row begin between two places, or -1."""
    at = start
    while at < stop:
        block = read_bytes_at(file, at, min(_BLOCK, stop - at) + 3)
        place = block.find(b"\xff")
        while 0 <= place < min(_BLOCK, stop - at):
            if parse_frame(block[place : place + 4]) is not None and _frames_follow(file, at + place):
                return at + place
            place = block.find(b"\xff", place + 1)
        at += _BLOCK
    return -1


def _frames_follow(file: BinaryIO, at: int) -> bool:
    """Return whether frames of one sort follow each other from a place on."""
    sort = None
    for number in range(_MIN_FRAMES):
        head = read_bytes_at(file, at, 4)
        found = parse_frame(head)
        if found is None or found.sort != (sort or found.sort):
            ends = not head and (number > 1 or read_bytes_at(file, at - 1, 1) != b"")
            return number > 0 and (ends or id3_length(read_bytes_at(file, at, 32)) > 0)
        sort = found.sort
        at += found.length
    return True


def id3_length(head: bytes) -> int:
    """Return the length of the tag that begins with these bytes, or 0."""
    if head.startswith(b"ID3") and len(head) >= 10 and max(head[6:10]) < 128:
        length = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        return 10 + length + (10 if head[5] & 16 else 0)
    if head.startswith(b"TAG"):
        return 128
    if head.startswith(b"APETAGEX") and len(head) >= 24:
        whole = int.from_bytes(head[12:16], "little")
        return whole + (32 if head[23] & 0xA0 == 0xA0 else 0)
    return 0


def find_mpeg(file: BinaryIO, begin: int) -> Iterator[AudioStream]:
    """Yield the sounds from a frame on. Each table of contents begins a new one."""
    size = file_size(file)
    at = begin
    while 0 <= at < size:
        made = _stream_at(file, at, size)
        yield made
        at = find_first_frame(file, max(made.stop, at + 1), size)


def _stream_at(file: BinaryIO, begin: int, size: int) -> AudioStream:
    """Return the sound whose first frame begins at this place."""
    head = read_bytes_at(file, begin, _FRAME_START_BYTES)
    known = parse_frame(head)
    assert known is not None
    table = _table_offset(head, known)
    row = _follow_frames(file, begin, size, known)
    length = sum(last - start for start, last in row.ranges)
    missing = "" if row.broken else _missing_frames(file, begin, table, row.frames, length, row.reach - begin)
    notes = [BROKEN] if row.broken or missing == BROKEN else []
    if missing == CUT or (row.cut and missing != BROKEN):
        notes.append(CUT)
    seconds = row.frames * known.samples / known.sort[2]
    pieces = SplicedFile(file, _add_table(file, row.ranges, known, table, row.frames))
    return AudioStream(pieces, row.stop, tuple(notes), seconds)


def _follow_frames(file: BinaryIO, begin: int, size: int, known: MpegFrame) -> _FrameRow:
    """Return the frames of the sound that begins at a place with `known`."""
    ranges: list[tuple[int, int]] = []
    at = begin
    reach = 0
    count = 0
    broken = False
    cut = False
    while at < size:
        head = read_bytes_at(file, at, _FRAME_START_BYTES)
        found = parse_frame(head)
        if found is not None and found.sort == known.sort:
            if count and _table_offset(head, found):  # another sound
                break
            if at + found.length > size:
                cut = True
                at = size
                break
            add_range(ranges, at, at + found.length)
            count += 1
            at += found.length
        elif length := id3_length(head):
            at += length
        elif found is not None and _frames_follow(file, at):  # another sound, without a table
            break
        else:
            place = find_first_frame(file, at + 1, size)
            if place < 0:
                reach = size
                break
            again = parse_frame(read_bytes_at(file, place, 4))
            broken |= again is not None and again.sort == known.sort
            at = place
    return _FrameRow(ranges, min(at, size), max(at, reach), count, broken, cut)


def _table_offset(head: bytes, found: MpegFrame) -> int:
    """Return where the table of contents begins in a frame, or 0.

    A frame with a table holds no sound.
    """
    if found.sort[1] != 3:
        return 0
    side = _side_info_bytes(found)
    for place in (4 + side, 6 + side):  # without a checksum, and with one
        if head[place : place + 4] in (b"Xing", b"Info"):
            return place
    return 36 if head[36:40] == b"VBRI" else 0


def _side_info_bytes(found: MpegFrame) -> int:
    """Return the bytes between the head and the contents of a layer 3 frame."""
    version, _, _, mono = found.sort
    if version == 3:
        return 17 if mono else 32
    return 9 if mono else 17


def _missing_frames(file: BinaryIO, begin: int, table: int, frames: int, length: int, reach: int) -> str:
    """Return what is wrong if a table counts more frames and bytes than there are.

    reach: bytes that the file holds from the first frame on, with those that are not frames
    """
    head = read_bytes_at(file, begin + table, 18)
    if not table or len(head) < 18:
        return ""
    size = count = None
    if head[:4] == b"VBRI":
        size = int.from_bytes(head[10:14], "big")
        count = int.from_bytes(head[14:18], "big")
    else:
        at = 8
        if head[7] & 1:
            count = int.from_bytes(head[at : at + 4], "big")
            at += 4
        if head[7] & 2:
            size = int.from_bytes(head[at : at + 4], "big")
    if size is not None and count is not None:
        frames -= 1  # encoders count the table's own frame in neither, or in bytes alone
    claims = [(claim, there) for claim, there in ((size, length), (count, frames)) if claim is not None]
    if not claims or not all(there < claim < 2**31 - 1 for claim, there in claims):
        return ""
    return BROKEN if size is not None and reach >= size else CUT


def _add_table(
    file: BinaryIO, ranges: list[tuple[int, int]], known: MpegFrame, table: int, count: int
) -> list[ByteRange]:
    """Return the pieces of a sound with a correct table of contents in front.

    Without a table, decoders guess the length from the first frames, and stop there.
    """
    if known.sort[1] != 3 or not ranges:
        return list(ranges)
    begin, stop = ranges[0]
    head = bytearray(read_bytes_at(file, begin, table + 16))
    if table and head[table : table + 4] != b"VBRI":
        count -= 1
        begin += len(head)
    else:
        begin += known.length if table else 0
        count -= 1 if table else 0
        # A frame of 9 in the list of bit rates, silent, without a checksum, has room for a table.
        head = bytearray(4 + _side_info_bytes(known)) + b"Xing\0\0\0\3" + bytes(8)
        second = read_bytes_at(file, ranges[0][0], 2)[1]
        mono = known.sort[3]
        head[:4] = (0xFF, second | 1, 0x90 | _rate_index(known) << 2, 0xC0 if mono else 0)
        own = parse_frame(bytes(head))
        assert own is not None
        table = 4 + _side_info_bytes(known)
        head = head.ljust(own.length, b"\0")
    ranges[0] = (begin, stop)
    at = table + 8
    length = len(head) + sum(last - start for start, last in ranges)
    for flag, number in ((1, count), (2, length)):
        if head[table + 7] & flag:
            head[at : at + 4] = number.to_bytes(4, "big")
            at += 4
    return [bytes(head), *ranges]


def _rate_index(known: MpegFrame) -> int:
    """Return the index of the rate in the list of rates of its MPEG version."""
    version, _, rate, _ = known.sort
    return _RATES[version].index(rate)
