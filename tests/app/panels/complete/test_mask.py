"""Tests masks: the pixels that tools cover, the pixels after a hole, and both layers as text."""

import numpy as np
import pytest

from studio.app.panels.complete import mask as masks


def test_a_stroke_covers_what_its_brush_touches_and_always_its_own_pixel() -> None:
    small = masks.stroke_mask((8, 8), (2.9, 3.1), (2.9, 3.1), 1)
    assert np.argwhere(small).tolist() == [[3, 2]]
    line = masks.stroke_mask((8, 8), (0.5, 4.5), (7.5, 4.5), 1)
    assert line[4].all()
    assert line.sum() == 8
    round_ = masks.stroke_mask((9, 9), (4.5, 4.5), (4.5, 4.5), 5)
    assert round_[2:7, 4].all()
    assert not round_[2, 2]
    assert not masks.stroke_mask((8, 8), (-4.0, 20.0), (-3.0, 20.0), 3).any()


def test_a_rectangle_covers_every_pixel_that_it_touches_from_any_corner() -> None:
    one, other = (
        masks.rectangle_mask((8, 8), (5.2, 6.9), (2.8, 1.0)),
        masks.rectangle_mask((8, 8), (2.8, 1.0), (5.2, 6.9)),
    )
    assert np.array_equal(one, other)
    assert one[1:7, 2:6].all()
    assert one.sum() == 24
    assert not masks.rectangle_mask((8, 8), (-5.0, -5.0), (-2.0, -1.0)).any()


@pytest.mark.parametrize(
    ("rows", "columns", "follows"),
    [(slice(4, 8), slice(0, 8), False), (slice(4, 8), slice(2, 8), True), (slice(2, 4), slice(0, 8), True)],
)
def test_what_is_kept_follows_a_hole_or_does_not(rows: slice, columns: slice, follows: bool) -> None:
    mask = np.zeros((8, 8), bool)
    assert not masks.has_kept_after_hole(mask)
    mask[rows, columns] = True
    assert masks.has_kept_after_hole(mask) is follows


def test_layers_are_kept_as_text_that_nothing_can_break() -> None:
    mask, heat = masks.mask_below((9, 7), 4), np.full((9, 7), masks.NEUTRAL, np.uint8)
    heat[3:5] = 180
    assert np.array_equal(masks.unpack_mask(masks.pack_layer(mask), (9, 7)), mask)
    assert np.array_equal(masks.unpack_temperature_map(masks.pack_layer(heat), (9, 7)), heat)
    assert masks.pack_layer(np.zeros((9, 7), bool)) == masks.pack_layer(np.full((9, 7), masks.NEUTRAL, np.uint8)) == ""
    for broken in ("", "no text of ours", "eJw=", masks.pack_layer(masks.mask_below((30, 30), 3))):
        assert not masks.unpack_mask(broken, (9, 7)).any()
        assert (masks.unpack_temperature_map(broken, (9, 7)) == masks.NEUTRAL).all()


def test_the_caption_counts_pixels_and_names_the_kept_part() -> None:
    mask = np.zeros((32, 32), bool)
    assert masks.mask_caption(mask)[0] == "Nothing is marked yet."
    assert masks.mask_caption(masks.mask_below((32, 32), 17)) == (
        "480 of 1,024 pixels to fill.",
        "Everything above the line is kept exactly, pixel for pixel.",
    )
    mask[3:5, 4] = True
    assert masks.mask_caption(mask)[1].startswith("Everything that is not marked is kept exactly")
    assert masks.mask_caption(~np.zeros((32, 32), bool))[0] == "All 1,024 pixels are marked."


def test_another_size_has_the_nearest_values() -> None:
    mask = masks.mask_below((8, 8), 4)
    assert np.array_equal(masks.resize_layer(mask, (16, 4)), masks.mask_below((16, 4), 8))
