"""Shows thumbnails of the files of a folder. A click leaves a file out, or uses it again."""

from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPen, QPixmap
from PySide6.QtWidgets import QListView, QStyledItemDelegate, QStyleOptionViewItem

from studio.app.core.guard import guarded
from studio.app.panels.train.folder import FolderScan
from studio.app.widgets.icons import icon_pixmap
from studio.app.widgets.theme import Theme
from studio.app.widgets.thumbnail import draw_thumbnail, picture_thumbnail

Index = QModelIndex | QPersistentModelIndex
NOWHERE = QModelIndex()
SIDE = 64
GAP = 6


class _Files(QAbstractListModel):
    """Lists numbers of files."""

    def __init__(self, view: "ThumbnailsView", folder: FolderScan) -> None:
        super().__init__(view)
        self._folder = folder
        self.numbers: list[int] = []

    def show(self, numbers: list[int]) -> None:
        before = len(self.numbers)
        if before < len(numbers) and numbers[:before] == self.numbers:
            self.beginInsertRows(NOWHERE, before, len(numbers) - 1)
            self.numbers = numbers
            self.endInsertRows()
        elif numbers != self.numbers:
            self.beginResetModel()
            self.numbers = numbers
            self.endResetModel()

    @guarded(0)
    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.numbers)

    @guarded(None)
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role not in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return None
        number = self.numbers[index.row()]
        if number >= len(self._folder.files):  # another folder was just opened
            return None
        file = self._folder.files[number]
        mine = file.key in self._folder.excluded.get()
        return f"{file.name}, left out by you" if mine else f"{file.name} {file.reason}".strip()


class _FilePainter(QStyledItemDelegate):
    def __init__(self, view: "ThumbnailsView", theme: Theme, folder: FolderScan) -> None:
        super().__init__(view)
        self._view = view
        self._theme = theme
        self._folder = folder
        self._drawn: dict[int, tuple[np.ndarray, QPixmap]] = {}

    @guarded(QSize(SIDE, SIDE))
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        side = self._theme.scaled(SIDE + GAP)
        return QSize(side, side)

    @guarded(None)
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._theme
        number = self._view.numbers[index.row()]
        side = theme.scaled(SIDE)
        rect: QRect = option.rect
        place = QRect(rect.x(), rect.y(), side, side)
        painter.fillRect(place, theme.colour("window"))
        picture = self._folder.thumbnails.get(number)
        if picture is None:
            return
        known = self._drawn.get(number)
        if known is None or known[0] is not picture:
            known = self._drawn[number] = (
                picture, picture_thumbnail(picture, side, self._view.devicePixelRatioF(), theme)
            )  # fmt: skip
        out = self._folder.files[number].key in self._folder.excluded.get()
        painter.save()
        painter.setOpacity(0.3 if out else 1.0)
        draw_thumbnail(painter, known[1], place)
        painter.restore()
        if out:
            mark = theme.scaled(20)
            drawing = icon_pixmap("close", theme.colour("text"), mark, self._view.devicePixelRatioF())
            painter.drawPixmap(place.center().x() - mark // 2, place.center().y() - mark // 2, drawing)
        if index == self._view.currentIndex() and self._view.hasFocus():
            painter.save()
            painter.setPen(QPen(theme.colour("accent"), 2))
            painter.drawRect(place.adjusted(1, 1, -1, -1))
            painter.restore()


class ThumbnailsView(QListView):
    """Shows a grid of files. `toggled` carries the number of a file."""

    toggled = Signal(int)

    def __init__(self, theme: Theme, folder: FolderScan) -> None:
        super().__init__()
        self._model = _Files(self, folder)
        self.setModel(self._model)
        self.setItemDelegate(_FilePainter(self, theme, folder))
        self.setProperty("role", "bare")
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setLayoutMode(QListView.LayoutMode.Batched)
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Files of the folder")
        self.clicked.connect(lambda index: self.toggled.emit(self.numbers[index.row()]))
        self.activated.connect(lambda index: self.toggled.emit(self.numbers[index.row()]))
        folder.excluded.changed.connect(self.viewport().update)
        theme.changed.connect(self.scheduleDelayedItemsLayout)

    @property
    def numbers(self) -> list[int]:
        """Return the numbers of the shown files."""
        return self._model.numbers

    def show_files(self, numbers: list[int]) -> None:
        self._model.show(numbers)
