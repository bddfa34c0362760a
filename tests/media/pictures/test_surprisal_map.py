"""A map becomes a picture with colours, a shared scale, and a plate with its legend."""

import numpy as np

from studio.media.pictures.surprisal_map import ColourScale, colour_ramp, draw_plate, format_bits_value


def test_the_colours_rise_in_lightness_so_that_a_map_reads_in_grey() -> None:
    linear = (colour_ramp() / 255.0) ** 2.2
    light = linear @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(light) > 0).mean() > 0.99
    assert light[0] == 0
    assert light[-1] > 0.9
    map = ColourScale(0.0, 10.0, 0.0, 10.0, False).colour_map(np.array([[-5.0, 0.0, 5.0, 99.0]]))
    assert map[0, 0].tolist() == map[0, 1].tolist() == [0, 0, 0]
    assert map[0, 3].tolist() == [0xFC, 0xFD, 0xBF]


def test_formatted_values_are_short() -> None:
    assert [format_bits_value(bits) for bits in (0.0, 3.21, 12.0, -1.5, 0.04, -0.001)] == [
        "0",
        "3.2",
        "12",
        "−1.5",
        "0.04",
        "0",
    ]
    assert ColourScale.over_range(0.0, 1.0, False).description == ("1 bit a pixel, exact", "1 bit, exact")
    assert ColourScale.over_range(-1.0, 8.0, True).description == ("8 bits, share of the total", "8 bits, shared")
    with_noise = ColourScale.over_range(-1.0, 8.0, True, with_noise=True)
    assert with_noise.description == ("8 bits, share of the total with noise", "8 bits, with noise")


def test_compared_maps_share_a_scale_that_one_odd_pixel_does_not_set() -> None:
    calm = np.full((32, 32), 3.0)
    odd = np.full((32, 32), 7.0)
    odd[0, 0] = 500
    assert ColourScale.of_maps([calm, odd], False) == ColourScale(0.0, 7.0, 0.0, 7.0, False)
    assert ColourScale.of_maps([calm - 5, odd], True).low < 0


def test_a_plate_holds_picture_map_and_legend() -> None:
    picture = np.zeros((8, 8, 1), np.uint8) + 90
    bits = np.zeros((8, 8))
    bits[:, 4:] = 10
    shown = draw_plate(picture, bits, ColourScale.over_range(0.0, 10.0, False))
    assert shown[100, 100].tolist() == [90, 90, 90]
    assert shown[100, 360].tolist() == [0, 0, 0]
    assert shown[100, 640].tolist() == [0xFC, 0xFD, 0xBF]
    legend = shown[320 + 30, 350:660].astype(int).sum(1)
    assert (np.diff(legend) >= 0).mean() > 0.95
    words = shown[320 + 36 + 6 :, 350:660].astype(int)
    assert words.max() > 200, "what the ends stand for is written below"
