"""Builds the panel Complete: paint a hole into a picture and see it filled."""

from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from studio.app.files.dialogs_view import PICTURES, FileDialogs
from studio.app.files.import_view import CropPage
from studio.app.generation.caption_view import MainButton
from studio.app.panels.complete.canvas import NO_MODEL_TEXT
from studio.app.panels.complete.inspector_view import CompleteInspector
from studio.app.panels.complete.stage_view import TOOL_BUTTONS, CompleteWorkspace
from studio.app.panels.complete.state import CompleteState
from studio.app.panels.panel_view import PanelView
from studio.app.widgets.action import Action
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Button, Label, make_button_pair, make_empty_page, make_row
from studio.app.widgets.theme import Theme
from studio.library.models import InstalledModel


class CompleteStage(QStackedWidget):
    """Shows how to begin, the workspace, or the crop preview."""

    def __init__(self, theme: Theme, state: CompleteState, dialogs: FileDialogs) -> None:
        super().__init__()
        self._theme, self._state, self._dialogs = theme, state, dialogs
        self.workspace = CompleteWorkspace(theme, state)
        self.crop = CropPage(theme, state.canvas.importing)
        for page in (self._build_empty_page(), self.workspace, self.crop):
            self.addWidget(page)
        bind(self, state.canvas.picture, self._show_page)
        bind(self, state.model, self._show_model)
        bind(self, state.canvas.importing.preview, self._show_page)

    def ask_file(self) -> None:
        self._dialogs.ask_file(PICTURES, self._state.canvas.open_file)

    def ask_mask(self) -> None:
        if self._state.canvas.picture.get() is not None:
            self._dialogs.ask_file(PICTURES, self._state.canvas.open_mask)

    def cancel_open(self) -> bool:
        """Cancel the drag or the crop preview; return whether there was any."""
        return self._state.canvas.brush.cancel_stroke() or self._state.canvas.importing.cancel_preview()

    def _build_empty_page(self) -> QWidget:
        self.title = Label("", "name", wrap=True)
        self.begin = Button(self._theme, "Open…", "primary", tooltip="Bring in a picture of yours", keys="Ctrl+O")
        self.under = Label("or drop one anywhere on this window, or click a take", "note", wrap=True)
        self.begin.clicked.connect(self.ask_file)
        return make_empty_page(self.title, make_row(0, self.begin, 0), self.under)

    def _show_model(self, trained: InstalledModel | None) -> None:
        able = trained is not None
        self.title.setText("Bring a picture and paint what is missing." if able else NO_MODEL_TEXT)
        self.begin.setVisible(able)
        self.under.setVisible(able)

    def _show_page(self, _: object) -> None:
        before = self.currentIndex()
        shown = 0 if self._state.canvas.picture.get() is None else 1
        self.setCurrentIndex(2 if self._state.canvas.importing.preview.get() is not None else shown)
        if self.currentIndex() == 2 and before != 2:
            self.crop.view.setFocus(Qt.FocusReason.OtherFocusReason)


class CompleteFoot(QStackedWidget):
    """Shows Open in Explore, Save and the main button; during a crop, Cancel and Use this."""

    def __init__(self, theme: Theme, state: CompleteState, stage: CompleteStage) -> None:
        super().__init__()
        self._state = state
        self.explore = Button(theme, "Open in Explore", tooltip="Continue in Explore", keys="Ctrl+Shift+X")
        self.save = Button(theme, "Save…", tooltip="Save the chosen completions", keys="Ctrl+E")
        self.main_button = MainButton(theme, state.batch, state.start_batch, state.canvas.picture, "Fill the hole")
        self.cancel = Button(theme, "Cancel", tooltip="Leave the crop. The picture stays as it was", keys="Esc")
        self.use = Button(theme, "Use this", "primary", tooltip="Complete this picture", keys="Ctrl+Return")
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(self.explore)
        column.addWidget(make_button_pair(self.save, self.main_button))
        self.addWidget(page)
        second = QWidget()
        lower = QVBoxLayout(second)
        lower.setContentsMargins(0, 0, 0, 0)
        lower.addStretch(1)
        lower.addWidget(make_button_pair(self.cancel, self.use))
        self.addWidget(second)
        self.explore.clicked.connect(state.open_in_explore)
        self.save.clicked.connect(state.save_chosen)
        self.cancel.clicked.connect(state.canvas.importing.cancel_preview)
        self.use.clicked.connect(state.canvas.use_preview)
        bind(self, state.canvas.importing.preview, lambda photo: self.setCurrentIndex(0 if photo is None else 1))
        bind(self, state.chosen, self._show_chosen)
        bind(self, state.ranking.places, self._show_chosen)

    def run_main_action(self) -> None:
        """Run the main action of this moment."""
        if self._state.canvas.importing.preview.get() is not None:
            self._state.canvas.use_preview()
        else:
            self._state.start_batch()

    def _show_chosen(self, _: object) -> None:
        cell = self._state.current_completion()
        chosen = self._state.chosen.get()
        results = self._state.ranking
        number = f" number {results.ranked_cells().index(chosen[-1]) + 1}" if cell is not None else ""
        self.explore.set_text(f"Open{number} in Explore")
        self.explore.setEnabled(cell is not None)
        self.save.setEnabled(cell is not None)
        self.save.set_text(f"Save {len(chosen)}…" if len(chosen) > 1 else "Save…")


def make_panel(theme: Theme, state: CompleteState, dialogs: FileDialogs) -> PanelView:
    """Build the panel Complete."""
    painting = state.canvas.brush
    stage = CompleteStage(theme, state, dialogs)
    foot = CompleteFoot(theme, state, stage)
    tools = tuple(
        Action(text, (keys,), partial(painting.choose_tool, tool), "stage")  # type: ignore[arg-type]
        for tool, text, _, _, keys in TOOL_BUTTONS
    )
    actions = (
        Action("Complete the picture", ("Ctrl+Return", "Ctrl+Enter"), foot.run_main_action),
        Action("Save the chosen ones…", ("Ctrl+E", "Ctrl+Shift+S"), state.save_chosen),
        Action("Copy the chosen one", ("Ctrl+C",), state.copy_chosen),
        Action("Open in Explore", ("Ctrl+Shift+X",), state.open_in_explore),
        *tools,
        Action("Invert the hole", ("I",), painting.invert_mask, "stage"),
        Action("Paint temperature", ("P",), lambda: painting.choose_tool("temperature"), "stage"),
        Action("Smaller brush", (",",), lambda: painting.set_size(painting.size.get() - 1), "stage"),
        Action("Larger brush", (".",), lambda: painting.set_size(painting.size.get() + 1), "stage"),
        Action("New seed", ("R",), state.parameters.new_seed, "stage"),
        Action("Lock seed", ("L",), lambda: state.parameters.lock_seed(not state.parameters.locked.get()), "stage"),
        Action(
            "Uncertainty", ("V",), lambda: state.batch.show_uncertainty(not state.batch.uncertainty.on.get()), "stage"
        ),
        Action("Even temperature", (), painting.clear_temperature_map),
        Action("Open a mask…", (), stage.ask_mask),
        Action("Continue", (), state.batch.continue_run, enabled=state.batch.can_continue),
    )
    return PanelView(
        stage=stage,
        inspector=CompleteInspector(theme, state),
        foot=foot,
        model=state.model,
        choose_model=state.choose_model,
        undo_history=state.history,
        keep_take=state.keep_takes,
        actions=actions,
        close_open=stage.cancel_open,
        zoom=stage.workspace.canvas.zoom,
        show_smooth=stage.workspace.show_smooth,
        set_compact=stage.workspace.set_compact,
        selection=state.selection,
        batch=state.batch,
        show_take=state.canvas.choose_take,
    )
