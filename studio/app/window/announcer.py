"""Announces jobs that begin or end to screen readers, and in the task bar if another window is in front."""

from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication, QWidget

from studio.app.app_state import AppState
from studio.app.generation.batch import Batch
from studio.app.widgets.controls import announce


class Announcer(QObject):
    """Announces the runs of Generate and Complete, and continued pictures."""

    def __init__(self, window: QWidget, state: AppState) -> None:
        super().__init__(window)
        self._window = window
        self._generate = state.generate
        for grid in (state.generate.batch, state.complete.batch):
            grid.running.changed.connect(partial(self._show_running, grid))
        state.generate.rewind.working.changed.connect(self._show_rewinding)

    def _show_running(self, grid: Batch, running: bool) -> None:
        self._announce("Making pictures" if running else grid.caption.get(), running)

    def _show_rewinding(self, working: bool) -> None:
        large = self._generate.enlarged.item.get()
        text = self._generate.rewind.status_text.get()
        if working:
            text = f"Continuing. {text}"
        elif large is not None:
            text = large.caption
        self._announce(text, working)

    def _announce(self, words: str, at_work: bool) -> None:
        announce(self._window, words)
        if not at_work and not self._window.isActiveWindow():
            QApplication.alert(self._window)
