"""Places the parts of the window in the cells of a grid."""

from dataclasses import dataclass

from PySide6.QtCore import QRect, Qt
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
class Arrangement:
    """Holds everything that decides in which cells the parts lie, and how large these are."""

    narrow: bool
    low: bool
    drawer: bool
    """Whether the inspector has no room beside the stage, so that it lies over it."""
    scale: float
    inspector_open: bool
    inspector_width: int
    """In pixels. A closed inspector keeps it: its buttons lie in place of the queue."""
    tree: bool
    has_message: bool
    """Whether there is room for a message. Below a drawer it stays after the message, or the buttons would move."""

    @property
    def beside(self) -> bool:
        """Return whether the inspector takes its width from the stage."""
        return self.inspector_open and not self.drawer

    @property
    def over(self) -> bool:
        """Return whether the inspector lies over the stage."""
        return self.inspector_open and self.drawer


@dataclass(frozen=True)
class WindowParts:
    """Holds the parts that the grid places, in the order of the Tab key; the last two never have the focus."""

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
        self.lines = (Hairline(), Hairline(), Hairline(), Hairline(vertical=True))
        """Below the bar, above the strip, above the queue, at the left of the inspector."""
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(0)
        self.setColumnStretch(MAIN, 1)
        self.setRowStretch(STAGE, 1)
        ignored = QSizePolicy.Policy.Ignored
        for part in (parts.rail, parts.bar, parts.stage, parts.inspector, parts.strip, parts.jobs, parts.drop_overlay):
            part.setSizePolicy(ignored, ignored)  # the cells have sizes of their own
        for line in self.lines:
            line.setParent(window)

    def plan(self, is_open: bool, inspector_width: int, tree: bool) -> Arrangement:
        """Return how the parts fit into the window as it is now.

        Arguments
            is_open: whether the inspector is open
            inspector_width: at a text size of 100 %, as the user dragged it
            tree: whether the strip takes half of the stage
        """
        width = self._window.width()
        narrow = width < NARROW_BELOW
        drawer = self._theme.scale > DRAWER_ABOVE
        before = self._arrangement
        keeps_room = drawer and is_open and before is not None and before.over and before.has_message
        return Arrangement(
            narrow,
            low=self._window.height() < LOW_BELOW,
            drawer=drawer,
            scale=self._theme.scale,
            inspector_open=is_open,
            inspector_width=min(self._theme.scaled(MIN_INSPECTOR_WIDTH if narrow else inspector_width), width // 2),
            tree=tree,
            has_message=keeps_room or self._parts.message.isVisibleTo(self._window),
        )

    def arrange(self, now: Arrangement) -> None:
        """Give each part its cells. The parts know by then whether they are narrow or low."""
        if now != self._arrangement:
            self._arrangement = now
            self._size_cells(now)
            self.fill_cells()
        self.activate()

    def _size_cells(self, now: Arrangement) -> None:
        px = self._theme.scaled
        self.setColumnMinimumWidth(RAIL, px(RAIL_NARROW if now.narrow else RAIL_WIDE))
        self.setColumnMinimumWidth(SIDE, now.inspector_width)
        self.setRowMinimumHeight(BAR, px(BAR_HEIGHT))
        self.setRowStretch(TREE, 1 if now.tree else 0)
        self.setRowMinimumHeight(STRIP, px(COMPACT_STRIP_HEIGHT if now.low else STRIP_HEIGHT))
        line = px(MESSAGE_HEIGHT) + 2 * px(MARGIN)
        below = now.has_message and now.over  # it does not fit beside a drawer
        self.setRowMinimumHeight(BELOW, line if below else 0)
        # If there is room, the bottom of the stage is always free for a message, so that no picture moves for one.
        floor = line if (now.has_message and not below) or not (now.low or now.drawer) else 0
        self._parts.stage.setContentsMargins(0, 0, 0, floor)

    def fill_cells(self) -> None:
        """Put each part into its cells, and raise the parts that lie over others."""
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
        bar_line, strip_line, jobs_line, side_line = self.lines
        self.addWidget(bar_line, BAR, MAIN, 1, columns, Qt.AlignmentFlag.AlignBottom)
        self.addWidget(strip_line, TREE, MAIN, 2, 1, Qt.AlignmentFlag.AlignTop)
        self.addWidget(jobs_line, STRIP, SIDE, Qt.AlignmentFlag.AlignTop)
        self.addWidget(side_line, top, SIDE, STRIP - top + 1, 1, Qt.AlignmentFlag.AlignLeft)
        parts.jobs.setVisible(now.beside)
        parts.edge.setVisible(now.inspector_open and not now.narrow)
        jobs_line.setVisible(not now.over)
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
