"""Shows in the bar the training of the panel."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.app.panels.train import wording
from studio.app.panels.train.state import TrainState
from studio.app.widgets.binding import bind_all
from studio.app.widgets.controls import ElidedLabel


class TrainBar(QWidget):
    """Shows the title of the run or of the panel, and its facts."""

    def __init__(self, state: TrainState) -> None:
        super().__init__()
        self._state = state
        self.title = ElidedLabel("", "name")
        self.facts = ElidedLabel("", "note", Qt.TextElideMode.ElideRight)
        line = QHBoxLayout(self)
        line.setContentsMargins(8, 0, 0, 0)
        line.setSpacing(16)
        line.addWidget(self.title)
        line.addWidget(self.facts, 1)
        bind_all(self, (state.page, state.run.shown, state.folder.source), self._show)

    def _show(self, _: object) -> None:
        shown = self._state.run.shown.get()
        if shown is not None and self._state.page.get() == "run":
            self.title.show_text(shown.title)
            self.facts.show_text(wording.run_facts(shown))
        else:
            self.title.show_text("New model")
            self.facts.show_text(f"from {self._state.folder.name}" if self._state.folder.name else "")
