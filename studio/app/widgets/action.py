"""Describes the actions of the window: title, keys and effect."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from PySide6.QtGui import QKeySequence

from studio.app.core.observable import Value


@dataclass(frozen=True)
class Action:
    """Describes an action.

    Its keys work in the whole window, or, if `scope` is "stage", only while the stage or the take strip has the focus.
    """

    title: str
    keys: tuple[str, ...]
    run: Callable[[], object]
    scope: Literal["window", "stage"] = "window"
    enabled: Value[bool] | None = None


def native_keys(keys: str) -> str:
    """Return keys as this system writes them."""
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)
