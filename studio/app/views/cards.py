"""Model cards: large ones on the stage of a first launch, rows in the list of models."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QPainter, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QFrame, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from studio.app.states.models import Models
from studio.app.views.guard import guarded
from studio.app.views.picture import draw_crisp, image
from studio.app.views.theme import Look
from studio.app.views.wave import thumbnail_of
from studio.wire.messages import Array

Index = QModelIndex | QPersistentModelIndex
BIG = (264, 372)
ROW = 88


def thumbnail(array: Array, side: int, ratio: float, look: Look) -> QPixmap:
    """A picture as a whole multiple of its pixels that fits into `side` logical pixels, crisp; or a wave."""
    room = max(1, int(side * ratio))
    if array.ndim == 1:
        return thumbnail_of(array, room, room, ratio, look)
    shown = image(array)
    largest = max(shown.width(), shown.height())
    if largest <= room:
        times = room // largest
        shown = shown.scaled(shown.width() * times, shown.height() * times)
    else:
        smooth, keep = Qt.TransformationMode.SmoothTransformation, Qt.AspectRatioMode.KeepAspectRatio
        shown = shown.scaled(room, room, keep, smooth)
    pixmap = QPixmap.fromImage(shown)
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def draw_thumbnail(painter: QPainter, pixmap: QPixmap, place: QRect) -> None:
    """In the middle of its place."""
    size = pixmap.deviceIndependentSize()
    left, top = (place.width() - size.width()) / 2, (place.height() - size.height()) / 2
    draw_crisp(painter, place.x() + left, place.y() + top, pixmap)


Offers = Callable[[Any], bool]
"""Which models a list offers."""


def at_once(trained: Any) -> bool:
    """Whether it makes whole pictures or waves; recordings have a panel of their own."""
    return not trained.card.rate


class _Rows(QAbstractListModel):
    """The cards of a state, for a list."""

    def __init__(self, models: Models, parent: QObject, offers: Offers) -> None:
        super().__init__(parent)
        self._models, self._offers = models, offers
        self.cards = tuple(filter(offers, models.cards.get()))
        models.cards.changed.connect(self._put)

    def _put(self) -> None:
        self.beginResetModel()
        self.cards = tuple(filter(self._offers, self._models.cards.get()))
        self.endResetModel()

    @guarded(0)
    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.cards)

    @guarded(None)
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        card = self.cards[index.row()].card
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{card.title}, {card.family_title}, {card.makes}, {card.figure}"
        return card.name if role == Qt.ItemDataRole.ToolTipRole else None


class _CardPainter(QStyledItemDelegate):
    def __init__(self, view: "CardList", look: Look, models: Models) -> None:
        super().__init__(view)
        self._view, self._look, self._models = view, look, models

    @guarded(QSize(*BIG))
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return self._view.step()

    @guarded(None)
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        rect, state = option.rect, option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        chosen = index.row() == self._view.currentIndex().row()
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        if self._view.big:
            self._paint_big(painter, rect, index.row(), chosen, hovered)
        else:
            self._paint_row(painter, rect, index.row(), chosen, hovered)
        painter.restore()

    def _paint_big(self, painter: QPainter, rect: QRect, row: int, chosen: bool, hovered: bool) -> None:
        look, card, px = self._look, self._view.cards[row].card, self._look.px
        box = QRect(rect.topLeft(), QSize(px(BIG[0]), px(BIG[1])))
        painter.setPen(QPen(look.colour("accent" if chosen else "line"), 2 if chosen else 1))
        painter.setBrush(look.colour("hover" if hovered and not chosen else "panel"))
        painter.drawRoundedRect(QRectF(box).adjusted(1, 1, -1, -1), px(8), px(8))
        left, top, side, gap = box.x() + px(30), box.y() + px(30), px(64), px(6)
        for place, pixmap in enumerate(self._cover(card.name, side)[:9]):
            x, y = left + place % 3 * (side + gap), top + place // 3 * (side + gap)
            draw_thumbnail(painter, pixmap, QRect(x, y, side, side))
        words = (
            (card.title, 16, 600, "text", 30),
            (card.makes, 13, 400, "text", 26),
            (f"{card.size} · {card.family_title}", 12, 400, "soft", 24),
            ("Chosen" if chosen else card.figure, 12, 600 if chosen else 400,
             "accent" if chosen else "faint", 24),
        )  # fmt: skip
        y = top + 3 * side + 2 * gap + px(20)
        for text, size, weight, token, height in words:
            self._write(painter, QRect(left, y, box.width() - px(60), px(height)), text, size, weight, token)
            y += px(height)

    def _paint_row(self, painter: QPainter, rect: QRect, row: int, chosen: bool, hovered: bool) -> None:
        look, card, px = self._look, self._view.cards[row].card, self._look.px
        if chosen or hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.colour("tint" if chosen else "hover"))
            painter.drawRoundedRect(QRectF(rect).adjusted(2, 1, -2, -1), px(6), px(6))
        side = px(64)
        pixmaps = self._cover(card.name, side)
        if pixmaps:
            draw_thumbnail(painter, pixmaps[0], QRect(rect.x() + px(12), rect.y() + px(12), side, side))
        left, width = rect.x() + px(88), rect.width() - px(100)
        for text, size, weight, token, y in (
            (card.title, 13, 600, "text", 10),
            (f"{card.family_title} · {card.makes}", 12, 400, "soft", 32),
            (card.figure, 12, 400, "soft", 52),
        ):
            self._write(painter, QRect(left, rect.y() + px(y), width, px(22)), text, size, weight, token)

    def _write(self, painter: QPainter, place: QRect, text: str, size: int, weight: int, token: str) -> None:
        font = self._look.font(size, weight)
        painter.setFont(font)
        painter.setPen(self._look.colour(token))
        shown = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, place.width())
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)

    def _cover(self, name: str, side: int) -> list[QPixmap]:
        return self._view.kept((name, side), lambda: self._draw_cover(name, side))

    def _draw_cover(self, name: str, side: int) -> list[QPixmap]:
        cover = self._models.cover(name)
        ratio = self._view.devicePixelRatioF()
        return [thumbnail(one, side, ratio, self._look) for one in cover[:9]] if cover is not None else []


class CardList(QListView):
    """`chose` and `opened` carry the name of a model."""

    chose = Signal(str)
    opened = Signal(str)

    def __init__(self, look: Look, models: Models, big: bool, offers: Offers = at_once) -> None:
        super().__init__()
        self._look, self.big = look, big
        self._covers: dict[tuple[str, int], list[QPixmap]] = {}
        self._rows = _Rows(models, self, offers)
        self.setModel(self._rows)
        self.setItemDelegate(_CardPainter(self, look, models))
        self.setProperty("role", "bare")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAccessibleName("Models")
        self.setMouseTracking(True)
        self.setSelectionMode(QListView.SelectionMode.NoSelection)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setStyleSheet("activate-on-singleclick: 0;")
        if big:
            self.setViewMode(QListView.ViewMode.IconMode)
            self.setMovement(QListView.Movement.Static)
            self.setFlow(QListView.Flow.LeftToRight)
            self.setWrapping(False)
            self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        else:
            self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._showing = False
        self.selectionModel().currentChanged.connect(self._tell)
        self.activated.connect(lambda index: self.opened.emit(self.cards[index.row()].card.name))
        self._rows.modelReset.connect(self._covers.clear)
        self._rows.modelReset.connect(self._lay_out)
        look.changed.connect(self._covers.clear)  # waves are drawn in its colours
        look.changed.connect(self._lay_out)

    @property
    def cards(self) -> tuple[Any, ...]:
        return self._rows.cards

    def step(self) -> QSize:
        """From one card to the next."""
        px = self._look.px
        return QSize(px(BIG[0] + 24), px(BIG[1])) if self.big else QSize(px(200), px(ROW))

    def kept(self, key: tuple[str, int], draw: Callable[[], list[QPixmap]]) -> list[QPixmap]:
        """The cover of a card; drawn once."""
        if key not in self._covers:
            self._covers[key] = draw()
        return self._covers[key]

    def show_model(self, trained: Any) -> None:
        """The card of this model is the chosen one."""
        names = [card.card.name for card in self.cards]
        name = trained.card.name if trained is not None else ""
        self._showing = True
        self.setCurrentIndex(self._rows.index(names.index(name)) if name in names else QModelIndex())
        self._showing = False
        self.viewport().update()

    @guarded(QSize(200, 200))
    def sizeHint(self) -> QSize:
        step, count = self.step(), max(1, len(self.cards))
        if self.big:
            return QSize(count * step.width(), step.height() + self._look.px(12))
        return QSize(self._look.px(360), min(count, 5) * step.height() + 4)

    @guarded(QSize(200, 200))
    def minimumSizeHint(self) -> QSize:
        return QSize(self._look.px(BIG[0]), self.sizeHint().height()) if self.big else self.sizeHint()

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def _lay_out(self) -> None:
        step = self.step()
        if self.big:
            self.setGridSize(step)
            room = self.width() - len(self.cards) * step.width() + self._look.px(24)
            self.setViewportMargins(max(0, room // 2), 0, 0, 0)
        self.updateGeometry()
        self.viewport().update()

    def _tell(self, index: QModelIndex) -> None:
        self.viewport().update()
        if not self._showing and index.isValid():
            self.chose.emit(self.cards[index.row()].card.name)
