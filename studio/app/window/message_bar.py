"""Shows one message at a time, with at most two buttons."""

from typing import Any

from PySide6.QtCore import QAbstractAnimation, QEasingCurve, QEvent, QObject, Qt, QTimer, QVariantAnimation, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from studio.app.core.guard import guarded
from studio.app.widgets.controls import Button, ElidedLabel, Label, announce
from studio.app.widgets.icons import icon_pixmap
from studio.app.widgets.theme import Theme

STAY_TIMES = {"info": 8000, "warn": 16000}
"""Milliseconds that a message stays. A failure, or a message with a button, stays until the user answers."""
FADE_TIME = 160
"""Milliseconds."""
_SEVERITIES = {"info": ("check", "accent"), "warn": ("warn", "warn"), "failed": ("warn", "danger")}


class FadingCover(QWidget):
    """Covers a widget with its background, ever more transparently. It takes no mouse events.

    It replaces Qt's opacity effect: a window with it crashed twice while it was resized.
    """

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._fading = QVariantAnimation(self)
        self._fading.setDuration(FADE_TIME)
        self._fading.setStartValue(1.0)
        self._fading.setEndValue(0.0)
        self._fading.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._fading.valueChanged.connect(lambda _: self.update())
        self._fading.finished.connect(self.hide)
        self.hide()

    def fade(self) -> None:
        """Begin to fade, unless it fades already."""
        if self._fading.state() != QAbstractAnimation.State.Running:
            self.show()
            self.raise_()
            self._fading.start()

    def stop(self) -> None:
        """Take the cover away at once."""
        self._fading.stop()
        self.hide()

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        colour = self._theme.colour("window")
        colour.setAlphaF(self._fading.currentValue())
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), colour)


class MessageBar(QFrame):
    """Shows the message line. `button_pressed` carries the index of a button; `dismissed`: the user closed it."""

    button_pressed = Signal(int)
    dismissed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._severity = "info"
        self._stays = 0
        self.setProperty("role", "message")
        self.setAccessibleName("Message")
        self._sign = Label()
        self.first = ElidedLabel("", "strong", Qt.TextElideMode.ElideRight)
        self.rest = ElidedLabel("", "soft", Qt.TextElideMode.ElideRight)
        self.buttons = [Button(theme), Button(theme)]
        self._close = Button(theme, "", "icon", "close", "Close the message", "Close the message", "Esc")
        self._row = QHBoxLayout(self)
        self._row.addWidget(self._sign)
        self._row.addWidget(self.first)
        self._row.addWidget(self.rest, 1)
        self._row.addStretch(0)
        for index, button in enumerate(self.buttons):
            button.clicked.connect(lambda checked=False, index=index: self.button_pressed.emit(index))
            self._row.addWidget(button)
        self._row.addWidget(self._close)
        self._close.clicked.connect(self.dismissed)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._dismiss_if_unused)
        self._cover = FadingCover(theme, self)
        self.installEventFilter(self)
        theme.changed.connect(self._tint)
        self.hide()

    def show_message(self, message: Any) -> None:
        self._timer.stop()
        self.setVisible(message is not None)
        if message is None:
            self._cover.stop()
            return
        self._severity = message.severity
        waits = message.severity == "failed" or bool(message.buttons)
        self._stays = 0 if waits else STAY_TIMES[message.severity]
        first, dot, rest = message.text.partition(". ")
        self.first.show_text(first + dot.strip())
        self.rest.show_text(rest)
        self.rest.setVisible(bool(rest))
        self._row.setStretch(3, 0 if rest else 1)
        for index, button in enumerate(self.buttons):
            button.setVisible(index < len(message.buttons))
            if index < len(message.buttons):
                button.set_text(message.buttons[index][0])
        self._tint()
        self.setAccessibleDescription(message.text)
        announce(self, message.text, assertive=message.severity == "failed")
        self._fade_in()
        self._start_timer()

    def _start_timer(self) -> None:
        """Start the time after which the message disappears, if it has one."""
        if self._stays:
            self._timer.start(self._stays)

    def _fade_in(self) -> None:
        """Fade in, unless motion is reduced."""
        if not self._theme.reduced_motion:
            self._cover.fade()

    def _dismiss_if_unused(self) -> None:
        """Dismiss the message, unless the pointer or the focus is on it: then it waits again."""
        focused = any(button.hasFocus() for button in (*self.buttons, self._close))
        if self.underMouse() or focused:
            self._start_timer()
        else:
            self.dismissed.emit()

    def _tint(self) -> None:
        drawing, token = _SEVERITIES[self._severity]
        side = self._theme.scaled(16)
        self._sign.setPixmap(icon_pixmap(drawing, self._theme.colour(token), side, self.devicePixelRatioF()))
        self._sign.setAccessibleName({"info": "Done", "warn": "Look", "failed": "Failed"}[self._severity])
        px = self._theme.scaled
        self._row.setContentsMargins(px(12), 0, px(4), 0)
        self._row.setSpacing(px(8))

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._cover.setGeometry(self.rect())

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave and self.isVisible():
            self._start_timer()
        return False
