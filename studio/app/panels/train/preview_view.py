"""Shows files beside what the model gets of them, and variations of one. A click on a sound plays it."""

from typing import Any, NamedTuple

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QMouseEvent, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QListView, QStyledItemDelegate, QStyleOptionViewItem, QVBoxLayout, QWidget

from studio.app.core.guard import guarded
from studio.app.panels.train.palette_view import PaletteView
from studio.app.panels.train.preview import FIRST_VARIATION, ORIGINAL, SEEN, ExamplePreview, ShownExample
from studio.app.widgets.binding import bind, bind_all
from studio.app.widgets.controls import Button, ElidedLabel, Label, make_row
from studio.app.widgets.icons import icon_pixmap
from studio.app.widgets.item_views import set_up_item_view
from studio.app.widgets.theme import Theme
from studio.app.widgets.thumbnail import draw_thumbnail, picture_thumbnail, waveform_pixmap
from studio.wire.messages import Array

Index = QModelIndex | QPersistentModelIndex
NOWHERE = QModelIndex()
SIDE = 128
"""Logical pixels of a picture, a whole multiple of the usual sizes."""
BETWEEN = 8
"""Pixels between a file and what the model gets."""
GAP = 20
"""Pixels between two examples."""
LINE = 20
"""Pixels of a name, at the usual size of text."""


class Part(NamedTuple):
    """Holds a picture or a sound of a row: the number of the part, its artwork, and its rate in Hz if it has one."""

    number: int
    artwork: Array
    rate: int


class _Cells(QAbstractListModel):
    """Lists rows of artworks, each with a name."""

    def __init__(self, view: "ArtworkList") -> None:
        super().__init__(view)
        self.rows: list[tuple[str, list[Part]]] = []
        """The name of each row, and its parts."""

    def show_rows(self, rows: list[tuple[str, list[Part]]]) -> None:
        """Show rows. If there are as many as before, each is replaced in place."""
        if len(rows) == len(self.rows):
            self.rows = rows
            if rows:
                self.dataChanged.emit(self.index(0), self.index(len(rows) - 1))
            return
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    @guarded(0)
    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.rows)

    @guarded(None)
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        name, _ = self.rows[index.row()]
        return name if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole) else None


class _CellPainter(QStyledItemDelegate):
    def __init__(self, view: "ArtworkList", theme: Theme) -> None:
        super().__init__(view)
        self._view = view
        self._theme = theme
        self._drawn: dict[tuple[int, int], tuple[Array, QPixmap]] = {}

    def forget(self) -> None:
        """Draw everything again, in the present theme."""
        self._drawn.clear()

    @guarded(QSize(SIDE, SIDE))
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return self._view.cell_size

    @guarded(None)
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._theme
        row = index.row()
        name, parts = self._view.rows[row]
        for column, part in enumerate(parts):
            place = self._view.place_of(option.rect, column)
            painter.fillRect(place, theme.colour("window"))
            draw_thumbnail(painter, self._pixmap(row, column, part), place)
            if part.artwork.ndim == 1:
                self._paint_sound_mark(painter, place, playing=self._view.playing == (row, part.number))
        if self._view.shows_names:
            self._paint_name(painter, option.rect, name)
        if index == self._view.currentIndex() and self._view.marks_current:
            first, last = (self._view.place_of(option.rect, column) for column in (0, len(parts) - 1))
            painter.save()
            painter.setPen(QPen(theme.colour("accent"), 2))
            painter.drawRect(first.united(last).adjusted(-3, -3, 3, 3))
            painter.restore()

    def _paint_sound_mark(self, painter: QPainter, place: QRect, *, playing: bool) -> None:
        side = self._theme.scaled(18)
        colour = self._theme.colour("accent" if playing else "soft")
        painter.fillRect(place.x() + 2, place.y() + 2, side + 4, side + 4, self._theme.colour("window"))
        drawing = icon_pixmap("stop" if playing else "play", colour, side, self._view.devicePixelRatioF())
        painter.drawPixmap(place.x() + 4, place.y() + 4, drawing)

    def _paint_name(self, painter: QPainter, cell: QRect, name: str) -> None:
        font = self._theme.font(12)
        painter.setFont(font)
        painter.setPen(self._theme.colour("soft"))
        width = 2 * SIDE + BETWEEN
        below = QRect(cell.x() + 4, cell.y() + 4 + SIDE + 4, width, self._theme.scaled(LINE))
        shown = QFontMetrics(font).elidedText(name, Qt.TextElideMode.ElideMiddle, width)
        painter.drawText(below, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), shown)

    def _pixmap(self, row: int, column: int, part: Part) -> QPixmap:
        known = self._drawn.get((row, column))
        artwork = part.artwork
        if known is None or known[0] is not artwork:
            ratio = self._view.devicePixelRatioF()
            if part.rate:
                pixmap = waveform_pixmap(artwork, round(SIDE * ratio), round(SIDE * ratio), ratio, self._theme)
            else:
                pixmap = picture_thumbnail(artwork, SIDE, ratio, self._theme)
            known = self._drawn[row, column] = (artwork, pixmap)
        return known[1]


class ArtworkList(QListView):
    """Shows rows of pictures or sounds. `part_clicked` carries the row and the number of the part."""

    part_clicked = Signal(int, int)

    def __init__(self, theme: Theme, name: str, columns: int, *, shows_names: bool, marks_current: bool) -> None:
        super().__init__()
        self._theme = theme
        self._columns = columns
        self.shows_names = shows_names
        self.marks_current = marks_current
        self.playing: tuple[int, int] | None = None
        """The row and the number of the part that play; None if none does."""
        self._cells = _Cells(self)
        self._painter = _CellPainter(self, theme)
        self.setModel(self._cells)
        self.setItemDelegate(self._painter)
        set_up_item_view(self, name)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self._pressed_column = 0
        self.clicked.connect(self._click)
        self.activated.connect(lambda index: self._emit(index.row(), len(self.rows[index.row()][1]) - 1))
        theme.changed.connect(self._repaint)

    @property
    def rows(self) -> list[tuple[str, list[Part]]]:
        """Return the name of each row, and its parts."""
        return self._cells.rows

    @property
    def cell_size(self) -> QSize:
        """Return the size of a row."""
        height = SIDE + 8 + (self._theme.scaled(LINE) + 4 if self.shows_names else 0)
        return QSize(self._columns * SIDE + (self._columns - 1) * BETWEEN + GAP, height)

    def place_of(self, cell: QRect, column: int) -> QRect:
        """Return the rectangle of a part within its row's rectangle."""
        return QRect(cell.x() + 4 + column * (SIDE + BETWEEN), cell.y() + 4, SIDE, SIDE)

    def show_rows(self, rows: list[tuple[str, list[Part]]]) -> None:
        self._cells.show_rows(rows)

    def show_current(self, row: int) -> None:
        if row < len(self.rows) and self.currentIndex().row() != row:
            self.setCurrentIndex(self._cells.index(row))

    def show_playing(self, playing: tuple[int, int] | None) -> None:
        self.playing = playing
        self.viewport().update()

    @guarded(None)
    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed_column = self._column_at(event.position().toPoint())
        super().mousePressEvent(event)

    def _column_at(self, point: QPoint) -> int:
        index = self.indexAt(point)
        beyond = point.x() - self.visualRect(index).x() - 4 if index.isValid() else 0
        return min(beyond // (SIDE + BETWEEN), self._columns - 1)

    def _click(self, index: QModelIndex) -> None:
        self._emit(index.row(), self._pressed_column)

    def _emit(self, row: int, column: int) -> None:
        parts = self.rows[row][1]
        if column < len(parts):
            self.part_clicked.emit(row, parts[column].number)

    def _repaint(self) -> None:
        self._painter.forget()
        self.scheduleDelayedItemsLayout()


class PreviewPage(QWidget):
    """Shows the examples, and the variations of the chosen one."""

    def __init__(self, theme: Theme, preview: ExamplePreview) -> None:
        super().__init__()
        self._theme = theme
        self._preview = preview
        self.title = Label("What the model sees", "title")
        self.others = Button(theme, "Other files", "link", tooltip="Show other files, chosen at random")
        self.close_button = Button(theme, "Back to the files", "link", tooltip="Show the files of the folder again")
        self.note = Label("", "soft", wrap=True)
        self.grid = ArtworkList(
            theme, "Files, each beside what the model gets", 2, shows_names=True, marks_current=True
        )
        self.heading = ElidedLabel("", "heading")
        self.variations = ArtworkList(theme, "Variations", 1, shows_names=False, marks_current=False)
        self.swatches = PaletteView(theme)
        self._column = QVBoxLayout(self)
        self._column.addWidget(make_row(self.title, 0, self.others, self.close_button, spacing=16))
        self._column.addWidget(self.note)
        self._column.addWidget(self.swatches)
        self._column.addWidget(self.grid, 1)
        self._column.addWidget(self.heading)
        self._column.addWidget(self.variations)
        self.others.clicked.connect(preview.show_others)
        self.close_button.clicked.connect(preview.toggle)
        self.grid.part_clicked.connect(self._click_example)
        self.grid.selectionModel().currentChanged.connect(lambda now, _: preview.choose(now.row()))
        self.variations.part_clicked.connect(lambda row, part: preview.play(preview.chosen.get(), part))
        bind_all(self, (preview.examples, preview.fault, preview.busy, preview.chosen), self._show)
        bind_all(self, (preview.player.playing, preview.chosen), self._show_playing)
        bind(self, preview.palette, self.swatches.show_colours)
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def _click_example(self, row: int, part: int) -> None:
        self._preview.choose(row)
        self._preview.play(row, part)

    def _show(self, _: object) -> None:
        preview = self._preview
        examples = preview.examples.get()
        hears = bool(examples) and examples[0].is_sound
        self.title.setText("What the model hears" if hears else "What the model sees")
        self.note.setText(self._note_text(examples))
        self.grid.show_rows([(_describe(example), _pair(example)) for example in examples])
        self.grid.show_current(preview.chosen.get())
        chosen = preview.chosen_example
        varied = chosen.variations if chosen is not None else ()
        self.heading.setVisible(bool(varied))
        self.variations.setVisible(bool(varied))
        if chosen is not None and varied:
            self.heading.show_text(f"Variations of {chosen.name}")
            rows = [
                (f"Variation {number + 1}", [Part(FIRST_VARIATION + number, each, chosen.rate)])
                for number, each in enumerate(varied)
            ]
            self.variations.show_rows(rows)

    def _note_text(self, examples: tuple[ShownExample, ...]) -> str:
        preview = self._preview
        if preview.fault.get():
            return preview.fault.get()
        if not examples:
            return "Preparing some of your files …"
        hint = ""
        if examples[0].is_sound:
            hint = "Click one to hear it."
        elif any(len(example.variations) for example in examples):
            hint = "Click one to see how it is varied."
        return f"Left: your file. Right: what the model gets. {hint}".strip()

    def _show_playing(self, _: object) -> None:
        numbers = self._preview.player.playing.get()
        if numbers is None:
            self.grid.show_playing(None)
            self.variations.show_playing(None)
            return
        row, part = numbers
        self.grid.show_playing((row, part))
        is_chosen = row == self._preview.chosen.get()
        self.variations.show_playing((part - FIRST_VARIATION, part) if is_chosen else None)

    def _lay_out(self) -> None:
        px = self._theme.scaled
        self._column.setContentsMargins(px(24), px(20), px(24), px(12))
        self._column.setSpacing(px(12))
        self.variations.setFixedHeight(SIDE + 12)


def _pair(example: ShownExample) -> list[Part]:
    """Return the file and what the model gets of it. A pack has no files."""
    seen = Part(SEEN, example.seen, example.rate)
    if example.original is None:
        return [seen]
    return [Part(ORIGINAL, example.original, example.original_rate), seen]


def _describe(example: ShownExample) -> str:
    """Return the name of an example with the size or the length of what the model gets."""
    if example.rate:
        return f"{example.name} · {len(example.seen) / example.rate:.1f} s"
    if example.is_sound:
        return f"{example.name} · {len(example.seen)} samples"
    height, width = example.seen.shape[:2]
    return f"{example.name} · {width} × {height}"
