"""Every action of the window: its name, its keys, and what it does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from PySide6.QtGui import QKeySequence

from studio.app.core.observable import Value


@dataclass(frozen=True)
class Action:
    """An action. `where`: its keys hold in the whole window, or only while stage or strip has the focus."""

    title: str
    keys: tuple[str, ...]
    run: Callable[[], object]
    scope: Literal["window", "stage"] = "window"
    panel: str = ""
    """Only while this panel is open; empty: always."""
    enabled: Value[bool] | None = None


def native_keys(keys: str) -> str:
    """Keys as this system writes them."""
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)
