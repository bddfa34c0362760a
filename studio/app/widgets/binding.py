"""Ties between a value of a state and a control."""

from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import QObject, SignalInstance

from studio.app.core.observable import Value

T = TypeVar("T")


class _Binding(QObject):
    """Lives in the view, so that the tie is cut when the view goes."""

    def __init__(self, view: QObject, show: Callable[[Any], object], setter: Callable[..., object] | None) -> None:
        super().__init__(view)
        self._show = show
        self._setter = setter
        self._showing = False

    def show_value(self, value: object) -> None:
        before = self._showing
        self._showing = True
        try:
            self._show(value)
        finally:
            self._showing = before

    def set_value(self, *values: object) -> None:
        """A control that is being shown a value says so too; that is not the artist's hand."""
        if self._setter is not None and not self._showing:
            self._setter(*values)


def bind(
    view: QObject,
    value: Value[T],
    show: Callable[[T], object],
    signal: SignalInstance | None = None,
    setter: Callable[..., object] | None = None,
) -> None:
    """Connect a value with a control in both directions.

    `show` is called with the value now and after every change. If the user moves the control, `verb` is called with
    the arguments of `signal`. A button's `clicked` passes no argument here; its `toggled` passes whether it is down.
    """
    tie = _Binding(view, show, setter)
    value.changed.connect(tie.show_value)
    if signal is not None:
        signal.connect(tie.set_value)
    tie.show_value(value.get())
