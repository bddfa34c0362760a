"""Every layout of a TIFF opens as it looks, or is refused as unknown."""

import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.media.opening import opened, reason
from tests.media.pictures.writers import tiff

dice = np.random.default_rng(4)
SHAPE = (19, 37)
FOREIGN = "is of a type that is not read here"
BLOCKS: tuple[dict[str, Any], ...] = ({}, {"rows": 7}, {"tile": (16, 16)})


def samples(bits: int, form: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random samples, the darkest and the lightest among them, and their fractions."""
    if form == 3:
        values = dice.random((*SHAPE, channels)).astype(f"f{bits // 8}")
        values[0, 0] = 0
        values[0, 1] = 1
        return values, values.astype(float)
    low = -(2 ** (bits - 1)) if form == 2 else 0
    size = next(size for size in (8, 16, 32, 64) if size >= bits)
    kind = np.dtype(f"{'i' if form == 2 else 'u'}{size // 8}")
    values = dice.integers(low, low + 2**bits - 1, (*SHAPE, channels), kind, endpoint=True)
    values[0, 0] = low
    values[0, 1] = low + 2**bits - 1
    return values, (values.astype(float) - low) / (2.0**bits - 1)


def in_rgb(part: np.ndarray, photometric: int) -> np.ndarray:
    """Return the colours (height, width, 3), 0 to 255, of fractions by TIFF 6.0."""
    if photometric == 5:
        return 255 * (1 - part[..., :3]) * (1 - part[..., 3:4])
    grey_or_rgb = part[..., : 3 if photometric == 2 else 1]
    return np.broadcast_to(255 * (1 - grey_or_rgb if photometric == 0 else grey_or_rgb), (*part.shape[:2], 3))


DEPTHS = [(bits, 1) for bits in (1, 2, 4, 6, 8, 10, 12, 14, 16, 24, 32, 64)]
DEPTHS += [(bits, 2) for bits in (8, 16, 32, 64)] + [(bits, 3) for bits in (16, 32, 64)]


@pytest.mark.parametrize(("bits", "form"), DEPTHS)
@pytest.mark.parametrize(("photometric", "channels"), [(0, 1), (1, 1), (2, 3), (5, 4)])
def test_every_depth_order_and_layout_opens_as_it_looks(
    tmp_path: Path, bits: int, form: int, photometric: int, channels: int
) -> None:
    values, part = samples(bits, form, channels)
    expected = in_rgb(part, photometric)
    for order, apart, compression, blocks in itertools.product("<>", (False, True), (1, 8), BLOCKS):
        how = {"order": order, "apart": apart, "compression": compression, **blocks}
        picture = opened(tmp_path, tiff(values, bits, form, photometric, **how))
        np.testing.assert_allclose(picture.array, expected, atol=1, err_msg=str(how))
        assert any(f"{bits} bits a colour were rounded to 8" in note for note in picture.notes) == (bits > 8)


@pytest.mark.parametrize(("bits", "form", "predictor"), [(8, 1, 2), (16, 1, 2), (32, 1, 2), (64, 1, 2), (16, 2, 2),
                                                         (16, 3, 3), (32, 3, 3), (64, 3, 3), (32, 3, 2)])  # fmt: skip
def test_differences_along_rows_are_added_up(tmp_path: Path, bits: int, form: int, predictor: int) -> None:
    values, part = samples(bits, form, 3)
    for order, apart, blocks in itertools.product("<>", (False, True), BLOCKS):
        data = tiff(values, bits, form, order=order, apart=apart, compression=8, predictor=predictor, **blocks)
        np.testing.assert_allclose(opened(tmp_path, data).array, in_rgb(part, 2), atol=1)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "lzma", "zstd"])
def test_every_compression_gives_back_the_samples(tmp_path: Path, compression: str) -> None:
    deep, part = samples(16, 1, 1)
    for array, expected in ((deep[..., 0], in_rgb(part, 1)), (samples(8, 1, 3)[0], None)):
        buffer = io.BytesIO()
        Image.fromarray(array).save(buffer, "TIFF", compression=compression)
        np.testing.assert_allclose(
            opened(tmp_path, buffer.getvalue()).array, array if expected is None else expected, atol=1
        )


@pytest.mark.parametrize("compression", ["jpeg", "group3", "group4"])
def test_compressions_of_pixels_open(tmp_path: Path, compression: str) -> None:
    halves = np.zeros((16, 32), np.uint8)
    halves[:, 16:] = 255
    made = Image.fromarray(halves) if compression == "jpeg" else Image.fromarray(halves).convert("1")
    buffer = io.BytesIO()
    made.save(buffer, "TIFF", compression=compression)
    np.testing.assert_allclose(opened(tmp_path, buffer.getvalue()).array[..., 1], halves, atol=3)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("blocks", BLOCKS)
def test_a_big_tiff_opens(tmp_path: Path, order: str, blocks: dict[str, Any]) -> None:
    values, part = samples(16, 1, 3)
    picture = opened(tmp_path, tiff(values, 16, order=order, big=True, **blocks))
    np.testing.assert_allclose(picture.array, in_rgb(part, 2), atol=1)


@pytest.mark.parametrize(("bits", "form"), [(4, 1), (8, 1), (16, 1), (32, 1), (16, 3), (32, 3)])
@pytest.mark.parametrize(("photometric", "colours"), [(0, 1), (1, 1), (2, 3), (5, 4)])
@pytest.mark.parametrize(("extra", "opacity"), [((2,), 0), ((0, 2), 1), ((2, 0), 0), ((0,), None), ((0, 0), None)])
def test_only_the_opacity_of_extra_channels_counts(
    tmp_path: Path, bits: int, form: int, photometric: int, colours: int, extra: tuple[int, ...], opacity: int | None
) -> None:
    values, part = samples(bits, form, colours + len(extra))
    expected = in_rgb(part, photometric)
    if opacity is not None:
        clear = part[..., colours + opacity, None]
        expected = clear * expected + (1 - clear) * 255
    for apart in (False, True):
        picture = opened(tmp_path, tiff(values, bits, form, photometric, extra=extra, apart=apart))
        np.testing.assert_allclose(picture.array, expected, atol=1.5)  # three roundings
        assert ("transparency was put over white" in picture.notes) == (opacity is not None)
        assert ("extra channels were left out" in picture.notes) == (0 in extra)


@pytest.mark.parametrize(("bits", "form"), [(8, 1), (16, 1), (32, 3)])
def test_colours_that_were_multiplied_by_their_opacity_look_the_same(tmp_path: Path, bits: int, form: int) -> None:
    white = 1 if form == 3 else 2**bits - 1
    kind = np.dtype(f"{'f' if form == 3 else 'u'}{bits // 8}")
    for colours in (1, 3):
        part = dice.uniform(0.2, 1, (*SHAPE, colours + 1))
        clear = part[..., -1:]
        stored = np.concatenate([part[..., :-1] * clear, clear], axis=2) * white
        data = tiff(stored.astype(kind), bits, form, 1 if colours == 1 else 2, extra=(1,))
        expected = 255 * (part[..., :-1] * clear + 1 - clear)
        np.testing.assert_allclose(opened(tmp_path, data).array, np.broadcast_to(expected, (*SHAPE, 3)), atol=3)


def test_opacity_that_hides_nothing_is_not_mentioned(tmp_path: Path) -> None:
    values = samples(16, 1, 4)[0]
    values[..., 3] = 65535
    assert opened(tmp_path, tiff(values, 16, extra=(2,))).notes == ("16 bits a colour were rounded to 8",)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("written", ["in 16 bits", "as bytes", "as bytes shifted up"])
def test_a_palette_gives_its_colours(tmp_path: Path, bits: int, written: str) -> None:
    colours = dice.integers(0, 256, (2**bits, 3))
    colours[0] = 255
    factor = {"in 16 bits": 257, "as bytes": 1, "as bytes shifted up": 256}[written]
    values = samples(bits, 1, 1)[0]
    data = tiff(values, bits, 1, 3, more={320: (colours.T * factor).reshape(-1).tolist()})
    np.testing.assert_array_equal(opened(tmp_path, data).array, colours[values[..., 0]])


def test_values_beyond_black_and_white_are_spread_and_reported(tmp_path: Path) -> None:
    heights = np.array([[[-100.0], [400.0], [np.nan], [900.0]]], np.float32)
    picture = opened(tmp_path, tiff(heights, 32, 3, 1))
    np.testing.assert_array_equal(picture.array[0, :, 0], [0, 128, 0, 255])
    assert "its values from -100 to 900 were spread from black to white" in picture.notes
    assert "values that are not numbers became black" in picture.notes


def test_a_small_preview_is_reported_as_a_preview(tmp_path: Path) -> None:
    values = samples(8, 1, 3)[0]
    assert opened(tmp_path, tiff(values, 8, more={254: [1]})).notes == ("only the small preview in it is used",)


def test_smaller_versions_behind_a_picture_are_not_other_pictures(tmp_path: Path) -> None:
    large = Image.new("RGB", (40, 40), "red")
    small = Image.new("RGB", (20, 20), "red")
    for kind, told in ((0, True), (1, False), (4, False)):
        buffer = io.BytesIO()
        small.encoderinfo = {"tiffinfo": {254: kind}}
        large.save(buffer, "TIFF", save_all=True, append_images=[small])
        told_now = "only the first of its pictures is used" in opened(tmp_path, buffer.getvalue()).notes
        assert told_now == told, kind


@pytest.mark.parametrize(
    "data",
    [
        tiff(samples(8, 1, 3)[0], 8, more={258: [5, 6, 5]}),
        tiff(samples(16, 1, 3)[0], 16, more={339: [1, 1, 3]}),
        tiff(samples(32, 1, 1)[0], 32, 5, 1),  # complex numbers
        tiff(samples(16, 1, 3)[0], 16, photometric=8),
        tiff(samples(8, 1, 1)[0], 8, photometric=32803),  # a camera's sensor
        tiff(samples(8, 1, 4)[0], 8, photometric=5, more={332: [2]}),  # inks of another type
        *(tiff(samples(8, 1, 3)[0], 8, compression=packing) for packing in (34887, 50001, 34712, 32809, 12345)),
    ],
)
def test_other_types_are_refused_by_name_and_not_as_damaged(tmp_path: Path, data: bytes) -> None:
    assert reason(tmp_path, data) == FOREIGN


def test_the_reason_is_true_of_the_file(tmp_path: Path) -> None:
    values = samples(16, 1, 3)[0]
    whole = tiff(values, 16)
    packed = tiff(values, 16, compression=8)
    assert reason(tmp_path, whole[:-100]) == "is cut off"
    assert reason(tmp_path, packed[:-100]) == "is cut off"
    assert reason(tmp_path, packed[:-100] + bytes(100)) == "is damaged"
    beyond = whole[:4] + (10**6).to_bytes(4, "little") + whole[8:]  # its directory, which is missing or elsewhere
    assert reason(tmp_path, beyond) == "is cut off or damaged"
