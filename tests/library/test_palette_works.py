"""Pictures in a palette are fitted in one place, and saved as palette PNGs with everything else as ever."""

import io
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from studio.library import models
from studio.library.card import Card
from studio.library.fitting import fit_to_card
from studio.library.model_file import BadModel
from studio.library.work import Work, decode_sheet, encode_png, encode_sheet, recipe_of_png
from studio.media.pictures.animation import encode_gif_bytes
from studio.media.pictures.enlarging import Enlargement, original_picture
from studio.media.pictures.image import open_picture
from studio.media.pictures.palette import colours_of
from studio.media.preparation import Palette
from tests.library.test_models import CARD, write_model

COLOURS: Palette = ((10, 10, 10), (200, 40, 40), (40, 160, 60), (60, 60, 220), (250, 250, 240))
PALETTE_CARD: Card = msgspec.structs.replace(
    CARD, family="gated_pixelcnn", shape=(1, 8, 6), levels=len(COLOURS), palette=COLOURS
)
INDICES = np.random.default_rng(0).integers(0, len(COLOURS), (8, 6)).astype(np.uint8)
PICTURE = colours_of(INDICES, COLOURS)
WORK = Work(model="dots", model_hash="0" * 32, seed=7, palette=COLOURS)


def test_a_picture_takes_the_colours_of_the_card_and_says_how_many_pixels_changed() -> None:
    fitted = fit_to_card(PICTURE, PALETTE_CARD)
    assert np.array_equal(fitted.array, PICTURE) and fitted.note == ""
    near = PICTURE.copy()
    near[:3] ^= 1
    fitted = fit_to_card(near, PALETTE_CARD)
    assert np.array_equal(fitted.array, PICTURE)
    assert fitted.note == "18 of 48 pixels took the nearest of 5 colours"
    plain = fit_to_card(near, msgspec.structs.replace(PALETTE_CARD, palette=(), shape=(3, 8, 6), levels=256))
    assert np.array_equal(plain.array, near) and plain.note == ""


def test_transparent_pixels_show_the_ground_before_they_take_a_colour() -> None:
    clear = np.dstack((np.full_like(PICTURE, 0), np.zeros((8, 6, 1), np.uint8)))
    assert (fit_to_card(clear, PALETTE_CARD).array == COLOURS[4]).all(), "white is behind them"


@pytest.mark.parametrize("enlargement", [Enlargement(), Enlargement(4)])
def test_a_saved_picture_has_the_palette_in_the_order_of_its_card_and_its_recipe(
    tmp_path: Path, enlargement: Enlargement
) -> None:
    data = encode_png(PICTURE, WORK, enlargement)
    assert recipe_of_png(data) == WORK
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "P"
        assert image.getpalette() == [channel for colour in COLOURS for channel in colour]
        assert np.array_equal(np.asarray(image)[:: enlargement.times, :: enlargement.times], INDICES)
    (tmp_path / "dots.png").write_bytes(data)
    assert np.array_equal(fit_to_card(open_picture(tmp_path / "dots.png").array, PALETTE_CARD).array, PICTURE)


def test_a_smooth_picture_is_in_colour_and_keeps_its_original(tmp_path: Path) -> None:
    data = encode_png(PICTURE, WORK, Enlargement(4, smooth=True))
    (tmp_path / "dots.png").write_bytes(data)
    opened = open_picture(tmp_path / "dots.png")
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "RGB"
    assert np.array_equal(original_picture(data, opened.array), PICTURE)


def test_a_sheet_is_in_the_palette_with_white_gaps_and_opens_again() -> None:
    data = encode_sheet([PICTURE, PICTURE[::-1]], [WORK, msgspec.structs.replace(WORK, seed=8)], 2)
    with Image.open(io.BytesIO(data)) as image:
        flat = image.getpalette()
        assert image.mode == "P" and flat == [c for colour in (*COLOURS, (255, 255, 255)) for c in colour]
        seen = np.asarray(image.convert("RGB"))
    assert (seen[0] == 255).all()
    (first, work), (second, _) = decode_sheet(data, seen)
    assert work == WORK and np.array_equal(first, PICTURE) and np.array_equal(second, PICTURE[::-1])


def test_a_film_has_exactly_the_colours_of_the_palette() -> None:
    data = encode_gif_bytes([PICTURE[None], PICTURE[None, ::-1]], 0.2)
    with Image.open(io.BytesIO(data)) as film:
        for frame, picture in enumerate((PICTURE, PICTURE[::-1])):
            film.seek(frame)
            assert np.array_equal(np.asarray(film.convert("RGB"))[16::32, 16::32], picture)


def test_the_palette_leaves_the_identity_of_a_work_as_it_was() -> None:
    assert WORK.identity_hash == msgspec.structs.replace(WORK, palette=()).identity_hash


def test_a_card_says_what_its_pictures_are() -> None:
    assert PALETTE_CARD.size_text == "6 × 8 in 5 colours"
    assert PALETTE_CARD.round_trip_text == "byte for byte in the model's 5 colours"
    assert PALETTE_CARD.shown_shape == (3, 8, 6)


@pytest.mark.parametrize(
    "fields", [{"palette": COLOURS[:4]}, {"palette": (*COLOURS[:4], COLOURS[0])}, {"shape": (3, 8, 6)}]
)
def test_a_card_whose_palette_does_not_fit_is_refused(tmp_path: Path, fields: dict[str, object]) -> None:
    path = write_model(tmp_path / "dots.safetensors", msgspec.structs.replace(PALETTE_CARD, **fields))
    with pytest.raises(BadModel, match="a palette that does not fit"):
        models.find_model(str(path))
