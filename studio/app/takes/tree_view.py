"""The tree of takes: each below the one that it came from, the way to the root lit."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QFrame, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QTreeView

from studio.app.core.guard import guarded
from studio.app.takes.item_model import TakeTreeModel
from studio.app.widgets.theme import Theme
from studio.app.widgets.thumbnail import draw_thumbnail, picture_thumbnail

Index = QModelIndex | QPersistentModelIndex
THUMBNAIL_SIDE = 64
ROW_HEIGHT = 72
INDENT = 32
"""Logical pixels: a thumbnail, a row, and how far a child stands to the right of its parent."""


class _TreePainter(QStyledItemDelegate):
    def __init__(self, view: "TakeTreeView", theme: Theme, takes: TakeTreeModel) -> None:
        super().__init__(view)
        self._view = view
        self._theme = theme
        self._takes = takes
        self._drawn: dict[str, tuple[object, QPixmap]] = {}
        theme.changed.connect(self._drawn.clear)

    @guarded(QSize(200, ROW_HEIGHT))
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(self._theme.scaled(200), self._theme.scaled(ROW_HEIGHT))

    @guarded(None)
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        look = self._theme
        px = self._theme.scaled
        place = self._takes.place_of(index)
        rect = option.rect
        chosen = place == self._takes.chosen
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        over = bool(option.state & QStyle.StateFlag.State_MouseOver)
        ground = QRectF(rect).adjusted(px(-4), 1, -1, -1)
        if chosen or over:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.colour("tint" if chosen else "hover"))
            painter.drawRoundedRect(ground, px(6), px(6))
        if self._view.hasFocus() and index == self._view.currentIndex():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(look.colour("accent"), 2))
            painter.drawRoundedRect(ground.adjusted(1, 1, -1, -1), px(6), px(6))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        square = QRect(
            rect.x() + px(4),
            rect.y() + (rect.height() - px(THUMBNAIL_SIDE)) // 2,
            px(THUMBNAIL_SIDE),
            px(THUMBNAIL_SIDE),
        )
        painter.fillRect(square, look.colour("window"))
        draw_thumbnail(painter, self._pixmap(place), square)
        self._write(painter, rect.adjusted(px(THUMBNAIL_SIDE + 16), 0, -px(8), 0), place, index, chosen)
        painter.restore()

    def _write(self, painter: QPainter, room: QRect, place: int, index: Index, chosen: bool) -> None:
        look = self._theme
        number = str(place + 1)
        weight = 600 if chosen else 400
        font = look.font(13, weight)
        painter.setFont(font)
        painter.setPen(look.colour("text" if chosen else "soft"))
        measure = QFontMetrics(font)
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(room, middle, number)
        rest = room.adjusted(measure.horizontalAdvance(number) + look.scaled(10), 0, 0, 0)
        shut = self._takes.rowCount(index) if not self._view.isExpanded(index) else 0
        words = self._takes.caption_of(place) + (f"  ·  {shut} folded" if shut else "")
        painter.drawText(rest, middle, measure.elidedText(words, Qt.TextElideMode.ElideRight, rest.width()))

    def _pixmap(self, place: int) -> QPixmap:
        take = self._takes.takes[place]
        kept = self._drawn.get(take.name)
        if kept is None or kept[0] is not take.picture:
            pixmap = picture_thumbnail(
                take.picture, self._theme.scaled(THUMBNAIL_SIDE), self._view.devicePixelRatioF(), self._theme
            )
            kept = self._drawn[take.name] = (take.picture, pixmap)
        return kept[1]


class TakeTreeView(QTreeView):
    """Signals carry the place of a take: `chose` it for the stage, `dropped` it, `asked` for its menu or its name."""

    take_chosen = Signal(int)
    delete_requested = Signal(int)
    rename_requested = Signal(int)
    menu_requested = Signal(int, QPoint)

    def __init__(self, theme: Theme, takes: TakeTreeModel) -> None:
        super().__init__()
        self._theme = theme
        self._takes = takes
        self.setModel(takes)
        self.setItemDelegate(_TreePainter(self, theme, takes))
        self.setProperty("role", "bare")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setMouseTracking(True)
        self.setUniformRowHeights(True)
        self.setSelectionMode(QTreeView.SelectionMode.NoSelection)
        self.setVerticalScrollMode(QTreeView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setStyleSheet("activate-on-singleclick: 0;")
        self.setAccessibleName("Tree of takes")
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._request_menu)
        self.clicked.connect(lambda index: self.take_chosen.emit(takes.place_of(index)))
        self.activated.connect(lambda index: self.take_chosen.emit(takes.place_of(index)))
        takes.modelReset.connect(self.expandAll)
        takes.rowsInserted.connect(lambda parent: self.expand(parent))
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def show_chosen(self, place: int | None) -> None:
        index = self._takes.index_of(place)
        self.setCurrentIndex(index)
        if place is not None:
            self.scrollTo(index)
        self.viewport().update()  # the way to the root is another one

    @guarded(None)
    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        key = event.key()
        if not index.isValid() or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_requested.emit(self._takes.place_of(index))
        elif key == Qt.Key.Key_F2:
            self.rename_requested.emit(self._takes.place_of(index))
        elif key == Qt.Key.Key_Left and self._takes.parent(index).isValid():
            self.setCurrentIndex(self._takes.parent(index))
        elif key == Qt.Key.Key_Right and self.isExpanded(index) and self._takes.rowCount(index):
            self.setCurrentIndex(self._takes.index(0, 0, index))
        else:
            super().keyPressEvent(event)

    @guarded(None)
    def drawBranches(self, painter: QPainter, rect: QRect, index: Index) -> None:
        """From each parent's thumbnail down to its children, lit where the way from the root leads."""
        takes = self._takes
        lit = self._takes.lineage()
        step = self.indentation()
        middle = rect.center().y()
        here = takes.place_of(index)
        x = rect.right() + 1 - step + self._theme.scaled(12)
        own = True
        while (above := takes.parents[here]) is not None:
            siblings = [takes.place_of(takes.index(row, 0, takes.index_of(above))) for row in
                        range(takes.rowCount(takes.index_of(above)))]  # fmt: skip
            place = siblings.index(here)
            later = siblings[place + 1 :]
            way = next((each for each in siblings if each in lit), None)
            if own:
                self._line(painter, x, rect.top(), x, middle, way == here or way in later)
            if later:
                self._line(painter, x, middle if own else rect.top(), x, rect.bottom(), way in later)
            if own:
                self._line(painter, x, middle, rect.right() + self._theme.scaled(2), middle, way == here)
            here = above
            own = False
            x = x - step

    def _line(self, painter: QPainter, x: int, y: int, to_x: int, to_y: int, lit: bool) -> None:
        painter.setPen(QPen(self._theme.colour("accent" if lit else "groove"), 2))
        painter.drawLine(x, y, to_x, to_y)

    def _request_menu(self, at: QPoint) -> None:
        index = self.indexAt(at)
        if index.isValid():
            self.menu_requested.emit(self._takes.place_of(index), self.viewport().mapToGlobal(at))

    def _lay_out(self) -> None:
        self.setIndentation(self._theme.scaled(INDENT))
        self.doItemsLayout()
