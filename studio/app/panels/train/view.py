"""Builds the panel Train: how to begin, the folder, the settings, the run."""

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from studio.app.core.guard import guarded
from studio.app.files.dialogs_view import FileDialogs
from studio.app.panels.panel_view import PanelView
from studio.app.panels.train.bar_view import TrainBar
from studio.app.panels.train.folder_view import FolderPage
from studio.app.panels.train.inspector_view import TrainInspector
from studio.app.panels.train.preview_view import PreviewPage
from studio.app.panels.train.state import MainAction, TrainState
from studio.app.panels.train.watch_view import WatchPage
from studio.app.widgets.action import Action
from studio.app.widgets.binding import bind_all
from studio.app.widgets.controls import Button, Label, make_button_pair, make_empty_page, make_row
from studio.app.widgets.theme import Theme

EMPTY_TITLE = "Train a model of your own"
EMPTY_TEXT = "Choose a folder of 50 pictures, or of 10 minutes of sound. Or drop it on this window."
MAIN_TEXTS: dict[MainAction, tuple[str, str, str]] = {
    "start": ("Start", "", "Start learning"),
    "wait": ("Starts when ready", "", "Starts as soon as the folder is examined. Click to cancel"),
    "queue": ("Add to queue", "plus", "Learn this as soon as those before it have ended"),
    "queued": ("In the queue", "check", "It begins by itself"),
    "pause": ("Pause", "pause", "Save and rest. The memory is freed"),
    "resume": ("Resume", "play", "Continue from the last save"),
    "new": ("New training", "", "Show the folder again, to train another model"),
    "none": ("Start", "", "Start learning"),
}
"""The text, the icon and the tooltip of the main button."""


LARGE_TEXT = 1.5
"""The scale of the text above which two long buttons do not fit side by side."""


class TrainStage(QStackedWidget):
    """Shows how to begin, the folder, or the run."""

    def __init__(self, theme: Theme, state: TrainState, dialogs: FileDialogs) -> None:
        super().__init__()
        self._state = state
        self._dialogs = dialogs
        self.choose = Button(theme, "Choose a folder…", "primary", "folder", tooltip="Choose the folder to learn from")
        text = Label(EMPTY_TEXT, "soft", wrap=True)
        self.empty = make_empty_page(Label(EMPTY_TITLE, "title"), text, make_row(0, self.choose, 0))
        self.folder = FolderPage(theme, state)
        self.preview = PreviewPage(theme, state.preview)
        self.watch = WatchPage(theme, state)
        for page in (self.empty, self.folder, self.preview, self.watch):
            self.addWidget(page)
        self.choose.clicked.connect(self.ask_folder)
        bind_all(self, (state.page, state.preview.shown), self._show_page)

    def ask_folder(self) -> None:
        """Ask for the folder to learn from."""
        self._dialogs.ask_source_folder(self._state.open_folder)

    def set_compact(self, low: bool) -> None:
        self.watch.set_compact(low)

    def _show_page(self, _: object) -> None:
        page = self._state.page.get()
        if page == "folder" and self._state.preview.shown.get():
            self.setCurrentWidget(self.preview)
        else:
            self.setCurrentWidget({"empty": self.empty, "folder": self.folder, "run": self.watch}[page])

    @guarded(None)
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._state.folder.wake()


class TrainFoot(QWidget):
    """Shows the main button and the other actions."""

    def __init__(self, theme: Theme, state: TrainState) -> None:
        super().__init__()
        self._state = state
        self._theme = theme
        self.second = Button(theme, "Stop and keep", "stop", tooltip="Stop here and keep the best model")
        self.main_button = Button(theme, "Start", "primary", tooltip="Start learning", keys="Ctrl+Return")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(make_button_pair(self.second, self.main_button))
        self.main_button.clicked.connect(state.press_main)
        self.second.clicked.connect(state.stop_and_keep)
        bind_all(self, (state.main_action, state.run.phase, state.page), self._show)
        theme.changed.connect(self._show)

    def _show(self, _: object = None) -> None:
        run = self._state.run
        action = self._state.main_action.get()
        is_run = self._state.page.get() == "run"
        text, icon, tooltip = MAIN_TEXTS["pause" if is_run and action == "none" else action]
        self.main_button.set_text(text)
        self.main_button.set_icon(icon)
        self.main_button.set_tooltip(tooltip, "Ctrl+Return")
        self.main_button.setEnabled(action not in ("none", "queued"))
        self.second.set_text("Stop and keep" if self._theme.scale <= LARGE_TEXT else "Keep")
        self.second.setVisible(is_run and (run.is_active or run.phase.get() == "paused"))
        self.second.setEnabled(run.phase.get() in ("running", "paused"))


def make_panel(theme: Theme, state: TrainState, dialogs: FileDialogs) -> PanelView:
    """Build the panel Train."""
    stage = TrainStage(theme, state, dialogs)
    inspector = TrainInspector(theme, state)
    inspector.folder.choose_requested.connect(stage.ask_folder)
    actions = (
        Action("Start, pause or resume", ("Ctrl+Return", "Ctrl+Enter"), state.press_main),
        Action("Pause or resume training", ("Ctrl+Shift+P",), state.toggle_pause),
        Action("Stop and keep", (), state.stop_and_keep),
        Action("Sample now", ("Ctrl+Shift+G",), state.run.sample_now),
        Action("Open in Explore", ("Ctrl+Shift+X",), lambda: state.play(inspector.run.target)),
        Action("New training", (), state.leave_run),
        Action("Preview what the model sees", (), state.preview.toggle),
        Action("Show every file and why", (), state.show_files),
        Action("Choose a folder…", (), stage.ask_folder),
    )
    return PanelView(
        stage=stage,
        inspector=inspector,
        foot=TrainFoot(theme, state),
        model=state.model,
        choose_model=state.choose_model,
        undo_history=state.history,
        keep_take=lambda: None,
        actions=actions,
        close_open=state.samples.close_pairs,
        zoom=stage.watch.zoom,
        show_smooth=lambda smooth: None,
        set_compact=stage.set_compact,
        selection=state.selection,
        show_take=lambda index: None,
        bar=TrainBar(state),
    )
