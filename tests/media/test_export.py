"""Pictures are exported unchanged, with their texts, and sheets show them all."""

import io
import struct
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from studio.media import export
from studio.media.sounds.single_cycle import riff_texts as sound_words

PICTURE = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)


def pixels(data: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(data)))


def test_every_pixel_is_in_the_file() -> None:
    np.testing.assert_array_equal(pixels(export.encode_png_bytes(PICTURE)), PICTURE)
    np.testing.assert_array_equal(pixels(export.encode_png_bytes(PICTURE[..., :1])), PICTURE[..., 0])


def test_texts_of_any_language_are_kept() -> None:
    words = {"Title": "Roses, 日本語, ñ, 👩‍🎨", "Comment": "line\nline" * 1000, "empty": ""}
    data = export.encode_png_bytes(PICTURE, words)
    assert list(export.png_texts(data).items()) == list(words.items()), "other programs show them in this order"
    with Image.open(io.BytesIO(data)) as opened:
        assert {key: str(text) for key, text in opened.text.items()} == words  # type: ignore[attr-defined]
    np.testing.assert_array_equal(pixels(data), PICTURE)


def test_only_our_texts_are_in_the_file() -> None:
    data = export.encode_png_bytes(PICTURE, {"Title": "Rose"})
    kinds = []
    at = 8
    while at < len(data):
        kinds.append(data[at + 4 : at + 8])
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    assert set(kinds) == {b"IHDR", b"iTXt", b"IDAT", b"IEND"}


@pytest.mark.parametrize("picture", [PICTURE[..., :2], PICTURE[0], PICTURE.astype(np.float32)])
def test_an_array_that_is_not_a_picture_is_not_saved(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a picture is"):
        export.encode_png_bytes(picture)


@pytest.mark.parametrize("key", ["", "k" * 80])
def test_a_key_must_fit(key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        export.encode_png_bytes(PICTURE, {key: "text"})


def test_a_file_that_is_not_a_png_has_no_texts() -> None:
    for data in (b"", b"\x89PNG\r\n\x1a\n", b"GIF89a" * 20, export.encode_png_bytes(PICTURE)[:40]):
        assert export.png_texts(data) == {}


def test_a_file_of_endless_small_parts_takes_neither_memory_nor_time() -> None:
    empty = struct.pack(">I", 0) + b"teXt" + struct.pack(">I", zlib.crc32(b"teXt"))
    png = export.encode_png_bytes(PICTURE)
    whole = png[:33] + empty * 60_000 + png[33:]
    wav = b"RIFF\0\0\0\0WAVE" + b"".join(struct.pack("<II", number, 0) for number in range(60_000))
    flac = b"fLaC" + struct.pack(">I", 2 << 24) * 500_000
    tracemalloc.start()
    assert export.png_texts(whole) == sound_words(wav) == export.flac_comments(flac) == {}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 2**20


def test_texts_that_unpack_to_too_much_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = b"zTXtComment\0\0" + zlib.compress(bytes(export.MAX_TEXT_BYTES + 1), 9)
    chunk = struct.pack(">I", len(bomb) - 4) + bomb + struct.pack(">I", zlib.crc32(bomb))
    data = export.encode_png_bytes(PICTURE, {"Title": "Rose"})
    unpacked = []
    real = zlib.decompressobj
    monkeypatch.setattr(export.zlib, "decompressobj", lambda: unpacked.append(1) or real())
    assert export.png_texts(data[:33] + chunk * 3 + data[33:]) == {"Title": "Rose"}
    assert len(unpacked) == 3
    export.png_texts(data[:33] + chunk * 100 + data[33:])
    assert len(unpacked) < 30


def test_a_sheet_shows_every_picture_in_its_place() -> None:
    pictures = np.stack([np.full((3, 4, 3), value, np.uint8) for value in range(10, 60, 10)])
    sheet = export.arrange_sheet(pictures, columns=2, gap=1, over=200)
    assert sheet.shape == (3 * (3 + 1) + 1, 2 * (4 + 1) + 1, 3)
    for index, value in enumerate(range(10, 60, 10)):
        y = 1 + index // 2 * 4
        x = 1 + index % 2 * 5
        assert (sheet[y : y + 3, x : x + 4] == value).all()
        assert (sheet[y - 1, x - 1 : x + 5] == 200).all()
    assert (sheet[9:, 6:] == 200).all()


def test_a_sheet_of_few_pictures_is_no_wider_than_they_are() -> None:
    assert export.arrange_sheet(np.zeros((1, 3, 4, 1), np.uint8), columns=4, gap=2).shape == (7, 8, 1)
    assert export.arrange_sheet(np.zeros((0, 3, 4, 1), np.uint8), columns=4, gap=2).shape == (2, 8, 1)


# ── sounds ───────────────────────────────────────────────────────────────────────────────────────

WAVE = np.random.default_rng(2).uniform(-1, 1, 3001).astype(np.float32)
WHOLE = np.rint(WAVE * 32_767).astype(np.int16)


@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize("make", [export.encode_wav_bytes, export.encode_flac_bytes])
def test_sounds_are_read_back_to_the_last_bit(make: Any, bits: int) -> None:
    words = (
        {"COMMENT": "Rose, 日本語 " * 5000} if make is export.encode_flac_bytes else {"ICMT": "Rose, 日本語 " * 5000}
    )
    heard, rate = soundfile.read(io.BytesIO(make(WHOLE, 16_000, words, bits=bits)), dtype="float64")
    assert rate == 16_000
    np.testing.assert_array_equal(heard * 32_768, WHOLE)
    data = make(WAVE, 44_100, words, bits=bits)
    heard, _ = soundfile.read(io.BytesIO(data), dtype="float64")
    assert soundfile.info(io.BytesIO(data)).subtype == f"PCM_{bits}"
    assert np.abs(heard - WAVE).max() <= 0.5 / 2 ** (bits - 1) * 1.001 or np.abs(WAVE).max() > 1 - 2.0 ** (1 - bits)
    assert (export.flac_comments(data) if make is export.encode_flac_bytes else sound_words(data)) == words


def test_a_flac_that_is_cut_off_keeps_the_comments_before_the_cut() -> None:
    whole = export.encode_flac_bytes(WHOLE, 16_000, {"TITLE": "a", "COMMENT": "b"})
    for cut in range(0, len(whole), 7):
        assert (
            export.flac_comments(whole[:cut]).items() <= {"TITLE": "a", "COMMENT": "b", "COMM": ""}.items() or cut < 120
        )


def test_unusual_bit_depths_are_not_written() -> None:
    with pytest.raises(ValueError, match="16 or 24 bits, not 12"):
        export.encode_wav_bytes(WHOLE, 16_000, {}, bits=12)
