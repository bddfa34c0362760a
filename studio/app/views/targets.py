"""What Ctrl+K finds: actions, the controls of the open panel, models and settings."""

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

from studio.app.views.acts import Act, native
from studio.app.views.controls import Segments
from studio.app.views.pages import Column


@dataclass(frozen=True)
class Target:
    """Something that is found by its words, and what choosing it does."""

    words: str
    do: Callable[[], object]
    note: str = ""
    """Stands at the right: the keys of an action, or what it is."""
    also: str = ""
    """Words that find it, too."""

    def has(self, typed: Sequence[str]) -> bool:
        """Whether every word that was typed, in small letters, is in its own."""
        text = f"{self.words} {self.note} {self.also}".lower()
        return all(word in text for word in typed)


def of_acts(acts: Iterable[Act]) -> list[Target]:
    """Actions, which choosing does."""
    return [Target(act.words, act.do, native(act.keys[0]) if act.keys else "") for act in acts]


def of_controls(parts: Iterable[QWidget], go: Callable[[QWidget], object]) -> list[Target]:
    """Sliders, fields and switches that can be set now; choosing one has `go` give it the focus."""
    return [
        Target(widget.accessibleName(), partial(go, widget), "Control", widget.accessibleDescription())
        for part in parts
        for widget in _controls(part)
    ]


def of_models(models: Iterable[Any], choose: Callable[[str], object]) -> list[Target]:
    """Trained models, which choosing chooses."""
    return [
        Target(
            card.title, partial(choose, card.name), "Model",
            f"{card.makes} {card.family_title} {card.name} {card.heading} {card.way}",
        )
        for card in (trained.card for trained in models)
    ]  # fmt: skip


def of_settings(dials: Iterable[tuple[str, QWidget]], go: Callable[[QWidget], object]) -> list[Target]:
    """Settings with their choices; choosing one has `go` show it."""
    return [Target(title, partial(go, dial), "Setting", _choices(dial)) for title, dial in dials]


def focus(widget: QWidget) -> None:
    """Give a control the focus, unfold what it lies in and scroll to it."""
    if isinstance(widget, Segments):
        widget = widget.checked() or widget
    above = widget.parentWidget()
    while above is not None:
        if isinstance(above, Column):
            above.reveal(widget)
        elif isinstance(above, QScrollArea):
            QApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)  # what was unfolded has no place yet
            above.ensureWidgetVisible(widget)
        above = above.parentWidget()
    widget.setFocus(Qt.FocusReason.ShortcutFocusReason)


def _controls(part: QWidget) -> Iterator[QWidget]:
    """Each one once: a slider without the field of its figure, a field without what it is made of."""
    for widget in part.findChildren(QWidget):
        if not widget.accessibleName() or not _can_be_seen(widget, part) or not widget.isEnabledTo(part):
            continue
        slider = isinstance(widget, QAbstractSlider) and not isinstance(widget, QScrollBar)
        typed = isinstance(widget, QLineEdit) and widget.property("role") != "value"
        switch = isinstance(widget, QAbstractButton) and widget.isCheckable()
        alone = switch and not isinstance(widget.parentWidget(), Segments)
        if slider or typed or alone or isinstance(widget, QAbstractSpinBox | QComboBox | Segments):
            yield widget


def _can_be_seen(widget: QWidget, part: QWidget) -> bool:
    """Whether it is visible, or folded away in what is."""
    box = widget.parentWidget()
    if box is not None and box.property("folded") and (around := box.parentWidget()) is not None:
        return around.isVisibleTo(part)
    return widget.isVisibleTo(part)


def _choices(dial: QWidget) -> str:
    if isinstance(dial, QComboBox):
        return " ".join(dial.itemText(place) for place in range(dial.count()))
    return " ".join(button.text() for button in dial.findChildren(QAbstractButton))
