"""Gives each action of the window its keys, where and while they apply."""

from collections.abc import Sequence

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

from studio.app.widgets.action import Action


class Shortcuts(QObject):
    """Makes one QAction for each action: for the whole window, or for the parts in which single keys work."""

    def __init__(self, window: QWidget, parts: Sequence[QWidget], actions: Sequence[Action]) -> None:
        super().__init__(window)
        self._actions = [(action, self._add_shortcut(window, parts, action)) for action in actions]

    def enable_shortcuts(self, panel: str, letters: bool) -> None:
        """Enable the keys of the open panel. Single keys can be switched off."""
        for act, action in self._actions:
            action.setEnabled(act.panel in ("", panel) and (letters or act.scope == "window"))

    def _add_shortcut(self, window: QWidget, parts: Sequence[QWidget], act: Action) -> QAction:
        action = QAction(act.title, self)
        action.setShortcuts([QKeySequence(keys) for keys in act.keys])
        action.triggered.connect(lambda checked=False: act.run())
        everywhere = act.scope == "window"
        context = Qt.ShortcutContext.WindowShortcut if everywhere else Qt.ShortcutContext.WidgetWithChildrenShortcut
        action.setShortcutContext(context)
        for widget in (window,) if everywhere else parts:
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
