"""Builds the panel Sound, which plays a sound while a model makes it and the user changes it."""

from functools import partial

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QHBoxLayout, QMenu, QStackedWidget, QVBoxLayout, QWidget

from studio.app.files.dialogs_view import SOUNDS, FileDialogs
from studio.app.files.exporting import AudioFormat
from studio.app.panels.panel_view import PanelView
from studio.app.panels.sound.inspector_view import CLOSE_KEYS, SoundInspector
from studio.app.panels.sound.player_view import PlayerView
from studio.app.panels.sound.state import SoundState
from studio.app.widgets.action import Action
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Button, Label, make_row
from studio.app.widgets.theme import Theme

EMPTY_TEXT = "Press Play to hear this model, or drop a recording to continue."
NO_MODEL_TEXT = "No model of recordings is here yet. Add one, and hear it while it makes."


class SoundStageView(QStackedWidget):
    """Shows how to begin, or the player."""

    def __init__(self, theme: Theme, state: SoundState, dialogs: FileDialogs) -> None:
        super().__init__()
        self._theme = theme
        self._state = state
        self._dialogs = dialogs
        self.player = PlayerView(theme, state)
        self.addWidget(self._build_empty_page())
        self.addWidget(self.player)
        bind(self, state.model, self._show_page)
        bind(self, state.player.making, self._show_page)
        bind(self, state.engine_status, self._show_page)
        state.player.grew.connect(self._show_page)

    def ask_file(self) -> None:
        self._dialogs.ask_file(SOUNDS, self._state.open_file)

    def ask_followed(self) -> None:
        self._dialogs.ask_file(SOUNDS, self._state.follow_file)

    def _build_empty_page(self) -> QWidget:
        page = QWidget()
        self.title = Label("", "name", wrap=True)
        self.waits = Label("", "note", wrap=True)
        self.begin = Button(self._theme, "Play", "primary", "play", tooltip="Play while it is made", keys="Ctrl+Return")
        self.own = Button(
            self._theme, "Open a sound…", "", "folder", tooltip="Choose a sound to continue", keys="Ctrl+O"
        )
        self.add = Button(
            self._theme, "Add a model…", "primary", "plus", tooltip="Copy a .safetensors file to your models"
        )
        self.begin.clicked.connect(self._state.play)
        self.own.clicked.connect(self.ask_file)
        self.add.clicked.connect(lambda: self._dialogs.ask_file("Models (*.safetensors)", self._state.models.add_model))
        column = QVBoxLayout(page)
        column.setContentsMargins(24, 0, 24, 0)
        column.setSpacing(16)
        column.addStretch(1)
        column.addWidget(self.title)
        column.addWidget(make_row(0, self.begin, self.own, self.add, 0, spacing=12))
        column.addWidget(self.waits)
        column.addStretch(1)
        for label in (self.title, self.waits):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        return page

    def _show_page(self, _: object = None) -> None:
        able = self._state.model.get() is not None
        something = bool(len(self._state.player.samples)) or self._state.player.making.get()
        self.setCurrentIndex(1 if something else 0)
        self.title.setText(EMPTY_TEXT if able else NO_MODEL_TEXT)
        for button in (self.begin, self.own):
            button.setVisible(able)
        self.add.setVisible(not able)
        late = able and self._state.engine_status.get() == "Starting"
        self.waits.setText("The engine is starting. Playing begins when it is ready." if late else "")
        if not able:
            self.waits.setText("A model is one .safetensors file. It can also be dropped on this window.")
        self.waits.setVisible(bool(self.waits.text()))


class SoundFoot(QWidget):
    """Shows Export and Keep take."""

    def __init__(self, theme: Theme, state: SoundState) -> None:
        super().__init__()
        self._state = state
        self.export = Button(theme, "Export WAV…", tooltip="Save the sound with its recipe inside", keys="Ctrl+E")
        self.keep = Button(theme, "Keep take", tooltip="Keep what is on the stage as a take", keys="Ctrl+S")
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(16)
        line.addWidget(self.export, 1)
        line.addWidget(self.keep, 1)
        self.export.clicked.connect(self.choose_format)
        self.keep.clicked.connect(state.keep_take)
        state.player.grew.connect(self._update)
        bind(self, state.model, lambda trained: self._update_enabled(trained is not None))
        self._update()

    def choose_format(self) -> None:
        """Ask for the format of the file, then for its place."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for form in AudioFormat:
            menu.addAction(f"{form.title}…", partial(self._state.save_sound, form))
        menu.popup(self.export.mapToGlobal(QPoint(0, -menu.sizeHint().height())))

    def _update_enabled(self, able: bool) -> None:
        """Enable saving if there is something to save."""
        self.export.setVisible(able)
        self.keep.setVisible(able)

    def _update(self) -> None:
        there = bool(len(self._state.player.samples))
        if there != self.keep.isEnabled():
            self.export.setEnabled(there)
            self.keep.setEnabled(there)


def make_panel(theme: Theme, state: SoundState, dialogs: FileDialogs) -> PanelView:
    """Build the panel Sound."""
    stage = SoundStageView(theme, state, dialogs)
    foot = SoundFoot(theme, state)
    player = stage.player
    time = stage.player.lanes.timeline
    actions = (
        Action("Play", ("Ctrl+Return", "Ctrl+Enter"), state.play),
        Action("Put the recording away", (CLOSE_KEYS,), state.close_recording),
        Action("Copy the sound", ("Ctrl+C",), state.copy_sound),
        Action("Export…", ("Ctrl+E",), state.save_sound),
        Action("Play or pause", ("Space",), state.toggle_playback, "stage"),
        Action("To the start", ("Home",), player.seek_start, "stage"),
        Action("To the newest moment", ("End",), player.seek_newest, "stage"),
        Action("Loop", ("G",), player.toggle_loop, "stage"),
        Action("Find the best join", ("J",), state.find_loop, "stage"),
        Action("Record", ("Q",), lambda: state.set_recording(not state.player.recording.get()), "stage"),
        Action("Knot of temperature here", ("T",), player.add_knot, "stage"),
        Action("Branch here", ("K",), state.branch_at, "stage"),
        Action("New seed", ("R",), state.parameters.new_seed, "stage"),
        Action("Lock seed", ("L",), lambda: state.parameters.lock_seed(not state.parameters.locked.get()), "stage"),
    )
    return PanelView(
        stage=stage,
        inspector=SoundInspector(theme, state, stage.ask_file, stage.ask_followed),
        foot=foot,
        model=state.model,
        choose_model=state.choose_model,
        undo_history=state.history,
        keep_take=state.keep_take,
        actions=actions,
        close_open=player.cancel_drag,
        zoom=lambda by: time.show_all() if not by else time.zoom(1.5**by, time.x_of(time.position)),
        show_smooth=lambda smooth: None,
        set_compact=player.set_compact,
        selection=state.selection,
        show_take=state.show_take,
        arm_branch=state.branch_at,
    )
