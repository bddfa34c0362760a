"""Large pictures open within a gigabyte, and every refusal has the true reason."""

import io
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.media.pictures import formats
from studio.media.pictures.image import FileRefused, open_picture
from tests.media.opening import reason
from tests.media.pictures.writers import END, chunk, png, tiff

MOST_MEMORY = 10**9
FOREIGN = "is of a type that is not read here"
PEAK = """
import resource, sys
from studio.media.pictures.image import FileRefused, open_picture
try:
    picture = open_picture(sys.argv[1])
    print(*picture.array.shape, *picture.notes, sep="|")
except FileRefused as fault:
    print(fault.reason)
if sys.platform == "darwin":
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
else:  # what getrusage says begins at the peak of the process that started this one
    with open("/proc/self/status") as status:
        print(next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM")))
"""


def peak(path: Path) -> tuple[str, int]:
    """Open a picture in another process. Return the outcome and the most bytes that it used."""
    run = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    outcome, memory = run.stdout.splitlines()
    return outcome, int(memory)


def saved(image: Image.Image, ending: str, **how: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, ending, **how)
    return buffer.getvalue()


# ── size ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither getrusage nor /proc")
@pytest.mark.parametrize(("width", "height", "progressive"), [(12000, 9000, False), (16320, 12240, False),
                                                              (16320, 12240, True)])  # fmt: skip
def test_photographs_of_108_and_200_megapixels_open_at_half_their_size(
    tmp_path: Path, width: int, height: int, progressive: bool
) -> None:
    photo = Image.new("RGB", (width, height), (200, 30, 60))
    photo.paste((20, 90, 250), (0, height // 2, width // 2, height))
    photo.save(tmp_path / "photo.jpg", quality=85, progressive=progressive)
    del photo
    outcome, memory = peak(tmp_path / "photo.jpg")
    megapixels = f"{width * height / 1e6:,.0f}"
    told = f"it has {megapixels} megapixels and was read at 1/2 of its width and height"
    assert outcome == f"{height // 2}|{width // 2}|3|{told}"
    assert memory <= MOST_MEMORY


def test_a_reduced_photograph_looks_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corners = np.zeros((301, 401, 3), np.uint8)
    corners[:150, :200] = (220, 40, 40)
    corners[150:, 200:] = (50, 60, 210)
    (tmp_path / "photo.jpg").write_bytes(saved(Image.fromarray(corners), "JPEG", quality=95, subsampling=0))
    monkeypatch.setattr(formats, "MAX_DECODED_PIXELS", 401 * 301 // 5)  # so that a half is not small enough
    picture = open_picture(tmp_path / "photo.jpg")
    assert picture.array.shape == (76, 101, 3)
    np.testing.assert_allclose(picture.array[10, 10].astype(int), (220, 40, 40), atol=3)
    np.testing.assert_allclose(picture.array[70, 90].astype(int), (50, 60, 210), atol=3)
    assert any("read at 1/4" in note for note in picture.notes)


def test_a_picture_that_is_too_large_is_refused_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = Image.new("RGB", (400, 300))
    monkeypatch.setattr(formats, "MAX_DECODED_PIXELS", 100_000)
    monkeypatch.setattr(formats, "MAX_REDUCED_PIXELS", 110_000)
    for ending in ("PNG", "JPEG", "TIFF", "BMP", "GIF"):
        (tmp_path / "photo").write_bytes(saved(photo, ending))
        with pytest.raises(FileRefused, match="megapixels.*Save it smaller"):
            open_picture(tmp_path / "photo")
    monkeypatch.setattr(formats, "_MAX_WEBP_PIXELS", 100_000)
    (tmp_path / "photo").write_bytes(saved(photo, "WEBP"))
    with pytest.raises(FileRefused, match="megapixels.*Save it smaller"):
        open_picture(tmp_path / "photo")
    monkeypatch.undo()
    monkeypatch.setattr(formats, "_MAX_PROGRESSIVE_BYTES", 100_000)
    (tmp_path / "photo").write_bytes(saved(photo, "JPEG", progressive=True))
    with pytest.raises(FileRefused, match="too much memory.*progressive JPEG.*Save it smaller"):
        open_picture(tmp_path / "photo")


def large(kind: str) -> bytes:
    """Return a picture of 64 megapixels, in few bytes."""
    side = 8000
    if kind == "wide GIF":
        return saved(Image.new("P", (65000, 900)), "GIF")
    if kind == "float TIFF":
        return saved(Image.new("F", (side, side)), "TIFF", compression="tiff_adobe_deflate")
    if kind == "TIFF in one strip":
        return tiff(np.broadcast_to(np.zeros(1, np.uint16), (side, side, 3)), 16, compression=8)
    colour, channels = {"grey PNG": (0, 1), "PNG": (6, 4)}[kind]
    whole = png(np.zeros((1, side, channels), np.uint16), 16, colour)
    packer = zlib.compressobj(1)
    row = bytes(1 + side * channels * 2)
    pixels = b"".join([*(packer.compress(row) for _ in range(side)), packer.flush()])
    head = whole[16:20] + side.to_bytes(4) + whole[24:29]
    return whole[:8] + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + END


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither getrusage nor /proc")
@pytest.mark.parametrize("kind", ["grey PNG", "PNG", "float TIFF", "TIFF in one strip", "wide GIF"])
def test_64_megapixels_open_within_a_gigabyte(tmp_path: Path, kind: str) -> None:
    (tmp_path / "large").write_bytes(large(kind))
    outcome, memory = peak(tmp_path / "large")
    assert outcome.split("|")[:3] in (["8000", "8000", "3"], ["900", "65000", "3"]), outcome
    assert memory <= MOST_MEMORY


# ── reasons ──────────────────────────────────────────────────────────────────────────────────────

PHOTO = np.random.default_rng(6).integers(0, 256, (60, 80, 3), np.uint8)


@pytest.mark.parametrize("ending", ["JPEG", "GIF", "WEBP", "BMP", "PNG"])
def test_a_file_is_called_cut_off_only_if_it_is(tmp_path: Path, ending: str) -> None:
    data = saved(Image.fromarray(PHOTO), ending)
    assert reason(tmp_path, data[: len(data) // 2]) == "is cut off"
    middle = len(data) // 2
    if ending != "BMP":  # every byte of a BMP is a colour
        broken = data[:middle] + bytes(len(data) // 4) + data[middle + len(data) // 4 :]
        try:
            (tmp_path / "rose").write_bytes(broken)
            open_picture(tmp_path / "rose")
        except FileRefused as fault:
            assert fault.reason == "is damaged"


def test_types_of_jpeg_and_bmp_that_are_not_read_are_named(tmp_path: Path) -> None:
    photo = saved(Image.fromarray(PHOTO), "JPEG")
    at = photo.index(b"\xff\xc0")
    for kind, precision in ((0xC0, 12), (0xC3, 8), (0xC7, 8), (0xC1, 12)):  # 12 bits; lossless
        changed = photo[: at + 1] + bytes([kind]) + photo[at + 2 : at + 4] + bytes([precision]) + photo[at + 5 :]
        assert reason(tmp_path, changed) == FOREIGN, hex(kind)
    bitmap = saved(Image.fromarray(PHOTO), "BMP")
    assert reason(tmp_path, bitmap[:30] + (4).to_bytes(4, "little") + bitmap[34:]) == FOREIGN  # a JPEG inside


def test_several_pictures_of_a_camera_open_as_the_first_with_a_note(tmp_path: Path) -> None:
    first = Image.fromarray(PHOTO)
    second = Image.fromarray(255 - PHOTO)
    (tmp_path / "pair.jpg").write_bytes(saved(first, "MPO", save_all=True, append_images=[second], quality=95))
    picture = open_picture(tmp_path / "pair.jpg")
    assert "only the first of its pictures is used" in picture.notes
    array = picture.array.astype(int)
    assert np.abs(array - PHOTO).mean() < np.abs(array - (255 - PHOTO)).mean()
