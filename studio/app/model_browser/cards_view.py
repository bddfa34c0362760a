"""Shows model cards: large on the stage of a first launch, as rows in the list of models."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import (
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from studio.app.core.guard import guarded
from studio.app.model_browser.model_list import ModelList
from studio.app.model_browser.model_rows import ModelFilter, ModelRemark, ModelRows, makes_no_recordings, no_remark
from studio.app.widgets.icons import icon_pixmap
from studio.app.widgets.item_views import set_up_item_view
from studio.app.widgets.theme import Theme
from studio.app.widgets.thumbnail import draw_thumbnail, picture_thumbnail
from studio.library.card import Card
from studio.library.models import InstalledModel

Index = QModelIndex | QPersistentModelIndex

CARD_SIZE = (264, 392)

ROW_HEIGHT = 88

HEADING_HEIGHT = 32

WIDE_FROM = 500

STAR_WIDTH = 44
"""Width in logical pixels of the star at the right end of a row."""


class _CardPainter(QStyledItemDelegate):
    def __init__(self, view: "CardList", theme: Theme, models: ModelList) -> None:
        super().__init__(view)
        self._view = view
        self._theme = theme
        self._models = models

    @guarded(QSize(*CARD_SIZE))
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        step = self._view.step_size()
        return QSize(step.width(), self._theme.scaled(HEADING_HEIGHT)) if self._view.heading_at(index.row()) else step

    @guarded(None)
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        rect, state = option.rect, option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        chosen = index.row() == self._view.currentIndex().row()
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        if heading := self._view.heading_at(index.row()):
            self._write(painter, rect.adjusted(self._theme.scaled(12), 0, 0, 0), heading, 12, 600, "faint")
        elif self._view.big:
            self._paint_big(painter, rect, self._view.model_at(index).card, chosen, hovered)
        else:
            self._paint_row(painter, rect, self._view.model_at(index), chosen, hovered)
        painter.restore()

    def _paint_big(self, painter: QPainter, rect: QRect, card: Card, chosen: bool, hovered: bool) -> None:
        look = self._theme
        px = self._theme.scaled
        box = QRect(rect.topLeft(), QSize(px(CARD_SIZE[0]), px(CARD_SIZE[1])))
        painter.setPen(QPen(look.colour("accent" if chosen else "line"), 2 if chosen else 1))
        painter.setBrush(look.colour("hover" if hovered and not chosen else "panel"))
        painter.drawRoundedRect(QRectF(box).adjusted(1, 1, -1, -1), px(8), px(8))
        left = box.x() + px(30)
        top = box.y() + px(30)
        side = px(64)
        gap = px(6)
        for place, drawn in enumerate(self._cover(card.name, side)[:9]):
            x = left + place % 3 * (side + gap)
            y = top + place // 3 * (side + gap)
            draw_thumbnail(painter, drawn, QRect(x, y, side, side))
        words = (
            (card.title, 16, 600, "text", 30),
            (card.subject, 13, 400, "text", 26),
            (card.sampling_text.capitalize(), 12, 400, "soft", 22),
            (f"{card.size_text} · {card.family_title}", 12, 400, "soft", 22),
            ("Chosen" if chosen else card.short_held_out_text, 12, 600 if chosen else 400,
             "accent" if chosen else "faint", 24),
        )  # fmt: skip
        y = top + 3 * side + 2 * gap + px(20)
        for text, size, weight, token, height in words:
            self._write(painter, QRect(left, y, box.width() - px(60), px(height)), text, size, weight, token)
            y += px(height)

    def _paint_row(self, painter: QPainter, rect: QRect, trained: InstalledModel, chosen: bool, hovered: bool) -> None:
        look = self._theme
        px = self._theme.scaled
        card = trained.card
        if chosen or hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.colour("tint" if chosen else "hover"))
            painter.drawRoundedRect(QRectF(rect).adjusted(2, 1, -2, -1), px(6), px(6))
        side = px(64)
        covers = self._cover(card.name, side)
        if covers:
            draw_thumbnail(painter, covers[0], QRect(rect.x() + px(12), rect.y() + px(12), side, side))
        left = rect.x() + px(88)
        width = rect.width() - px(88 + STAR_WIDTH)
        said = (self._view.remark(trained), card.sampling_text.capitalize(), card.held_out_text)
        for text, size, weight, token, y in (
            (card.title, 13, 600, "text", 10),
            (f"{card.subject} · {card.family_title}", 12, 400, "soft", 32),
            (" · ".join(filter(None, said)), 12, 400, "soft", 52),
        ):
            self._write(painter, QRect(left, rect.y() + px(y), width, px(22)), text, size, weight, token)
        favourite = card.name in self._models.favourites.get()
        star = px(18)
        unmarked = "soft" if hovered else "border"
        token = "accent" if favourite else unmarked
        drawn = icon_pixmap(
            "starred" if favourite else "star", look.colour(token), star, self._view.devicePixelRatioF()
        )
        place = self._view.star_rect(rect)
        painter.drawPixmap(place.center().x() - star // 2, place.center().y() - star // 2, drawn)

    def _write(self, painter: QPainter, place: QRect, text: str, size: int, weight: int, token: str) -> None:
        font = self._theme.font(size, weight)
        painter.setFont(font)
        painter.setPen(self._theme.colour(token))
        shown = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, place.width())
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)

    def _cover(self, name: str, side: int) -> list[QPixmap]:
        return self._view.cached_cover((name, side), lambda: self._draw_cover(name, side))

    def _draw_cover(self, name: str, side: int) -> list[QPixmap]:
        cover = self._models.read_cover(name)
        ratio = self._view.devicePixelRatioF()
        return [picture_thumbnail(one, side, ratio, self._theme) for one in cover[:9]] if cover is not None else []


class CardList(QListView):
    """Shows models as cards or as rows. `model_chosen` and `model_opened` carry its name.

    In a list of rows, a click chooses the model and opens it.
    """

    model_chosen = Signal(str)
    model_opened = Signal(str)

    def __init__(
        self,
        theme: Theme,
        models: ModelList,
        big: bool,
        model_filter: ModelFilter = makes_no_recordings,
        remark: ModelRemark = no_remark,
    ) -> None:
        super().__init__()
        self._theme = theme
        self._models = models
        self.big = big
        self._covers: dict[tuple[str, int], list[QPixmap]] = {}
        self.remark = remark
        self._rows = ModelRows(models, self, model_filter, remark, headed=not big)
        self.setModel(self._rows)
        self.setItemDelegate(_CardPainter(self, theme, models))
        set_up_item_view(self, "Models")
        self.setMouseTracking(True)
        self.setSelectionMode(QListView.SelectionMode.NoSelection)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self._showing = False
        self._on_star = False
        """Whether the mouse was pressed on a star, which chooses no model."""
        self.selectionModel().currentChanged.connect(self._emit_chosen)
        if big:
            self.setViewMode(QListView.ViewMode.IconMode)
            self.setMovement(QListView.Movement.Static)
            self.setFlow(QListView.Flow.LeftToRight)
            self.setWrapping(False)
            self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
            self.activated.connect(lambda index: self.model_opened.emit(self.model_at(index).card.name))
            models.favourites.changed.connect(self._sort_rows)
        else:
            self.clicked.connect(self.open_model)
            models.favourites.changed.connect(self.viewport().update)  # rows keep their places under the pointer
        self._rows.modelReset.connect(self._covers.clear)
        self._rows.modelReset.connect(self._lay_out)
        theme.changed.connect(self._covers.clear)  # waves are drawn in its colours
        theme.changed.connect(self._lay_out)

    @property
    def cards(self) -> tuple[Any, ...]:
        """Return the models in the list."""
        return tuple(entry for entry in self._rows.entries if not isinstance(entry, str))

    def model_at(self, index: Index) -> Any:
        """Return the model of a row."""
        return self._rows.entries[index.row()]

    def heading_at(self, row: int) -> str:
        """Return the text of a heading; empty for the row of a model."""
        entry = self._rows.entries[row]
        return entry if isinstance(entry, str) else ""

    def index_of(self, name: str) -> QModelIndex:
        """Return the index of a model; an invalid one if the list does not contain it."""
        entries = enumerate(self._rows.entries)
        rows = (row for row, entry in entries if not isinstance(entry, str) and entry.card.name == name)
        return self._rows.index(next(rows, -1))

    def star_rect(self, rect: QRect) -> QRect:
        """Return the rectangle of a row's star."""
        return QRect(
            rect.right() + 1 - self._theme.scaled(STAR_WIDTH), rect.y(), self._theme.scaled(STAR_WIDTH), rect.height()
        )

    def step_size(self) -> QSize:
        """Return the distance from one card to the next."""
        px = self._theme.scaled
        return QSize(px(CARD_SIZE[0] + 24), px(CARD_SIZE[1])) if self.big else QSize(px(200), px(ROW_HEIGHT))

    def cached_cover(self, key: tuple[str, int], draw: Callable[[], list[QPixmap]]) -> list[QPixmap]:
        """Return the cover of a card, which is drawn only once."""
        if key not in self._covers:
            self._covers[key] = draw()
        return self._covers[key]

    def show_model(self, trained: InstalledModel | None) -> None:
        """Mark the card of the chosen model."""
        index = self.index_of(trained.card.name) if trained is not None else QModelIndex()
        self._showing = True
        self.setCurrentIndex(index)
        self._showing = False
        if index.isValid() and not self.big:
            self.scrollTo(index, QListView.ScrollHint.PositionAtCenter)
        self.viewport().update()

    def search_models(self, typed: str) -> None:
        """Show only the models whose cards contain every typed word, and select the first."""
        self._rows.set_search(typed)
        if typed.strip() and self.cards:
            self.setCurrentIndex(self.index_of(self.cards[0].card.name))

    def choose_next(self, by: int) -> None:
        """Go to the next or previous model."""
        row = self.currentIndex().row() + by
        count = len(self._rows.entries)
        while 0 <= row < count and self.heading_at(row):
            row += by
        if 0 <= row < count:
            self.setCurrentIndex(self._rows.index(row))

    def open_model(self, index: Index) -> None:
        """Choose the model of a row, and close the list."""
        if index.isValid() and not self.heading_at(index.row()):
            self.model_chosen.emit(self.model_at(index).card.name)
            self.model_opened.emit(self.model_at(index).card.name)

    @guarded(QSize(200, 200))
    def sizeHint(self) -> QSize:
        step = self.step_size()
        px = self._theme.scaled
        if self.big:
            return QSize(max(1, len(self.cards)) * step.width(), step.height() + px(12))
        return QSize(px(WIDE_FROM), min(self._content_height(), 5 * step.height() + px(HEADING_HEIGHT)) + 4)

    @guarded(QSize(200, 200))
    def minimumSizeHint(self) -> QSize:
        if self.big:
            return QSize(self._theme.scaled(CARD_SIZE[0]), self.sizeHint().height())
        return QSize(self._theme.scaled(200), min(self._content_height(), self.step_size().height()) + 4)

    def _content_height(self) -> int:
        """Return the height of all rows in pixels."""
        headings = len(self._rows.entries) - len(self.cards)
        return len(self.cards) * self.step_size().height() + headings * self._theme.scaled(HEADING_HEIGHT)

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    @guarded(None)
    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._on_star = self._press_star(event)
        if not self._on_star:
            super().mousePressEvent(event)

    @guarded(None)
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if not self._on_star:
            super().mouseReleaseEvent(event)

    @guarded(None)
    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._on_star = self._press_star(event)
        if not self._on_star:
            super().mouseDoubleClickEvent(event)

    def _press_star(self, event: QMouseEvent) -> bool:
        """Return whether the mouse is on a star; only lists of rows have stars."""
        index = self.indexAt(event.position().toPoint())
        if self.big or not index.isValid() or self.heading_at(index.row()):
            return False
        if event.button() != Qt.MouseButton.LeftButton:
            return False
        if not self.star_rect(self.visualRect(index)).contains(event.position().toPoint()):
            return False
        self._toggle_favourite(index)
        return True

    def _toggle_favourite(self, index: Index) -> None:
        name = self.model_at(index).card.name
        self._models.set_favourite(name, name not in self._models.favourites.get())

    @guarded(None)
    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        by = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
        if self.big:
            super().keyPressEvent(event)
        elif by is not None:
            self.choose_next(by)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.open_model(index)
        elif event.key() == Qt.Key.Key_S and not event.modifiers() and index.isValid():
            self._toggle_favourite(index)
        else:
            super().keyPressEvent(event)

    def _sort_rows(self) -> None:
        """Sort the rows again with favourites first."""
        name = self.model_at(self.currentIndex()).card.name if self.currentIndex().isValid() else ""
        self._rows.update_rows()
        self._showing = True
        self.setCurrentIndex(self.index_of(name))
        self._showing = False

    def _lay_out(self) -> None:
        step = self.step_size()
        if self.big:
            self.setGridSize(step)
            room = self.width() - len(self.cards) * step.width() + self._theme.scaled(24)
            self.setViewportMargins(max(0, room // 2), 0, 0, 0)
        self.updateGeometry()
        self.viewport().update()

    def _emit_chosen(self, index: QModelIndex) -> None:
        self.viewport().update()
        if self.big and not self._showing and index.isValid():
            self.model_chosen.emit(self.model_at(index).card.name)
