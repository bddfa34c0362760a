"""Every picture opens as it looks. Everything else is refused with a reason."""

import csv
import io
import os
import random
import socket
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image, ImageCms

from studio.media.pictures import formats, image
from studio.media.pictures.image import FileRefused, OpenedPicture, compose_over, fit_to_shape, open_picture
from tests.media.opening import opened, refused
from tests.media.pictures.writers import chunk, png, tiff

CORPUS = Path(__file__).parents[3] / "../shared/data/user"
POSIX_ONLY = pytest.mark.skipif(os.name == "nt", reason="Windows has neither pipes in folders nor devices")
dice = np.random.default_rng(1)
PHOTO = np.asarray(
    Image.fromarray(dice.integers(0, 256, (6, 8, 3), np.uint8)).resize((80, 60), Image.Resampling.BICUBIC)
)


def saved(picture: np.ndarray | Image.Image, ending: str, **how: Any) -> bytes:
    """Return a picture as a file of that format."""
    buffer = io.BytesIO()
    made = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    made.save(buffer, ending, **how)
    return buffer.getvalue()


# ── pictures that users have ─────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the folder of messy sample files is not here")
def test_all_files_of_a_messy_folder_open_upright_or_are_refused_with_a_reason() -> None:
    with open(CORPUS / "images_EXPECTED.csv", newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    assert len(rows) == 208
    for row in rows:
        try:
            picture = open_picture(CORPUS / "images" / row["file"])
        except FileRefused as fault:
            assert row["expect"] == "skip", str(fault)
            assert fault.reason.startswith(("is ", "has "))
            continue
        assert row["expect"] == "ok", row["file"]
        assert picture.array.shape == (int(row["height"]), int(row["width"]), 3), row["file"]
        assert picture.array.dtype == np.uint8
        small = fit_to_shape(picture.array, (3, 32, 32))
        assert small.shape == (32, 32, 3)


@pytest.mark.parametrize("ending", ["PNG", "BMP", "TIFF", "WEBP", "GIF"])
def test_a_picture_kept_without_loss_opens_as_it_is(tmp_path: Path, ending: str) -> None:
    few = PHOTO // 64 * 64 if ending == "GIF" else PHOTO
    picture = opened(tmp_path, saved(few, ending, **({"lossless": True} if ending == "WEBP" else {})))
    np.testing.assert_array_equal(picture.array, few)
    assert picture.name == "rose.png"
    assert picture.array.flags.writeable
    if ending != "GIF":
        assert picture.notes == ()


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    assert opened(tmp_path, saved(PHOTO, "PNG"), "rose.jpg").array.shape == PHOTO.shape
    assert opened(tmp_path, saved(PHOTO, "JPEG"), "rose").array.shape == PHOTO.shape


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_picture_taken_sideways_comes_upright(tmp_path: Path, ending: str, orientation: int) -> None:
    scene = np.zeros((32, 48, 3), np.uint8)
    scene[:16, :16] = 255, 0, 0  # red at the top left
    scene[16:, 32:] = 0, 0, 255  # blue at the bottom right
    stored = {
        1: scene,
        2: scene[:, ::-1],
        3: scene[::-1, ::-1],
        4: scene[::-1],
        5: scene.transpose(1, 0, 2),
        6: scene.transpose(1, 0, 2)[::-1],
        7: scene.transpose(1, 0, 2)[::-1, ::-1],
        8: scene.transpose(1, 0, 2)[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    settings: dict[str, dict[str, Any]] = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}
    how = settings.get(ending, {})
    picture = opened(tmp_path, saved(np.ascontiguousarray(stored), ending, exif=exif, **how))
    np.testing.assert_allclose(picture.array.astype(int), scene, atol=4)
    assert any("upright" in note for note in picture.notes) == (orientation != 1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "PA"])
def test_transparency_is_put_over_white(tmp_path: Path, mode: str) -> None:
    coloured = Image.new("RGBA", (3, 1))
    coloured.putdata([(0, 0, 0, 0), (0, 0, 0, 255), (0, 0, 0, 128)])
    if mode == "P":
        coloured = coloured.quantize(4)
    ending = "TIFF" if mode == "PA" else "PNG"
    picture = opened(tmp_path, saved(coloured.convert(mode) if mode in ("LA", "RGBA") else coloured, ending))
    np.testing.assert_array_equal(picture.array[0, :, 0], [255, 0, 127])
    assert any("white" in note for note in picture.notes)


@pytest.mark.parametrize("ending", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_truncated(tmp_path: Path, ending: str) -> None:
    deep = np.array([[0, 128, 129, 257, 32768, 65278, 65535]], np.uint16)
    picture = opened(tmp_path, saved(deep, ending))
    np.testing.assert_array_equal(picture.array[0, :, 0], [0, 0, 1, 1, 128, 254, 255])
    assert any("8 bits" in note or "rounded to 8" in note for note in picture.notes)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 0.5, 1], [0, 128, 255]),
        ([-1, 0, 1], [0, 128, 255]),
        ([3, 3, 3], [0, 0, 0]),
        ([0, float("nan"), 1], [0, 0, 255]),
    ],
)
def test_fractions_are_scaled_to_bytes(tmp_path: Path, values: list[float], expected: list[int]) -> None:
    picture = opened(tmp_path, saved(np.array([values], np.float32), "TIFF"))
    np.testing.assert_array_equal(picture.array[0, :, 0], expected)


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    picture = opened(tmp_path, saved(Image.fromarray(np.array([[0, 255, 0]], np.uint8)).convert("1"), "PNG"))
    np.testing.assert_array_equal(picture.array[0, :, 1], [0, 255, 0])


@pytest.mark.parametrize("ending", ["TIFF", "JPEG"])
def test_printers_colours_become_screen_colours(tmp_path: Path, ending: str) -> None:
    cyan = (255, 0, 0, 0)
    black = (0, 0, 0, 255)
    paper = (0, 0, 0, 0)
    for ink, colour in ((cyan, (0, 255, 255)), (black, (0, 0, 0)), (paper, (255, 255, 255))):
        picture = opened(tmp_path, saved(Image.new("CMYK", (16, 16), ink), ending))
        np.testing.assert_allclose(picture.array[8, 8].astype(int), colour, atol=2)
        assert "CMYK colours were converted to RGB" in picture.notes


def test_lab_colours_become_screen_colours(tmp_path: Path) -> None:
    grey = Image.new("LAB", (4, 4), (137, 128, 128))
    white = Image.new("LAB", (4, 4), (255, 128, 128))
    np.testing.assert_allclose(opened(tmp_path, saved(grey, "TIFF")).array[0, 0].astype(int), 128, atol=2)
    np.testing.assert_allclose(opened(tmp_path, saved(white, "TIFF")).array[0, 0].astype(int), 255, atol=1)


def test_a_colour_profile_is_applied(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_array_equal(opened(tmp_path, saved(PHOTO, "PNG", icc_profile=srgb)).array, PHOTO)
    # A profile whose red and green have changed places, under another name.
    swapped = srgb.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "else".encode("utf-16-be")).replace(b"sRGB", b"else")
    picture = opened(tmp_path, saved(Image.new("RGB", (4, 4), (255, 0, 0)), "PNG", icc_profile=swapped))
    np.testing.assert_allclose(picture.array[0, 0].astype(int), (0, 255, 0), atol=3)
    assert "its colour profile was converted to sRGB" in picture.notes


def test_a_damaged_colour_profile_costs_the_profile_alone(tmp_path: Path) -> None:
    picture = opened(tmp_path, saved(PHOTO, "PNG", icc_profile=b"rubbish" * 100))
    np.testing.assert_array_equal(picture.array, PHOTO)
    assert any("left out" in note for note in picture.notes)


@pytest.mark.parametrize("ending", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_opens_as_its_first_picture_with_a_note(tmp_path: Path, ending: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    how = {"lossless": True} if ending == "WEBP" else {}
    picture = opened(tmp_path, saved(frames[0], ending, save_all=True, append_images=frames[1:], **how))
    np.testing.assert_array_equal(picture.array[0, 0], (255, 0, 0))
    assert any("first" in note for note in picture.notes)


@pytest.mark.parametrize(
    "name", [b"\xff\xfe.png", "\u202egnp.exe".encode(), b"new\nline.png", b"-rf.png", b"a" * 251 + b".png"]
)
@POSIX_ONLY
def test_any_name_opens_and_can_be_shown(tmp_path: Path, name: bytes) -> None:
    path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))
    path.write_bytes(saved(PHOTO, "PNG"))
    shown = open_picture(path).name
    assert shown.encode()
    assert len(shown) <= 200
    assert not {"\n", "\u202e"} & set(shown)


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.timeout(20)
@POSIX_ONLY
def test_pipes_and_devices_are_neither_opened_nor_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "real.png").write_bytes(saved(PHOTO, "PNG"))
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.getcwd()
        os.chdir(tmp_path)  # the path of a socket may have 108 characters
        try:
            listening.bind("socket.png")
        finally:
            os.chdir(here)
        reasons = {}
        for name in ("pipe.png", "zero.png", "loop.png", "folder.png", "link.png", "socket.png", "gone.png"):
            with pytest.raises(FileRefused) as fault:
                open_picture(tmp_path / name)
            reasons[name] = fault.value.reason
    with pytest.raises(FileRefused):
        open_picture("/dev/zero")
    assert reasons == {
        "pipe.png": "is not a file but a device or a pipe",
        "zero.png": "is a link",
        "loop.png": "is a link",
        "folder.png": "is a folder",
        "link.png": "is a link",
        "socket.png": "is not a file but a device or a pipe",
        "gone.png": "is not there any more",
    }


@POSIX_ONLY
def test_postscript_dressed_as_a_picture_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for program in ("gs", "gswin64c", "inkscape"):
        (tools / program).write_text(f'#!/bin/sh\ntouch "{tmp_path}/started"\n')
        (tools / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    page = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n9 9 scale\nshowpage\n%%EOF\n"
    for name in ("eps.png", "eps.eps", "eps.jpg"):
        assert "not a picture" in refused(tmp_path, page, name).reason
    for reader in ("PNG", "JPEG", "GIF", "BMP", "TIFF"):  # and in case its first bytes were recognised as a picture:
        monkeypatch.setattr(formats, "_BEGINNINGS", {b"%!PS": reader})
        refused(tmp_path, page, "eps.png")
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7\n",
        b"<html></html>",
        b"<svg/>",
        b"SIMPLE  =  T",
        b"P6 1 1 255 abc",
        b"\0\0\1\0\1\0",
        b"qoif\0\0\0\1",
    ],
    ids=lambda data: ascii(data[:4]),
)
def test_other_formats_are_not_tried(tmp_path: Path, data: bytes) -> None:
    assert refused(tmp_path, data * 30).reason == "is not a picture that can be read here"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"RIFF\0\0\0\0WAVEfmt ", "is a sound (WAV)"),
        (b"\0\0\0 ftypM4A ", "is a sound (M4A)"),
        (b"\0\0\0 ftypisom", "is a film (MP4)"),
    ],
)
def test_a_sound_is_reported_as_a_sound(tmp_path: Path, data: bytes, reason: str) -> None:
    assert refused(tmp_path, data * 30).reason == reason


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    assert refused(tmp_path, b"").reason == "is empty"


def test_a_file_larger_than_any_picture_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "MAX_PICTURE_FILE_BYTES", 1000)
    assert "larger than" in refused(tmp_path, saved(PHOTO, "PNG")).reason


def png_of(width: int, height: int, data: bytes = b"") -> bytes:
    """Return a PNG that claims to have that many one-bit pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.timeout(20)
def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    width = 13_300
    height = 13_300
    rows = zlib.compress((b"\0" + b"\0" * -(-width // 8)) * height, 9)
    assert len(rows) < 100_000
    for data in (
        png_of(width, height, rows),
        png_of(60_000, 60_000),
        png_of(2**31 - 1, 2**31 - 1),
        saved(PHOTO // 64 * 64, "GIF")[:6] + b"\xff\xff\xff\xff" + saved(PHOTO // 64 * 64, "GIF")[10:],
        saved(PHOTO, "BMP")[:18] + struct.pack("<ii", 60_000, 60_000) + saved(PHOTO, "BMP")[26:],
        saved(PHOTO, "TIFF").replace(struct.pack("<HHII", 256, 4, 1, 80), struct.pack("<HHII", 256, 4, 1, 10**7)),
    ):
        assert "megapixels" in refused(tmp_path, data).reason


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "progressive", "GIF", "WEBP", "TIFF", "packed TIFF", "BMP"])
def test_a_picture_that_is_cut_off_is_never_used_in_part(tmp_path: Path, kind: str) -> None:
    how: dict[str, Any] = {"progressive": {"progressive": True}, "packed TIFF": {"compression": "tiff_lzw"}}.get(
        kind, {}
    )
    ending = {"progressive": "JPEG", "packed TIFF": "TIFF"}.get(kind, kind)
    data = saved(PHOTO, ending, **how)
    whole = opened(tmp_path, data).array
    refusals = 0
    for twentieth in range(1, 20):
        try:
            np.testing.assert_array_equal(opened(tmp_path, data[: len(data) * twentieth // 20]).array, whole)
        except FileRefused as fault:
            refusals += 1
            assert "cut off" in fault.reason or "damaged" in fault.reason or "not a picture" in fault.reason
    assert refusals >= 18


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(SyntaxError("bad"), "damaged"), (struct.error(), "damaged"), (MemoryError(), "memory"), (EOFError(), "damaged")],
)
def test_any_error_of_a_decoder_becomes_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception, reason: str
) -> None:
    def fail(*_: object) -> OpenedPicture:
        raise fault

    monkeypatch.setattr(formats, "decode_picture", fail)
    assert reason in refused(tmp_path, saved(PHOTO, "PNG")).reason


def test_mutated_files_open_or_are_refused(tmp_path: Path) -> None:
    chance = random.Random(3)
    small = PHOTO[:20, :20]
    seeds = [saved(small, ending) for ending in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP")]
    deep = small.astype(np.uint16) * 257
    notes = [chunk(b"gAMA", (99_999).to_bytes(4)), chunk(b"cICP", bytes([12, 8, 0, 1])), chunk(b"tRNS", bytes(6))]
    seeds.append(png(deep, 16, 2, b"".join(notes), interlaced=True))
    seeds.append(tiff(deep, 16, compression=8, predictor=2, tile=(16, 16), order=">"))
    seeds.append(tiff(deep / 65535, 64, 3, compression=8, predictor=3, rows=7, apart=True, big=True))
    for turn in range(450):
        changed = bytearray(seeds[turn % len(seeds)])
        for _ in range(chance.randint(1, 6)):
            changed[chance.randrange(len(changed))] = chance.choice((0, 255, chance.randrange(256)))
        try:
            assert opened(tmp_path, bytes(changed)).array.dtype == np.uint8
        except FileRefused as fault:
            assert fault.reason


# ── into a model's shape ─────────────────────────────────────────────────────────────────────────


def test_transparency_is_mixed_exactly() -> None:
    rgba = np.array([[[0, 100, 255, 0], [0, 100, 255, 255], [0, 100, 255, 128], [0, 100, 255, 1]]], np.uint8)
    exact = rgba[..., :3] * (rgba[..., 3:] / 255) + 255 * (1 - rgba[..., 3:] / 255)
    np.testing.assert_array_equal(compose_over(rgba), np.rint(exact).astype(np.uint8))
    np.testing.assert_array_equal(compose_over(rgba, 0)[0, 0], (0, 0, 0))


def test_a_picture_already_in_shape_is_unchanged() -> None:
    result = fit_to_shape(PHOTO, (3, 60, 80))
    np.testing.assert_array_equal(result, PHOTO)
    assert not np.shares_memory(result, PHOTO)


@pytest.mark.parametrize("scale", [2, 3, 8])
def test_an_enlarged_export_comes_back_exactly(scale: int) -> None:
    small = dice.integers(0, 256, (32, 32, 3), np.uint8)
    np.testing.assert_array_equal(fit_to_shape(small.repeat(scale, 0).repeat(scale, 1), (3, 32, 32)), small)
    grey = small[..., :1]
    np.testing.assert_array_equal(
        fit_to_shape(np.repeat(grey.repeat(scale, 0).repeat(scale, 1), 3, 2), (1, 32, 32)), grey
    )


def test_a_grey_picture_weighs_colours_as_eyes_do() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    np.testing.assert_array_equal(fit_to_shape(colours, (1, 1, 4))[0, :, 0], [76, 150, 29, 255])
    np.testing.assert_array_equal(fit_to_shape(PHOTO[..., :1], (3, 60, 80)), PHOTO[..., :1].repeat(3, 2))


def halves() -> np.ndarray:
    """Return 100 × 200 pixels: a black left half, a white right half."""
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:, 100:] = 255
    return picture


def test_crop_takes_the_middle_undistorted() -> None:
    picture = halves()
    picture[:, :50] = picture[:, 150:] = 128  # what is cut off
    result = fit_to_shape(picture, (3, 20, 20))
    assert (result[:, :8] <= 3).all()
    assert (result[:, 12:] >= 252).all()


def test_pad_keeps_the_whole_picture_and_adds_margins() -> None:
    result = fit_to_shape(halves(), (3, 20, 20), "pad", over=77)
    assert (result[:5] == 77).all()
    assert (result[15:] == 77).all()
    assert (result[5:15, :8] <= 3).all()
    assert (result[5:15, 12:] >= 252).all()


def test_fit_squeezes_the_whole_picture() -> None:
    result = fit_to_shape(halves(), (3, 20, 20), "fit")
    assert (result[:, :8] <= 3).all()
    assert (result[:, 12:] >= 252).all()


def test_a_part_is_cut_out_of_the_given_box() -> None:
    assert (fit_to_shape(halves(), (3, 10, 10), box=(0, 0, 0.4, 1)) == 0).all()
    assert (fit_to_shape(halves(), (3, 10, 10), "fit", box=(0.6, 0.2, 1, 0.9)) == 255).all()
    np.testing.assert_array_equal(fit_to_shape(PHOTO, (3, 30, 40), box=(0.5, 0.5, 1, 1)), PHOTO[30:, 40:])
    for box in ((0.5, 0, 0.5, 1), (0, 0, 1.1, 1), (-0.1, 0, 1, 1), (0, 0.9, 1, 0.1), (0, 0, float("nan"), 1)):
        with pytest.raises(ValueError, match="part of a picture"):
            fit_to_shape(PHOTO, (3, 8, 8), box=box)


def test_small_pictures_are_averaged_not_picked() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    np.testing.assert_allclose(fit_to_shape(stripes, (3, 8, 8)).astype(int), 128, atol=8)  # not 0 and not 255


@given(
    some.integers(1, 90),
    some.integers(1, 90),
    some.sampled_from([1, 3, 4]),
    some.sampled_from([(1, 28, 28), (3, 32, 32), (3, 5, 17), (1, 1, 1)]),
    some.sampled_from(["crop", "fit", "pad"]),
    some.integers(0, 255),
)
@settings(max_examples=150, deadline=None)
def test_any_size_is_fitted_and_a_single_colour_stays_single(
    height: int, width: int, channels: int, shape: tuple[int, int, int], how: Any, grey: int
) -> None:
    picture = np.full((height, width, channels), grey, np.uint8)
    if channels == 4:
        picture[..., 3] = 255
    result = fit_to_shape(picture, shape, how, over=grey)
    assert result.shape == (shape[1], shape[2], shape[0])
    assert result.dtype == np.uint8
    assert (result == grey).all()
