"""Draws the application's own icons in colours of the theme, and finds its resources."""

import functools
from pathlib import Path

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from studio.app.widgets.theme import Theme

_HERE = Path(__file__).resolve()
RESOURCES = next((p for p in (_HERE.parents[2] / "resources", _HERE.parents[3] / "resources") if p.is_dir()), _HERE)
"""The folder lies inside the package in a wheel, and beside it in a clone."""


@functools.cache
def _drawing(name: str) -> str:
    return (RESOURCES / "icons" / f"{name}.svg").read_text("utf-8")


def icon_pixmap(name: str, colour: QColor, size: int, ratio: float = 1.0) -> QPixmap:
    """Return a drawing in one colour. `size` is in logical pixels."""
    side = round(size * ratio)
    picture = QPixmap(side, side)
    picture.fill(Qt.GlobalColor.transparent)
    renderer = QSvgRenderer(QByteArray(_drawing(name).replace("currentColor", colour.name()).encode()))
    with QPainter(picture) as painter:
        renderer.render(painter, QRectF(0, 0, side, side))
    picture.setDevicePixelRatio(ratio)
    return picture


def make_icon(theme: Theme, name: str, colour: str = "soft", on: str = "accent", size: int = 18) -> QIcon:
    """Return the icon of a button.

    `colour` and `on` are tokens for its two states. A disabled icon has the colour of a slider's groove.
    """
    result = QIcon()
    length = theme.scaled(size)
    for ratio in (1.0, 2.0):
        for token, mode, state in (
            (colour, QIcon.Mode.Normal, QIcon.State.Off),
            (on, QIcon.Mode.Normal, QIcon.State.On),
            ("groove", QIcon.Mode.Disabled, QIcon.State.Off),
        ):
            result.addPixmap(icon_pixmap(name, theme.colour(token), length, ratio), mode, state)
    return result
