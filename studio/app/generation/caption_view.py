"""Shows the caption of a grid and the main button that starts a run."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.app.widgets.controls import Button, ElidedLabel, Label
from studio.app.widgets.theme import Theme


class BatchCaption(QWidget):
    """Shows the caption of a run. The first sentence is bolder; a link continues the run."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.first = Label("", "strong")
        self.rest = ElidedLabel("", "soft", Qt.TextElideMode.ElideRight)
        self.continue_link = Button(theme, "Continue", "link", tooltip="Make the pictures that are not finished")
        self._line = QHBoxLayout(self)
        for widget in (self.first, self.rest, self.continue_link):
            self._line.addWidget(widget, 1 if widget is self.rest else 0)
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def show_text(self, words: str) -> None:
        first, _, rest = words.partition(". ")
        self.first.setText(first.rstrip("."))
        self.rest.show_text(rest)

    def _lay_out(self) -> None:
        px = self._theme.scaled
        self._line.setContentsMargins(px(12), 0, px(12), 0)
        self._line.setSpacing(px(16))
        self.setFixedHeight(px(44))


class MainButton(Button):
    """Shows the verb of a panel, `Starts when ready`, or Stop."""

    def __init__(self, theme: Theme, verb: str, help: str) -> None:
        super().__init__(theme, verb, "primary", tooltip=help, keys="Ctrl+Return")
        self._help = help

    def show_text(self, words: str) -> None:
        stops = words == "Stop"
        self.set_text(words)
        self.set_icon("stop" if stops else "")
        self.set_role("stop" if stops else "primary")
        if stops:
            self.set_tooltip("Stop now and keep what is drawn", "Shift+Esc")
        else:
            self.set_tooltip(self._help, "Ctrl+Return")
