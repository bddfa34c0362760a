"""Shows five words for the course of a training, one of them lit."""

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.app.core.guard import guarded
from studio.app.panels.train.gauge import VERDICTS, Verdict
from studio.app.widgets.controls import announce
from studio.app.widgets.theme import Theme

COLOURS = {"Memorising": "warn", "In trouble": "danger"}
HEIGHT = 34
BAR = 5
GAP = 8


class GaugeView(QWidget):
    """Paints the gauge. Without a word, no bar is lit."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._word: Verdict | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("How it goes")
        theme.changed.connect(self.update)

    def show_word(self, word: Verdict | None, reason: str) -> None:
        """Light a word, and announce a change to screen readers."""
        if word != self._word and word is not None and self._word is not None:
            announce(self, f"Now {word.lower()}. {reason}")
        self._word = word
        self.setAccessibleDescription(f"{word}. {reason}" if word is not None else reason)
        self.update()

    @guarded(QSize(300, HEIGHT))
    def sizeHint(self) -> QSize:
        return QSize(self._theme.scaled(400), self._theme.scaled(HEIGHT))

    @guarded(QSize(200, HEIGHT))
    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.scaled(200), self._theme.scaled(HEIGHT))

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        px = theme.scaled
        gap = px(GAP)
        width = (self.width() - gap * (len(VERDICTS) - 1)) / len(VERDICTS)
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for place, word in enumerate(VERDICTS):
                left = place * (width + gap)
                lit = word == self._word
                token = COLOURS.get(word, "accent")
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(theme.colour(token if lit else "groove"))
                painter.drawRoundedRect(QRectF(left, 0, width, px(BAR)), px(BAR) / 2, px(BAR) / 2)
                painter.setFont(theme.font(12, 600 if lit else 400))
                painter.setPen(theme.colour("text" if lit else "soft"))
                shown = painter.fontMetrics().elidedText(word, Qt.TextElideMode.ElideRight, round(width))
                painter.drawText(
                    QRectF(left, px(BAR + 4), width, px(HEIGHT - BAR - 4)), int(Qt.AlignmentFlag.AlignTop), shown
                )
