"""Shows the chosen model in the inspector: cover, output, training data and quality."""

from PySide6.QtCore import QRect, QSize
from PySide6.QtGui import QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.app.core.guard import guarded
from studio.app.model_browser.model_list import ModelList
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Button, Label
from studio.app.widgets.theme import Theme
from studio.app.widgets.thumbnail import draw_thumbnail, picture_thumbnail
from studio.library.models import InstalledModel
from studio.wire.messages import Array

MAX_PICTURES = 4


class _Cover(QWidget):
    """Shows a row of the model's pictures."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._cover: Array | None = None
        self._drawn: list[QPixmap] = []
        theme.changed.connect(lambda: self.show_cover(self._cover))  # waves are drawn in colours of the theme

    def show_cover(self, cover: Array | None) -> None:
        self._cover = cover
        self._drawn = []
        self.setVisible(cover is not None)
        self.update()

    @guarded(QSize(288, 64))
    def sizeHint(self) -> QSize:
        return QSize(self._theme.scaled(256), self._theme.scaled(64))

    @guarded(QSize(60, 64))
    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.scaled(64), self._theme.scaled(64))

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        side = self._theme.scaled(64)
        count = max(1, min(MAX_PICTURES, (self.width() + 4) // (side + 4)))
        if self._cover is None:
            return
        if not self._drawn:
            ratio = self.devicePixelRatioF()
            self._drawn = [picture_thumbnail(one, side, ratio, self._theme) for one in self._cover[:MAX_PICTURES]]
        gap = (self.width() - count * side) / max(1, count - 1)
        with QPainter(self) as painter:
            for place, pixmap in enumerate(self._drawn[:count]):
                draw_thumbnail(painter, pixmap, QRect(round(place * (side + gap)), 0, side, side))


class ModelCard(QWidget):
    """Shows everything on the card of the chosen model."""

    def __init__(self, theme: Theme, models: ModelList) -> None:
        super().__init__()
        self._models = models
        self._cover = _Cover(theme)
        self.title = Label("", "name", wrap=True)
        self.star = Button(theme, "", "small", "star", "Favourite", "Keep this model first in every list")
        self.star.setCheckable(True)
        self._name = ""
        self._lines = [Label("", "note", wrap=True) for _ in range(4)]
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self._cover)
        column.addSpacing(4)
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(self.star)
        column.addLayout(head)
        for line in self._lines:
            column.addWidget(line)
        bind(
            self, models.favourites, self._show_star, self.star.toggled,
            lambda on: models.set_favourite(self._name, on),
        )  # fmt: skip

    def show_model(self, trained: InstalledModel | None) -> None:
        card = trained.card if trained is not None else None
        self._name = card.name if card is not None else ""
        self.star.setVisible(card is not None)
        self._show_star(self._models.favourites.get())
        self._cover.show_cover(self._models.read_cover(card.name) if card is not None else None)
        self.title.setText(card.title if card is not None else "No model is here yet")
        lines = (
            (
                card.subject,
                card.sampling_text.capitalize(),
                f"Learned from {card.training_data} · {card.licence}",
                " · ".join(filter(None, (card.held_out_text, card.copy_check.text if card.copy_check else ""))),
            )
            if card is not None
            else ("Add a .safetensors file, or train one on a folder of yours.", "", "", "")
        )  # fmt: skip
        for label, text in zip(self._lines, lines, strict=True):
            label.setText(text)
            label.setVisible(bool(text))

    def _show_star(self, favourites: frozenset[str]) -> None:
        on = self._name in favourites
        self.star.setChecked(on)
        self.star.set_icon("starred" if on else "star")
