"""Gives each action of the window its keys, where and while they apply."""

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

from studio.app.widgets.action import Action


class Shortcuts(QObject):
    """Makes one QAction for each action: for the whole window, or for the parts in which single keys work."""

    def __init__(self, window: QWidget, parts: Sequence[QWidget]) -> None:
        super().__init__(window)
        self._window = window
        self._parts = parts
        self._shortcuts: list[tuple[Action, str, QAction]] = []
        """Each action with the key of its panel."""

    def add_actions(self, actions: Iterable[Action], panel: str = "") -> None:
        """Add actions of a panel, or without one, of the window."""
        self._shortcuts += [(action, panel, self._add_shortcut(action)) for action in actions]

    def enable_shortcuts(self, open_panel: str, letters: bool) -> None:
        """Enable the keys of the window and of the open panel. Single keys can be switched off."""
        for action, panel, shortcut in self._shortcuts:
            shortcut.setEnabled(panel in ("", open_panel) and (letters or action.scope == "window"))

    def _add_shortcut(self, act: Action) -> QAction:
        action = QAction(act.title, self)
        action.setShortcuts([QKeySequence(keys) for keys in act.keys])
        action.triggered.connect(lambda checked=False: act.run())
        everywhere = act.scope == "window"
        context = Qt.ShortcutContext.WindowShortcut if everywhere else Qt.ShortcutContext.WidgetWithChildrenShortcut
        action.setShortcutContext(context)
        for widget in (self._window,) if everywhere else self._parts:
            widget.addAction(action)
        return action


def focus_region(regions: Sequence[QWidget], now: QWidget | None, by: int) -> None:
    """Focus the next or previous of these parts that can have the focus."""
    at = [place for place, part in enumerate(regions) if now is not None and part.isAncestorOf(now)]
    before_first = -1 if by > 0 else 0
    place = at[0] if at else before_first
    for step in range(1, len(regions) + 1):
        part = regions[(place + by * step) % len(regions)]
        first = first_focusable(part)
        if part.isVisible() and first is not None:
            first.setFocus(Qt.FocusReason.ShortcutFocusReason)
            return


def first_focusable(part: QWidget) -> QWidget | None:
    """Return the first widget in a part that Tab can reach now."""
    return next((widget for widget in part.findChildren(QWidget) if takes_focus(widget)), None)


def takes_focus(widget: QWidget) -> bool:
    tabs = bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
    return tabs and widget.isVisible() and widget.isEnabled()


def move_to_tab_end(parts: Sequence[QWidget]) -> None:
    """Let Tab reach these parts of a window after everything else. None of their widgets passes the focus on."""
    chain = _focus_chain(parts[0].window())
    last = chain[-1]
    for widget in [each for each in chain if any(part.isAncestorOf(each) for part in parts)]:
        if widget.focusPolicy() != Qt.FocusPolicy.NoFocus:
            QWidget.setTabOrder(last, widget)
            last = widget


def _focus_chain(window: QWidget) -> list[QWidget]:
    """Return the widgets of a window in the order of the Tab key, whether it stops at them or not."""
    chain = [window]
    following = window.nextInFocusChain()
    while following is not None and following is not window:
        chain.append(following)
        following = following.nextInFocusChain()
    return chain
