"""Shows the tree of takes. The path from the current take to its root is highlighted."""

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
"""Logical pixels of a thumbnail, of a row, and of the indent of a child."""


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
        theme = self._theme
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
            painter.setBrush(theme.colour("tint" if chosen else "hover"))
            painter.drawRoundedRect(ground, px(6), px(6))
        if self._view.hasFocus() and index == self._view.currentIndex():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.colour("accent"), 2))
            painter.drawRoundedRect(ground.adjusted(1, 1, -1, -1), px(6), px(6))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        square = QRect(
            rect.x() + px(4),
            rect.y() + (rect.height() - px(THUMBNAIL_SIDE)) // 2,
            px(THUMBNAIL_SIDE),
            px(THUMBNAIL_SIDE),
        )
        painter.fillRect(square, theme.colour("window"))
        draw_thumbnail(painter, self._pixmap(place), square)
        self._write(painter, rect.adjusted(px(THUMBNAIL_SIDE + 16), 0, -px(8), 0), place, index, chosen)
        painter.restore()

    def _write(self, painter: QPainter, rect: QRect, place: int, index: Index, chosen: bool) -> None:
        theme = self._theme
        number = str(place + 1)
        weight = 600 if chosen else 400
        font = theme.font(13, weight)
        painter.setFont(font)
        painter.setPen(theme.colour("text" if chosen else "soft"))
        measure = QFontMetrics(font)
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(rect, middle, number)
        rest = rect.adjusted(measure.horizontalAdvance(number) + theme.scaled(10), 0, 0, 0)
        folded = self._takes.rowCount(index) if not self._view.isExpanded(index) else 0
        caption = self._takes.caption_of(place) + (f"  ·  {folded} folded" if folded else "")
        painter.drawText(rest, middle, measure.elidedText(caption, Qt.TextElideMode.ElideRight, rest.width()))

    def _pixmap(self, place: int) -> QPixmap:
        take = self._takes.takes[place]
        cached = self._drawn.get(take.name)
        if cached is None or cached[0] is not take.array:
            pixmap = picture_thumbnail(
                take.array, self._theme.scaled(THUMBNAIL_SIDE), self._view.devicePixelRatioF(), self._theme
            )
            cached = self._drawn[take.name] = (take.array, pixmap)
        return cached[1]


class TakeTreeView(QTreeView):
    """Shows the tree. Its signals carry the place of a take."""

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
        self.viewport().update()  # the path to the root has changed

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
        """Draw lines from each parent's thumbnail to its children. The path to the root is highlighted."""
        takes = self._takes
        lineage = self._takes.lineage()
        step = self.indentation()
        middle = rect.center().y()
        current = takes.place_of(index)
        x = rect.right() + 1 - step + self._theme.scaled(12)
        is_own_branch = True
        while (above := takes.parents[current]) is not None:
            parent = takes.index_of(above)
            siblings = [takes.place_of(takes.index(row, 0, parent)) for row in range(takes.rowCount(parent))]
            place = siblings.index(current)
            later = siblings[place + 1 :]
            next_in_lineage = next((each for each in siblings if each in lineage), None)
            if is_own_branch:
                self._line(painter, x, rect.top(), x, middle, next_in_lineage == current or next_in_lineage in later)
            if later:
                top = middle if is_own_branch else rect.top()
                self._line(painter, x, top, x, rect.bottom(), next_in_lineage in later)
            if is_own_branch:
                self._line(painter, x, middle, rect.right() + self._theme.scaled(2), middle, next_in_lineage == current)
            current = above
            is_own_branch = False
            x = x - step

    def _line(self, painter: QPainter, x: int, y: int, to_x: int, to_y: int, is_highlighted: bool) -> None:
        painter.setPen(QPen(self._theme.colour("accent" if is_highlighted else "groove"), 2))
        painter.drawLine(x, y, to_x, to_y)

    def _request_menu(self, at: QPoint) -> None:
        index = self.indexAt(at)
        if index.isValid():
            self.menu_requested.emit(self._takes.place_of(index), self.viewport().mapToGlobal(at))

    def _lay_out(self) -> None:
        self.setIndentation(self._theme.scaled(INDENT))
        self.doItemsLayout()
