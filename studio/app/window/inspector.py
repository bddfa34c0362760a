"""Shows a panel's inspector page, or one of the pages that open in its place."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from studio.app.core.guard import guarded
from studio.app.widgets.controls import Button, Label, make_row
from studio.app.widgets.theme import Theme


class ScrollPage(QScrollArea):
    """Scrolls up and down, never sideways."""

    def __init__(self, theme: Theme, inside: QWidget) -> None:
        super().__init__()
        self._theme = theme
        self._box = QWidget()
        self._box.setProperty("ground", "none")
        self._column = QVBoxLayout(self._box)
        self._column.addWidget(inside)
        self.setWidget(self._box)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setAutoFillBackground(False)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        theme.changed.connect(self._lay_out)
        # Queued: the range may change once more before the scroll area has come to rest.
        self.verticalScrollBar().rangeChanged.connect(self._lay_out, Qt.ConnectionType.QueuedConnection)
        self._lay_out()

    def _lay_out(self) -> None:
        """Keep room for the scroll bar in the margin, so that nothing moves when it appears."""
        px = self._theme.scaled
        bar = self.verticalScrollBar()
        room = px(16) - (px(10) if bar.maximum() > 0 else 0)
        self._column.setContentsMargins(px(16), px(12), room, px(12))


class Inspector(QWidget):
    """Shows one page. `page_closed` is sent when the user returns to the panel's own page."""

    page_closed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setAccessibleName("Inspector")
        self._title = Label("", "name")
        self._close = Button(theme, "", "icon", "close", "Close this page", "Go back to the panel", "Esc")
        self._head = make_row(self._title, 0, self._close)
        self._pages = QStackedWidget()
        self._feet = QStackedWidget()
        self._panel = ""
        self._shown: dict[str, ScrollPage] = {}
        """The page of each panel, and each page that opens in its place, by key."""
        self._titles: dict[str, str] = {}
        self._foot: dict[str, QWidget] = {}
        self._column = QVBoxLayout(self)
        self._column.addWidget(self._head)
        self._column.addWidget(self._pages, 1)
        self._column.addWidget(self._feet)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._close.clicked.connect(self.close_page)
        theme.changed.connect(self._lay_out)
        self._lay_out()
        self.page = ""
        """The page that is open in place of the panel's own; empty if there is none."""

    def add_panel(self, key: str, inside: QWidget, foot: QWidget) -> tuple[QWidget, ...]:
        """Add the page of a panel; return the widgets that need style sheets of their own."""
        page = self._add_page(key, inside)
        self._foot[key] = foot
        self._feet.addWidget(foot)
        return page, foot

    def add_page(self, key: str, title: str, inside: QWidget) -> None:
        """Add a page that opens in place of the panel's own."""
        self._titles[key] = title
        self._add_page(key, inside)

    def _add_page(self, key: str, inside: QWidget) -> ScrollPage:
        page = ScrollPage(self._theme, inside)
        self._shown[key] = page
        self._pages.addWidget(page)
        return page

    @property
    def styled_parts(self) -> tuple[QWidget, ...]:
        """Return the widgets, except those of panels, that need style sheets of their own."""
        return self._head, *(self._shown[key] for key in self._titles)

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), self._theme.colour("panel"))

    def show_panel(self, key: str) -> None:
        self._panel = key
        for name, foot in self._foot.items():  # a stack is as high as its highest page, even a hidden one
            high = QSizePolicy.Policy.Preferred if name == key else QSizePolicy.Policy.Ignored
            foot.setSizePolicy(QSizePolicy.Policy.Preferred, high)
        self._feet.setCurrentWidget(self._foot[key])
        self.close_page()

    def open_page(self, key: str) -> None:
        self.page = key
        self._title.setText(self._titles[key])
        self._head.show()
        self._pages.setCurrentWidget(self._shown[key])

    def close_page(self) -> bool:
        """Close the page; return whether one was open."""
        was = bool(self.page)
        self.page = ""
        self._head.hide()
        self._pages.setCurrentWidget(self._shown[self._panel])
        if was:
            self.page_closed.emit()
        return was

    def set_collapsed(self, shut: bool) -> None:
        """Show only the buttons, which are always visible."""
        self._pages.setVisible(not shut)
        self._head.setVisible(not shut and bool(self.page))

    def _lay_out(self) -> None:
        px = self._theme.scaled
        self._head.setContentsMargins(px(16), px(8), px(8), 0)
        self._feet.setContentsMargins(px(16), px(8), px(16), px(16))


class InspectorEdge(QWidget):
    """Is the inspector's edge, which the mouse drags; `dragged` carries the inspector's new width in pixels."""

    dragged = Signal(int)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._grip = 0.0
        """The distance of the mouse from the middle of the edge."""
        self.setCursor(Qt.CursorShape.SplitHCursor)

    @guarded(None)
    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._grip = event.position().x() - self.width() / 2

    @guarded(None)
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        pointer = self._window.mapFromGlobal(event.globalPosition()).x()
        self.dragged.emit(round(self._window.width() - pointer + self._grip))
