"""How the window is left, written down beside it soon after a change."""

from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import QObject, QTimer, Signal

from studio.app.states.later import Later
from studio.app.states.messages import Messages
from studio.app.states.value import Plain
from studio.library.storage import NotSaved

DEBOUNCE = 1000
"""Milliseconds from a change until it is written down."""


class Settings(Protocol):
    """Where the window's state is kept (studio.app.settings)."""

    def read(self) -> tuple[Plain, str]: ...
    def write(self, plain: Plain) -> None: ...


class Keeping(QObject):
    """Writes what `snapshot` gives. A disk that is full is said once, and not every second."""

    saved = Signal()

    def __init__(
        self, settings: Settings, messages: Messages, snapshot: Callable[[], Plain], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._settings, self._messages, self._snapshot = settings, messages, snapshot
        self._written: Plain = {}
        self._said_not_saved = False
        self._writing = Later(self)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(DEBOUNCE)
        self._soon.timeout.connect(self.save)

    def soon(self) -> None:
        """Something changed."""
        if not self._soon.isActive():
            self._soon.start()

    def save(self) -> None:
        """Write the state down; nothing where nothing changed."""
        plain = self._snapshot()
        if plain != self._written:
            self._writing.run(lambda: self._settings.write(plain), lambda outcome: self._wrote(plain, outcome))

    def stop(self) -> None:
        """Nothing more is written soon."""
        self._soon.stop()

    def close(self) -> None:
        """Write the state down for the last time, now."""
        plain = self._snapshot()
        self._writing.wait()
        try:
            self._settings.write(plain)
        except NotSaved as fault:
            self._wrote(plain, fault)

    def _wrote(self, plain: Plain, outcome: Exception | None) -> None:
        if outcome is None:
            self._written, self._said_not_saved = plain, False
            self.saved.emit()
        elif not isinstance(outcome, NotSaved):
            raise outcome
        elif not self._said_not_saved:
            self._said_not_saved = True
            self._messages.say(outcome.sentence, "warn", ("Try again", self.save), until=(self.saved,))
