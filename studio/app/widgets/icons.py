"""Draws our own icons in the colours of the theme, and finds the application's resources."""

import functools
from pathlib import Path

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QImage, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from studio.app.widgets.theme import Theme

_HERE = Path(__file__).resolve()
RESOURCES = next((p for p in (_HERE.parents[2] / "resources", _HERE.parents[3] / "resources") if p.is_dir()), _HERE)
"""Inside the package in a wheel, beside it in a clone."""


@functools.cache
def _drawing(name: str) -> str:
    return (RESOURCES / "icons" / f"{name}.svg").read_text("utf-8")


@functools.lru_cache(maxsize=1024)
def _drawn(name: str, colour: str, side: int) -> QImage:
    """Return an icon as a square of `side` pixels. Results are cached, because many buttons share few icons."""
    picture = QImage(side, side, QImage.Format.Format_ARGB32_Premultiplied)
    picture.fill(Qt.GlobalColor.transparent)
    renderer = QSvgRenderer(QByteArray(_drawing(name).replace("currentColor", colour).encode()))
    with QPainter(picture) as painter:
        renderer.render(painter, QRectF(0, 0, side, side))
    return picture


def icon_pixmap(name: str, colour: QColor, size: int, ratio: float = 1.0) -> QPixmap:
    """Return the icon `name` in one colour; `size` is in logical pixels."""
    picture = QPixmap.fromImage(_drawn(name, colour.name(), round(size * ratio)))
    picture.setDevicePixelRatio(ratio)
    return picture


def make_icon(theme: Theme, name: str, colour: str = "soft", on: str = "accent", size: int = 18) -> QIcon:
    """Return the icon of a button in the tokens `colour` and `on`. It is faint while disabled."""
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
