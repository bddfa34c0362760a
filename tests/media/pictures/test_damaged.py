"""Some decoders continue after damage without a report. Their pictures are opened, and a note tells the user."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.media.pictures import printed_errors
from studio.media.pictures.image import FileRefused, open_picture
from studio.media.pictures.raster import BROKEN

Y, X = np.mgrid[0:192, 0:256]
DICE = np.random.default_rng(0)
PHOTO = (np.stack([X, Y, (X + Y) // 2], 2) + DICE.integers(-15, 16, (192, 256, 3))).clip(0, 255).astype(np.uint8)
CHECKS = ((X // 7 + Y // 5) % 2 * 255).astype(np.uint8)


def saved(array: np.ndarray, form: str, mode: str | None = None, **words: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).convert(mode or ("L" if array.ndim == 2 else "RGB")).save(file, form, **words)
    return file.getvalue()


def notes(tmp_path: Path, data: bytes) -> tuple[str, ...]:
    (tmp_path / "a").write_bytes(data)
    return open_picture(tmp_path / "a").notes


@pytest.mark.skipif(not hasattr(os, "set_blocking"), reason="Windows before Python 3.12")
@pytest.mark.parametrize("packing", ["group3", "group4"])
def test_a_fax_with_invalid_codes_is_reported_as_damaged(packing: str, tmp_path: Path) -> None:
    data = bytearray(saved(CHECKS, "TIFF", "1", compression=packing))
    assert notes(tmp_path, bytes(data)) == ()
    place = len(data) // 4
    data[place : place + 12] = b"\1" * 12
    assert notes(tmp_path, bytes(data)) == (BROKEN,)


@pytest.mark.parametrize("words", [{}, {"restart_marker_rows": 1}, {"subsampling": 0, "optimize": True}], ids=str)
def test_a_jpeg_with_a_missing_part_is_reported_as_damaged(words: dict[str, Any], tmp_path: Path) -> None:
    data = saved(PHOTO, "JPEG", quality=90, **words)
    place = len(data) // 3
    assert notes(tmp_path, data[:place] + data[place + 100 :]) == (BROKEN,)


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"subsampling": 0},
        {"subsampling": 2, "optimize": True},
        {"progressive": True},
        {"progressive": True, "restart_marker_rows": 1},
        {"restart_marker_blocks": 1},
        {"quality": 1},
        {"quality": 100, "comment": b"\xff\xda\xff\xd9"},
    ],
    ids=str,
)
def test_a_complete_jpeg_is_not_reported(words: dict[str, Any], tmp_path: Path) -> None:
    for array in (PHOTO, PHOTO[:13, :17], PHOTO[..., 0], CHECKS, CHECKS[:1, :1]):
        assert notes(tmp_path, saved(array, "JPEG", **words)) == ()
        assert notes(tmp_path, saved(array, "JPEG", **words) + b"after its end \xff\xda") == ()


@pytest.mark.skipif(not hasattr(os, "set_blocking"), reason="Windows before Python 3.12")
def test_a_library_that_prints_very_much_does_not_block() -> None:
    with printed_errors.capture_printed_errors() as said:
        for _ in range(3000):
            try:
                os.write(2, b"Fax4Decode: Bad code word at line 1 of strip 0 (x 7).\n")
            except BlockingIOError:
                break
    assert 1000 < len(b"".join(said)) < 200_000
    with printed_errors.capture_printed_errors() as silent:
        pass
    assert silent == []


FORMATS: dict[str, dict[str, Any]] = {
    "PNG": {"form": "PNG"},
    "TIFF, Deflate": {"form": "TIFF", "compression": "tiff_adobe_deflate"},
    "TIFF, Deflate with a predictor": {"form": "TIFF", "compression": "tiff_adobe_deflate", "tiffinfo": {317: 2}},
    "TIFF, LZMA": {"form": "TIFF", "compression": "lzma"},
    "TIFF": {"form": "TIFF"},
    "TIFF, LZW": {"form": "TIFF", "compression": "tiff_lzw"},
    "TIFF, PackBits": {"form": "TIFF", "compression": "packbits"},
    "TIFF, fax 3": {"form": "TIFF", "mode": "1", "compression": "group3"},
    "TIFF, fax 4": {"form": "TIFF", "mode": "1", "compression": "group4"},
    "JPEG": {"form": "JPEG", "quality": 90},
    "GIF": {"form": "GIF"},
    "BMP": {"form": "BMP"},
    "WebP": {"form": "WEBP", "quality": 90},
    "WebP, lossless": {"form": "WEBP", "lossless": True},
}
WITH_CHECKSUMS = {"PNG", "TIFF, Deflate", "TIFF, Deflate with a predictor", "TIFF, LZMA"}


def unnoticed(tmp_path: Path, data: bytes, first: int, last: int) -> int:
    """Count how many of 40 changed bytes between two places show other pixels without a note."""
    dice = np.random.default_rng(1)
    file = tmp_path / "changed"
    file.write_bytes(data)
    whole = open_picture(file)
    assert whole.notes == ()
    count = 0
    for _ in range(40):
        changed = bytearray(data)
        changed[dice.integers(first, last)] ^= dice.integers(1, 256)
        file.write_bytes(changed)
        try:
            found = open_picture(file)
        except FileRefused:
            continue
        count += not np.array_equal(found.array, whole.array) and found.notes == ()
    return count


@pytest.mark.parametrize("name", FORMATS)
def test_a_changed_byte_is_noticed_if_and_only_if_the_format_has_a_checksum(name: str, tmp_path: Path) -> None:
    array = CHECKS[:48, :64] if "fax" in name else PHOTO[:48, :64]
    data = saved(array, **FORMATS[name])
    half = len(data) // 2  # before and after it lie pixels in all of these, and no head
    count = unnoticed(tmp_path, data, half, half + len(data) // 8)
    assert (count == 0) if name in WITH_CHECKSUMS else count > 0


@pytest.mark.parametrize("packing", ["tiff_adobe_deflate", "lzma"])
@pytest.mark.parametrize("words", [{}, {"tiffinfo": {278: 7}}], ids=["one strip", "strips of seven rows"])
def test_a_wrong_end_of_a_strip_is_noticed(packing: str, words: dict[str, Any], tmp_path: Path) -> None:
    """The last bytes of a strip are an end code and a checksum, which libtiff does not need."""
    data = saved(PHOTO[:48, :64], "TIFF", compression=packing, **words)
    with Image.open(io.BytesIO(data)) as image:
        tags: Any = image.tag_v2  # type: ignore[attr-defined]
        end = tags[273][0] + tags[279][0]
    assert len(tags[273]) == (7 if words else 1)
    file = tmp_path / "changed"
    for place in range(end - 12, end):
        changed = bytearray(data)
        changed[place] ^= 0x15
        file.write_bytes(changed)
        try:
            assert open_picture(file).notes == (BROKEN,), place - end
        except FileRefused as refused:
            assert refused.reason == "is damaged"


@pytest.mark.parametrize("packing", ["tiff_adobe_deflate", "tiff_deflate", "lzma"])
@pytest.mark.parametrize("array", [PHOTO, PHOTO[:1, :1], PHOTO[:51, :33, 0]], ids=["photo", "one pixel", "grey"])
def test_a_whole_tiff_with_checksums_has_no_note(packing: str, array: np.ndarray, tmp_path: Path) -> None:
    for words in ({}, {"tiffinfo": {278: 5}}, {"tiffinfo": {317: 2}}):
        assert notes(tmp_path, saved(array, "TIFF", compression=packing, **words)) == ()
