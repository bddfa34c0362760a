"""Pictures take the nearest colours of a palette, and palettes are found in pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from studio.engine.events import result_of
from studio.media.export import encode_png_bytes
from studio.media.pictures import palette

GREYS = tuple((value, value, value) for value in (0, 90, 160, 255))


def soft_picture(seed: int, size: int = 32) -> np.ndarray:
    """Draw a picture of smooth colours."""
    generator = np.random.default_rng(seed)
    ramp = np.linspace(0, 1, size)[:, None, None] * generator.uniform(-200, 200, 3)
    across = np.linspace(0, 1, size)[None, :, None] * generator.uniform(-200, 200, 3)
    return np.clip(128 + ramp + across, 0, 255).astype(np.uint8)


def test_oklab_of_white_and_primaries_is_that_of_its_author() -> None:
    """Values by Ottosson's own code: L, a, b."""
    lab = palette.to_oklab(np.array([[255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8))
    known = [[1, 0, 0], [0.62796, 0.22486, 0.12585], [0.86644, -0.23389, 0.17950], [0.45201, -0.03246, -0.31153]]
    assert np.allclose(lab, known, atol=2e-4)


def test_every_pixel_takes_the_nearest_colour_and_its_own_if_there_is_one() -> None:
    colours = (*GREYS, (200, 30, 30), (30, 30, 200))
    picture = soft_picture(1)
    indices = palette.nearest_indices(picture, colours)
    lab = (palette.to_oklab(picture)[:, :, None] - palette.to_oklab(np.array(colours, np.uint8))) * (1, 2, 2)
    assert np.array_equal(indices, (lab**2).sum(-1).argmin(-1))
    snapped = palette.snap_to_palette(picture, colours)
    assert np.array_equal(palette.nearest_indices(snapped, colours), indices)
    assert palette.changed_pixels(snapped, palette.snap_to_palette(snapped, colours)) == 0
    dark_blue = np.array([[[20, 20, 140]]], np.uint8)  # nearer to black than to blue in RGB's brightness alone
    assert palette.snap_to_palette(dark_blue, colours)[0, 0].tolist() == [30, 30, 200]


def test_pictures_of_few_colours_keep_all_of_them_from_dark_to_light() -> None:
    pictures = [np.array([GREYS], np.uint8), palette.snap_to_palette(soft_picture(1), GREYS)]
    assert result_of(palette.find_palette(pictures, 16)) == GREYS
    assert result_of(palette.find_palette([np.full((4, 4, 3), 7, np.uint8)], 16)) == ((7, 7, 7),)


@pytest.mark.parametrize("count", [2, 8, 64])
def test_a_palette_has_colours_of_the_pictures_and_follows_them_alone(count: int) -> None:
    pictures = [soft_picture(seed) for seed in range(6)]
    found = result_of(palette.find_palette(pictures, count))
    assert 2 <= len(found) == len(set(found)) <= count
    there = {tuple(colour) for picture in pictures for colour in picture.reshape(-1, 3).tolist()}
    assert set(found) <= there
    assert result_of(palette.find_palette(reversed(pictures), count)) == found


def test_a_palette_is_nearer_to_its_pictures_than_that_of_pillow() -> None:
    pictures = np.stack([soft_picture(seed) for seed in range(8)])
    theirs = Image.fromarray(pictures.reshape(-1, 32, 3)).quantize(8, Image.Quantize.MEDIANCUT)
    flat = theirs.getpalette()
    assert flat is not None
    lab = palette.to_distance_axes(pictures)
    errors = [
        np.sqrt(((lab - palette.to_distance_axes(palette.snap_to_palette(pictures, each))) ** 2).sum(-1))
        for each in (
            result_of(palette.find_palette(pictures, 8)),
            tuple((flat[at], flat[at + 1], flat[at + 2]) for at in range(0, 24, 3)),
        )
    ]
    assert errors[0].mean() <= errors[1].mean()


def test_a_png_in_a_palette_holds_it_in_its_order_and_any_other_is_in_colour() -> None:
    colours = (*reversed(GREYS), (200, 30, 30))
    picture = palette.snap_to_palette(soft_picture(2), colours)
    with Image.open(io.BytesIO(encode_png_bytes(picture, {"key": "text"}, colours))) as image:
        assert image.mode == "P" and image.text == {"key": "text"}  # type: ignore[attr-defined]
        assert image.getpalette() == [channel for colour in colours for channel in colour]
        assert np.array_equal(np.asarray(image.convert("RGB")), picture)
        assert np.array_equal(np.asarray(image), palette.nearest_indices(picture, colours))
    with Image.open(io.BytesIO(encode_png_bytes(soft_picture(2), {}, colours))) as image:
        assert image.mode == "RGB"


def test_grey_metal_stays_grey_beside_a_brown_of_its_brightness() -> None:
    metal = np.full((8, 8, 3), 140, np.uint8)
    assert (palette.snap_to_palette(metal, ((118, 118, 118), (158, 132, 109))) == 118).all()
