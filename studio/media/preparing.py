"""Prepare a file of a folder as an artwork of a model, with a thumbnail and the hash of its content."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from studio.media import decoder
from studio.media.containers.contents import MAX_FILE_BYTES
from studio.media.file_part import FilePart
from studio.media.pictures.image import MAX_PICTURE_FILE_BYTES, FileRefused, fit_to_shape
from studio.media.pictures.raster import TRANSPARENT
from studio.media.preparation import WHITE, Preparation
from studio.media.sounds.audio_file import QUIET_LEVEL, Recording
from studio.media.sounds.spectrogram import Spectrogram

Shape = tuple[int, ...]
"""(channels, height, width) of pictures, (samples,) of sounds."""
THUMBNAIL = 64
"""Pixels on a side of a thumbnail."""
SHORTEST = 0.05
"""Seconds of the shortest recording."""
ORIGINAL_SIDE = 256
"""The most pixels on a side of a picture that is shown as it is."""
ORIGINAL_SECONDS = 10.0
"""The most seconds of a recording that are heard as they are."""
FORMAT = 1
"""The version of this preparation. Count it up if the same file would become another artwork."""
_DAMAGE = ("cut off", "damaged", "checksum", "not numbers")
"""Words that mark a note about damage: every such note has one of them."""
_FRAME = 0.01
"""Seconds of sound that are judged at once when silence is trimmed."""
_FAINT = 10 ** (-50 / 20)
"""The share of a recording's peak below which its ends count as silence: 50 dB, at which the drums of our own data were
cut."""
_PIECES_PER_COLUMN = 4
"""Short pieces of a recording, of which each column of its thumbnail shows the loudest."""
_NO_THUMBNAIL = np.zeros((0, 0, 3), np.uint8)


class FileUnsuited(FileRefused):
    """Reports that a file can be read but has nothing to learn from, for example because it is silent."""


@dataclass(frozen=True)
class PreparedFile:
    """Holds the result for a file: an artwork in the model's shape, or the reason why it is unsuited."""

    content: bytes
    """The hash of the decoded picture or sound, which decides whether it is held out.

    It does not depend on the name, the format or the preparation.
    """
    artwork: np.ndarray
    """(height, width, channels) uint8 or (samples,) int16; empty if it is unsuited."""
    thumbnail: np.ndarray
    """(64, 64, 3) uint8."""
    unsuited: str = ""
    """The reason why a readable file is not used: `is silent`."""
    damage: str = ""
    """The damage of a file that is used nevertheless."""
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    rate: int = 0
    channels: int = 0
    """Pixels of the picture, or length, rate in Hz and channels of the recording, in the file."""


@dataclass(frozen=True)
class FilePreparer:
    """Prepares files for a model of a shape, or of recordings at a rate in Hz. Any thread may call it."""

    shape: Shape
    rate: int
    preparation: Preparation

    @property
    def is_sound(self) -> bool:
        """Return whether artworks are recordings or single cycles."""
        return bool(self.rate) or len(self.shape) == 1

    @property
    def max_bytes(self) -> int:
        """Return the size of the largest file that is opened."""
        return MAX_FILE_BYTES if self.rate else MAX_PICTURE_FILE_BYTES

    @property
    def options(self) -> dict[str, Any]:
        """Return all settings on which the results for files depend."""
        options: dict[str, Any] = {"format": FORMAT}
        how = self.preparation
        if self.rate:
            return {**options, "rate": self.rate, "trim": how.trim_silence, "clip": how.clip_seconds, "peak": how.peak}
        if self.is_sound:
            return {**options, "samples": self.shape[0]}
        return {**options, "shape": self.shape, "fitting": how.fitting, "ground": how.ground}

    def prepare(self, path: str, group: decoder.ReadGroup | None = None, part: FilePart | None = None) -> PreparedFile:
        """Read and prepare a file. Raises FileRefused with the reason if it cannot be read.

        `part`: where the bytes are if `path` is only a name
        """
        if self.rate:
            return self._recording(decoder.open_recording(path, self.rate, group=group, part=part))
        if self.is_sound:
            cycle = decoder.open_cycle(path, self.shape[0], group, part)
            return PreparedFile(content_hash(cycle), cycle, _cycle_thumbnail(cycle))
        return self._picture(path, group, part)

    def _picture(self, path: str, group: decoder.ReadGroup | None, part: FilePart | None) -> PreparedFile:
        opened = decoder.open_picture(path, group=group, part=part)
        content = content_hash(opened.array)
        ground = self.preparation.ground
        if ground != WHITE and TRANSPARENT in opened.notes:
            opened = decoder.open_picture(path, ground=ground, group=group, part=part)
        height, width = opened.array.shape[:2]
        artwork, thumbnail = (
            fit_to_shape(opened.array, shape, self.preparation.fitting, over=ground)
            for shape in (_three(self.shape), (3, THUMBNAIL, THUMBNAIL))
        )
        return PreparedFile(content, artwork, thumbnail, damage=damage(opened.notes), width=width, height=height)

    def _recording(self, opened: Recording) -> PreparedFile:
        found: dict[str, Any] = {"seconds": opened.seconds, "rate": opened.file_rate, "channels": opened.channels}
        wave = to_int16(opened.samples)
        content = hashlib.blake2b(wave.tobytes(), digest_size=16).digest()
        thumbnail = _recording_thumbnail(wave, opened.rate)
        try:
            check_recording(opened)
            wave = self._treated(opened.samples, opened.rate, opened.name)
        except FileUnsuited as unsuited:
            return PreparedFile(content, wave[:0], thumbnail, unsuited.reason, damage(opened.notes), **found)
        return PreparedFile(content, wave, thumbnail, damage=damage(opened.notes), **found)

    def _treated(self, samples: np.ndarray, rate: int, name: str) -> np.ndarray:
        """Return samples (n,) float32 trimmed, cut and amplified, as (m,) int16. Raises FileUnsuited."""
        how = self.preparation
        if how.trim_silence:
            samples = samples[_audible(samples, rate)]
        if how.clip_seconds:
            samples = samples[: max(1, round(how.clip_seconds * rate))]
        if len(samples) < SHORTEST * rate:
            raise FileUnsuited(name, f"is shorter than {SHORTEST:g} seconds once it is cut")
        loudest = float(np.abs(samples).max())
        if how.peak and loudest > 0:
            samples = samples * (how.peak / loudest)
        return to_int16(samples)


@dataclass(frozen=True)
class OriginalReader(FilePreparer):
    """Reads files as they are, to be compared with their artworks. Of a recording, it reads the first seconds."""

    def prepare(self, path: str, group: decoder.ReadGroup | None = None, part: FilePart | None = None) -> PreparedFile:
        """Read a file. A large picture is made smaller. Raises FileRefused with the reason."""
        if self.rate:
            opened = decoder.open_recording(path, group=group, part=part)
            wave = to_int16(opened.samples[: round(ORIGINAL_SECONDS * opened.rate)])
            return PreparedFile(content_hash(wave), wave, _NO_THUMBNAIL, rate=opened.rate)
        if self.is_sound:
            cycle = decoder.open_wave_file(path, part=part).array
            return PreparedFile(content_hash(cycle), cycle, _NO_THUMBNAIL)
        picture = decoder.open_picture(path, group=group, part=part).array
        height, width = picture.shape[:2]
        scale = min(1.0, ORIGINAL_SIDE / max(height, width))
        shape = (3, max(1, round(height * scale)), max(1, round(width * scale)))
        return PreparedFile(content_hash(picture), fit_to_shape(picture, shape, "fit"), _NO_THUMBNAIL)


def damage(notes: Sequence[str]) -> str:
    """Return the notes of an opened file that report damage; empty if there are none."""
    return "; ".join(note for note in notes if any(word in note for word in _DAMAGE))


def content_hash(array: np.ndarray) -> bytes:
    """Return the hash of a picture or a cycle: its shape and its numbers."""
    return hashlib.blake2b(repr(array.shape).encode() + array.tobytes(), digest_size=16).digest()


def check_recording(found: Recording) -> None:
    """Raise FileUnsuited with the reason if a recording is too short or too quiet to learn from."""
    if len(found.samples) < SHORTEST * found.rate:
        raise FileUnsuited(found.name, f"is shorter than {SHORTEST:g} seconds")
    if found.quiet:
        raise FileUnsuited(found.name, "is silent")


def to_int16(samples: np.ndarray) -> np.ndarray:
    """Return samples (n,) from -1 to 1 as int16."""
    wave: np.ndarray = np.round(np.clip(samples * 32_768, -32_768, 32_767)).astype(np.int16)
    return wave


def _three(shape: Shape) -> tuple[int, int, int]:
    channels, height, width = shape
    return channels, height, width


def _audible(samples: np.ndarray, rate: int) -> slice:
    """Return the part of a recording from its first to its last frame that is not silence."""
    frame = max(1, round(_FRAME * rate))
    padded = np.pad(np.abs(samples), (0, -len(samples) % frame))
    peaks = padded.reshape(-1, frame).max(1)
    loud = np.flatnonzero(peaks > max(_FAINT * peaks.max(), QUIET_LEVEL))
    return slice(0) if not len(loud) else slice(int(loud[0]) * frame, (int(loud[-1]) + 1) * frame)


# ── thumbnails ───────────────────────────────────────────────────────────────────────────────────


def _recording_thumbnail(wave: np.ndarray, rate: int) -> np.ndarray:
    """Return a recording's spectrogram as (64, 64, 3) uint8, low frequencies at the bottom."""
    spectrogram = Spectrogram(rate)
    size = spectrogram.size
    begins = np.linspace(0, max(len(wave) - size, 0), _PIECES_PER_COLUMN * THUMBNAIL).astype(int)
    pieces = np.zeros((len(begins), size), np.int16)  # so that hours of sound need no more memory than seconds
    for piece, begin in zip(pieces, begins, strict=True):
        part = wave[begin : begin + size]
        piece[: len(part)] = part
    spectrogram.set_samples(pieces.reshape(-1), 0)
    columns = spectrogram.columns_at(np.arange(len(begins)) * size)
    small = columns.reshape(THUMBNAIL, _PIECES_PER_COLUMN, THUMBNAIL, -1).max((1, 3))
    return np.repeat(np.ascontiguousarray(small.T[::-1])[..., None], 3, axis=2)


def _cycle_thumbnail(cycle: np.ndarray) -> np.ndarray:
    """Return a cycle's curve as (64, 64, 3) uint8: white between the curve and the middle."""
    places = np.arange(THUMBNAIL) * len(cycle) // THUMBNAIL
    heights = np.round((1 - cycle[places] / 32_768) / 2 * (THUMBNAIL - 1))  # 0 is the top
    rows = np.arange(THUMBNAIL)[:, None]
    middle = (THUMBNAIL - 1) / 2
    filled = (rows >= np.minimum(heights, middle)) & (rows <= np.maximum(heights, middle))
    return np.repeat((filled * np.uint8(255))[..., None], 3, axis=2)
