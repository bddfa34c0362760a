"""Every type of PNG opens as PNG 3 (https://www.w3.org/TR/png-3/) defines its look."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageCms

from tests.media.opening import opened, reason
from tests.media.pictures.writers import END, chunk, png

dice = np.random.default_rng(5)
SHAPE = (13, 22)
KINDS = [(0, depth, 1) for depth in (1, 2, 4, 8, 16)] + [(3, depth, 1) for depth in (1, 2, 4, 8)]
KINDS += [(colour, depth, channels) for colour, channels in ((2, 3), (4, 2), (6, 4)) for depth in (8, 16)]
OVER_WHITE = "transparency was put over white"
GAMMA = "its gamma was converted to sRGB"
COLOURS = "its colours were converted to sRGB"
UNUSUAL = "its colours are of an unusual type and were taken as sRGB"
LEFT_OUT = "its colour profile could not be read and was left out"
HDR = "its HDR colours were taken as sRGB"
LINEAR = chunk(b"gAMA", struct.pack(">I", 100_000))
USUAL = chunk(b"gAMA", struct.pack(">I", 45_455))
SRGB = chunk(b"sRGB", b"\0")
REC_709 = chunk(b"cHRM", struct.pack(">8I", 31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000))
DISPLAY_P3 = chunk(b"cHRM", struct.pack(">8I", 31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6_000))


def samples(depth: int, channels: int) -> np.ndarray:
    values = dice.integers(0, 2**depth, (*SHAPE, channels), np.uint16 if depth == 16 else np.uint8)
    values[0, 0] = 0
    values[0, 1] = 2**depth - 1
    return values


def profile(name: str, swapped: bool = False) -> bytes:
    """Return sRGB as an ICC profile with another name; `swapped` exchanges red and green."""
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if swapped:
        made = made.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")
    return made.replace("sRGB".encode("utf-16-be"), name.encode("utf-16-be")).replace(b"sRGB", name.encode())


def iccp(body: bytes, name: bytes = b"own") -> bytes:
    return chunk(b"iCCP", name + b"\0\0" + zlib.compress(body))


SWAPPED = iccp(profile("else", swapped=True))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour", "depth", "channels"), KINDS)
def test_every_colour_type_and_depth_opens_as_it_looks(
    tmp_path: Path, colour: int, depth: int, channels: int, interlaced: bool
) -> None:
    values = samples(depth, channels)
    palette = dice.integers(0, 256, (2**depth if colour == 3 else 1, 3), np.uint8)
    before = chunk(b"PLTE", palette.tobytes()) if colour == 3 else b""
    part = palette[values[..., 0]] / 255 if colour == 3 else values / (2**depth - 1)
    if colour in (4, 6):
        part = part[..., :-1] * part[..., -1:] + 1 - part[..., -1:]
    picture = opened(tmp_path, png(values, depth, colour, before, interlaced=interlaced))
    np.testing.assert_allclose(picture.array, np.broadcast_to(255 * part, (*SHAPE, 3)), atol=1.5 if colour > 3 else 0.5)
    assert (OVER_WHITE in picture.notes) == (colour in (4, 6))
    assert ("16 bits a colour were rounded to 8" in picture.notes) == (depth == 16)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour", "depth", "channels"), [kind for kind in KINDS if kind[0] in (0, 2)])
def test_the_one_transparent_colour_becomes_the_background(
    tmp_path: Path, colour: int, depth: int, channels: int, interlaced: bool
) -> None:
    values = samples(depth, channels)
    values[5:, 5:9] = values[0, 0]
    values[2, 2] = values[0, 0]
    if depth == 16:
        values[2, 3] = values[0, 0]
        values[2, 3, 0] ^= 1  # a neighbour that 8 bits cannot distinguish from it
    is_clear = (values == values[0, 0]).all(axis=2)
    unused = 0 if depth == 16 else 1 << depth  # bits that a decoder must leave out
    key = struct.pack(f">{channels}H", *(int(value) | unused for value in values[0, 0]))
    picture = opened(tmp_path, png(values, depth, colour, chunk(b"tRNS", key), interlaced=interlaced))
    plain = opened(tmp_path, png(values, depth, colour, interlaced=interlaced))
    np.testing.assert_array_equal(picture.array, np.where(is_clear[..., None], 255, plain.array))
    assert OVER_WHITE in picture.notes
    assert OVER_WHITE not in plain.notes


def test_a_clear_colour_that_no_pixel_has_is_not_mentioned(tmp_path: Path) -> None:
    values = np.full((*SHAPE, 1), 100, np.uint8)
    assert opened(tmp_path, png(values, 8, 0, chunk(b"tRNS", b"\0\x07"))).notes == ()


def test_a_palette_may_be_partly_transparent_and_too_short(tmp_path: Path) -> None:
    palette = chunk(b"PLTE", bytes([220, 40, 40, 40, 200, 60]))
    values = np.array([[[0], [1], [2]]], np.uint8)
    picture = opened(tmp_path, png(values, 8, 3, palette + chunk(b"tRNS", b"\x80")))
    np.testing.assert_array_equal(picture.array[0], [(237, 147, 147), (40, 200, 60), (0, 0, 0)])


def encoded(light: float) -> float:
    """Return a share of light in sRGB, from 0 to 255."""
    return 255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize(("colour", "depth", "channels"), KINDS)
@pytest.mark.parametrize("gamma", [1.0, 1 / 1.8, 0.3])
def test_a_gamma_is_converted(tmp_path: Path, colour: int, depth: int, channels: int, gamma: float) -> None:
    values = samples(depth, channels)
    if colour in (4, 6):
        values[..., -1] = 2**depth - 1
    greys = np.repeat(np.arange(2**depth, dtype=np.uint8)[:, None], 3, axis=1) * (255 // (2 ** min(depth, 8) - 1))
    before = chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000)))
    before += chunk(b"PLTE", greys.tobytes()) if colour == 3 else b""
    picture = opened(tmp_path, png(values, depth, colour, before))
    part = values[..., : 3 if colour in (2, 6) else 1] / (2**depth - 1)
    expected = np.vectorize(encoded)(part ** (1 / gamma))
    np.testing.assert_allclose(picture.array, np.broadcast_to(expected, (*SHAPE, 3)), atol=0.6)
    assert GAMMA in picture.notes


@pytest.mark.parametrize(
    ("before", "red", "notes"),
    [
        (LINEAR, (188, 0, 0), {GAMMA}),
        (USUAL, (128, 0, 0), set()),
        (SRGB + LINEAR, (128, 0, 0), set()),
        (LINEAR + SRGB + DISPLAY_P3, (128, 0, 0), set()),
        (USUAL + REC_709, (128, 0, 0), set()),
        (LINEAR + REC_709, (188, 0, 0), {GAMMA}),
        (DISPLAY_P3, (140, 0, 0), {COLOURS}),
        (SWAPPED + LINEAR + SRGB, (0, 128, 0), {"its colour profile was converted to sRGB"}),
        (iccp(profile("sRGB")) + LINEAR, (128, 0, 0), set()),
        (iccp(b"rubbish" * 50) + LINEAR, (128, 0, 0), {LEFT_OUT}),
        (chunk(b"iCCP", b"own\0\0no zlib") + LINEAR, (188, 0, 0), {GAMMA, LEFT_OUT}),
        (chunk(b"cICP", bytes([1, 13, 0, 1])) + SWAPPED + LINEAR, (128, 0, 0), set()),
        (chunk(b"cICP", bytes([1, 8, 0, 1])) + SRGB, (188, 0, 0), {COLOURS}),
        (chunk(b"cICP", bytes([12, 13, 0, 1])), (140, 0, 0), {COLOURS}),
        (chunk(b"cICP", bytes([9, 16, 0, 1])) + SWAPPED, (128, 0, 0), {HDR}),
        (chunk(b"cICP", bytes([9, 18, 0, 1])), (128, 0, 0), {HDR}),
        (chunk(b"cICP", bytes([1, 13, 0, 0])), (128, 0, 0), {UNUSUAL}),
        (chunk(b"cICP", bytes([1, 200, 0, 1])), (128, 0, 0), {UNUSUAL}),
        (iccp(profile("else", swapped=True), b"ITUR_2100_PQ_FULL"), (128, 0, 0), {HDR}),
        (chunk(b"gAMA", bytes(4)), (128, 0, 0), set()),
        (chunk(b"gAMA", b"\1"), (128, 0, 0), set()),
        (chunk(b"cHRM", bytes(32)), (128, 0, 0), set()),
        (chunk(b"cHRM", struct.pack(">8I", *[30_000] * 8)), (128, 0, 0), set()),
    ],
)  # fmt: skip
def test_the_first_of_cicp_iccp_srgb_gama_and_chrm_counts(
    tmp_path: Path, before: bytes, red: tuple[int, int, int], notes: set[str]
) -> None:
    values = np.zeros((*SHAPE, 3), np.uint8)
    values[..., 0] = 128
    picture = opened(tmp_path, png(values, 8, 2, before))
    np.testing.assert_allclose(picture.array[0, 0].astype(int), red, atol=1)
    assert set(picture.notes) == notes


@pytest.mark.parametrize("colour", [0, 4, 2, 6, 3])
@pytest.mark.parametrize("depth", [8, 16])
def test_a_profile_is_applied_with_and_without_opacity_at_every_depth(tmp_path: Path, colour: int, depth: int) -> None:
    if (colour, depth) == (3, 16):
        return
    channels = {0: 1, 4: 2, 2: 3, 6: 4, 3: 1}[colour]
    values = np.full((*SHAPE, channels), 2**depth - 1, np.uint16 if depth == 16 else np.uint8)
    half = 128 * 257 if depth == 16 else 128
    values[..., 0] = 0 if colour == 3 else half
    if colour in (2, 6):
        values[..., 1:3] = 0
    palette = chunk(b"PLTE", bytes([128, 0, 0])) if colour == 3 else b""
    picture = opened(tmp_path, png(values, depth, colour, SWAPPED + palette))
    expected = (128, 128, 128) if colour in (0, 4) else (0, 128, 0)
    np.testing.assert_allclose(picture.array[0, 0].astype(int), expected, atol=1 if colour in (2, 3, 6) else 12)
    assert "its colour profile was converted to sRGB" in picture.notes


def test_a_profile_of_hdr_is_reported(tmp_path: Path) -> None:
    made = profile("else")
    at = made.index(b"chrm", 300)  # behind the table of tags: made the code points of PQ
    hdr = made[:at] + b"cicp" + bytes(4) + bytes([9, 16, 0, 1]) + made[at + 12 :]
    hdr = hdr.replace(b"chrm", b"cicp", 1)
    told = "its HDR colours were converted for an ordinary screen"
    for body, is_told in ((hdr, True), (made, False)):
        picture = opened(tmp_path, png(samples(8, 3), 8, 2, iccp(body)))
        assert (told in picture.notes) == is_told


def test_deep_light_is_converted_before_it_is_rounded(tmp_path: Path) -> None:
    values = np.arange(0, 1200, 4, dtype=np.uint16).reshape(1, -1, 1)  # of 65,535: linear light near black
    linear = profile("line")
    at = linear.index(b"para")
    linear = linear[:at] + b"curv" + bytes(4) + bytes(4) + linear[at + 12 :]  # no entries: light = value
    expected = np.vectorize(encoded)(values[..., 0] / 65535)
    for before in (LINEAR, iccp(linear)):
        array = opened(tmp_path, png(np.repeat(values, 3, axis=2), 16, 2, before)).array
        np.testing.assert_allclose(array[..., 1], expected, atol=0.6)


@pytest.mark.parametrize(
    ("kind", "body", "what"),
    [
        (b"tEXt", b"Comment\0made by a phone", ""),
        (b"iTXt", b"Comment\0\0\0\0\0words", ""),
        (b"zTXt", b"Comment\0\0" + zlib.compress(b"words"), ""),
        (b"pHYs", struct.pack(">IIB", 2835, 2835, 1), ""),
        (b"tIME", bytes(7), ""),
        (b"bKGD", bytes(6), ""),
        (b"sBIT", b"\5\6\5", ""),
        (b"prVt", b"of a program", ""),
        (b"tRNS", bytes([0, 128, 0, 0, 0, 0]), "transparency"),
        (b"gAMA", struct.pack(">I", 100_000), "gamma"),
        (b"cHRM", DISPLAY_P3[8:-4], "colour space"),
        (b"sRGB", b"\0", "colour space"),
        (b"iCCP", SWAPPED[8:-4], "colour profile"),
        (b"cICP", bytes([1, 8, 0, 1]), "colour space"),
        (b"eXIf", b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0", "orientation"),
    ],
)
def test_a_wrong_checksum_outside_the_pixels_costs_only_that_part(
    tmp_path: Path, kind: bytes, body: bytes, what: str
) -> None:
    values = np.zeros((*SHAPE, 3), np.uint8)
    values[..., 0] = 128
    bad = chunk(kind, body, checksum=1)
    good = chunk(kind, body)
    for data in (png(values, 8, 2, bad), png(values, 8, 2, after=bad)):
        picture = opened(tmp_path, data)
        np.testing.assert_array_equal(picture.array, values)
        assert picture.notes == ((f"its {what} is damaged and was left out",) if what else ())
    if kind != b"sRGB" and what:  # otherwise this test could not fail
        assert not np.array_equal(opened(tmp_path, png(values, 8, 2, good)).array, values)


def test_wrong_checksums_outside_the_pixels_cost_only_their_part(tmp_path: Path) -> None:
    values = samples(8, 3)
    whole = png(values, 8, 2)
    pixels = whole.index(b"IDAT")
    end = len(whole) - len(END)
    picture = opened(tmp_path, whole[: end - 4] + bytes(4) + END)
    np.testing.assert_array_equal(picture.array, values)
    assert picture.notes == ("a checksum in it is wrong, but its pixels are whole",)
    changed = whole[: pixels + 40] + bytes([whole[pixels + 40] ^ 64]) + whole[pixels + 41 :]
    assert reason(tmp_path, changed) == "is damaged"
    assert reason(tmp_path, whole[:29] + bytes(4) + whole[33:]) == "is damaged"  # of the size
    palette = chunk(b"PLTE", bytes([1, 2, 3]), checksum=5)
    told = opened(tmp_path, png(np.zeros((2, 2, 1), np.uint8), 8, 3, palette)).notes
    assert told == ("the checksum of its palette is wrong, so colours may be, too",)


def test_large_texts_and_profiles_cost_nothing(tmp_path: Path) -> None:
    values = samples(8, 3)
    bomb = zlib.compress(bytes(2**26), 9)
    for before in (chunk(b"zTXt", b"Comment\0\0" + bomb), chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb)):
        picture = opened(tmp_path, png(values, 8, 2, before))
        np.testing.assert_array_equal(picture.array, values)
        assert picture.notes == ()
    picture = opened(tmp_path, png(values, 8, 2, chunk(b"iCCP", b"own\0\0" + bomb)))
    np.testing.assert_array_equal(picture.array, values)
    assert picture.notes == ("its colour profile could not be read and was left out",)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("noted", ["exif", "xmp", "digits"])
def test_a_picture_is_turned_wherever_its_orientation_is_noted(tmp_path: Path, noted: str, after: bool) -> None:
    block = b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    digits = (b"Exif\0\0" + block).hex().encode()
    text = {
        "exif": chunk(b"eXIf", block),
        "xmp": chunk(b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6"/>'),
        "digits": chunk(b"tEXt", b"Raw profile type exif\0\nexif\n" + b"%8d\n" % (len(digits) // 2) + digits),
    }[noted]
    values = samples(8, 3)
    picture = opened(tmp_path, png(values, 8, 2, **({"after": text} if after else {"before": text})))
    np.testing.assert_array_equal(picture.array, np.rot90(values, -1))
    assert picture.notes == ("turned upright as its camera noted",)


def test_the_reason_is_true_of_the_file(tmp_path: Path) -> None:
    values = samples(8, 3)
    whole = png(values, 8, 2)
    assert reason(tmp_path, whole[: len(whole) // 2]) == "is cut off"
    assert reason(tmp_path, whole[:20]) == "is cut off"
    short = whole[:33] + chunk(b"IDAT", zlib.compress(b"\0" * 50)) + END
    assert reason(tmp_path, short) == "is damaged"
    assert reason(tmp_path, whole[:8] + chunk(b"CgBI", bytes(4)) + whole[8:]) == "is of a type that is not read here"
    assert reason(tmp_path, png(values, 8, 2, chunk(b"ABCD", b""))) == "is of a type that is not read here"
    assert reason(tmp_path, png(values, 8, 3)) == "is damaged"  # no palette
    np.testing.assert_array_equal(opened(tmp_path, whole[: -len(END)]).array, values)
    np.testing.assert_array_equal(opened(tmp_path, whole + b"trailing words").array, values)
