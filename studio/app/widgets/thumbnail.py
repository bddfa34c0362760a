"""Draws thumbnails of pictures and waves."""

import numpy as np
from PySide6.QtCore import (
    QLineF,
    QPointF,
    QRect,
    QRectF,
    Qt,
)
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPixmap, QPolygonF

from studio.app.widgets.picture import draw_crisp, to_image
from studio.app.widgets.theme import Theme
from studio.media.pictures.surprisal_map import ColourScale
from studio.media.sounds import spectrogram
from studio.media.sounds.single_cycle import LONGEST_CYCLE
from studio.media.sounds.wavetable import cycle_curve
from studio.wire.messages import Array


def picture_thumbnail(array: Array, side: int, ratio: float, theme: Theme) -> QPixmap:
    """Draw a picture or a wave that fits into `side` logical pixels.

    A small picture is enlarged by a whole number, so that it stays crisp.
    """
    space = max(1, int(side * ratio))
    if array.ndim == 1:
        return sound_thumbnail(array, space, space, ratio, theme)
    shown = to_image(array)
    largest = max(shown.width(), shown.height())
    if largest <= space:
        times = space // largest
        shown = shown.scaled(shown.width() * times, shown.height() * times)
    else:
        smooth = Qt.TransformationMode.SmoothTransformation
        keep = Qt.AspectRatioMode.KeepAspectRatio
        shown = shown.scaled(space, space, keep, smooth)
    drawn = QPixmap.fromImage(shown)
    drawn.setDevicePixelRatio(ratio)
    return drawn


def draw_thumbnail(painter: QPainter, drawn: QPixmap, rect: QRect) -> None:
    """Draw a thumbnail in the middle of a rectangle."""
    size = drawn.deviceIndependentSize()
    left = (rect.width() - size.width()) / 2
    top = (rect.height() - size.height()) / 2
    draw_crisp(painter, rect.x() + left, rect.y() + top, drawn)


WAVE_SHARE = 0.88
"""The share of the height that the loudest wave takes."""

RATE = 16_000
"""Hz with which a recording's thumbnail is drawn. At other rates its rows are slightly nearer or further apart."""


def wave_path(rect: QRectF, values: Array) -> QPolygonF:
    """Return values from -1 to 1 as a line along a rectangle."""
    x = np.linspace(rect.left(), rect.right(), len(values))
    y = rect.center().y() - values * rect.height() * WAVE_SHARE / 2
    return QPolygonF([QPointF(a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True)])


def spectrogram_thumbnail(sound: Array, width: int, height: int, ratio: float) -> QPixmap:
    """Draw a recording's spectrum over time, in device pixels."""
    levels = spectrogram.whole_spectrogram(sound, RATE, width)  # (width, rows)
    colours = ColourScale(0.0, 255.0, 0.0, 255.0, False).colour_map(levels.T[::-1])
    picture = QImage(colours.tobytes(), width, len(colours), 3 * width, QImage.Format.Format_RGB888)
    ignore = Qt.AspectRatioMode.IgnoreAspectRatio
    smooth = Qt.TransformationMode.SmoothTransformation
    pixmap = QPixmap.fromImage(picture.scaled(width, height, ignore, smooth))
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def sound_thumbnail(wave: Array, width: int, height: int, ratio: float, theme: Theme) -> QPixmap:
    """Draw a wave or a recording, in device pixels."""
    if len(wave) > LONGEST_CYCLE:
        return spectrogram_thumbnail(wave, width, height, ratio)
    pixmap = QPixmap(width, height)
    pixmap.fill(theme.colour("window"))
    rect = QRectF(0, 0, width, height).adjusted(ratio, 0, -ratio, 0)
    with QPainter(pixmap) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.colour("line"), ratio))
        painter.drawLine(QPointF(0, height / 2), QPointF(width, height / 2))
        painter.setPen(_pen(theme.colour("text"), 1.4 * ratio))
        painter.drawPolyline(wave_path(rect, cycle_curve(wave, max(128, width))))
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def waveform_pixmap(samples: Array, width: int, height: int, ratio: float, theme: Theme) -> QPixmap:
    """Draw the waveform of samples (n,) int16; its size is in device pixels."""
    pixmap = QPixmap(width, height)
    pixmap.fill(theme.colour("window"))
    middle = height / 2
    with QPainter(pixmap) as painter:
        painter.setPen(QPen(theme.colour("line"), ratio))
        painter.drawLine(QPointF(0, middle), QPointF(width, middle))
        if len(samples):
            starts = np.arange(width) * len(samples) // width
            scale = middle * WAVE_SHARE / 32_768
            highs = middle - np.maximum.reduceat(samples, starts) * scale
            lows = middle - np.minimum.reduceat(samples, starts) * scale
            painter.setPen(QPen(theme.colour("text"), 1))
            pairs = zip(highs.tolist(), lows.tolist(), strict=True)
            painter.drawLines([QLineF(x + 0.5, high, x + 0.5, low + 0.5) for x, (high, low) in enumerate(pairs)])
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def _pen(colour: QColor, width: float) -> QPen:
    return QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
