"""Shows the caption of a run, and the main button that starts and stops it."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.app.core.observable import Value
from studio.app.generation.batch import Batch
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Button, ElidedLabel, Label
from studio.app.widgets.theme import Theme


class BatchCaption(QWidget):
    """Shows the caption of a run. The first sentence is bolder; a link continues the run."""

    def __init__(self, theme: Theme, batch: Batch) -> None:
        super().__init__()
        self._theme = theme
        self.first = Label("", "strong")
        self.rest = ElidedLabel("", "soft", Qt.TextElideMode.ElideRight)
        self.continue_link = Button(theme, "Continue", "link", tooltip="Make the pictures that are not finished")
        self._line = QHBoxLayout(self)
        for widget in (self.first, self.rest, self.continue_link):
            self._line.addWidget(widget, 1 if widget is self.rest else 0)
        bind(self, batch.caption, self._show_text)
        link = self.continue_link
        bind(self, batch.can_continue, link.setVisible, link.clicked, batch.continue_run)
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def _show_text(self, words: str) -> None:
        first, _, rest = words.partition(". ")
        self.first.setText(first.rstrip("."))
        self.rest.show_text(rest)

    def _lay_out(self) -> None:
        px = self._theme.scaled
        self._line.setContentsMargins(px(12), 0, px(12), 0)
        self._line.setSpacing(px(16))
        self.setFixedHeight(px(44))


class MainButton(Button):
    """Shows the verb of a panel and starts a run; or `Starts when ready`; or Stop, which ends the run.

    Arguments
        start: starts a run
        needed: the input of a run; without it, no run can start
    """

    def __init__(
        self, theme: Theme, batch: Batch, start: Callable[[], object], needed: Value[Any], tooltip: str
    ) -> None:
        super().__init__(theme, batch.button_text.get(), "primary", tooltip=tooltip, keys="Ctrl+Return")
        self._batch = batch
        self._start = start
        self._needed = needed
        self._tooltip = tooltip
        self.clicked.connect(self._start_or_stop)
        bind(self, batch.button_text, self._show_action)
        bind(self, needed, self._show_action)

    def _start_or_stop(self) -> None:
        if self._batch.running.get():
            self._batch.stop_run()
        else:
            self._start()

    def _show_action(self, _: object) -> None:
        text = self._batch.button_text.get()
        stops = text == "Stop"
        self.set_text(text)
        self.set_icon("stop" if stops else "")
        self.set_role("stop" if stops else "primary")
        if stops:
            self.set_tooltip("Stop now and keep what is drawn", "Shift+Esc")
        else:
            self.set_tooltip(self._tooltip, "Ctrl+Return")
        self.setEnabled(stops or (not self._batch.running.get() and self._needed.get() is not None))
