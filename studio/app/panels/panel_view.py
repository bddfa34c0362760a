"""Describes the parts that a panel gives to the main window.

To add a panel, write `make_panel` in its `view.py`, which returns a PanelView, and add one PanelEntry to
studio/app/window/panel_list.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtWidgets import QWidget

from studio.app.core.observable import Value
from studio.app.core.undo import UndoHistory
from studio.app.generation.batch import Batch
from studio.app.model_browser.model_rows import ModelFilter, ModelRemark, makes_no_recordings, no_remark
from studio.app.takes.selection import TakeSelection
from studio.app.widgets.action import Action


@dataclass(frozen=True)
class PanelEntry:
    """Names a panel in the rail, and says how its widgets are built when it is first shown."""

    key: str
    """One of studio.app.app_state.PANELS; also the name of its help page and of its icon."""
    title: str
    tooltip: str
    """One sentence for the tooltip."""
    make: Callable[[], "PanelView"]
    model_filter: ModelFilter = makes_no_recordings
    """Which models can be chosen here."""


@dataclass(frozen=True)
class PanelView:
    """Holds the parts of one panel; the main window places each of them."""

    stage: QWidget
    inspector: QWidget
    foot: QWidget
    """The main button and its neighbour, which never scroll away."""
    model: Value[Any]
    choose_model: Callable[[str], object]
    undo_history: UndoHistory
    keep_take: Callable[[], object]
    """Keep what is on the stage as a take."""
    actions: tuple[Action, ...]
    """The actions of this panel. Their keys work while it is open."""
    close_open: Callable[[], bool]
    """Closes the open item on the stage; returns whether there was one."""
    zoom: Callable[[int], object]
    """Zooms in by this many multiples; 0 fits the picture."""
    show_smooth: Callable[[bool], object]
    set_compact: Callable[[bool], object]
    """Leaves less room for captions if the window is low."""
    selection: TakeSelection
    """The takes as this panel's stage shows them."""
    show_take: Callable[[int], object]
    """Put a take on the stage."""
    arm_branch: Callable[[], object] | None = None
    """Prepares to continue from what is on the stage, as another take."""
    batch: Batch | None = None
    """The batch, if its pictures are shown while they are drawn; their uncertainty can be shown, too."""
    bar: QWidget | None = None
    """Shown in the bar in place of the model, its facts and how pictures are shown."""
    remark: ModelRemark = no_remark
    """Returns the text that this panel's list adds to a model's card."""
