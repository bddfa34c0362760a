"""Places the parts of the window in the cells of a grid."""

from dataclasses import dataclass

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from studio.app.core.guard import guarded
from studio.app.core.preferences import MIN_INSPECTOR_WIDTH
from studio.app.widgets.controls import Hairline
from studio.app.widgets.theme import Theme
from studio.app.window.rail import NARROW_WIDTH as RAIL_NARROW
from studio.app.window.rail import WIDTH as RAIL_WIDE

BAR_HEIGHT = 48
STRIP_HEIGHT = 116
COMPACT_STRIP_HEIGHT = 80
MESSAGE_HEIGHT = 36
MARGIN = 4
"""Above and below the message."""
SIDE_MARGIN = 8
"""At the left and the right of the message."""
EDGE_WIDTH = 6
NARROW_BELOW = 1280
LOW_BELOW = 800
DRAWER_ABOVE = 1.5
"""Of the text's size: then the inspector is a drawer over the stage."""

RAIL, MAIN, SIDE = range(3)
"""The columns of the grid."""
BAR, STAGE, TREE, STRIP, BELOW = range(5)
"""The rows of the grid. `TREE` shares the height of the stage while the strip shows a tree."""


@dataclass(frozen=True)
class Room:
    """Says what the size of the window and of its text leaves room for."""

    narrow: bool
    low: bool
    drawer: bool
    """Whether the inspector lies over the stage, because it does not fit beside it."""

    @classmethod
    def of(cls, theme: Theme, size: QSize) -> "Room":
        return cls(size.width() < NARROW_BELOW, size.height() < LOW_BELOW, theme.scale > DRAWER_ABOVE)


@dataclass(frozen=True)
class Arrangement:
    """Holds everything that decides in which cells the parts lie, and how large these are."""

    room: Room
    scale: float
    inspector_open: bool
    inspector_width: int
    """In pixels. A closed inspector keeps it: its buttons lie in place of the queue."""
    tree: bool
    has_message: bool

    @property
    def beside(self) -> bool:
        """Return whether the inspector takes its width from the stage."""
        return self.inspector_open and not self.room.drawer

    @property
    def over(self) -> bool:
        """Return whether the inspector lies over the stage."""
        return self.inspector_open and self.room.drawer


@dataclass(frozen=True)
class WindowParts:
    """Holds the parts that the grid places."""

    rail: QWidget
    bar: QWidget
    stage: QWidget
    inspector: QWidget
    strip: QWidget
    jobs: QWidget
    message: QWidget
    edge: QWidget
    drop_overlay: QWidget


class WindowGrid(QGridLayout):
    """Places the parts of the window; a cell may hold several that lie over each other.

    A QSplitter cannot do this. If the inspector closes, the stage grows above its buttons, which stay in their corner;
    if the text is large, the inspector lies over the stage, and can be dragged there, too.

    The message and the edge are placed by hand, from the cells: the message floats above the bottom of the stage, which
    does not move for it, and the edge lies over the inspector and the stage, half on each.
    """

    def __init__(self, theme: Theme, window: QWidget, parts: WindowParts) -> None:
        super().__init__(window)
        self._theme = theme
        self._window = window
        self._parts = parts
        self._arrangement: Arrangement | None = None
        self.room = Room(narrow=False, low=False, drawer=False)
        """The room that there was when the parts were last arranged."""
        self._bar_line = Hairline()
        self._strip_line = Hairline()
        self._jobs_line = Hairline()
        self._side_line = Hairline(vertical=True)
        self.lines = (self._bar_line, self._strip_line, self._jobs_line, self._side_line)
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(0)
        self.setColumnStretch(MAIN, 1)
        self.setRowStretch(STAGE, 1)
        ignored = QSizePolicy.Policy.Ignored
        for part in (parts.rail, parts.bar, parts.stage, parts.inspector, parts.strip, parts.jobs, parts.drop_overlay):
            part.setSizePolicy(ignored, ignored)  # the cells have sizes of their own
        for line in self.lines:
            line.setParent(window)

    def arrange(self, open: bool, inspector_width: int, tree: bool) -> Room:
        """Give each part its cells, and return the room that there is.

        Arguments
            open: whether the inspector is open
            inspector_width: at a text size of 100 %, as the user dragged it
            tree: whether the strip takes half of the stage
        """
        parts = self._parts
        window = self._window
        self.room = room = Room.of(self._theme, window.size())
        wanted = self._theme.scaled(MIN_INSPECTOR_WIDTH if room.narrow else inspector_width)
        now = Arrangement(
            room, self._theme.scale, open, min(wanted, window.width() // 2), tree, parts.message.isVisibleTo(window)
        )
        if now != self._arrangement:
            self._arrangement = now
            self._size_cells(now)
            self.fill_cells()
        self.activate()
        return room

    def _size_cells(self, now: Arrangement) -> None:
        px = self._theme.scaled
        self.setColumnMinimumWidth(RAIL, px(RAIL_NARROW if now.room.narrow else RAIL_WIDE))
        self.setColumnMinimumWidth(SIDE, now.inspector_width)
        self.setRowMinimumHeight(BAR, px(BAR_HEIGHT))
        self.setRowStretch(TREE, 1 if now.tree else 0)
        self.setRowMinimumHeight(STRIP, px(COMPACT_STRIP_HEIGHT if now.room.low else STRIP_HEIGHT))
        line = px(MESSAGE_HEIGHT) + 2 * px(MARGIN)
        below = now.has_message and now.over  # it does not fit beside a drawer
        self.setRowMinimumHeight(BELOW, line if below else 0)
        # If there is room, the bottom of the stage is always free for a message, so that no picture moves for one.
        floor = line if (now.has_message and not below) or not (now.room.low or now.room.drawer) else 0
        self._parts.stage.setContentsMargins(0, 0, 0, floor)

    def fill_cells(self) -> None:
        """Put each part into its cells, and what lies over other parts above them."""
        now = self._arrangement
        if now is None:
            return
        parts = self._parts
        columns = 1 if now.beside else 2
        top, bottom = self._inspector_rows(now)
        self.addWidget(parts.rail, BAR, RAIL, BELOW + 1, 1)
        self.addWidget(parts.bar, BAR, MAIN, 1, columns)
        self.addWidget(parts.stage, STAGE, MAIN, 1, columns)
        self.addWidget(parts.drop_overlay, STAGE, MAIN, 1, columns)
        self.addWidget(parts.inspector, top, SIDE, bottom - top + 1, 1)
        self.addWidget(parts.strip, TREE, MAIN, 2, 1)
        self.addWidget(parts.jobs, STRIP, SIDE)
        self.addWidget(self._bar_line, BAR, MAIN, 1, columns, Qt.AlignmentFlag.AlignBottom)
        self.addWidget(self._strip_line, TREE, MAIN, 2, 1, Qt.AlignmentFlag.AlignTop)
        self.addWidget(self._jobs_line, STRIP, SIDE, Qt.AlignmentFlag.AlignTop)
        self.addWidget(self._side_line, top, SIDE, STRIP - top + 1, 1, Qt.AlignmentFlag.AlignLeft)
        parts.jobs.setVisible(now.beside)
        parts.edge.setVisible(now.inspector_open and not now.room.narrow)
        self._jobs_line.setVisible(not now.over)
        for part in (parts.inspector, *self.lines, parts.edge, parts.message, parts.drop_overlay):
            part.raise_()

    @staticmethod
    def _inspector_rows(now: Arrangement) -> tuple[int, int]:
        """Return the first and the last row of the inspector. If it is closed, only its buttons remain."""
        if now.beside:
            return BAR, TREE
        if now.over:
            return STAGE, STRIP
        return STRIP, STRIP

    @guarded(None)
    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        now = self._arrangement
        if now is None:
            return
        px = self._theme.scaled
        line = px(MESSAGE_HEIGHT) + 2 * px(MARGIN)
        row = BELOW if now.has_message and now.over else STAGE
        cells = self.cellRect(row, MAIN) | self.cellRect(row, MAIN if now.beside else SIDE)
        cells.setTop(cells.bottom() + 1 - line)
        self._parts.message.setGeometry(cells.adjusted(px(SIDE_MARGIN), px(MARGIN), -px(SIDE_MARGIN), -px(MARGIN)))
        side = self.cellRect(BAR, SIDE) | self.cellRect(TREE, SIDE)
        self._parts.edge.setGeometry(side.left() - EDGE_WIDTH // 2, side.top(), EDGE_WIDTH, side.height())
