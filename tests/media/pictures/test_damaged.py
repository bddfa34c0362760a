"""Some decoders continue after damage without a report. Their pictures are opened, and a note tells the user."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.media.pictures import printed_errors
from studio.media.pictures.image import open_picture
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
