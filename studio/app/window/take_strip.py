"""Connects the strip of takes with the open panel."""

from collections.abc import Callable

from PySide6.QtCore import QObject

from studio.app.app_state import AppState
from studio.app.panels.panel_view import PanelView
from studio.app.takes.selection import TakeSelection
from studio.app.takes.strip_view import TakeStripView
from studio.app.widgets.action import Action
from studio.app.widgets.binding import bind


class TakeStripController(QObject):
    """Applies the actions on the strip to the open panel, which `panel` returns."""

    def __init__(self, strip: TakeStripView, state: AppState, panel: Callable[[], PanelView]) -> None:
        super().__init__(strip)
        self._strip = strip
        self._state = state
        self._panel = panel
        bind(self, state.takes.takes, strip.show_takes)
        state.takes.takes.changed.connect(self._show_current)
        strip.take_chosen.connect(self.show_take)
        strip.delete_requested.connect(lambda place: self._selection.delete_take(place))
        strip.delete_branch_requested.connect(lambda place: self._selection.delete_take(place, branch=True))
        strip.copy_requested.connect(lambda place: self._selection.copy_take(place))
        strip.renamed.connect(lambda place, name: self._selection.rename_take(place, name))
        strip.branch_requested.connect(self._branch_take)
        strip.wavetable_requested.connect(state.explore.wavetable.save_wavetable)
        strip.offers_wavetable = lambda place: place in state.explore.wavetable.target_takes()
        strip.tree_requested.connect(state.preferences.toggle_tree)
        strip.keep.clicked.connect(lambda: self._panel().keep_take())

    @property
    def make_actions(self) -> tuple[Action, ...]:
        return (
            Action("Tree of takes", ("Ctrl+T",), self._state.preferences.toggle_tree),
            Action("Name the take", ("N",), lambda: self._strip.edit_name(self._selection.current.get()), "stage"),
            Action("Move the take to the bin", (), self._delete_shown),
            Action("Move the take and what came from it to the bin", (), lambda: self._delete_shown(branch=True)),
        )

    @property
    def _selection(self) -> TakeSelection:
        return self._panel().selection

    def add_panel(self, panel: PanelView) -> None:
        """Follow the takes of a panel."""
        panel.selection.current.changed.connect(self._show_current)

    def show_panel(self, panel: PanelView) -> None:
        """Show the takes of another panel."""
        self._show_current()
        self._strip.offers_branch = panel.arm_branch is not None

    def _show_current(self) -> None:
        self._strip.show_current(self._selection.current.get())

    def show_take(self, index: int) -> None:
        """Put a take on the stage of the open panel; a recording always opens in Sound."""
        recorded = bool(self._state.takes.takes.get()[index].work.sample_rate)
        if recorded or self._state.panel.get() in ("sound", "train"):
            self._state.show_panel("sound" if recorded else "explore")
        self._panel().show_take(index)
        self._state.wave_synth.play_briefly()

    def _branch_take(self, index: int) -> None:
        self.show_take(index)
        if (branch := self._panel().arm_branch) is not None:
            branch()

    def _delete_shown(self, branch: bool = False) -> None:
        """Move the take on the stage to the bin, alone or with everything that came from it."""
        place = self._selection.current.get()
        if place is not None:
            self._selection.delete_take(place, branch)
