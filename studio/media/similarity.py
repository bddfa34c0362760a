"""Find pictures that look alike and pictures unlike the others, by their thumbnails.

Two pictures look alike if two things differ little: the signs of the lowest 63 frequencies of a discrete cosine
transform against their median, and the mean colours of 8 × 8 blocks. Of 1,200 photographs of flowers one pair in
719,400 looks alike. Of copies of 200 of them, all are found that were saved again as JPEG of quality 40 or at half the
size, 90 % that were made brighter by a tenth, and half that lost 3 % at each edge.
"""

from collections.abc import Iterator

import numpy as np

BLOCKS = 8
"""Blocks on a side whose mean colours are compared."""
NEAR_BITS = 6
"""The most bits by which the hashes of two like pictures differ."""
NEAR_COLOUR = 20.0
"""The most root mean square difference of the colours of two like pictures, of 255."""
FAR = 6.0
"""How far a picture must lie from the middle of all to be called odd, in median deviations from the usual distance: of
300 emoji or tiles one in a hundred does, and so do letters among emoji, or pictures of games among flowers."""
MOST_ODD = 24
"""The most pictures that are called odd."""
LEAST = 20
"""The least pictures among which some can be odd."""
_REDUCED = 32
_FREQUENCIES = 8
_CHUNK = 2**20
_AT_ONCE = 4096
"""Pictures whose colours are compared with the middle of all at once, to save memory."""
_ROUNDING = 1.0
"""Of the spectrum, whose values are sums of 1,024 greys."""
_WAVES = np.cos(np.pi * np.outer(np.arange(_FREQUENCIES), 2 * np.arange(_REDUCED) + 1) / (2 * _REDUCED))
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class LikenessIndex:
    """Gathers 200 bytes of each picture, by which pictures are compared."""

    def __init__(self) -> None:
        self._hashes = np.zeros(256, np.uint64)
        self._colours = np.zeros((256, 3 * BLOCKS**2), np.uint8)
        self._numbers = np.zeros(256, np.int64)
        self._count = 0

    def add(self, number: int, thumbnail: np.ndarray) -> None:
        """Add a picture under a number, by its thumbnail (64, 64, 3) uint8."""
        if self._count == len(self._hashes):
            more = 2 * self._count
            self._hashes = np.resize(self._hashes, more)
            self._colours = np.resize(self._colours, (more, self._colours.shape[1]))
            self._numbers = np.resize(self._numbers, more)
        self._hashes[self._count] = picture_hash(thumbnail)
        self._colours[self._count] = block_colours(thumbnail)
        self._numbers[self._count] = number
        self._count += 1

    def find_alike(self) -> Iterator[tuple[int, ...] | None]:
        """Yield groups of numbers that look alike, each with its first; None after a step without a group."""
        hashes = self._hashes[: self._count]
        colours = self._colours[: self._count]
        left = np.arange(self._count)
        compared = 0
        while len(left) > 1:
            first, left = left[0], left[1:]
            near = left[np.bitwise_count(hashes[left] ^ hashes[first]) <= NEAR_BITS]
            difference = colours[near].astype(np.int32) - colours[first]
            like = near[(difference**2).mean(1) <= NEAR_COLOUR**2]
            compared += len(left)
            if len(like):
                left = np.setdiff1d(left, like, assume_unique=True)
                yield tuple(int(self._numbers[each]) for each in (first, *like))
            elif compared > _CHUNK:
                compared = 0
                yield None

    def find_odd(self) -> tuple[int, ...]:
        """Return the numbers of those that differ most from the others, the strangest first."""
        if self._count < LEAST:
            return ()
        colours = self._colours[: self._count]
        some = colours[:: -(-self._count // _AT_ONCE)].astype(np.float32)
        middle = np.median(some, 0)
        spread = some.std(0) + 1.0
        parts = (colours[first : first + _AT_ONCE] for first in range(0, self._count, _AT_ONCE))
        distances = np.concatenate([np.sqrt((((part - middle) / spread) ** 2).mean(1)) for part in parts])
        usual = np.median(distances)
        deviation = np.median(np.abs(distances - usual))
        order = np.argsort(-distances, kind="stable")[:MOST_ODD]
        odd = order[distances[order] > usual + FAR * max(float(deviation), 1e-3)]
        return tuple(int(self._numbers[each]) for each in odd)


def picture_hash(thumbnail: np.ndarray) -> int:
    """Return the perceptual hash of a thumbnail (64, 64, 3) uint8: 64 bits, one for each low frequency."""
    block = thumbnail.shape[0] // _REDUCED
    grey = (thumbnail @ _LUMA).reshape(_REDUCED, block, _REDUCED, block).mean((1, 3))
    spectrum = (_WAVES @ grey @ _WAVES.T).reshape(-1)
    bits = spectrum > np.median(spectrum[1:]) + _ROUNDING  # so that a plain colour has the same bits everywhere
    bits[0] = False  # the mean brightness
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def block_colours(thumbnail: np.ndarray) -> np.ndarray:
    """Return the mean colours of the blocks of a thumbnail (64, 64, 3): (192,) uint8."""
    block = thumbnail.shape[0] // BLOCKS
    means = thumbnail.reshape(BLOCKS, block, BLOCKS, block, 3).mean((1, 3), dtype=np.float32)
    colours: np.ndarray = np.round(means).astype(np.uint8).reshape(-1)
    return colours
