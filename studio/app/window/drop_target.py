"""Describes the effect of a drop before the mouse is released."""

from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QObject, QRect, QRectF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from studio.app.app_state import AppState
from studio.app.core.guard import guarded
from studio.app.files.drops import display_name
from studio.app.widgets.icons import icon_pixmap
from studio.app.widgets.theme import Theme

_DRAWINGS = {
    "Open in Explore": "explore",
    "Open in Complete": "complete",
    "Continue this sound": "sound",
    "Restore this work": "home",
    "Add this model": "model",
    "Train on this folder": "train",
    "Train on these shards": "train",
}


class DropOverlay(QWidget):
    """Covers the stage while a file is dragged over the window."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.words = ""
        self.name = ""
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def show_drop(self, words: str, name: str) -> None:
        """Show what will happen, with the file's name below."""
        self.words = words
        self.name = name
        self.setAccessibleName(f"{words}. {name}")
        self.raise_()
        self.show()
        self.update()

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        px = self._theme.scaled
        willing = self.words in _DRAWINGS
        box = QRect(0, 0, min(px(420), self.width() - px(32)), px(176))
        box.moveCenter(self.rect().center())
        with QPainter(self) as painter:
            veil = theme.colour("canvas")
            veil.setAlpha(190)
            painter.fillRect(self.rect(), veil)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(theme.colour("accent" if willing else "warn"), 2))
            painter.setBrush(theme.colour("tint" if willing else "panel"))
            painter.drawRoundedRect(QRectF(box), px(8), px(8))
            side = px(24)
            drawing = icon_pixmap(
                _DRAWINGS.get(self.words, "warn"),
                theme.colour("accent" if willing else "warn"),
                side,
                self.devicePixelRatioF(),
            )
            painter.drawPixmap(box.center().x() - side // 2, box.y() + px(34), drawing)
            wrap = Qt.AlignmentFlag.AlignHCenter | Qt.TextFlag.TextWordWrap
            painter.setPen(theme.colour("text"))
            painter.setFont(theme.font(16, 600) if willing else theme.font(13, 500))
            painter.drawText(box.adjusted(px(16), px(74), -px(16), -px(48)), int(wrap), self.words)
            if willing:
                painter.setPen(theme.colour("soft"))
                painter.setFont(theme.font(12))
                place = box.adjusted(px(16), px(108), -px(16), -px(16))
                shown = painter.fontMetrics().elidedText(self.name, Qt.TextElideMode.ElideMiddle, place.width())
                painter.drawText(place, int(Qt.AlignmentFlag.AlignHCenter), shown)


class DropTarget(QObject):
    """Accepts files that are dropped on the window. They are copied, never moved.

    After a move, the program that offered the files might delete the originals.
    """

    def __init__(self, window: QWidget, state: AppState, overlay: DropOverlay) -> None:
        super().__init__(window)
        self._state = state
        self._overlay = overlay
        self.refuse_drops(window)
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    @staticmethod
    def refuse_drops(part: QWidget) -> None:
        """Leave drops on a part to the window. A field would accept the move and insert the name as text."""
        for widget in (part, *part.findChildren(QWidget)):
            widget.setAcceptDrops(False)

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DragLeave:
            self._overlay.hide()
        if not isinstance(event, QDropEvent):  # QDragEnterEvent and QDragMoveEvent are QDropEvents, too
            return False
        paths = _local_paths(event.mimeData())
        if not paths or not event.possibleActions() & Qt.DropAction.CopyAction:
            event.ignore()
            return True
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        if isinstance(event, QDragEnterEvent):
            self._overlay.show_drop(self._state.drop_text(paths), display_name(paths[0].name))
        elif event.type() == QEvent.Type.Drop:
            self._overlay.hide()
            self._state.open_dropped(paths)
        return True


def _local_paths(data: QMimeData) -> list[Path]:
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
