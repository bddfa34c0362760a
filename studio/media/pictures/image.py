"""Decode picture files to arrays, with everything that real files contain.

A file is opened only if it is a regular file of a sane size that begins like one of six formats. Its width and height
are checked before anything is decoded. Every fault ends as `FileRefused`, with a reason for the user.
"""

import contextlib
import hashlib
import os
import stat
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal, cast

import numpy as np
from PIL import Image

from studio.media.containers.recognition import BEGINNING, recognise_format
from studio.media.containers.spliced_file import SplicedFile
from studio.media.file_part import FilePart
from studio.media.names import display_name
from studio.media.pictures import enlarging, formats
from studio.media.pictures.raster import NARROW_NOTE, WHITE, DevelopedPicture, UnreadablePicture, develop_raster
from studio.media.pictures.raster import compose_over as compose_over

MAX_PIXELS = formats.MAX_DECODED_PIXELS
MAX_PICTURE_FILE_BYTES = 256 * 2**20
"""Bytes of one file: 64 megapixels in four uncompressed bytes."""

_STRETCHED = "it is stretched from"

Box = tuple[float, float, float, float]


class FileRefused(ValueError):
    """Reports that a file was not used. `reason` continues from its name: `is cut off`."""

    def __init__(self, name: str, reason: str, hint: str = "") -> None:
        super().__init__(f'"{name}" {reason} and was not opened.{" " + hint if hint else ""}')
        self.name = name
        self.reason = reason
        self.hint = hint


@dataclass(frozen=True)
class OpenedPicture:
    """Holds an opened picture: upright, in sRGB, transparency put over white."""

    array: np.ndarray
    """The pixels, (height, width, 3) uint8."""
    name: str
    """The file's name, made safe to show."""
    notes: tuple[str, ...]
    """Notes for the user on what had to be converted."""
    stretched: np.ndarray | None = None
    """The pixels with their values spread from black to white; None if the picture uses enough of its range."""

    @property
    def narrow_range_note(self) -> str:
        """Return a note on how little of its range the picture uses; empty if it uses enough or was stretched."""
        return next((note for note in self.notes if note.startswith(NARROW_NOTE)), "")

    def with_arrays_exchanged(self) -> "OpenedPicture":
        """Return the stretched picture, with this one as its `stretched`; and back."""
        if self.stretched is None:
            return self
        words = (NARROW_NOTE, _STRETCHED) if self.narrow_range_note else (_STRETCHED, NARROW_NOTE)
        notes = tuple(note.replace(*words) for note in self.notes)
        return replace(self, array=self.stretched, stretched=self.array, notes=notes)


def open_picture(path: Path | str, ground: Sequence[int] = WHITE, part: FilePart | None = None) -> OpenedPicture:
    """Open the picture in a file. Raises FileRefused with the reason.

    A picture that was saved larger and blended is restored. The colour `ground` is put behind transparent parts.
    `part`: where the bytes are if `path` is only a name
    """
    name = display_name(os.path.basename(path))
    data = read_bytes(Path(path), name, part)
    if not formats.format_of(data):
        form = recognise_format(data[:BEGINNING], Path(path).suffix)
        what = form.description if form is not None else "not a picture that can be read here"
        raise FileRefused(name, f"is {what}", "PNG, JPEG, WebP, TIFF, BMP and GIF can.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata, which does not concern the pixels
            found = _decode(data, ground)
            before = (
                enlarging.original_picture(data, found.array) if max(found.array.shape) <= enlarging.MAX_SIDE else None
            )
    except UnreadablePicture as fault:
        raise FileRefused(name, str(fault), fault.hint) from None
    except MemoryError:
        raise FileRefused(name, "does not fit into memory") from None
    if before is not None:
        return OpenedPicture(before, name, found.notes)
    return OpenedPicture(found.array, name, found.notes, found.stretched)


def read_bytes(path: Path, name: str, part: FilePart | None = None) -> bytes:
    """Return the bytes of a regular file that is not a link. Raises FileRefused.

    It never waits for a pipe or a device.
    """
    with decode_opened(path, name, MAX_PICTURE_FILE_BYTES, part) as file:
        return file.read(MAX_PICTURE_FILE_BYTES + 1)


def hash_file(path: Path, most: int, part: FilePart | None = None) -> str:
    """Return the hash of a regular file's bytes in hexadecimal. Raises FileRefused as `read_bytes`."""
    digest = hashlib.blake2b(digest_size=16)
    with decode_opened(path, display_name(os.path.basename(path)), most, part) as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def decode_opened(path: Path, name: str, most: int, part: FilePart | None = None) -> Iterator[BinaryIO]:
    """Return the bytes of a regular file, no link, of at most so many bytes. Raises FileRefused.

    It never waits for a pipe or a device.

    Arguments
        part: of another file, if the bytes lie in one; `path` is then only a name
    """
    flags = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
    try:
        opened = path if part is None else Path(os.fsdecode(part.file))
        size = None if part is None else part.size
        _check_file(os.lstat(opened), name, most, size)
        with open(os.open(opened, flags), "rb") as file:
            _check_file(os.fstat(file.fileno()), name, most, size)
            yield file if part is None else _open_part(file, part)
    except FileRefused:
        raise
    except FileNotFoundError:
        raise FileRefused(name, "is not there any more") from None
    except PermissionError:
        raise FileRefused(name, "may not be read by you") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        why = getattr(error, "strerror", None) or "its name is not valid"
        raise FileRefused(name, f"could not be read ({why})") from None


def _open_part(file: BinaryIO, part: FilePart) -> BinaryIO:
    """Return a part of an open file as a file of its own."""
    return cast("BinaryIO", SplicedFile(file, [(part.begin, part.begin + part.size)]))


def _check_file(found: os.stat_result, name: str, most: int, size: int | None = None) -> None:
    """Raise FileRefused unless it is a regular file that can be read. `size`: the bytes of the part that is read."""
    size = found.st_size if size is None else size
    if stat.S_ISDIR(found.st_mode):
        raise FileRefused(name, "is a hidden folder" if name.startswith(".") else "is a folder")
    if stat.S_ISLNK(found.st_mode):
        raise FileRefused(name, "is a link", "Open the file it leads to.")
    if not stat.S_ISREG(found.st_mode):
        raise FileRefused(name, "is not a file but a device or a pipe")
    if size == 0:
        raise FileRefused(name, "is empty")
    if size > most:
        raise FileRefused(name, f"is larger than {most >> 20} MB")


def _decode(data: bytes, ground: Sequence[int]) -> DevelopedPicture:
    """Decode a file that begins like a picture. Raises UnreadablePicture and MemoryError."""
    try:
        return develop_raster(formats.decode_picture(data), ground)
    except (UnreadablePicture, MemoryError):
        raise
    except Exception as error:  # decoders raise SyntaxError, struct.error, KeyError and more on damaged files
        raise UnreadablePicture(formats.picture_fault(data, error)) from None


def fit_to_shape(
    array: np.ndarray,
    shape: tuple[int, int, int],
    how: Literal["crop", "fit", "pad"] = "crop",
    box: Box | None = None,
    over: int | Sequence[int] = 255,
) -> np.ndarray:
    """Fit a picture (height, width, 1 | 3 | 4) uint8 to a model's shape. The shape is (C, H, W), the result (H, W, C)
    uint8.

    `crop` cuts the middle out in the model's proportions. `fit` squeezes the whole into them. `pad` keeps the whole
    undistorted with margins of the grey or colour `over`. `box` is the part to use: left, top, right, bottom as
    fractions of the picture. Greys are Rec. 601 luma. A picture that is already in shape, or was enlarged by whole
    blocks, is returned unchanged.
    """
    channels, height, width = shape
    array = compose_over(array, over) if array.shape[2] == 4 else array
    left, top, right, bottom = _checked_box(array.shape[0], array.shape[1], box)
    if how == "crop":
        left, top, right, bottom = _middle_box(left, top, right, bottom, width / height)
    size = _size_inside(right - left, bottom - top, width, height) if how == "pad" else (width, height)
    image = _undo_blocks(array, (left, top, right, bottom), size)
    if image is None:
        flat = array[..., 0] if array.shape[2] == 1 else array
        image = Image.fromarray(np.ascontiguousarray(flat))
        image = image.resize(size, Image.Resampling.LANCZOS, (left, top, right, bottom))
    result = np.asarray(image.convert("L" if channels == 1 else "RGB")).reshape(size[1], size[0], channels)
    if size == (width, height):
        return result.copy()
    ground = np.broadcast_to(np.asarray(over, np.uint8), (1, 1, 3))
    margin = np.asarray(Image.fromarray(ground).convert("L" if channels == 1 else "RGB")).reshape(channels)
    canvas = np.empty((height, width, channels), np.uint8)
    canvas[:] = margin
    x = (width - size[0]) // 2
    y = (height - size[1]) // 2
    canvas[y : y + size[1], x : x + size[0]] = result
    return canvas


def _checked_box(height: int, width: int, box: Box | None) -> Box:
    if box is None:
        return 0.0, 0.0, float(width), float(height)
    left, top, right, bottom = box
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError(f"a part of a picture must lie within it, from 0 to 1: {box}")
    return left * width, top * height, right * width, bottom * height


def _middle_box(left: float, top: float, right: float, bottom: float, proportion: float) -> Box:
    width = right - left
    height = bottom - top
    if width > height * proportion:
        margin = (width - height * proportion) / 2
        return left + margin, top, right - margin, bottom
    margin = (height - width / proportion) / 2
    return left, top + margin, right, bottom - margin


def _size_inside(width: float, height: float, most_wide: int, most_high: int) -> tuple[int, int]:
    scale = min(most_wide / width, most_high / height)
    return min(most_wide, max(1, round(width * scale))), min(most_high, max(1, round(height * scale)))


def _undo_blocks(array: np.ndarray, box: Box, size: tuple[int, int]) -> Image.Image | None:
    """Return the picture whose pixels became the box's blocks, else None.

    So an enlarged export is restored exactly.
    """
    if any(edge != int(edge) for edge in box):
        return None
    left, top, right, bottom = (int(edge) for edge in box)
    part = array[top:bottom, left:right]
    scale = part.shape[0] // size[1]
    if scale < 1 or part.shape[:2] != (size[1] * scale, size[0] * scale):
        return None
    small = part[::scale, ::scale]
    places = ((y, x) for y in range(scale) for x in range(scale))
    if not all(np.array_equal(part[y::scale, x::scale], small) for y, x in places):
        return None
    return Image.fromarray(np.ascontiguousarray(small[..., 0] if small.shape[2] == 1 else small))
