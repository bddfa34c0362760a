"""Detect whether the data of a JPEG end too early. The decoder libjpeg reports nothing then, and reads zeros instead.

The picture is decoded once more with other bits added after the data of each scan (ITU-T T.81, B.1.1.5). A whole file
has all the bits that it needs, so only the picture of a damaged file changes.
"""

import io
import re
from collections.abc import Iterator

from PIL import Image, JpegImagePlugin

_BITS = b"\xb6\x6d\xdb" * 8
_MARKER = re.compile(rb"\xff+[^\x00\xff]")
_SCAN = 0xDA
_END = 0xD9
_RESTARTS = range(0xD0, 0xD8)
_BAND = 256
"""The number of rows that are compared at once."""


def ends_early(data: bytes, image: Image.Image, draft: tuple[int, int] | None) -> bool:
    """Return whether decoding a picture needed more data than there are.

    Arguments
        draft: the smaller size at which it was decoded, if it was
    """
    other = JpegImagePlugin.jpeg_factory(io.BytesIO(b"".join(_add_bits(data))))
    if draft is not None:
        other.draft(None, draft)
    try:
        other.load()
    except Exception:  # of the bits that were added
        return True
    boxes = ((0, top, image.width, min(top + _BAND, image.height)) for top in range(0, image.height, _BAND))
    return any(image.crop(box).tobytes() != other.crop(box).tobytes() for box in boxes)


def _add_bits(data: bytes) -> Iterator[bytes]:
    """Yield the pieces of a file, with extra bits after the data of each scan and before each restart marker."""
    at = 2
    done = 0
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != _END:
        kind = data[at + 1]
        if kind == 0xFF:  # filling
            at += 1
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
        while kind == _SCAN or kind in _RESTARTS:
            found = _MARKER.search(data, at)
            if found is None:
                break
            yield data[done : found.start()]
            yield _BITS
            done = found.start()
            at = found.end()
            kind = found[0][-1]
            if kind not in _RESTARTS:
                at -= 2
                break
    yield data[done:]
