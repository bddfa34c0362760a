"""The model picker of the bar, and the list that it opens."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QIcon, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from studio.app.states.models import Models
from studio.app.views.cards import CardList, Offers, at_once, thumbnail
from studio.app.views.controls import Button, Label
from studio.app.views.guard import guarded
from studio.app.views.icons import pixmap
from studio.app.views.theme import Look


class Picker(Button):
    """Says which model the panel works with; pressed, it opens the list."""

    chose = Signal(str)

    def __init__(self, look: Look, models: Models, add: Callable[[], object], offers: Offers = at_once) -> None:
        super().__init__(look, "", "picker", says="Model", help="Choose the trained model to work with", keys="Ctrl+L")
        self._models, self._theme, self._add, self._offers = models, look, add, offers
        self._trained: Any = None
        self._narrow = False
        self._popup: QFrame | None = None
        self.clicked.connect(self.open_list)
        look.changed.connect(self._draw)

    def set_narrow(self, narrow: bool) -> None:
        """Without the cover, where there is no room for it."""
        self._narrow = narrow
        self._draw()

    def show_model(self, trained: Any) -> None:
        self._trained = trained
        self._draw()

    def open_list(self) -> None:
        """The list of models, below the picker."""
        popup = self._popup = QFrame(self.window(), Qt.WindowType.Popup)
        popup.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        popup.setProperty("role", "popup")
        popup.setAccessibleName("Models")
        column = QVBoxLayout(popup)
        column.setContentsMargins(8, 8, 8, 8)
        cards = CardList(self._theme, self._models, big=False, offers=self._offers)
        cards.show_model(self._trained)
        cards.chose.connect(self.chose)
        cards.clicked.connect(popup.close)
        cards.opened.connect(popup.close)
        if not cards.cards:
            others = bool(self._models.cards.get())
            column.addWidget(Label("No model here can do this." if others else "No model is here yet.", "note"))
        column.addWidget(cards)
        more = Button(self._theme, "Add a model…", "fold", "plus", help="Copy a .safetensors file to your models")
        more.clicked.connect(popup.close)
        more.clicked.connect(self._add)
        column.addWidget(more)
        popup.adjustSize()
        popup.move(self.mapToGlobal(QPoint(0, self.height() + 4)))
        popup.show()
        cards.setFocus(Qt.FocusReason.PopupFocusReason)

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        side = self._theme.px(14)
        with QPainter(self) as painter:
            drawing = pixmap("down", self._theme.colour("soft"), side, self.devicePixelRatioF())
            painter.drawPixmap(self.width() - side - self._theme.px(10), (self.height() - side) // 2 + 1, drawing)

    @property
    def popup(self) -> QWidget | None:
        return self._popup

    def _draw(self) -> None:
        if self._trained is None:
            self.say("No model")
            self.setIcon(QIcon())
            return
        card = self._trained.card
        self.setText(f" {card.title}".replace("&", "&&"))
        self.setAccessibleName(f"Model, {card.title}")
        cover = self._models.cover(card.name)
        side = self._theme.px(28)
        if cover is None or self._narrow:
            self.setIcon(QIcon())
        else:
            pixmap = thumbnail(cover[0], side, self.devicePixelRatioF(), self._theme)
            self.setIcon(QIcon(pixmap))
            self.setIconSize(pixmap.deviceIndependentSize().toSize())
