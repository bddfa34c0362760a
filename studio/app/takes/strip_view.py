"""Shows the takes as a strip, which can become their tree."""

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QMenu,
    QSpacerItem,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from studio.app.core.guard import guarded
from studio.app.takes.item_model import TakeRowModel, TakeTreeModel
from studio.app.takes.thumbnails_view import TakeThumbnails
from studio.app.takes.tree_view import THUMBNAIL_SIDE, TakeTreeView
from studio.app.widgets.controls import Button, Label, set_tooltip
from studio.app.widgets.icons import icon_pixmap
from studio.app.widgets.item_views import set_up_item_view, show_item_menu
from studio.app.widgets.theme import Theme

Index = QModelIndex | QPersistentModelIndex
EMPTY_TEXT = "Takes that you keep appear here. Each knows how it was made."
GAP = 16
"""Pixels between the place for the next take and the take beside it."""
FORK_WIDTH = 52
"""Logical pixels of the note that names a take's parent, unless it stands beside it."""


class _StripPainter(QStyledItemDelegate):
    def __init__(self, view: "TakeList", theme: Theme, takes: TakeTreeModel) -> None:
        super().__init__(view)
        self._view = view
        self._theme = theme
        self._takes = takes
        self._thumbnails = TakeThumbnails(theme, view)

    @guarded(QSize(76, 76))
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        step = self._view.step_size()
        return QSize(
            step.width() + (self._theme.scaled(FORK_WIDTH) if self._view.is_fork(index.row()) else 0), step.height()
        )

    @guarded(None)
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row = index.row()
        theme = self._theme
        side = self._view.thumbnail_side()
        rect: QRect = option.rect
        place = QRect(rect.right() + 1 - theme.scaled(6) - side, rect.y() + theme.scaled(6), side, side)
        painter.save()
        if self._view.is_fork(row):
            self._paint_fork(painter, QRect(rect.x(), rect.y(), theme.scaled(FORK_WIDTH), rect.height()), row)
        self._thumbnails.paint_take(painter, self._takes.takes[row], place)
        if row in self._takes.lineage() and row != self._takes.chosen:
            line = QRect(place.x(), place.bottom() + theme.scaled(3), side, 2)
            painter.fillRect(line, theme.colour("accent"))
        if row == self._view.currentIndex().row():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(theme.colour("accent"), 2))
            painter.drawRoundedRect(QRectF(place).adjusted(-3, -3, 3, 3), theme.scaled(4), theme.scaled(4))
        painter.restore()

    def _paint_fork(self, painter: QPainter, rect: QRect, row: int) -> None:
        """Draw `from 2` below a fork."""
        theme = self._theme
        side = self._theme.scaled(18)
        parent = self._takes.parents[row]
        is_highlighted = {row, parent} <= self._takes.lineage()
        colour = theme.colour("accent" if is_highlighted else "soft")
        middle = rect.center()
        drawing = icon_pixmap("fork", colour, side, self._view.devicePixelRatioF())
        painter.drawPixmap(middle.x() - side // 2, middle.y() - side - theme.scaled(1), drawing)
        font = theme.font(12)
        painter.setFont(font)
        painter.setPen(colour)
        text = QFontMetrics(font).elidedText(f"from {(parent or 0) + 1}", Qt.TextElideMode.ElideRight, rect.width())
        text_rect = QRect(rect.x(), middle.y() + theme.scaled(2), rect.width(), theme.scaled(18))
        painter.drawText(text_rect, Qt.AlignmentFlag.AlignHCenter, text)


class TakeList(QListView):
    """Shows a row of takes."""

    def __init__(self, theme: Theme, takes: TakeTreeModel) -> None:
        super().__init__()
        self._theme = theme
        self._takes = takes
        self.compact = False
        self.rows = TakeRowModel(takes, self)
        self.setModel(self.rows)
        self.setItemDelegate(_StripPainter(self, theme, takes))
        set_up_item_view(self, "Takes")
        self.setFlow(QListView.Flow.LeftToRight)
        self.setSelectionMode(QListView.SelectionMode.NoSelection)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollMode(QListView.ScrollMode.ScrollPerPixel)

    def thumbnail_side(self) -> int:
        return self._theme.scaled(48 if self.compact else 64)

    def step_size(self) -> QSize:
        return QSize(self.thumbnail_side() + self._theme.scaled(12), self.thumbnail_side() + self._theme.scaled(12))

    def is_fork(self, row: int) -> bool:
        """Return whether a take came from another one than the take before it."""
        above = self._takes.parents[row] if row < len(self._takes.parents) else None
        return above is not None and above != row - 1

    def content_width(self) -> int:
        """Return the width of all takes side by side, in pixels."""
        forks = sum(self.is_fork(row) for row in range(self.rows.rowCount()))
        return self.rows.rowCount() * self.step_size().width() + forks * self._theme.scaled(FORK_WIDTH)


class TakeStripView(QWidget):
    """Shows the takes and the place of the next one, or their tree.

    Its signals carry the place of a take; `renamed` also carries its new name.
    """

    take_chosen = Signal(int)
    delete_requested = Signal(int)
    copy_requested = Signal(int)
    delete_branch_requested = Signal(int)
    """Asks to delete a take with all that came from it."""
    wavetable_requested = Signal(int)
    branch_requested = Signal(int)
    renamed = Signal(int, str)
    tree_requested = Signal()
    """Asks for the tree, or for the strip again."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._tree = False
        self._compact = False
        self.setProperty("ground", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.takes = TakeTreeModel(self)
        self.head = Label("Takes", "heading")
        self.list = TakeList(theme, self.takes)
        self.tree = TakeTreeView(theme, self.takes)
        self.keep = Button(theme, "", "square", "plus", "Keep as take", "Keep what is on the stage as a take", "Ctrl+S")
        self.hint = Label(EMPTY_TEXT, "note", wrap=True)
        set_tooltip(self.hint, EMPTY_TEXT)
        self.tree_button = Button(theme, "Tree", "link", tooltip="Show which take came from which", keys="Ctrl+T")
        self.tree_button.setParent(self)
        self.field = QLineEdit(self)
        self.field.setMaxLength(80)
        self.field.setPlaceholderText("Name")
        self.field.installEventFilter(self)
        self.field.hide()
        self._edited_place: int | None = None
        self._in_view: int | None = None
        """The place of the take that stays visible: the newest one, or a later choice."""
        self.offers_wavetable: Callable[[int], bool] = lambda place: False
        """Whether a wavetable can lead from the stage of Explore to a take."""
        self.offers_branch = False
        """Whether the open panel can continue from a take."""
        self._row = QHBoxLayout()
        self._row.addWidget(self.list)
        self._gap = QSpacerItem(0, 0)
        self._row.addItem(self._gap)
        self._row.addWidget(self.keep)
        self._row.addSpacing(GAP)
        self._row.addWidget(self.hint, 1)
        self._row.addStretch()
        self._column = QVBoxLayout(self)
        self._column.addWidget(self.head)
        self._column.addLayout(self._row)
        self._column.addWidget(self.tree, 1)
        self._column.addStretch(0)
        self._connect()
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def _connect(self) -> None:
        for view in (self.list, self.tree):
            view.clicked.connect(self._emit_chosen)
            view.activated.connect(self._emit_chosen)
            view.installEventFilter(self)
            show_item_menu(view, self._fill_menu)
        self.tree_button.clicked.connect(self.tree_requested)
        self.field.editingFinished.connect(self._apply_name)

    def show_takes(self, takes: Sequence[Any]) -> None:
        """Show these takes, and scroll to a new one."""
        more = len(takes) > len(self.takes.takes)
        self.takes.set_takes(tuple(takes))
        self._lay_out()
        if more:
            self._bring_into_view(len(takes) - 1)

    def show_current(self, place: int | None) -> None:
        """Mark the take that the stage shows."""
        other = place != self.takes.chosen
        self.takes.set_chosen(place)
        self.list.setCurrentIndex(self.list.rows.index_of(place))
        self.list.viewport().update()
        self.tree.show_chosen(place)
        if other and place is not None:
            self._bring_into_view(place)

    def _bring_into_view(self, place: int) -> None:
        self._in_view = place
        self.list.scrollTo(self.list.rows.index_of(place))
        self.tree.scrollTo(self.takes.index_of(place))

    def set_compact(self, compact: bool) -> None:
        """Use small thumbnails if the window is low."""
        self._compact = self.list.compact = compact
        self._lay_out()

    def set_tree(self, on: bool) -> None:
        """Show the tree, or the strip."""
        if on != self._tree:
            self._tree = on
            self._close_field()
            self._lay_out()
            self.tree.show_chosen(self.takes.chosen)

    def edit_name(self, place: int | None) -> None:
        """Show a field for the name of a take. Enter keeps what is typed, Esc drops it."""
        if place is None or place >= len(self.takes.takes):
            return
        px = self._theme.scaled
        view = self._shown_view()
        at = view.visualRect((self.takes if self._tree else self.list.rows).index_of(place))
        corner = view.viewport().mapTo(self, at.topLeft())
        left = corner.x() + (px(THUMBNAIL_SIDE + 16) if self._tree else 0)
        width = min(px(240), self.width() - px(24))
        high = self.field.sizeHint().height()
        left = min(max(left, px(8)), self.width() - width - px(8))
        self.field.setGeometry(left, corner.y() + (at.height() - high) // 2, width, high)
        self._edited_place = place
        self.field.setAccessibleName(f"Name of take {place + 1}")
        self.field.setText(self.takes.takes[place].work.name)
        self.field.selectAll()
        self.field.show()
        self.field.raise_()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Handle Esc in the field, and the keys of a take in the strip and in the tree."""
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return False
        if isinstance(watched, QAbstractItemView):
            return self._handle_key(event.key(), watched.currentIndex())
        if event.key() == Qt.Key.Key_Escape:
            self._close_field()
            return True
        return False

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        self._lay_out()

    def _apply_name(self) -> None:
        place = self._edited_place
        typed = self.field.text()
        self._close_field()
        if place is not None and place < len(self.takes.takes):
            self.renamed.emit(place, typed)

    def _close_field(self) -> None:
        if self._edited_place is not None:
            self._edited_place = None
            if self.field.hasFocus():
                self._shown_view().setFocus(Qt.FocusReason.OtherFocusReason)
            self.field.hide()

    def _handle_key(self, key: int, index: QModelIndex) -> bool:
        """Delete or rename a take; return whether the key does either."""
        if index.isValid() and key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_requested.emit(_place_of(index))
        elif index.isValid() and key == Qt.Key.Key_F2:
            self.edit_name(_place_of(index))
        else:
            return False
        return True

    def _emit_chosen(self, index: QModelIndex) -> None:
        self.take_chosen.emit(_place_of(index))

    def _shown_view(self) -> TakeList | TakeTreeView:
        return self.tree if self._tree else self.list

    def _fill_menu(self, menu: QMenu, index: QModelIndex) -> None:
        """Add the entries for a take."""
        place = _place_of(index)
        menu.addAction("Show", lambda: self.take_chosen.emit(place))
        if self.offers_branch:
            menu.addAction("Branch…", lambda: self.branch_requested.emit(place))
        copy = "Copy picture" if self.takes.takes[place].array.ndim == 3 else "Copy sound"
        menu.addAction(copy, lambda: self.copy_requested.emit(place))
        menu.addAction("Name…", lambda: self.edit_name(place))
        if self.offers_wavetable(place):
            menu.addAction("Wavetable from the stage to this…", lambda: self.wavetable_requested.emit(place))
        menu.addAction("Move to the bin", lambda: self.delete_requested.emit(place))
        if place in self.takes.parents:
            menu.addAction("Move to the bin with what came from it", lambda: self.delete_branch_requested.emit(place))

    def _lay_out(self) -> None:
        px = self._theme.scaled
        step = self.list.step_size()
        count = len(self.takes.takes)
        tree = self._tree and count > 0
        self._column.setContentsMargins(px(10), px(8), px(16), px(4))
        self._column.setSpacing(px(2))
        self.head.setContentsMargins(px(6), 0, 0, 0)
        self.head.setVisible(not self._compact or tree)
        self._row.setSpacing(0)
        link = self.tree_button.sizeHint()
        self.tree_button.set_text("Strip" if tree else "Tree")
        self.tree_button.setVisible(count > 0)
        self.tree_button.setGeometry(self.width() - link.width() - px(16), px(6), link.width(), link.height())
        link_width = link.width() + px(12) if self._compact else 0
        space = self.width() - px(10 + 6 + 16) - self.list.thumbnail_side() - GAP - link_width
        before = self.list.size()
        self.list.setFixedSize(max(0, min(self.list.content_width(), space)), step.height())
        self.tree.setVisible(tree)
        self.list.setVisible(count > 0 and not tree)
        self.keep.setVisible(not tree)
        self.hint.setVisible(not count)
        self._gap.changeSize(px(6) if count else 0, 0)
        self.keep.setFixedSize(self.list.thumbnail_side(), self.list.thumbnail_side())
        self._row.setContentsMargins(0 if count else px(6), 0 if count else px(6), 0, 0 if count else px(6))
        self.list.doItemsLayout()
        if self._in_view is not None and self._in_view < count and self.list.size() != before:
            self._bring_into_view(self._in_view)


def _place_of(index: QModelIndex) -> int:
    """Return the place of a take in the strip or in the tree."""
    model = index.model()
    assert isinstance(model, TakeTreeModel | TakeRowModel)
    return model.place_of(index)
