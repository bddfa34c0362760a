"""The panel Generate: choose a model, set what to make, watch it form, keep it."""

from dataclasses import replace
from functools import partial

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QMenu, QStackedWidget, QVBoxLayout, QWidget

from studio.app.app_state import Window
from studio.app.audio.wave_page_view import WavePage
from studio.app.core.colours import to_hex
from studio.app.core.text import format_bits, group_digits, time_left
from studio.app.files.dialogs_view import FileDialogs
from studio.app.files.export_view import ExportSection
from studio.app.generation.caption_view import BatchCaption, MainButton
from studio.app.generation.menu_view import enable_when_finished
from studio.app.generation.parameters_view import ParametersForm, output_noun
from studio.app.generation.run import Cell
from studio.app.generation.wording import BatchText
from studio.app.maps.overlay_view import GridMapOverlay, MapOverlay
from studio.app.model_browser.card_view import ModelCard
from studio.app.panels.generate.colour_popup_view import ColourPopup
from studio.app.panels.generate.enlarged import Large
from studio.app.panels.generate.enlarged_caption_view import LargeCaption
from studio.app.panels.generate.first_launch_view import FirstLaunch
from studio.app.panels.generate.grid_view import GridView
from studio.app.panels.generate.row_marker_view import RowMarker
from studio.app.panels.generate.state import MOST, Generate
from studio.app.panels.panel_view import Panel
from studio.app.widgets.action import Action
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Button, Column, Label
from studio.app.widgets.menus import MenuEntry, show_context_menu
from studio.app.widgets.picture import CaptionedPicture
from studio.app.widgets.theme import Theme

CAPTION = 600
"""Logical pixels of the caption below a large picture, at least."""


def acts(is_sound: bool) -> tuple[tuple[str, str], ...]:
    """Return the menu entries of a finished picture or wave, in the grid and large, each with the name of its act."""
    return (
        ("Open in Explore", "explore"),
        ("Open in Complete", "complete"),
        ("Copy sound" if is_sound else "Copy picture", "copy"),
        ("Save…", "save"),
        ("Keep as take", "keep"),
    )


class GenerateStage(QStackedWidget):
    """The cards of a first launch, the grid, or one picture or wave large, with the marker from which it goes on."""

    def __init__(self, look: Theme, state: Window, dialogs: FileDialogs) -> None:
        super().__init__()
        self._look, self._state, self._dialogs = look, state.generate, dialogs
        self._messages = state.messages
        generate = self._state
        self.first = FirstLaunch(look, state, dialogs)
        self.grid = GridView(look)
        self.caption = BatchCaption(look)
        self.large_caption, self.wave_caption = LargeCaption(look, self._press), LargeCaption(look, self._press)
        self.page = CaptionedPicture(look, "Picture", self.large_caption, CAPTION)
        self.overlay = MapOverlay(self.page.view, state.surprise, uncertainty=state.generate.doubt)
        self.wave_page = WavePage(look, state, self.wave_caption)
        self.marker = RowMarker(look, self.page.view)
        QWidget.setTabOrder(self.page.view, self.marker)
        grid_page = QWidget()
        column = QVBoxLayout(grid_page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.grid, 1)
        column.addWidget(self.caption)
        for page in (self.first, grid_page, self.page, self.wave_page):
            self.addWidget(page)
        show_context_menu(self.page.view, self._entries)
        self.grid.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.grid.customContextMenuRequested.connect(self._menu)
        bind(self, generate.cells, self._show_cells)
        bind(self, generate.chosen, self.grid.show_chosen, self.grid.chose, generate.choose)
        self.grid.chose.connect(lambda row: state.tone.play_briefly())
        self.grid.clicked.connect(lambda index: state.tone.play_briefly())
        bind(self, generate.closeup.large, self._show_large)
        self.grid.enlarged.connect(self._enlarge)
        GridMapOverlay(self.grid, state.surprise, generate.doubt, lambda index: self.grid.cells[index].picture)
        bind(self, generate.grid.caption, self.caption.show_text)
        bind(
            self,
            generate.grid.can_continue,
            self.caption.continue_link.setVisible,
            self.caption.continue_link.clicked,
            self._go_on,
        )
        self._tie_marker(generate)

    def _tie_marker(self, generate: Generate) -> None:
        rewind, marker = generate.rewind, self.marker
        bind(self, rewind.mark, self._show_mark, marker.moved, generate.branching.move)
        bind(self, rewind.forming, self._show_mark)
        bind(self, generate.dials.label, self._show_mark)
        bind(self, rewind.said, self._show_mark)
        bind(self, rewind.working, self._show_mark)
        bind(self, generate.grid.caption, self._show_mark)
        marker.grabbed.connect(partial(generate.history.begin_gesture, "row marker"))
        marker.let_go.connect(generate.history.end_gesture)
        marker.go_on.connect(generate.branching.branch)
        self.page.view.pixel_clicked.connect(self._click)

    def close_large(self) -> bool:
        """Back to the grid; whether a picture was large."""
        if self._state.closeup.large.get() is None:
            return False
        self._state.enlarge(None)
        self.grid.setFocus(Qt.FocusReason.OtherFocusReason)
        return True

    def step(self, by: int) -> None:
        """The next or previous picture, while one is large."""
        now = self._state.closeup.index.get()
        if now is not None and 0 <= now + by < len(self.grid.cells):
            self._state.enlarge(now + by)

    def act(self, what: str) -> None:
        """Save, open or keep the picture that is large, else the chosen one."""
        if not self._state.name_of():
            return
        if what == "save":
            self._dialogs.ask_save_path(self._state.name_of(), lambda path: self._state.save(None, path))
        elif what == "explore":
            self._state.open_in_explore()
        elif what == "complete":
            self._state.open_in_complete()
        elif what == "keep":
            self._state.keep_take()
        elif what == "copy":
            self._state.copy()

    def focus_marker(self) -> None:
        """To the row marker, of the large picture or of the chosen one."""
        if self._state.closeup.large.get() is None and self._state.chosen.get() is not None:
            self._enlarge(self._state.chosen.get())
        if self.marker.isVisible():
            self.marker.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def pick_colour(self) -> None:
        """Choose the colour of the pixel below the middle of the marker."""
        base = self._state.rewind.base.get()
        if base is not None and not self._state.rewind.running:
            self._state.branching.arm()
            mark = self._state.rewind.mark.get()
            self._pick(mark.row if mark is not None else 0, base.picture.shape[1] // 2)

    def ready(self) -> None:
        """To the marker, from which the picture may go on as another take."""
        self._state.branching.arm()
        self.focus_marker()

    def branch(self) -> None:
        """Go on from the marker; one at the end is made ready first, and waits."""
        base, mark = self._state.rewind.base.get(), self._state.rewind.mark.get()
        if base is None or mark is None or mark.row >= base.rows:
            self.ready()
        else:
            self._state.branching.branch()

    def set_compact(self, compact: bool) -> None:
        self.first.set_compact(compact)
        self.large_caption.set_low(compact)
        self.page.update_layout()

    def _press(self, what: str, _: bool = False) -> None:
        if what == "back":
            self.close_large()
        elif what == "go on" and self._state.rewind.running:
            self._state.rewind.stop()
        elif what == "go on":
            self._state.branching.branch()
        else:
            self.act(what)

    def _go_on(self) -> None:
        self._state.grid.continue_run()

    def _enlarge(self, index: int | None) -> None:
        self._state.enlarge(index)
        page = self.currentWidget()
        if isinstance(page, CaptionedPicture | WavePage):
            page.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def _click(self, row: int, column: int) -> None:
        """A pixel below the marker gets a colour of the artist's own."""
        mark = self._state.rewind.mark.get()
        if mark is not None and row >= mark.row and not self._state.rewind.running:
            self._pick(row, column)

    def _pick(self, row: int, column: int) -> None:
        base, mark = self._state.rewind.base.get(), self._state.rewind.mark.get()
        if base is None or mark is None:
            return
        held = [(pixel.row, pixel.column) for pixel in mark.held]
        popup = ColourPopup(self._look, self.window(), base.picture, min(mark.row, base.rows - 1), held)
        popup.pointed.connect(self.marker.show_cursor)
        popup.chose.connect(self._state.branching.impose)
        popup.destroyed.connect(lambda: self.marker.show_cursor(None))
        place = self.page.view.pixel_rect(row, column).bottomRight().toPoint() + QPoint(8, 8)
        popup.open_at(row, column, self.page.view.mapToGlobal(place))

    def _show_cells(self, cells: tuple[Cell, ...]) -> None:
        state = self._state
        self.grid.show_cells(cells, state.grid.artwork_kind, state.grid.size, state.grid.rows)
        if state.closeup.large.get() is None:
            self.setCurrentIndex(1 if cells else 0)

    def _show_large(self, large: Large | None) -> None:
        if large is None:
            self.setCurrentIndex(1 if self._state.cells.get() else 0)
            return
        price = f" · {format_bits(large.log_prob)}" if large.log_prob is not None else ""
        words = f"{large.words} · seed {group_digits(large.seed)}{price}"
        page, caption = (self.wave_page, self.wave_caption) if large.sound else (self.page, self.large_caption)
        caption.show_large(words, large.piece is not None)
        page.view.setAccessibleDescription(words)
        if large.sound:
            self.wave_page.show_wave(large.picture)
        else:
            self.overlay.show_picture(large.picture)
            self.page.view.show_rows(large.drawn)
            self._show_mark(large)
        self.setCurrentWidget(page)

    def _show_mark(self, _: object) -> None:
        """The marker, or the line at the row being drawn, and what is said of them."""
        rewind = self._state.rewind
        base, mark, forming = rewind.base.get(), rewind.mark.get(), rewind.forming.get()
        self.marker.setVisible(base is not None)
        here = base is not None and forming is not None and forming.base.place == base.place
        if base is None or mark is None:
            large = self._state.closeup.large.get()
            drawn = large.drawn if large is not None else None
            said = f"Row {drawn} of {self._state.grid.rows} is drawn." if drawn is not None else ""
            if self._state.grid.running.get():
                said = self._state.grid.caption.get().partition(". What is")[0]
            self.large_caption.show_rewind(drawn is not None, False, False, False, said)
            self.page.update_layout()
            return
        held = tuple((pixel.row, pixel.column, QColor(to_hex(pixel.colour))) for pixel in mark.held)
        row = forming.row if here and forming is not None else mark.row
        self.marker.show_row(row, base.rows, mark.armed or here, held)
        running = here and forming is not None and forming.running
        self.marker.show_drawing(running)
        can = mark.row < base.rows and not rewind.running
        said = rewind.said.get()
        kind = self._state.dials.class_name
        if kind and can and mark.armed:
            said = f'{said}, kind "{kind}"'
        self.large_caption.show_rewind(True, can, mark.armed, running, said)
        self.page.update_layout()

    def _entries(self) -> tuple[MenuEntry, ...]:
        """Return the menu entries of the large picture."""
        large = self._state.closeup.large.get()
        able = large is not None and large.piece is not None
        is_sound = large is not None and large.piece is not None and large.piece.picture.ndim != 3
        here = tuple((words, partial(self.act, what), able) for words, what in acts(is_sound))
        return (*here, ("Paste", self._messages.paste_requested.emit, True))

    def _menu(self, at: QPoint) -> None:
        """Open the menu of the cell at a position in the grid's viewport."""
        index = self.grid.indexAt(at)
        if not index.isValid():
            return
        self._state.choose(index.row())
        cell, menu = self.grid.cells[index.row()], QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for words, what in acts(cell.picture is not None and cell.picture.ndim != 3):
            action = menu.addAction(words, partial(self.act, what))
            enable_when_finished(action, self._state.cells, index.row())
        menu.addAction("Paste", self._messages.paste_requested.emit)
        menu.addAction("Copy seed", lambda: QGuiApplication.clipboard().setText(str(cell.seed)))
        menu.popup(self.grid.viewport().mapToGlobal(at))


class GenerateInspector(Column):
    """The card of the model, and what to make."""

    def __init__(self, look: Theme, state: Window) -> None:
        super().__init__(look)
        generate = state.generate
        self.card = ModelCard(look, state.models)
        self.dials = ParametersForm(look, generate.dials, generate.history, MOST)
        self.add_section("Model", first=True)
        self.add_widgets(self.card)
        self.add_section("What to make")
        self.export = ExportSection(look, state.exporting, generate.model, several=True)
        self.add_widgets(self.dials, self.export)
        self.add_stretch()
        bind(self, generate.model, self.card.show_model)


class GenerateFoot(QWidget):
    """The main button, and Save all."""

    def __init__(self, look: Theme, state: Window, dialogs: FileDialogs) -> None:
        super().__init__()
        self._generate: Generate = state.generate
        generate = self._generate
        self._dialogs = dialogs
        self._exporting = state.exporting
        self.time = Label("", "note", wrap=True)
        self.save_all = Button(look, "Save all…", tooltip="Save every picture that is kept", keys="Ctrl+Shift+S")
        self.main = MainButton(look, "Generate", "Make the pictures")
        line = QHBoxLayout()
        line.setSpacing(12)
        line.addWidget(self.save_all, 2)
        line.addWidget(self.main, 3)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.time)
        column.addLayout(line)
        self.main.clicked.connect(self.press)
        self.save_all.clicked.connect(self.ask_where)
        bind(self, generate.grid.button_text, self._show_main)
        bind(self, generate.can_start, self._show_main)
        bind(self, generate.can_save, self.save_all.setVisible)
        bind(self, generate.dials.number, self._show_time)
        bind(self, generate.model, self._show_time)
        bind(self, generate.cells, self._show_time)
        bind(self, generate.grid.compiling, self._show_time)

    def press(self) -> None:
        if self._generate.grid.running.get():
            self._generate.grid.stop_run()
        else:
            self._generate.generate()

    def ask_where(self) -> None:
        """Ask for the folder of all pictures, or for the name of their sheet."""
        on_sheet = self._exporting.on_sheet.get() and self._generate.name_of_sheet()
        if on_sheet:
            self._dialogs.ask_save_path(self._generate.name_of_sheet(), self._generate.save_sheet)
        elif self._generate.can_save.get():
            self._dialogs.ask_folder(self._generate.save_all)

    def _show_main(self, _: object) -> None:
        words = self._generate.grid.button_text.get()
        self.main.show_text(words)
        self.main.setEnabled(words == "Stop" or (words == "Generate" and self._generate.can_start.get()))

    def _show_time(self, _: object) -> None:
        trained, number = self._generate.model.get(), self._generate.dials.number.get()
        seconds = trained.card.seconds_each * number if trained is not None else 0.0
        told = seconds > 0 and not self._generate.cells.get()
        many = BatchText(output_noun(trained)).count_text(number)
        first = trained is not None and trained.card.can_inpaint and self._generate.grid.compiling.get()
        longer = ". The first run on this computer takes longer." if first else ""
        self.time.setText(f"{many} in {time_left(seconds)}{longer}" if told else "")
        self.time.setVisible(told)


def panel(look: Theme, state: Window, dialogs: FileDialogs) -> Panel:
    """Generate, ready for the frame."""
    generate = state.generate
    stage = GenerateStage(look, state, dialogs)
    foot = GenerateFoot(look, state, dialogs)
    acts = (
        Action("Generate", ("Ctrl+Return", "Ctrl+Enter"), generate.generate),
        Action("Save all…", ("Ctrl+Shift+S",), foot.ask_where, enabled=generate.can_save),
        Action("Save this picture…", ("Ctrl+E",), lambda: stage.act("save")),
        Action("Copy this picture", ("Ctrl+C",), generate.copy),
        Action("Open in Explore", ("Ctrl+Shift+X",), lambda: stage.act("explore")),
        Action("Open in Complete", ("Ctrl+Shift+C",), lambda: stage.act("complete")),
        Action("New seed", ("R",), generate.dials.new_seed, "stage"),
        Action("Lock seed", ("L",), lambda: generate.dials.lock_seed(not generate.dials.locked.get()), "stage"),
        Action("Next picture", (), lambda: stage.step(1)),
        Action("Previous picture", (), lambda: stage.step(-1)),
        Action("Go on", (), generate.grid.continue_run, enabled=generate.grid.can_continue),
        Action("Doubt", ("V",), lambda: generate.grid.show_uncertainty(not generate.doubt.on.get()), "stage"),
        Action("Row marker", ("W",), stage.focus_marker, "stage"),
        Action("Pick the colour of a pixel", ("O",), stage.pick_colour, "stage"),
        Action("Branch here", ("K",), stage.branch, "stage"),
    )

    def smooth(on: bool) -> None:
        stage.grid.show_smooth(on)
        stage.page.view.show_smooth(on)

    return Panel(
        key="generate",
        title="Generate",
        drawing="generate",
        help="Make pictures from a trained model",
        stage=stage,
        inspector=GenerateInspector(look, state),
        foot=foot,
        model=generate.model,
        choose_model=generate.choose_model,
        history=generate.history,
        keep=lambda: stage.act("keep"),
        acts=tuple(replace(act, panel="generate") for act in acts),
        close=stage.close_large,
        zoom=stage.page.view.zoom,
        show_smooth=smooth,
        set_compact=stage.set_compact,
        strip=generate.strip,
        cells=generate.grid,
        show_take=generate.closeup.show_take,
        branch=stage.ready,
    )
