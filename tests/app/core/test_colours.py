import numpy as np
import pytest

from studio.app.core import colours


@pytest.mark.parametrize(
    ("colour", "word"),
    [
        ((40, 90, 200), "blue"),
        ((255, 0, 0), "red"),
        ((120, 20, 25), "dark red"),
        ((240, 140, 30), "orange"),
        ((255, 210, 60), "yellow"),
        ((60, 160, 70), "green"),
        ((0, 0, 0), "black"),
        ((255,), "white"),
        ((128,), "grey"),
        ((150, 200, 240), "light blue"),
        ((230, 90, 160), "pink"),
    ],
)
def test_a_colour_has_a_plain_word(colour: tuple[int, ...], word: str) -> None:
    assert colours.colour_name(colour) == word


@pytest.mark.parametrize(
    ("text", "colour"), [("#2858C8", (40, 88, 200)), (" fff ", (255, 255, 255)), ("2858c8", (40, 88, 200))]
)
def test_a_typed_colour_is_read(text: str, colour: tuple[int, ...]) -> None:
    assert colours.parse_colour(text, 3) == colour
    assert colours.parse_colour(colours.to_hex(colour), 3) == colour


@pytest.mark.parametrize("text", ["", "blue", "#12345", "#1234567", "-1-2-3", "٣٣٣"])
def test_a_text_that_is_no_colour_gives_none(text: str) -> None:
    assert colours.parse_colour(text, 3) is None


def test_a_grey_picture_gets_a_grey() -> None:
    assert colours.parse_colour("#FFFFFF", 1) == (255,)
    assert colours.parse_colour("#FF0000", 1) == (76,)


@pytest.mark.parametrize("levels", [2, 16, 256])
def test_an_imposed_colour_is_a_level_of_the_model(levels: int) -> None:
    drawn = {(level * 255 + (levels - 1) // 2) // (levels - 1) for level in range(levels)}
    for value in range(0, 256, 5):
        (near,) = colours.nearest_model_colour((value,), levels, ())
        assert near in drawn
        assert colours.nearest_model_colour((near,), levels, ()) == (near,)


def test_the_commonest_colours_come_first() -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[0] = (200, 10, 10)
    picture[1, 0] = (10, 10, 200)
    assert colours.common_colours(picture, 2) == [(0, 0, 0), (200, 10, 10)]
