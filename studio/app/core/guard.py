"""Keeps exceptions inside Qt virtual overrides: on CPython 3.11 they are segmentation faults."""

import functools
import sys
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

REPEAT_AFTER = 5.0
"""Seconds in which the same fault is reported once. A failing paint event fails at every frame."""
_last_reports: dict[tuple[str, type[BaseException]], float] = {}


def guarded(default: T) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator for overrides of a Qt virtual.

    An exception goes to `sys.excepthook`, and Qt receives `default`.
    """

    def guard(method: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(method)
        def override(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return method(*args, **kwargs)
            except Exception as fault:
                _report(method.__qualname__, fault)
                return default

        override.__dict__["guarded"] = True
        return override

    return guard


def _report(method_name: str, fault: Exception) -> None:
    now = time.monotonic()
    key = (method_name, type(fault))
    if now - _last_reports.get(key, -REPEAT_AFTER) >= REPEAT_AFTER:
        _last_reports[key] = now
        sys.excepthook(type(fault), fault, fault.__traceback__)
