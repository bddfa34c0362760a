"""Builds the panel Generate: choose a model, make pictures, watch them form, keep them."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtGui import QColor, QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QMenu, QStackedWidget, QVBoxLayout, QWidget

from studio.app.audio.wave_page_view import WavePage
from studio.app.core.colours import to_hex
from studio.app.core.text import format_bits, group_digits, time_left
from studio.app.files.dialogs_view import FileDialogs
from studio.app.files.export_view import ExportSection
from studio.app.generation.canvas_settings_view import CanvasSection
from studio.app.generation.caption_view import BatchCaption, MainButton
from studio.app.generation.menu_view import add_picture_actions
from studio.app.generation.parameters_view import ParametersForm, output_noun
from studio.app.generation.run import Cell
from studio.app.generation.wording import BatchText
from studio.app.maps.overlay_view import MapOverlay
from studio.app.model_browser.card_view import ModelCard
from studio.app.panels.generate.colour_popup_view import ColourPopup
from studio.app.panels.generate.enlarged import EnlargedItem
from studio.app.panels.generate.enlarged_caption_view import EnlargedCaption
from studio.app.panels.generate.first_launch_view import FirstLaunchPage
from studio.app.panels.generate.grid_view import GridView
from studio.app.panels.generate.row_marker_view import RowMarker
from studio.app.panels.generate.state import COPIES, MAX_PICTURES, GenerateState
from studio.app.panels.panel_view import PanelView
from studio.app.widgets.action import Action
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Button, Column, Label, SegmentedControl, make_row
from studio.app.widgets.item_views import show_item_menu
from studio.app.widgets.menus import MenuEntry, show_context_menu
from studio.app.widgets.picture import CaptionedPicture
from studio.app.widgets.theme import Theme
from studio.wire.messages import Array

CAPTION_WIDTH = 600
"""Logical pixels of the caption below a large picture, at least."""


class GenerateStage(QStackedWidget):
    """Shows the cards of a first launch, the grid, or one enlarged picture or wave with its row marker."""

    def __init__(self, theme: Theme, state: GenerateState, dialogs: FileDialogs) -> None:
        super().__init__()
        self._theme = theme
        self._state = state
        self.first_launch = FirstLaunchPage(theme, state, dialogs)
        self.grid = GridView(theme, state.surprisal, state.batch.uncertainty)
        self.caption = BatchCaption(theme, state.batch)
        self.enlarged_caption = EnlargedCaption(theme, self._run_link)
        self.wave_caption = EnlargedCaption(theme, self._run_link)
        self.page = CaptionedPicture(theme, "Picture", self.enlarged_caption, CAPTION_WIDTH)
        self.overlay = MapOverlay(self.page.view, state.surprisal, uncertainty=state.batch.uncertainty)
        self.wave_page = WavePage(theme, state.synth, self.wave_caption)
        self.marker = RowMarker(theme, self.page.view)
        QWidget.setTabOrder(self.page.view, self.marker)
        grid_page = QWidget()
        column = QVBoxLayout(grid_page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.grid, 1)
        column.addWidget(self.caption)
        for page in (self.first_launch, grid_page, self.page, self.wave_page):
            self.addWidget(page)
        show_context_menu(self.page.view, self._menu_entries)
        show_item_menu(self.grid, self._fill_menu)
        bind(self, state.batch.cells, self._show_cells)
        bind(self, state.chosen, self.grid.show_chosen, self.grid.cell_chosen, state.choose_cell)
        self.grid.cell_chosen.connect(lambda row: state.synth.play_briefly())
        self.grid.clicked.connect(lambda index: state.synth.play_briefly())
        bind(self, state.enlarged.item, self._show_enlarged)
        state.copies.changed.connect(lambda _: self._show_enlarged(state.enlarged.item.get()))
        self.grid.cell_enlarged.connect(self._enlarge_cell)
        self._connect_marker(state)

    def _connect_marker(self, state: GenerateState) -> None:
        rewind = state.rewind
        marker = self.marker
        bind(self, rewind.marker, self._show_marker, marker.moved, state.rewind_actions.move_marker)
        bind(self, rewind.rewound, self._show_marker)
        bind(self, state.parameters.label, self._show_marker)
        bind(self, rewind.status_text, self._show_marker)
        bind(self, rewind.working, self._show_marker)
        bind(self, state.batch.caption, self._show_marker)
        marker.grabbed.connect(partial(state.history.begin_gesture, "row marker"))
        marker.released.connect(state.history.end_gesture)
        marker.continue_requested.connect(state.rewind_actions.branch_here)
        self.page.view.pixel_clicked.connect(self._on_pixel_clicked)

    def close_enlarged(self) -> bool:
        """Return to the grid; return whether a picture was enlarged."""
        if self._state.enlarged.item.get() is None:
            return False
        self._state.enlarge_cell(None)
        self.grid.setFocus(Qt.FocusReason.OtherFocusReason)
        return True

    def show_next(self, by: int) -> None:
        """Enlarge the next or previous picture if one is enlarged."""
        now = self._state.enlarged.index.get()
        if now is not None and 0 <= now + by < len(self.grid.places):
            self._state.enlarge_cell(now + by)

    def focus_marker(self) -> None:
        """Focus the row marker of the enlarged picture or of the chosen one."""
        if self._state.enlarged.item.get() is None and self._state.chosen.get() is not None:
            self._enlarge_cell(self._state.chosen.get())
        if self.marker.isVisible():
            self.marker.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def pick_colour(self) -> None:
        """Choose the colour of the pixel below the middle of the marker."""
        base = self._state.rewind.base.get()
        if base is not None and not self._state.rewind.is_running:
            self._state.rewind_actions.arm_marker()
            marker = self._state.rewind.marker.get()
            self._open_colours(marker.row if marker is not None else 0, base.artwork.array.shape[1] // 2)

    def arm_marker(self) -> None:
        """Arm the marker, from which the picture can be continued as another take."""
        self._state.rewind_actions.arm_marker()
        self.focus_marker()

    def branch_here(self) -> None:
        """Continue from the marker; a marker at the end is only armed."""
        base = self._state.rewind.base.get()
        marker = self._state.rewind.marker.get()
        if base is None or marker is None or marker.row >= base.rows:
            self.arm_marker()
        else:
            self._state.rewind_actions.branch_here()

    def set_compact(self, compact: bool) -> None:
        self.first_launch.set_compact(compact)
        self.enlarged_caption.set_compact(compact)
        self.page.update_layout()

    def _run_link(self, what: str, _: bool = False) -> None:
        if what == "back":
            self.close_enlarged()
        elif what == "continue" and self._state.rewind.is_running:
            self._state.rewind.stop_drawing()
        elif what == "continue":
            self._state.rewind_actions.branch_here()
        elif what == "save":
            self._state.save_picture()
        elif what == "explore":
            self._state.open_in_explore()

    def _enlarge_cell(self, index: int | None) -> None:
        self._state.enlarge_cell(index)
        page = self.currentWidget()
        if isinstance(page, CaptionedPicture | WavePage):
            page.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_pixel_clicked(self, row: int, column: int) -> None:
        """Open the colours for a pixel below the marker."""
        marker = self._state.rewind.marker.get()
        if self._copies_of(self._state.enlarged.item.get()) > 1:
            return
        if marker is not None and row >= marker.row and not self._state.rewind.is_running:
            self._open_colours(row, column)

    def _open_colours(self, row: int, column: int) -> None:
        base = self._state.rewind.base.get()
        marker = self._state.rewind.marker.get()
        if base is None or marker is None:
            return
        held = [(pixel.row, pixel.column) for pixel in marker.pixels_below]
        first = min(marker.row, base.rows - 1)
        palette = base.trained.card.palette
        popup = ColourPopup(self._theme, self.window(), base.artwork.array, first, held, palette)
        popup.pixel_changed.connect(self.marker.show_cursor)
        popup.colour_chosen.connect(self._state.rewind_actions.set_pixel)
        popup.destroyed.connect(lambda: self.marker.show_cursor(None))
        place = self.page.view.pixel_rect(row, column).bottomRight().toPoint() + QPoint(8, 8)
        popup.open_at(row, column, self.page.view.mapToGlobal(place))

    def _show_cells(self, cells: tuple[Cell, ...]) -> None:
        state = self._state
        self.grid.show_cells(cells, state.batch.artwork_kind, state.batch.size, state.batch.rows)
        if state.enlarged.item.get() is None:
            self.setCurrentIndex(1 if cells else 0)

    def _show_enlarged(self, large: EnlargedItem | None) -> None:
        if large is None:
            self.setCurrentIndex(1 if self._state.batch.cells.get() else 0)
            return
        price = f" · {format_bits(large.log_prob)}" if large.log_prob is not None else ""
        note = large.artwork.work.density_note if large.artwork is not None else ""
        words = f"{large.caption} · seed {group_digits(large.seed)}{price}"
        page, caption = (self.wave_page, self.wave_caption) if large.is_sound else (self.page, self.enlarged_caption)
        caption.show_item(words, large.artwork is not None, note)
        page.view.setAccessibleDescription(f"{words}. {note}" if note else words)
        if large.is_sound:
            self.wave_page.show_wave(large.picture)
        else:
            self.overlay.show_picture(self._with_copies(large))
            self.page.view.show_rows(large.rows_drawn)
            self._show_marker(large)
        self.setCurrentWidget(page)

    def _with_copies(self, large: EnlargedItem) -> Array | None:
        """Return a seamless picture beside its copies; another picture as it is."""
        copies = self._copies_of(large)
        return (
            np.tile(large.picture, (copies, copies, 1)) if copies > 1 and large.picture is not None else large.picture
        )

    def _copies_of(self, large: EnlargedItem | None) -> int:
        return self._state.copies.get() if large is not None and large.is_seamless else 1

    def _show_marker(self, _: object) -> None:
        """Show the marker, or the line at the row being drawn, with their caption."""
        rewind = self._state.rewind
        base = rewind.base.get()
        marker = rewind.marker.get()
        forming = rewind.rewound.get()
        copies = self._copies_of(self._state.enlarged.item.get())
        self.marker.setVisible(base is not None and copies == 1)
        here = base is not None and forming is not None and forming.base.caption == base.caption
        if base is None or marker is None:
            large = self._state.enlarged.item.get()
            drawn = large.rows_drawn if large is not None else None
            text = f"Row {drawn} of {self._state.batch.rows} is drawn." if drawn is not None else ""
            if self._state.batch.running.get():
                text = self._state.batch.caption.get().partition(". What is")[0]
            self.enlarged_caption.show_rewind(drawn is not None, False, False, False, text)
            self.page.update_layout()
            return
        held = tuple((pixel.row, pixel.column, QColor(to_hex(pixel.colour))) for pixel in marker.pixels_below)
        row = forming.row if here and forming is not None else marker.row
        self.marker.show_row(row, base.rows, marker.armed or here, held)
        running = here and forming is not None and forming.running
        self.marker.show_drawing(running)
        can = marker.row < base.rows and not rewind.is_running
        text = rewind.status_text.get()
        class_name = self._state.parameters.class_name
        if class_name and can and marker.armed:
            text = f'{text}, class "{class_name}"'
        self.enlarged_caption.show_rewind(True, can, marker.armed, running, text)
        self.page.update_layout()

    def _picture_actions(self, is_sound: bool) -> tuple[tuple[str, Callable[[], object]], ...]:
        """Return the menu entries of a finished picture or wave, in the grid and large."""
        state = self._state
        return (
            ("Open in Explore", state.open_in_explore),
            ("Open in Complete", state.open_in_complete),
            ("Copy sound" if is_sound else "Copy picture", state.copy_picture),
            ("Save…", state.save_picture),
            ("Keep as take", state.keep_take),
        )

    def _menu_entries(self) -> tuple[MenuEntry, ...]:
        """Return the menu entries of the large picture."""
        large = self._state.enlarged.item.get()
        able = large is not None and large.artwork is not None
        is_sound = large is not None and large.artwork is not None and large.artwork.array.ndim != 3
        here = tuple((text, run, able) for text, run in self._picture_actions(is_sound))
        return (*here, ("Paste", self._state.messages.paste_requested.emit, True))

    def _fill_menu(self, menu: QMenu, index: QModelIndex) -> None:
        """Add the entries for a cell of the grid."""
        self._state.choose_cell(index.row())
        cell = self.grid.places[index.row()].cell
        is_sound = cell.picture is not None and cell.picture.ndim != 3
        add_picture_actions(menu, self._picture_actions(is_sound), self._state.batch.cells, index.row())
        menu.addAction("Paste", self._state.messages.paste_requested.emit)
        menu.addAction("Copy seed", lambda: QGuiApplication.clipboard().setText(str(cell.seed)))


class GenerateInspector(Column):
    """Shows the card of the model, and the parameters."""

    def __init__(self, theme: Theme, state: GenerateState) -> None:
        super().__init__(theme)
        self.card = ModelCard(theme, state.models)
        self.parameters = ParametersForm(theme, state.parameters, state.history, MAX_PICTURES)
        self.canvas = CanvasSection(theme, state.parameters.canvas)
        self.copies = SegmentedControl(
            theme,
            "Copies",
            tuple((str(copies), f"{copies} × {copies}") for copies in COPIES),
            tooltip="Show copies of the seamless picture side by side",
        )
        self._copies_row = make_row(Label("Copies"), 0, self.copies)
        self.add_section("Model", first=True)
        self.add_widgets(self.card)
        self.add_section("What to make")
        canvas = state.parameters.canvas
        self.export = ExportSection(
            theme, state.exporter.settings, state.model, several=True, canvas_size=canvas.chosen_size
        )
        self.add_widgets(self.parameters, self.canvas, self._copies_row, self.export)
        self.add_stretch()
        bind(self, state.model, self.card.show_model)
        bind(self, canvas.size, self.export.update_note)
        bind(self, canvas.available, self.export.update_note)
        bind(
            self,
            state.copies,
            lambda copies: self.copies.show_choice(str(copies)),
            self.copies.chosen,
            lambda choice: state.show_copies(int(choice)),
        )
        bind(self, state.enlarged.item, lambda large: self._copies_row.setVisible(bool(large and large.is_seamless)))


class GenerateFoot(QWidget):
    """Shows the main button and Save all."""

    def __init__(self, theme: Theme, state: GenerateState) -> None:
        super().__init__()
        self._state = state
        self.time = Label("", "note", wrap=True)
        self.save_all = Button(theme, "Save all…", tooltip="Save every picture that is kept", keys="Ctrl+Shift+S")
        self.main_button = MainButton(theme, state.batch, state.start_batch, state.model, "Make the pictures")
        line = QHBoxLayout()
        line.setSpacing(12)
        line.addWidget(self.save_all, 2)
        line.addWidget(self.main_button, 3)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.time)
        column.addLayout(line)
        self.save_all.clicked.connect(state.save_all)
        bind(self, state.can_save, self.save_all.setVisible)
        bind(self, state.parameters.number, self._show_time)
        bind(self, state.parameters.canvas.size, self._show_time)
        bind(self, state.model, self._show_time)
        bind(self, state.batch.cells, self._show_time)
        bind(self, state.batch.compiling, self._show_time)

    def _show_time(self, _: object) -> None:
        trained = self._state.model.get()
        number = self._state.parameters.number.get()
        seconds = trained.card.seconds_each * number if trained is not None else 0.0
        if trained is not None and (size := self._state.parameters.canvas.chosen_size()) is not None:
            seconds *= math.prod(size) / math.prod(trained.card.shape[1:])
        shown = seconds > 0 and not self._state.batch.cells.get()
        many = BatchText(output_noun(trained)).count_text(number)
        first = trained is not None and trained.card.can_inpaint and self._state.batch.compiling.get()
        longer = ". The first run takes longer." if first else ""
        self.time.setText(f"{many} in {time_left(seconds)}{longer}" if shown else "")
        self.time.setVisible(shown)


def make_panel(theme: Theme, state: GenerateState, dialogs: FileDialogs) -> PanelView:
    """Build the panel Generate."""
    stage = GenerateStage(theme, state, dialogs)
    foot = GenerateFoot(theme, state)
    actions = (
        Action("Generate", ("Ctrl+Return", "Ctrl+Enter"), state.start_batch),
        Action("Save all…", ("Ctrl+Shift+S",), state.save_all, enabled=state.can_save),
        Action("Save this picture…", ("Ctrl+E",), state.save_picture),
        Action("Copy this picture", ("Ctrl+C",), state.copy_picture),
        Action("Open in Explore", ("Ctrl+Shift+X",), state.open_in_explore),
        Action("Open in Complete", ("Ctrl+Shift+C",), state.open_in_complete),
        Action("New seed", ("R",), state.parameters.new_seed, "stage"),
        Action("Lock seed", ("L",), lambda: state.parameters.lock_seed(not state.parameters.locked.get()), "stage"),
        Action("Next picture", (), lambda: stage.show_next(1)),
        Action("Previous picture", (), lambda: stage.show_next(-1)),
        Action("Continue", (), state.batch.continue_run, enabled=state.batch.can_continue),
        Action(
            "Uncertainty", ("V",), lambda: state.batch.show_uncertainty(not state.batch.uncertainty.on.get()), "stage"
        ),
        Action("Row marker", ("W",), stage.focus_marker, "stage"),
        Action("Pick the colour of a pixel", ("O",), stage.pick_colour, "stage"),
        Action("Branch here", ("K",), stage.branch_here, "stage"),
    )

    def smooth(on: bool) -> None:
        stage.grid.show_smooth(on)
        stage.page.view.show_smooth(on)

    return PanelView(
        stage=stage,
        inspector=GenerateInspector(theme, state),
        foot=foot,
        model=state.model,
        choose_model=state.choose_model,
        undo_history=state.history,
        keep_take=state.keep_take,
        actions=actions,
        close_open=stage.close_enlarged,
        zoom=stage.page.view.zoom,
        show_smooth=smooth,
        set_compact=stage.set_compact,
        selection=state.selection,
        batch=state.batch,
        show_take=state.enlarged.show_take,
        arm_branch=stage.arm_marker,
    )
