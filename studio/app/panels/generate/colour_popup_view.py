"""Lets the user choose the colour of one pixel: from the picture, from plain colours, or typed."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QKeyEvent, QPixmap
from PySide6.QtWidgets import QFrame, QLineEdit, QListView, QVBoxLayout, QWidget

from studio.app.core import colours
from studio.app.core.colours import Colour
from studio.app.core.guard import guarded
from studio.app.widgets.controls import Button, Label, NumberField, make_row, set_style
from studio.app.widgets.theme import Theme
from studio.wire.messages import Array

Index = QModelIndex | QPersistentModelIndex
SWATCH_SIZE = 24
COLUMNS = 8
MAX_OWN_COLOURS = 16
BASIC_COLOURS: tuple[Colour, ...] = (
    (0, 0, 0), (96, 96, 96), (176, 176, 176), (255, 255, 255), (214, 40, 40), (240, 140, 30), (245, 210, 60),
    (120, 74, 40), (60, 160, 70), (40, 170, 170), (40, 90, 200), (120, 60, 180), (230, 90, 160), (255, 190, 150),
    (150, 210, 120), (150, 200, 240),
)  # fmt: skip


class _SwatchRows(QAbstractListModel):
    """Lists colours, each with a square of it as its icon."""

    def __init__(self, found: Sequence[Colour], side: int, parent: QObject) -> None:
        super().__init__(parent)
        self.colours = tuple(found)
        self._icons = [_icon(colour, side) for colour in found]

    @guarded(0)
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.colours)

    @guarded(None)
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        colour = self.colours[index.row()]
        if role == Qt.ItemDataRole.DecorationRole:
            return self._icons[index.row()]
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return f"{colours.colour_name(colour)}, {colours.to_hex(colour)}"
        return None


def _icon(colour: Colour, side: int) -> QIcon:
    ground = QPixmap(side, side)
    ground.fill(QColor(colours.to_hex(colour)))
    return QIcon(ground)


class ColourPopup(QFrame):
    """Chooses the colour of a pixel below the marker.

    `colour_chosen` carries row, column and colour; None releases the pixel. `pixel_changed` carries the pixel of the
    fields.
    """

    colour_chosen = Signal(int, int, object)
    pixel_changed = Signal(object)

    def __init__(
        self,
        theme: Theme,
        parent: QWidget,
        picture: Array,
        first: int,
        imposed: Sequence[tuple[int, int]],
        palette: Sequence[Colour] = (),
    ) -> None:
        """Offer the colours of a palette if the model has one."""
        super().__init__(parent, Qt.WindowType.Popup)
        self._theme, self._channels, self._imposed = theme, picture.shape[2], set(imposed)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setProperty("role", "popup")
        self.setAccessibleName("Colour of a pixel")
        height, width = picture.shape[:2]
        self.row = NumberField("Row", first + 1, height, "Set the row, counted from the top")
        self.column = NumberField("Column", 1, width, "Set the column, counted from the left")
        grey = tuple((round(value * 255 / 15),) for value in range(16))
        usual = (*colours.common_colours(picture, MAX_OWN_COLOURS), *(BASIC_COLOURS if self._channels == 3 else grey))
        self.swatches = self._build_list(palette or usual)
        self.typed = QLineEdit()
        self.typed.setPlaceholderText("#RRGGBB")
        self.typed.setAcceptDrops(False)
        self.typed.setAccessibleName("Colour as a code, such as #2858C8")
        self.release_button = Button(theme, "Release", tooltip="Let the model draw this pixel again")
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.scaled(12), theme.scaled(12), theme.scaled(12), theme.scaled(12))
        column.setSpacing(theme.scaled(8))
        column.addWidget(Label("Colour of a pixel", "heading"))
        column.addWidget(make_row(Label("Row", "soft"), self.row, Label("Column", "soft"), self.column))
        column.addWidget(self.swatches)
        column.addWidget(make_row(self.typed, self.release_button))
        self.swatches.activated.connect(self._choose_swatch)
        self.swatches.clicked.connect(self._choose_swatch)
        self.typed.returnPressed.connect(self._choose_typed)
        self.release_button.clicked.connect(lambda: self._choose_colour(None))
        self.row.valueChanged.connect(self._update_pixel)
        self.column.valueChanged.connect(self._update_pixel)

    def open_at(self, row: int, column: int, place: QPoint) -> None:
        """Open the popup near a pixel."""
        self.row.setValue(row + 1)
        self.column.setValue(column + 1)
        self._update_pixel()
        self.adjustSize()
        screen = self.screen().availableGeometry()
        x = min(max(place.x(), screen.left()), screen.right() - self.width())
        self.move(x, min(max(place.y(), screen.top()), screen.bottom() - self.height()))
        self.show()
        self.swatches.setFocus(Qt.FocusReason.PopupFocusReason)

    @property
    def current_pixel(self) -> tuple[int, int]:
        return self.row.value() - 1, self.column.value() - 1

    @guarded(None)
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close()
        else:
            super().keyPressEvent(event)

    def _build_list(self, offered: Sequence[Colour]) -> QListView:
        found = QListView()
        found.setProperty("role", "bare")
        found.setAccessibleName("Colours")
        found.setViewMode(QListView.ViewMode.IconMode)
        found.setMovement(QListView.Movement.Static)
        side = self._theme.scaled(SWATCH_SIZE)
        found.setIconSize(QSize(side, side))
        found.setGridSize(QSize(side + self._theme.scaled(6), side + self._theme.scaled(6)))
        self._swatches = _SwatchRows(tuple(dict.fromkeys(offered)), side, found)
        found.setModel(self._swatches)
        found.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        found.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        step = side + self._theme.scaled(6)
        lines = -(-len(self._swatches.colours) // COLUMNS)
        found.setFixedSize(step * COLUMNS + step // 3, step * lines + step // 3)
        found.setCurrentIndex(self._swatches.index(0))
        return found

    def _update_pixel(self) -> None:
        self.release_button.setVisible(self.current_pixel in self._imposed)
        self.pixel_changed.emit(self.current_pixel)

    def _choose_swatch(self, index: QModelIndex) -> None:
        self._choose_colour(self._swatches.colours[index.row()])

    def _choose_typed(self) -> None:
        colour = colours.parse_colour(self.typed.text(), self._channels)
        set_style(self.typed, wrong=colour is None)
        if colour is not None:
            self._choose_colour(colour)

    def _choose_colour(self, colour: Colour | None) -> None:
        if self.isVisible():
            self.close()
            self.colour_chosen.emit(*self.current_pixel, colour)
