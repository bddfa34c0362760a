"""A picture with a caption that stands below it, as wide as the picture."""

from PySide6.QtCore import QRect, QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from studio.app.views.guard import guarded
from studio.app.views.picture import PictureView
from studio.app.views.theme import Look

NARROWEST = 480
"""Logical pixels of a caption; it may be wider than a small picture."""


class PicturePage(QWidget):
    """The picture gets all the room that the caption leaves."""

    def __init__(self, look: Look, name: str, caption: QWidget, narrowest: int = NARROWEST) -> None:
        super().__init__()
        self._look, self._narrowest = look, narrowest
        self.view = PictureView(look, name)
        self.view.setParent(self)
        self._caption = caption
        caption.setParent(self)
        self.view.placed.connect(self._below)
        look.changed.connect(self.arrange)

    def arrange(self) -> None:
        """Give the parts their places, after a change of size or of the caption's height."""
        px = self._look.px
        roomy = self.height() >= px(640)
        top, gap = px(24 if roomy else 6), px(12 if roomy else 6)
        caption = self._caption.sizeHint().height()
        self.view.setGeometry(0, top, self.width(), max(64, self.height() - top - caption - gap - px(8)))
        self._below(self.view.rect_shown())

    def _below(self, shown: QRect) -> None:
        px = self._look.px
        width = min(max(shown.width(), px(self._narrowest)), self.width() - px(24))
        left = max(px(12), min(shown.center().x() - width // 2 + 1, self.width() - width - px(12)))
        height = self._caption.sizeHint().height()
        bottom = self.view.y() + min(shown.bottom() + 1, self.view.height())
        gap = px(12 if self.height() >= px(640) else 4)
        self._caption.setGeometry(left, min(bottom + gap, self.height() - height), width, height)

    @guarded(QSize(200, 200))
    def minimumSizeHint(self) -> QSize:
        return QSize(200, 200)

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        self.arrange()
