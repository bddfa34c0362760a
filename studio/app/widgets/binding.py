"""Connects values of states with controls."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from PySide6.QtCore import QObject, SignalInstance

from studio.app.core.observable import Value

T = TypeVar("T")


class _Binding(QObject):
    """Is a child of the view, so that the connection ends with it."""

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
        """Call the setter, unless the control changed because it was shown a value."""
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

    `show` is called with the value now and after every change. If the user moves the control, `setter` is called with
    the arguments of `signal`. A button's `clicked` passes no argument here; its `toggled` passes whether it is down.
    """
    binding = _Binding(view, show, setter)
    value.changed.connect(binding.show_value)
    if signal is not None:
        signal.connect(binding.set_value)
    binding.show_value(value.get())


def bind_all(view: QObject, values: Iterable[Value[Any]], show: Callable[[Any], object]) -> None:
    """Show several values by one method, which is called now and after a change of any of them."""
    for value in values:
        bind(view, value, show)
