"""Connects the strip of takes with the open panel."""

from collections.abc import Callable, Iterable
from typing import Any

from PySide6.QtCore import QObject

from studio.app.app_state import AppState
from studio.app.core.observable import Value
from studio.app.files.dialogs_view import FileDialogs
from studio.app.panels.panel_view import PanelView
from studio.app.takes.selection import TakeSelection as TakesInHand
from studio.app.takes.strip_view import TakeStripView
from studio.app.widgets.action import Action
from studio.app.widgets.binding import bind


class TakeStripController(QObject):
    """Applies the actions on the strip to the open panel, which `panel` returns."""

    def __init__(
        self,
        strip: TakeStripView,
        state: AppState,
        panels: Iterable[PanelView],
        panel: Callable[[], PanelView],
        dialogs: FileDialogs,
    ) -> None:
        super().__init__(strip)
        self._strip = strip
        self._state = state
        self._panel = panel
        self._dialogs = dialogs
        bind(self, state.takes.takes, strip.show_takes)
        shown: tuple[Value[Any], ...] = (state.takes.takes, *(each.selection.current for each in panels))
        for value in shown:
            bind(self, value, lambda _: strip.show_current(self._current_index.current.get()))
        strip.take_chosen.connect(self.show_take)
        strip.delete_requested.connect(lambda place: self._current_index.delete_take(place))
        strip.delete_branch_requested.connect(lambda place: self._current_index.delete_take(place, branch=True))
        strip.copy_requested.connect(lambda place: self._current_index.copy_take(place))
        strip.renamed.connect(lambda place, name: self._current_index.rename_take(place, name))
        strip.branch_requested.connect(self._branch_take)
        strip.wavetable_requested.connect(self._ask_wavetable)
        strip.offers_wavetable = lambda place: place in state.explore.wavetable.target_takes()
        strip.tree_requested.connect(self.toggle_tree)
        strip.keep.clicked.connect(lambda: self._panel().keep_take())

    @property
    def make_actions(self) -> tuple[Action, ...]:
        return (
            Action("Tree of takes", ("Ctrl+T",), self.toggle_tree),
            Action("Name the take", ("N",), lambda: self._strip.edit_name(self._current_index.current.get()), "stage"),
            Action("Move the take to the bin", (), self._delete_shown),
            Action("Move the take and what came from it to the bin", (), lambda: self._delete_shown(branch=True)),
        )

    @property
    def _current_index(self) -> TakesInHand:
        return self._panel().selection

    def show_panel(self, panel: PanelView) -> None:
        """Show the takes of another panel."""
        self._strip.show_current(panel.selection.current.get())
        self._strip.offers_branch = panel.arm_branch is not None

    def show_take(self, index: int) -> None:
        """Put a take on the stage of the open panel; a recording always opens in Sound."""
        recorded = bool(self._state.takes.takes.get()[index].work.sample_rate)
        if recorded or self._panel().key in ("sound", "train"):
            self._state.show_panel("sound" if recorded else "explore")
        self._panel().show_take(index)
        self._state.wave_synth.play_briefly()

    def toggle_tree(self) -> None:
        """Grow the strip to half the stage, or shrink it again."""
        layout = self._state.layout.get()
        self._state.layout.set({**layout, "tree": not layout.get("tree", False)})

    def _branch_take(self, index: int) -> None:
        self.show_take(index)
        if (branch := self._panel().arm_branch) is not None:
            branch()

    def _delete_shown(self, branch: bool = False) -> None:
        """Move the take on the stage to the bin, alone or with everything that came from it."""
        place = self._current_index.current.get()
        if place is not None:
            self._current_index.delete_take(place, branch)

    def _ask_wavetable(self, index: int) -> None:
        """Ask for the file of a wavetable from the stage to a take."""
        table = self._state.explore.wavetable
        if name := table.file_name(index):
            self._dialogs.ask_save_path(name, lambda path: table.save_wavetable(index, path))
