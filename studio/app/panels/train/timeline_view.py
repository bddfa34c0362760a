"""Shows samples of the same seeds over a training, like the frames of a film."""

from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QListView, QStyledItemDelegate, QStyleOptionViewItem

from studio.app.core.guard import guarded
from studio.app.panels.train.wording import samples_text
from studio.app.widgets.icons import icon_pixmap
from studio.app.widgets.theme import Theme
from studio.app.widgets.thumbnail import draw_thumbnail, picture_thumbnail
from studio.library.runs import RunSamples

Index = QModelIndex | QPersistentModelIndex
NOWHERE = QModelIndex()
SIDE = 64
"""Logical pixels of a thumbnail, a whole multiple of the usual sizes of pictures."""
GAP = 6
RING = 3
"""Pixels at the left of a column for the ring around it."""
ROWS = 3


class _Samples(QAbstractListModel):
    def __init__(self, view: "TimelineView") -> None:
        super().__init__(view)
        self.samples: tuple[RunSamples, ...] = ()

    def show(self, samples: tuple[RunSamples, ...]) -> None:
        before = len(self.samples)
        grows = len(samples) > before and samples[:before] == self.samples
        if grows:
            self.beginInsertRows(NOWHERE, before, len(samples) - 1)
            self.samples = samples
            self.endInsertRows()
        else:
            self.beginResetModel()
            self.samples = samples
            self.endResetModel()

    @guarded(0)
    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.samples)

    @guarded(None)
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            one = self.samples[index.row()]
            words = samples_text(one.seconds, one.step)
            return f"{words[0].upper()}{words[1:]}, {index.row() + 1} of {len(self.samples)}"
        return None


class _ColumnPainter(QStyledItemDelegate):
    def __init__(self, view: "TimelineView", theme: Theme) -> None:
        super().__init__(view)
        self._view = view
        self._theme = theme
        self._drawn: dict[int, tuple[RunSamples, int, list[QPixmap]]] = {}
        theme.changed.connect(self._drawn.clear)

    @guarded(QSize(SIDE, SIDE))
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        side = self._theme.scaled(SIDE)
        gap = self._theme.scaled(GAP)
        return QSize(side + 2 * gap + RING, self._view.rows * (side + gap) + gap)

    @guarded(None)
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        side = self._theme.scaled(SIDE)
        gap = self._theme.scaled(GAP)
        rect: QRect = option.rect
        step = self._view.samples[index.row()].step
        for row, drawn in enumerate(self._pixmaps(index.row(), side)[: self._view.rows]):
            place = QRect(rect.x() + RING, rect.y() + gap + row * (side + gap), side, side)
            painter.fillRect(place, self._theme.colour("window"))
            draw_thumbnail(painter, drawn, place)
            if self._view.playing == (step, row):
                self._mark_playing(painter, place)
        if index.row() == self._view.shown_place:
            painter.save()
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(self._theme.colour("accent"), 2))
            height = self._view.rows * (side + gap) + gap
            frame = QRectF(rect.x() + 1, rect.y() + gap - 3, side + 4, height - 2 * gap + 6)
            painter.drawRoundedRect(frame, 4, 4)
            painter.restore()

    def _mark_playing(self, painter: QPainter, place: QRect) -> None:
        mark = self._theme.scaled(20)
        box = QRect(place.right() - mark + 1, place.bottom() - mark + 1, mark, mark)
        painter.fillRect(box, self._theme.colour("accent"))
        inner = mark * 3 // 4
        drawing = icon_pixmap("speaker", self._theme.colour("on_accent"), inner, self._view.devicePixelRatioF())
        painter.drawPixmap(box.x() + mark // 8, box.y() + mark // 8, drawing)

    def _pixmaps(self, place: int, side: int) -> list[QPixmap]:
        samples = self._view.samples[place]
        known = self._drawn.get(place)
        if known is None or known[0] is not samples or known[1] != side:
            ratio = self._view.devicePixelRatioF()
            drawn = [picture_thumbnail(one, side, ratio, self._theme) for one in samples.artworks[:ROWS]]
            known = self._drawn[place] = (samples, side, drawn)
        return known[2]


class TimelineView(QListView):
    """Lists the samples of a run from left to right.

    A drag over it shows them like a film; so do the arrow keys.
    """

    scrubbed = Signal(int)
    """Carries the index of the samples that the user goes to."""
    chosen = Signal(int, int)
    """Emitted when a sample was clicked, or for the first of a column by Space. Carries its index and its row."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.rows = ROWS
        self.shown_place = -1
        self.playing: tuple[int, ...] | None = None
        """Step and row of the sample that is heard."""
        self._pressed: tuple[int, int] | None = None
        self._model = _Samples(self)
        self.setModel(self._model)
        self.setItemDelegate(_ColumnPainter(self, theme))
        self.setProperty("role", "bare")
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setAccessibleName("How it learned: the same seeds")
        self.setMouseTracking(False)
        self.selectionModel().currentChanged.connect(self._on_current_changed)
        theme.changed.connect(self._lay_out)
        self._lay_out()

    @property
    def samples(self) -> tuple[RunSamples, ...]:
        return self._model.samples

    def show_samples(self, samples: tuple[RunSamples, ...], place: int | None) -> None:
        """Show samples, with a ring around one; None is the newest."""
        if samples != self._model.samples:
            self._model.show(samples)
        self.shown_place = len(samples) - 1 if place is None else place
        if samples:
            index = self._model.index(self.shown_place, 0)
            self.selectionModel().blockSignals(True)
            self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
            self.selectionModel().blockSignals(False)
            self.scrollTo(index)
        self.viewport().update()

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.samples:
            self.scrollTo(self._model.index(self.shown_place, 0))

    def set_rows(self, rows: int) -> None:
        """Show fewer seeds if the window is low."""
        if rows != self.rows:
            self.rows = rows
            self._lay_out()

    def show_playing(self, playing: tuple[int, ...] | None) -> None:
        """Mark the sample that is heard, by its step and its row."""
        self.playing = playing
        self.viewport().update()

    @guarded(None)
    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        is_left = event.button() == Qt.MouseButton.LeftButton
        self._pressed = self._sample_at(event.position().toPoint()) if is_left else None

    @guarded(None)
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        if self._pressed is not None and self._sample_at(event.position().toPoint()) == self._pressed:
            self.chosen.emit(*self._pressed)
        self._pressed = None

    @guarded(None)
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and self.shown_place >= 0:
            self.chosen.emit(self.shown_place, 0)
        else:
            super().keyPressEvent(event)

    def _sample_at(self, at: QPoint) -> tuple[int, int] | None:
        """Return index and row of the sample at a position; None if there is none."""
        index = self.indexAt(at)
        row = (at.y() - self._theme.scaled(GAP)) // (self._theme.scaled(SIDE) + self._theme.scaled(GAP))
        if not index.isValid() or not 0 <= row < min(self.rows, len(self.samples[index.row()].artworks)):
            return None
        return index.row(), row

    @guarded(None)
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Show the samples under a drag."""
        index = self.indexAt(event.position().toPoint())
        if index.isValid():
            self.setCurrentIndex(index)

    def _on_current_changed(self, index: QModelIndex) -> None:
        if index.isValid():
            self.scrubbed.emit(index.row())

    def _lay_out(self) -> None:
        px = self._theme.scaled
        self.setFixedHeight(self.rows * (px(SIDE) + px(GAP)) + px(GAP) + px(12))
        self.scheduleDelayedItemsLayout()
