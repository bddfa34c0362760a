"""Lists what Ctrl+K finds: actions, the controls of the open panel, models and settings."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QScrollArea,
    QScrollBar,
    QWidget,
)

from studio.app.widgets.action import Action, native_keys
from studio.app.widgets.controls import Column, SegmentedControl


@dataclass(frozen=True)
class Target:
    """Describes something that the user can find and choose."""

    title: str
    """Its name in the list."""
    run: Callable[[], object]
    """Called when the user chooses it."""
    note: str = ""
    """The text at the right: the keys of an action, or `Control`, `Model`, `Setting`."""
    keywords: str = ""
    """More words by which it is found."""

    def matches(self, typed: Sequence[str]) -> bool:
        """Return whether it contains every typed word; `typed` is in lower case."""
        text = f"{self.title} {self.note} {self.keywords}".lower()
        return all(word in text for word in typed)


def action_targets(actions: Iterable[Action]) -> list[Target]:
    """List the actions. Choosing one runs it."""
    return [Target(action.title, action.run, native_keys(action.keys[0]) if action.keys else "") for action in actions]


def control_targets(parts: Iterable[QWidget], on_chosen: Callable[[QWidget], object]) -> list[Target]:
    """List the sliders, fields and switches that are enabled. Choosing one calls `go` with it."""
    return [
        Target(widget.accessibleName(), partial(on_chosen, widget), "Control", widget.accessibleDescription())
        for part in parts
        for widget in _controls(part)
    ]


def model_targets(models: Iterable[Any], choose: Callable[[str], object]) -> list[Target]:
    """List the trained models. Choosing one calls `choose` with its name."""
    return [
        Target(
            card.title, partial(choose, card.name), "Model",
            f"{card.subject} {card.family_title} {card.name} {card.group_heading} {card.sampling_text}",
        )
        for card in (trained.card for trained in models)
    ]  # fmt: skip


def setting_targets(settings: Iterable[tuple[str, QWidget]], on_chosen: Callable[[QWidget], object]) -> list[Target]:
    """List the settings, which are found by their choices, too. Choosing one calls `go` with it."""
    return [Target(title, partial(on_chosen, field), "Setting", _choice_texts(field)) for title, field in settings]


def focus_control(widget: QWidget) -> None:
    """Unfold and scroll to a control, and give it the focus."""
    if isinstance(widget, SegmentedControl):
        widget = widget.checked_button() or widget
    above = widget.parentWidget()
    while above is not None:
        if isinstance(above, Column):
            above.reveal_widget(widget)
        elif isinstance(above, QScrollArea):
            QApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)  # lay out what was unfolded
            above.ensureWidgetVisible(widget)
        above = above.parentWidget()
    widget.setFocus(Qt.FocusReason.ShortcutFocusReason)


def _controls(part: QWidget) -> Iterator[QWidget]:
    """Yield each control once: not the number field of a slider, nor the line edit inside a spin box."""
    for widget in part.findChildren(QWidget):
        if not widget.accessibleName() or not _can_be_seen(widget, part) or not widget.isEnabledTo(part):
            continue
        slider = isinstance(widget, QAbstractSlider) and not isinstance(widget, QScrollBar)
        typed = isinstance(widget, QLineEdit) and widget.property("role") != "value"
        switch = isinstance(widget, QAbstractButton) and widget.isCheckable()
        alone = switch and not isinstance(widget.parentWidget(), SegmentedControl)
        if slider or typed or alone or isinstance(widget, QAbstractSpinBox | QComboBox | SegmentedControl):
            yield widget


def _can_be_seen(widget: QWidget, part: QWidget) -> bool:
    """Return whether a widget is visible, or in a folded section of something visible."""
    box = widget.parentWidget()
    if box is not None and box.property("folded") and (around := box.parentWidget()) is not None:
        return around.isVisibleTo(part)
    return widget.isVisibleTo(part)


def _choice_texts(dial: QWidget) -> str:
    if isinstance(dial, QComboBox):
        return " ".join(dial.itemText(place) for place in range(dial.count()))
    return " ".join(button.text() for button in dial.findChildren(QAbstractButton))
