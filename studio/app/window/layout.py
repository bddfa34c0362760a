"""Computes the place of each part of the window from its size and the size of its text."""

from dataclasses import dataclass

from PySide6.QtCore import QRect

from studio.app.widgets.theme import Theme
from studio.app.window.inspector import DEFAULT_WIDTH, MAX_WIDTH, MIN_WIDTH
from studio.app.window.rail import NARROW_WIDTH as RAIL_NARROW
from studio.app.window.rail import WIDTH as RAIL_WIDE

BAR_HEIGHT = 48
STRIP_HEIGHT = 116
COMPACT_STRIP_HEIGHT = 80
MESSAGE_HEIGHT = 36
MARGIN = 4
"""Heights in logical pixels; `AROUND` is the space above and below the message line."""
NARROW_BELOW = 1280
LOW_BELOW = 800
DRAWER_ABOVE = 1.5
"""Of the text's size: then the inspector is a drawer over the stage."""


@dataclass(frozen=True)
class WindowLayout:
    """Holds rectangles in the window; `lines` are the hairlines between them, the mouse drags `edge`."""

    narrow: bool
    low: bool
    drawer: bool
    rail: QRect
    bar: QRect
    stage: QRect
    floor: int
    """Height at the bottom of the stage that is reserved for the message line."""
    inspector: QRect
    strip: QRect
    jobs: QRect
    message: QRect
    edge: QRect
    lines: tuple[QRect, QRect, QRect, QRect]


def lay_out_window(
    theme: Theme,
    width: int,
    height: int,
    inspector_shown: bool,
    inspector_width: int = DEFAULT_WIDTH,
    tree: bool = False,
    has_message: bool = False,
) -> WindowLayout:
    """Return where each part of the window lies.

    If the inspector is closed, its buttons remain visible in place of the queue.

    Arguments
        inspector_shown: whether the inspector is open
        inspector_width: the inspector's width at 100 % text size, as the user dragged it
        tree: whether the strip takes half of the stage
        has_message: whether there is a message. It lies at the bottom of the stage, or below it beside a drawer.
    """
    px = theme.scaled
    narrow = width < NARROW_BELOW
    low = height < LOW_BELOW
    drawer = theme.scale > DRAWER_ABOVE
    rail = px(RAIL_NARROW if narrow else RAIL_WIDE)
    side = min(px(MIN_WIDTH if narrow else min(max(inspector_width, MIN_WIDTH), MAX_WIDTH)), width // 2)
    bar = px(BAR_HEIGHT)
    strip = px(COMPACT_STRIP_HEIGHT if low else STRIP_HEIGHT)
    across = width - rail - (side if inspector_shown and not drawer else 0)
    line = px(MESSAGE_HEIGHT) + 2 * px(MARGIN)
    below = line if has_message and inspector_shown and drawer else 0  # a message does not fit beside a drawer
    # If there is room, the floor is always reserved, so that no picture moves for a message.
    floor = line if (has_message and not below) or not (low or drawer) else 0
    foot = height - below
    right = width - side
    bottom = foot - strip
    grown = (bottom - bar) // 2 if tree else 0
    message_top = foot if below else bottom - grown - line
    if not inspector_shown:
        inspector = QRect(right, bottom, side, strip)
    elif drawer:
        inspector = QRect(right, bar, side, foot - bar)
    else:
        inspector = QRect(right, 0, side, bottom)
    return WindowLayout(
        narrow,
        low,
        drawer,
        rail=QRect(0, 0, rail, height),
        bar=QRect(rail, 0, across, bar),
        stage=QRect(rail, bar, across, bottom - bar - grown),
        floor=floor,
        inspector=inspector,
        strip=QRect(rail, bottom - grown, right - rail, strip + grown),
        jobs=QRect(right, bottom, side, strip),
        message=QRect(rail + px(8), message_top + px(MARGIN), across - px(16), px(MESSAGE_HEIGHT)),
        edge=QRect(right - 3, 0, 6, bottom),
        lines=(
            QRect(rail, bar - 1, across, 1),
            QRect(rail, bottom - grown, right - rail, 1),
            QRect(right, bottom, 0 if drawer and inspector_shown else side, 1),
            QRect(right, inspector.y(), 1, foot - inspector.y()),
        ),
    )
