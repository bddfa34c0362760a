"""The panel Complete: paint a hole into a picture, and see what the model would put there, the most typical first."""

import math
from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QMenu, QStackedWidget, QVBoxLayout, QWidget

from studio.app.states import mask as masks
from studio.app.states.complete import NOBODY_KEEPS, Complete
from studio.app.states.painting import LARGEST_BRUSH, TOOLS
from studio.app.states.surprise import Surprise
from studio.app.states.window import Window
from studio.app.views.acts import Act
from studio.app.views.bind import bind
from studio.app.views.complete_inspector import CompleteInspector
from studio.app.views.completions import GAP, CompletionsView, Typicality
from studio.app.views.controls import Button, Elided, Label, Number, row
from studio.app.views.crop import CropView
from studio.app.views.dialogs import PICTURES, Dialogs
from studio.app.views.generate import Caption
from studio.app.views.guard import guarded
from studio.app.views.mask_canvas import MaskCanvas
from studio.app.views.panel import Panel
from studio.app.views.picture import multiple
from studio.app.views.surprise import over
from studio.app.views.theme import Look

RIGHT = Qt.TextElideMode.ElideRight
TOOL_BUTTONS = (
    ("brush", "Brush", "Paint the hole", "brush", "B"),
    ("eraser", "Eraser", "Take away from the hole", "eraser", "E"),
    ("rectangle", "Rectangle", "Add a rectangle", "rectangle", "M"),
    ("rows", "From a row downwards", "Everything below a line", "rows", "D"),
)


class Tools(QWidget):
    """What the hand holds: a button for each tool, the name of the one that is on, and the width of the brush."""

    def __init__(self, look: Look, state: Complete) -> None:
        super().__init__()
        painting = state.painting
        self._tool, self._compact = "", False
        self.buttons: dict[str, Button] = {}
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(6)
        group = self._group = QButtonGroup(self)
        for key, says, help, drawing, keys in TOOL_BUTTONS:
            button = self.buttons[key] = Button(look, "", "tool", drawing, says, help, keys)
            button.setCheckable(True)
            button.clicked.connect(partial(self._choose, state, key))
            group.addButton(button)
            line.addWidget(button)
        self.invert = Button(look, "", "tool", "invert", "Invert", "Swap hole and picture", "I")
        self.invert.clicked.connect(painting.invert)
        self.words = Elided("", "soft", RIGHT)
        self.width_field = Number(
            "Brush size", 1, LARGEST_BRUSH, "Width of the brush in pixels of the picture; comma, full stop"
        )
        self.width_field.setSuffix(" px")
        self.width_field.setFixedWidth(look.px(72))
        line.addWidget(self.invert)
        line.addSpacing(6)
        line.addWidget(self.words, 1)
        line.addWidget(self.width_field)
        bind(self, painting.tool, self._show_tool)
        bind(self, painting.size, self.width_field.setValue, self.width_field.valueChanged, painting.set_size)

    def set_compact(self, compact: bool) -> None:
        """Without the name of the tool, where there is no room for it."""
        self._compact = compact
        self._show_tool(self._tool)

    @staticmethod
    def _choose(state: Complete, key: str, _: bool = False) -> None:
        state.painting.choose(key)  # type: ignore[arg-type]  # one of TOOL_BUTTONS

    def _show_tool(self, tool: str) -> None:
        self._tool = tool
        self._group.setExclusive(False)
        for key, button in self.buttons.items():
            button.setChecked(key == tool)
        self._group.setExclusive(True)
        names = {key: says for key, says, *_ in TOOL_BUTTONS}
        self.words.show_text("" if self._compact else names.get(tool, TOOLS[tool].capitalize()))
        self.width_field.setVisible(tool in ("brush", "eraser", "temperature"))


class Desk(QWidget):
    """The picture with its tools at the left, the completions at the right, captions below both."""

    def __init__(self, look: Look, state: Complete, surprise: Surprise) -> None:
        super().__init__()
        self._look, self._state, self._surprise = look, state, surprise
        self.tools = Tools(look, state)
        self.canvas = MaskCanvas(look)
        self.first, self.rest = Elided("", "strong", RIGHT), Elided("", "soft", RIGHT)
        self.ends = (Label("Most typical", "strong"), Label("Strangest", "strong"))
        self.scale = Typicality(look)
        self.grid = CompletionsView(look)
        self.hint = Label("Completions form here, the most typical first.", "note", wrap=True)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.caption = Caption(look)
        self._head = row(self.ends[0], self.scale, self.ends[1], spacing=12)
        line = self._head.layout()
        if isinstance(line, QHBoxLayout):
            line.setStretch(1, 1)
        for part in (self.tools, self._head, self.canvas, self.first, self.rest, self.grid, self.hint, self.caption):
            part.setParent(self)
        self._compact = False
        self._tie()
        look.changed.connect(self.arrange)

    def _tie(self) -> None:
        state, painting, results = self._state, self._state.painting, self._state.results
        bind(self, state.picture, self._show_picture)
        bind(self, painting.mask, self._show_mask)
        bind(self, painting.heat, self.canvas.show_heat)
        bind(self, painting.tool, self.canvas.show_tool)
        bind(self, painting.size, self.canvas.show_size)
        bind(self, results.places, self._show_places)
        bind(self, self._surprise.on, self._show_maps)
        bind(self, self._surprise.scale, self._show_maps)
        self._surprise.came.connect(lambda map: self.grid.show_again(map.picture))
        self.grid.pointed.connect(self._point)
        results.cells.changed.connect(self._show_places)
        results.ranking.changed.connect(self._show_places)
        bind(self, state.chosen, self._show_chosen, self.grid.chose, state.choose)
        bind(self, state.grid.progress, self.caption.show_words)
        bind(
            self,
            state.grid.can_go_on,
            self.caption.go_on.setVisible,
            self.caption.go_on.clicked,
            lambda _: state.grid.go_on(),
        )
        self.canvas.pressed.connect(painting.press)
        self.canvas.dragged.connect(painting.move)
        self.canvas.let_go.connect(painting.release)
        self.canvas.escaped.connect(painting.cancel)
        self.canvas.row_moved.connect(painting.move_row)
        self.grid.held.connect(results.hold)
        self.grid.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.grid.customContextMenuRequested.connect(self._menu)

    def set_compact(self, compact: bool) -> None:
        """Without the second line of the caption, where the window is low."""
        self._compact = compact
        self.tools.set_compact(compact)
        self.arrange()

    def show_smooth(self, smooth: bool) -> None:
        self.canvas.show_smooth(smooth)
        self.grid.show_smooth(smooth)

    def arrange(self) -> None:
        """At the left the picture with its tools above and its caption below; the rest is for the completions."""
        px, compact = self._look.px, self._compact
        edge, head, gap = px(12 if compact else 20), px(36), px(8 if compact else 16)
        half, foot, words = (self.width() - 3 * edge) // 2, px(44), px(26 if compact else 52)
        spare = self.height() - half - head - gap - words - foot
        top = px(8) if compact else min(max(px(12), spare // 2), px(52))
        begin, narrow = top + head + gap, half < px(300)
        under = words + px(8) + (foot if narrow else 0)  # where it is narrow, one caption goes below both
        canvas = self._fitting(half, max(64, self.height() - begin - under))
        self.canvas.setGeometry(QRect(QPoint(edge, begin), canvas))
        wide = canvas.width() if narrow else max(canvas.width(), px(300))
        self.tools.setGeometry(edge, top, self.width() - 2 * edge if narrow else wide, head)
        below = begin + canvas.height() + px(8)
        self.first.setGeometry(edge, below, wide, px(22))
        self.rest.setGeometry(edge, below + px(22), wide, px(22))
        self.rest.setVisible(not compact)
        right = 2 * edge + wide
        rest = self.width() - right - edge
        self._head.setGeometry(right, top, rest, head)
        self._head.setVisible(not narrow and bool(self._state.results.ranked()))
        high = max(64, self.height() - begin - foot)
        self.grid.setGeometry(right - px(GAP) // 2, begin - px(4), rest + px(GAP) + px(8), high + px(4))
        self.hint.setGeometry(right, begin, rest, min(high, canvas.height()))
        left = edge if narrow else right
        self.caption.setGeometry(left - px(12), self.height() - foot, self.width() - left - edge + px(24), foot)

    def _fitting(self, width: int, height: int) -> QSize:
        """Of the canvas: as large as the picture at the largest whole multiple, so that it begins at the top left."""
        picture, ratio = self._state.picture.get(), self.devicePixelRatioF()
        if picture is None:
            return QSize(width, height)
        tall, wide = picture.shape[:2]
        scale = min(multiple(int(width * ratio), wide), multiple(int(height * ratio), tall))
        return QSize(math.ceil(wide * scale / ratio), math.ceil(tall * scale / ratio))

    def _show_picture(self, picture: Any) -> None:
        self.canvas.show_picture(picture)
        self.arrange()

    def _show_mask(self, mask: Any) -> None:
        self.canvas.show_mask(mask)
        first, rest = masks.caption(mask)
        self.first.show_text(first.rstrip("."))
        self.rest.show_text(rest)

    def _show_places(self, _: object) -> None:
        state, results = self._state, self._state.results
        places, cells = results.places.get(), results.cells.get()
        size = next((cell.picture.shape[:2] for cell in cells if cell.picture is not None), None)
        picture = state.picture.get()
        size = size or (picture.shape[:2] if picture is not None else (32, 32))
        self.grid.show_places(results, state.grid.rows, size)
        self.grid.setVisible(bool(places))
        self.hint.setVisible(not places)
        self.arrange()
        self._show_chosen(state.chosen.get())

    def _show_maps(self, _: object) -> None:
        self.grid.show_over(lambda picture: over(self._surprise.of(picture), self._surprise.scale.get()))

    def _point(self, pixel: tuple[int, int, int] | None) -> None:
        cell, *at = pixel if pixel is not None else (0, 0, 0)
        self._surprise.point(self._state.results.cells.get()[cell].picture if pixel is not None else None, *at)

    def _show_chosen(self, chosen: tuple[int, ...]) -> None:
        self.grid.show_chosen(chosen)
        results, ranked = self._state.results, self._state.results.ranked()
        nats = [results.nats(index) for index in ranked]
        self.scale.show_nats(nats, results.nats(chosen[-1]) if chosen and chosen[-1] in ranked else None)

    def _menu(self, at: QPoint) -> None:
        index = self.grid.indexAt(at - self.grid.viewport().pos())
        if not index.isValid():
            return
        cell, state = self.grid.rows.places[index.row()].cell, self._state
        if cell not in state.chosen.get():
            state.choose((cell,))
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        acts = (
            ("Open in Explore", state.open_in_explore),
            ("Keep as take", state.keep_takes),
            ("Paint on this one", partial(state.paint_on, cell)),
        )
        for words, do in acts:
            menu.addAction(words, do).setEnabled(state.results.cells.get()[cell].finished)
        menu.popup(self.grid.mapToGlobal(at))

    @guarded(QSize(200, 200))
    def minimumSizeHint(self) -> QSize:
        return QSize(200, 200)

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        self.arrange()


class CompleteStage(QStackedWidget):
    """How to begin, the desk, or the crop preview."""

    def __init__(self, look: Look, state: Window, dialogs: Dialogs) -> None:
        super().__init__()
        self._look, self._window, self._state, self._dialogs = look, state, state.complete, dialogs
        self.desk = Desk(look, self._state, state.surprise)
        self.crop = CropView(look)
        self.crop_words = Elided("", "soft", RIGHT)
        for page in (self._empty(), self.desk, self._crop_page()):
            self.addWidget(page)
        bind(self, self._state.picture, self._turn)
        bind(self, self._state.model, self._show_model)
        bind(self, self._state.photo, self._show_photo, self.crop.cropped, partial(self._state.set_crop, "crop"))

    def open(self) -> None:
        self._dialogs.open(PICTURES, self._state.open)

    def open_mask(self) -> None:
        if self._state.picture.get() is not None:
            self._dialogs.open(PICTURES, self._state.open_mask)

    def close_open(self) -> bool:
        """Take back the drag, or leave the crop preview; whether there was anything to close."""
        return self._state.painting.cancel() or self._state.cancel_photo()

    def save(self) -> None:
        """The chosen completions: one under a name, several into a folder."""
        if len(self._state.chosen.get()) > 1:
            self._dialogs.folder(self._state.save_all)
        elif self._state.name_of():
            self._dialogs.save(self._state.name_of(), self._state.save)

    def _empty(self) -> QWidget:
        page = QWidget()
        self.title = Label("", "name", wrap=True)
        self.title.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.begin = Button(self._look, "Open…", "primary", help="Bring in a picture of yours", keys="Ctrl+O")
        self.under = Label("or drop one anywhere on this window, or click a take", "note", wrap=True)
        self.under.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.begin.clicked.connect(self.open)
        column = QVBoxLayout(page)
        column.setSpacing(16)
        column.addStretch(1)
        column.addWidget(self.title)
        column.addWidget(row(0, self.begin, 0))
        column.addWidget(self.under)
        column.addStretch(1)
        return page

    def _crop_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 12)
        column.addWidget(self.crop, 1)
        column.addWidget(row(self.crop_words, margins=(24, 0, 24, 0)))
        return page

    def _show_model(self, trained: Any) -> None:
        able = trained is not None
        self.title.setText("Bring a picture and paint what is missing." if able else NOBODY_KEEPS)
        self.begin.setVisible(able)
        self.under.setVisible(able)

    def _show_photo(self, photo: Any) -> None:
        self.crop.show_photo(photo)
        if photo is not None:
            height, width = photo.picture.array.shape[:2]
            notes = "".join(f" · {note}" for note in photo.picture.notes)
            self.crop_words.show_text(f"{photo.picture.name} · {width:,} × {height:,}{notes}")
        self._turn(None)

    def _turn(self, _: object) -> None:
        before = self.currentIndex()
        shown = 0 if self._state.picture.get() is None else 1
        self.setCurrentIndex(2 if self._state.photo.get() is not None else shown)
        if self.currentIndex() == 2 and before != 2:
            self.crop.setFocus(Qt.FocusReason.OtherFocusReason)


class CompleteFoot(QStackedWidget):
    """Open in Explore, Save and the main button; while a picture is brought in, Cancel and Use this."""

    def __init__(self, look: Look, state: Window, stage: CompleteStage) -> None:
        super().__init__()
        self._state, self._stage = state.complete, stage
        complete = self._state
        self.explore = Button(look, "Open in Explore", help="Go on there", keys="Ctrl+Shift+X")
        self.save = Button(look, "Save…", help="Save the chosen ones", keys="Ctrl+E")
        self.main = Button(look, "Complete", "primary", help="Fill the hole", keys="Ctrl+Return")
        self.cancel = Button(look, "Cancel", help="Leave it; the picture stays as it was", keys="Esc")
        self.use = Button(look, "Use this", "primary", help="Complete this picture", keys="Ctrl+Return")
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(self.explore)
        column.addWidget(_pair(self.save, self.main))
        self.addWidget(page)
        second = QWidget()
        lower = QVBoxLayout(second)
        lower.setContentsMargins(0, 0, 0, 0)
        lower.addStretch(1)
        lower.addWidget(_pair(self.cancel, self.use))
        self.addWidget(second)
        self.explore.clicked.connect(complete.open_in_explore)
        self.save.clicked.connect(stage.save)
        self.main.clicked.connect(self.press)
        self.cancel.clicked.connect(complete.cancel_photo)
        self.use.clicked.connect(complete.use_photo)
        bind(self, complete.photo, lambda photo: self.setCurrentIndex(0 if photo is None else 1))
        bind(self, complete.grid.main, self._show_main)
        bind(self, complete.picture, self._show_main)
        bind(self, complete.chosen, self._show_chosen)
        bind(self, complete.results.places, self._show_chosen)

    def act(self) -> None:
        """The main action of this moment."""
        if self._state.photo.get() is not None:
            self._state.use_photo()
        else:
            self._state.complete()

    def press(self) -> None:
        if self._state.grid.running.get():
            self._state.grid.stop()
        else:
            self._state.complete()

    def _show_main(self, _: object) -> None:
        words = self._state.grid.main.get()
        self.main.say(words)
        self.main.draw("stop" if words == "Stop" else "")
        self.main.play("stop" if words == "Stop" else "primary")
        if words == "Stop":
            self.main.explain("Stop now and keep what is drawn", "Shift+Esc")
        else:
            self.main.explain("Fill the hole", "Ctrl+Return")
        ready = words == "Complete" and self._state.picture.get() is not None
        self.main.setEnabled(words == "Stop" or ready)

    def _show_chosen(self, _: object) -> None:
        cell, chosen, results = self._state.looked_at(), self._state.chosen.get(), self._state.results
        number = f" number {results.ranked().index(chosen[-1]) + 1}" if cell is not None else ""
        self.explore.say(f"Open{number} in Explore")
        self.explore.setEnabled(cell is not None)
        self.save.setEnabled(cell is not None)
        self.save.say(f"Save {len(chosen)}…" if len(chosen) > 1 else "Save…")


def _pair(second: QWidget, main: QWidget) -> QWidget:
    box = QWidget()
    line = QHBoxLayout(box)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(16)
    line.addWidget(second, 1)
    line.addWidget(main, 1)
    return box


def panel(look: Look, state: Window, dialogs: Dialogs) -> Panel:
    """Complete, ready for the frame."""
    complete, painting = state.complete, state.complete.painting
    stage = CompleteStage(look, state, dialogs)
    foot = CompleteFoot(look, state, stage)
    tools = tuple(Act(says, (keys,), partial(painting.choose, key), "stage") for key, says, _, _, keys in TOOL_BUTTONS)  # type: ignore[arg-type]
    acts = (
        Act("Complete the picture", ("Ctrl+Return", "Ctrl+Enter"), foot.act),
        Act("Save the chosen ones…", ("Ctrl+E", "Ctrl+Shift+S"), stage.save),
        Act("Open in Explore", ("Ctrl+Shift+X",), complete.open_in_explore),
        *tools,
        Act("Invert the hole", ("I",), painting.invert, "stage"),
        Act("Paint temperature", ("P",), lambda: painting.choose("temperature"), "stage"),
        Act("Smaller brush", (",",), lambda: painting.set_size(painting.size.get() - 1), "stage"),
        Act("Larger brush", (".",), lambda: painting.set_size(painting.size.get() + 1), "stage"),
        Act("New seed", ("R",), complete.dials.new_seed, "stage"),
        Act("Lock seed", ("L",), lambda: complete.dials.lock(not complete.dials.locked.get()), "stage"),
        Act("Even temperature", (), painting.even_out),
        Act("Open a mask…", (), stage.open_mask),
        Act("Go on", (), complete.grid.go_on, can=complete.grid.can_go_on),
    )
    return Panel(
        key="complete",
        title="Complete",
        drawing="complete",
        help="Paint a hole into a picture and have it filled",
        stage=stage,
        inspector=CompleteInspector(look, state),
        foot=foot,
        model=complete.model,
        choose_model=complete.choose_model,
        history=complete.history,
        keep=complete.keep_takes,
        acts=tuple(replace(act, panel="complete") for act in acts),
        close=stage.close_open,
        zoom=stage.desk.canvas.zoom,
        show_smooth=stage.desk.show_smooth,
        set_compact=stage.desk.set_compact,
        offers=lambda trained: trained.card.keeps,
        strip=complete.strip,
        show_take=complete.choose_take,
    )
