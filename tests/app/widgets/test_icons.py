"""Drawings are rendered once, whoever asks for them; another colour or size is another picture."""

from PySide6.QtGui import QColor

from studio.app.widgets.icons import icon_pixmap


def test_one_drawing_has_every_colour_and_size_that_is_asked_for() -> None:
    red, blue = QColor("#c02020"), QColor("#2020c0")
    first = icon_pixmap("down", red, 18).toImage()
    other = icon_pixmap("down", blue, 18).toImage()
    inked = [(x, y) for x in range(18) for y in range(18) if first.pixelColor(x, y).alpha() == 255]
    assert inked and all(first.pixelColor(*at) == red and other.pixelColor(*at) == blue for at in inked)
    assert icon_pixmap("plus", red, 18).toImage() != first
    sharp = icon_pixmap("down", red, 18, ratio=2.0)
    assert (sharp.width(), sharp.deviceIndependentSize().width()) == (36, 18)
    assert icon_pixmap("down", red, 18).toImage() == first
