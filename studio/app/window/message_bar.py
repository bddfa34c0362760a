"""The message line: one thing at a time, said in words, with at most two buttons."""

from typing import Any

from PySide6.QtCore import QEasingCurve, QEvent, QObject, QPropertyAnimation, Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QGraphicsOpacityEffect, QHBoxLayout

from studio.app.core.guard import guarded
from studio.app.widgets.controls import Button, ElidedLabel, Label, announce
from studio.app.widgets.icons import icon_pixmap
from studio.app.widgets.theme import Theme

STAYS = {"info": 8000, "warn": 16000}
"""Milliseconds that a message stays. A failure, or a warning with a button, stays until the user answers."""
FADES = 160
"""Milliseconds."""
_KINDS = {"info": ("check", "accent"), "warn": ("warn", "warn"), "failed": ("warn", "danger")}


class MessageLine(QFrame):
    """`acted` carries the index of a button; `gone` says that the message was let go."""

    acted = Signal(int)
    gone = Signal()

    def __init__(self, look: Theme) -> None:
        super().__init__()
        self._look = look
        self._kind = "info"
        self._stays = 0
        self.setProperty("role", "message")
        self.setAccessibleName("Message")
        self._sign = Label()
        self.first = ElidedLabel("", "strong", Qt.TextElideMode.ElideRight)
        self.rest = ElidedLabel("", "soft", Qt.TextElideMode.ElideRight)
        self.buttons = [Button(look), Button(look)]
        self._close = Button(look, "", "icon", "close", "Let the message go", "Let the message go", "Esc")
        self._row = QHBoxLayout(self)
        self._row.addWidget(self._sign)
        self._row.addWidget(self.first)
        self._row.addWidget(self.rest, 1)
        self._row.addStretch(0)
        for index, button in enumerate(self.buttons):
            button.clicked.connect(lambda checked=False, index=index: self.acted.emit(index))
            self._row.addWidget(button)
        self._row.addWidget(self._close)
        self._close.clicked.connect(self.gone)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._leave)
        self._fading = QPropertyAnimation(self)
        self._fading.setPropertyName(b"opacity")
        self._fading.setDuration(FADES)
        self._fading.setStartValue(0.0)
        self._fading.setEndValue(1.0)
        self._fading.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._fading.finished.connect(self._faded)
        self.installEventFilter(self)
        look.changed.connect(self._tint)
        self.hide()

    def show_message(self, said: Any) -> None:
        self._timer.stop()
        self.setVisible(said is not None)
        if said is None:
            return
        self._kind = said.kind
        answered = said.kind == "failed" or (said.kind == "warn" and said.actions)
        self._stays = 0 if answered else STAYS[said.kind]
        first, dot, rest = said.text.partition(". ")
        self.first.show_text(first + dot.strip())
        self.rest.show_text(rest)
        self.rest.setVisible(bool(rest))
        self._row.setStretch(3, 0 if rest else 1)
        for index, button in enumerate(self.buttons):
            button.setVisible(index < len(said.actions))
            if index < len(said.actions):
                button.set_text(said.actions[index][0])
        self._tint()
        self.setAccessibleDescription(said.text)
        announce(self, said.text, assertive=said.kind == "failed")
        self._fade_in()
        self._wait()

    def _wait(self) -> None:
        """Start the time after which the message goes, if it has one."""
        if self._stays:
            self._timer.start(self._stays)

    def _fade_in(self) -> None:
        """Softly, unless nothing may move by itself."""
        if self._look.reduced_motion or self._fading.state() == QPropertyAnimation.State.Running:
            return
        effect = QGraphicsOpacityEffect(self)
        self.setGraphicsEffect(effect)
        self._fading.setTargetObject(effect)
        self._fading.start()

    def _faded(self) -> None:
        self.setGraphicsEffect(None)  # type: ignore[arg-type]  # Qt takes none for no effect

    def _leave(self) -> None:
        """Not under somebody's pointer or focus: then it waits again."""
        focused = any(button.hasFocus() for button in (*self.buttons, self._close))
        if self.underMouse() or focused:
            self._wait()
        else:
            self.gone.emit()

    def _tint(self) -> None:
        drawing, token = _KINDS[self._kind]
        side = self._look.scaled(16)
        self._sign.setPixmap(icon_pixmap(drawing, self._look.colour(token), side, self.devicePixelRatioF()))
        self._sign.setAccessibleName({"info": "Done", "warn": "Look", "failed": "Failed"}[self._kind])
        px = self._look.scaled
        self._row.setContentsMargins(px(12), 0, px(4), 0)
        self._row.setSpacing(px(8))

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave and self.isVisible():
            self._wait()
        return False
