"""Shows the workspace of Complete: the picture with its tools, and the completions."""

import math
from functools import partial
from typing import Any

from PySide6.QtCore import QModelIndex, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QMenu, QWidget

from studio.app.core.guard import guarded
from studio.app.generation.caption_view import BatchCaption
from studio.app.generation.menu_view import add_picture_actions
from studio.app.generation.thumbnail_grid_view import GAP, WRAP_ROOM
from studio.app.panels.complete import mask as masks
from studio.app.panels.complete.brush import LARGEST_BRUSH, TOOLS
from studio.app.panels.complete.mask_view import MaskView
from studio.app.panels.complete.results_view import ResultsView, TypicalityView
from studio.app.panels.complete.state import CompleteState
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Button, ElidedLabel, Label, NumberField, make_row
from studio.app.widgets.item_views import show_item_menu
from studio.app.widgets.menus import show_context_menu
from studio.app.widgets.picture import largest_multiple
from studio.app.widgets.theme import Theme

RIGHT = Qt.TextElideMode.ElideRight
TOOL_BUTTONS = (
    ("brush", "Brush", "Paint the hole", "brush", "B"),
    ("eraser", "Eraser", "Erase from the hole", "eraser", "E"),
    ("rectangle", "Rectangle", "Add a rectangle", "rectangle", "M"),
    ("rows", "From a row downwards", "Mark everything below a line", "rows", "D"),
)


class BrushToolBar(QWidget):
    """Shows a button for each tool, the name of the chosen tool, and the brush width."""

    def __init__(self, theme: Theme, state: CompleteState) -> None:
        super().__init__()
        painting = state.canvas.brush
        self._tool = ""
        self._compact = False
        self.buttons: dict[str, Button] = {}
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(6)
        group = self._group = QButtonGroup(self)
        for key, says, help, drawing, keys in TOOL_BUTTONS:
            button = self.buttons[key] = Button(theme, "", "tool", drawing, says, help, keys)
            button.setCheckable(True)
            button.clicked.connect(partial(self._choose_tool, state, key))
            group.addButton(button)
            line.addWidget(button)
        self.invert = Button(theme, "", "tool", "invert", "Invert", "Swap hole and picture", "I")
        self.invert.clicked.connect(painting.invert_mask)
        self.tool_name = ElidedLabel("", "soft", RIGHT)
        self.width_field = NumberField(
            "Brush size", 1, LARGEST_BRUSH, "Set the width of the brush in pixels; comma, full stop"
        )
        self.width_field.setSuffix(" px")
        self.width_field.setFixedWidth(theme.scaled(72))
        line.addWidget(self.invert)
        line.addSpacing(6)
        line.addWidget(self.tool_name, 1)
        line.addWidget(self.width_field)
        bind(self, painting.tool, self._show_tool)
        bind(self, painting.size, self.width_field.setValue, self.width_field.valueChanged, painting.set_size)

    def set_compact(self, compact: bool) -> None:
        """Hide the name of the tool if there is no room for it."""
        self._compact = compact
        self._show_tool(self._tool)

    @staticmethod
    def _choose_tool(state: CompleteState, key: str, _: bool = False) -> None:
        state.canvas.brush.choose_tool(key)  # type: ignore[arg-type]  # one of TOOL_BUTTONS

    def _show_tool(self, tool: str) -> None:
        self._tool = tool
        self._group.setExclusive(False)
        for key, button in self.buttons.items():
            button.setChecked(key == tool)
        self._group.setExclusive(True)
        names = {key: text for key, text, *_ in TOOL_BUTTONS}
        self.tool_name.show_text("" if self._compact else names.get(tool, TOOLS[tool].capitalize()))
        self.width_field.setVisible(tool in ("brush", "eraser", "temperature"))


class CompleteWorkspace(QWidget):
    """Shows the picture and its tools at the left, the completions at the right, captions below."""

    def __init__(self, theme: Theme, state: CompleteState) -> None:
        super().__init__()
        self._theme = theme
        self._state = state
        self.tools = BrushToolBar(theme, state)
        self.canvas = MaskView(theme)
        self.first = ElidedLabel("", "strong", RIGHT)
        self.rest = ElidedLabel("", "soft", RIGHT)
        self.range_label = (Label("Most typical", "strong"), Label("Strangest", "strong"))
        self.scale = TypicalityView(theme)
        self.grid = ResultsView(theme, state.surprisal, state.batch.uncertainty)
        self.hint = Label("Completions form here, the most typical first.", "note", wrap=True)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.caption = BatchCaption(theme, state.batch)
        self._head = make_row(self.range_label[0], self.scale, self.range_label[1], spacing=12)
        line = self._head.layout()
        if isinstance(line, QHBoxLayout):
            line.setStretch(1, 1)
        for part in (self.tools, self._head, self.canvas, self.first, self.rest, self.grid, self.hint, self.caption):
            part.setParent(self)
        self._compact = False
        self._connect()
        theme.changed.connect(self.update_layout)

    def _connect(self) -> None:
        state = self._state
        painting = self._state.canvas.brush
        results = self._state.ranking
        bind(self, state.canvas.picture, self._show_picture)
        bind(self, painting.mask, self._show_mask)
        bind(self, painting.temperature_map, self.canvas.show_temperature_map)
        bind(self, painting.tool, self.canvas.show_tool)
        bind(self, painting.size, self.canvas.show_size)
        bind(self, results.places, self._show_places)
        results.cells.changed.connect(self._show_places)
        results.rank_by.changed.connect(self._show_places)
        bind(self, state.chosen, self._show_chosen, self.grid.cells_chosen, state.choose_completions)
        self.canvas.stroke_started.connect(painting.start_stroke)
        self.canvas.stroke_moved.connect(painting.continue_stroke)
        self.canvas.stroke_ended.connect(painting.end_stroke)
        self.canvas.stroke_cancelled.connect(painting.cancel_stroke)
        self.canvas.row_moved.connect(painting.move_row)
        show_context_menu(self.canvas, lambda: (
            ("Copy picture", state.copy_original, True), ("Paste", state.messages.paste_requested.emit, True),
        ))  # fmt: skip
        self.grid.hold_changed.connect(results.hold_places)
        show_item_menu(self.grid, self._fill_menu)

    def set_compact(self, compact: bool) -> None:
        """Hide the second line of the caption if the window is low."""
        self._compact = compact
        self.tools.set_compact(compact)
        self.update_layout()

    def show_smooth(self, smooth: bool) -> None:
        self.canvas.show_smooth(smooth)
        self.grid.show_smooth(smooth)

    def update_layout(self) -> None:
        """Place the picture with tools and caption at the left; the completions get the rest."""
        px = self._theme.scaled
        compact = self._compact
        edge = px(12 if compact else 20)
        head = px(36)
        gap = px(8 if compact else 16)
        half = (self.width() - 3 * edge) // 2
        foot = px(44)
        words = px(26 if compact else 52)
        spare = self.height() - half - head - gap - words - foot
        top = px(8) if compact else min(max(px(12), spare // 2), px(52))
        begin = top + head + gap
        narrow = half < px(300)
        under = words + px(8) + (foot if narrow else 0)  # where it is narrow, one caption goes below both
        canvas = self._canvas_size(half, max(64, self.height() - begin - under))
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
        self._head.setVisible(not narrow and bool(self._state.ranking.ranked_cells()))
        high = max(64, self.height() - begin - foot)
        margin = px(GAP) // 2  # of the grid around its pictures
        self.grid.setGeometry(right - margin, begin - margin, rest + px(GAP) + px(WRAP_ROOM), high + margin)
        self.hint.setGeometry(right, begin, rest, min(high, canvas.height()))
        left = edge if narrow else right
        self.caption.setGeometry(left - px(12), self.height() - foot, self.width() - left - edge + px(24), foot)

    def _canvas_size(self, width: int, height: int) -> QSize:
        """Return the size of the canvas: the picture at the largest whole multiple that fits."""
        picture = self._state.canvas.picture.get()
        ratio = self.devicePixelRatioF()
        if picture is None:
            return QSize(width, height)
        tall, wide = picture.shape[:2]
        scale = min(largest_multiple(int(width * ratio), wide), largest_multiple(int(height * ratio), tall))
        return QSize(math.ceil(wide * scale / ratio), math.ceil(tall * scale / ratio))

    def _show_picture(self, picture: Any) -> None:
        self.canvas.show_picture(picture)
        self.update_layout()

    def _show_mask(self, mask: Any) -> None:
        self.canvas.show_mask(mask)
        first, rest = masks.mask_caption(mask)
        self.first.show_text(first.rstrip("."))
        self.rest.show_text(rest)

    def _show_places(self, _: object) -> None:
        state = self._state
        results = self._state.ranking
        places = results.places.get()
        picture = state.canvas.picture.get()
        self.grid.show_ranking(results, state.batch.rows, picture.shape[:2] if picture is not None else None)
        self.grid.setVisible(bool(places))
        self.hint.setVisible(not places)
        self.update_layout()
        self._show_chosen(state.chosen.get())

    def _show_chosen(self, chosen: tuple[int, ...]) -> None:
        self.grid.show_chosen(chosen)
        results = self._state.ranking
        ranked = self._state.ranking.ranked_cells()
        nats = [results.log_prob_of(index) for index in ranked]
        self.scale.show_log_probs(nats, results.log_prob_of(chosen[-1]) if chosen and chosen[-1] in ranked else None)

    def _fill_menu(self, menu: QMenu, index: QModelIndex) -> None:
        """Add the entries for a completion."""
        number = self.grid.places[index.row()].number
        state = self._state
        if number not in state.chosen.get():
            state.choose_completions((number,))
        entries = (
            ("Open in Explore", state.open_in_explore),
            ("Copy picture", state.copy_chosen),
            ("Keep as take", state.keep_takes),
            ("Paint on this one", partial(state.use_as_picture, number)),
        )
        add_picture_actions(menu, entries, state.ranking.cells, number)
        menu.addAction("Paste", state.messages.paste_requested.emit)

    @guarded(QSize(200, 200))
    def minimumSizeHint(self) -> QSize:
        return QSize(200, 200)

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        self.update_layout()
