"""Defines labels, buttons and fields with plain text, accessible names, and tooltips with keys."""

import html
from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QFontMetrics,
    QIcon,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from studio.app.core.guard import guarded
from studio.app.widgets.icons import icon_pixmap, make_icon
from studio.app.widgets.styling import when_visible
from studio.app.widgets.theme import Theme


class Column(QWidget):
    """Shows rows below each other in the inspector."""

    def __init__(self, theme: Theme, spacing: int = 12) -> None:
        super().__init__()
        self._theme = theme
        self._space = spacing
        self.setProperty("ground", "none")
        self.rows = QVBoxLayout(self)
        self.rows.setContentsMargins(0, 0, 0, 0)
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def add_widgets(self, *widgets: QWidget) -> None:
        for widget in widgets:
            self.rows.addWidget(widget)

    def add_section(self, title: str = "", *, first: bool = False) -> None:
        """Add a hairline and the heading of the section below it."""
        if not first:
            self.rows.addSpacing(self._theme.scaled(4))
            self.rows.addWidget(Hairline())
            self.rows.addSpacing(self._theme.scaled(4))
        if title:
            self.rows.addWidget(Label(title, "heading"))

    def add_stretch(self) -> None:
        self.rows.addStretch(1)

    def reveal_widget(self, part: QWidget) -> None:
        """Unfold the section that contains a widget."""

    def _lay_out(self) -> None:
        self.rows.setSpacing(self._theme.scaled(self._space))


def clear_layout(layout: QLayout) -> None:
    """Delete the widgets of a layout, which holds nothing else."""
    for old in widgets_of(layout):
        layout.removeWidget(old)
        old.hide()
        old.deleteLater()


def widgets_of(layout: QLayout) -> list[QWidget]:
    """Return the widgets that a layout places itself, in the order of their creation.

    The layout is not asked for its items: Qt deletes an item with its widget, but Python keeps the object for it. The
    next C++ object at the same address would then be taken for that item.
    """
    parent = layout.parentWidget()
    children = [child for child in parent.children() if isinstance(child, QWidget)] if parent is not None else []
    return [child for child in children if layout.indexOf(child) >= 0]


def set_tooltip(widget: QWidget, text: str, keys: str = "") -> None:
    """Set a tooltip of one sentence that ends with its key.

    It is always plain text, even if a file's name looks like markup.
    """
    text = f"{text} ({QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)})" if keys else text
    widget.setToolTip(f"<qt>{html.escape(text)}</qt>" if "<" in text else text)


def set_style(widget: QWidget, **properties: object) -> None:
    """Set properties that the style sheet uses, and apply the sheet again."""
    changed = [name for name, value in properties.items() if widget.property(name) != value]
    for name in changed:
        widget.setProperty(name, properties[name])
    if changed:
        for part in (widget, *widget.findChildren(QWidget)):  # a rule of the sheet may depend on the parent
            part.style().unpolish(part)
            part.style().polish(part)


def set_part_visible(part: QWidget, visible: bool) -> None:
    """Show or hide a part, even before it has a parent. Without one, Qt would show it as a window of its own."""
    if not visible or part.parentWidget() is not None:
        part.setVisible(visible)


def announce(widget: QWidget, text: str, assertive: bool = False) -> None:
    """Have a screen reader say a text: at once if `assertive`, otherwise when idle."""
    if text:
        event = QAccessibleAnnouncementEvent(widget, text)
        politeness = QAccessible.AnnouncementPoliteness
        event.setPoliteness(politeness.Assertive if assertive else politeness.Polite)
        QAccessible.updateAccessibility(event)


class Label(QLabel):
    """Shows plain text in one of the roles of the style sheet. A click focuses its buddy."""

    def __init__(self, text: str = "", role: str = "body", wrap: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)
        self.setWordWrap(wrap)
        self.setProperty("role", role)

    @guarded(None)
    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        if (named := self.buddy()) is not None and event.button() == Qt.MouseButton.LeftButton:
            named.setFocus(Qt.FocusReason.MouseFocusReason)


class ElidedLabel(Label):
    """Shows one line. If it does not fit, it is cut, and the tooltip shows all of it."""

    def __init__(
        self, text: str = "", role: str = "body", mode: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle
    ) -> None:
        super().__init__(text, role)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._mode = mode
        self._cut = False

    @property
    def is_cut(self) -> bool:
        """Return whether a part of the text is hidden."""
        return self._cut

    def show_text(self, text: str) -> None:
        self.setText(text)
        self._measure()
        self.update()

    @guarded(QSize(0, 0))
    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._measure()

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setPen(self.palette().color(self.foregroundRole()))
            shown = QFontMetrics(self.font()).elidedText(self.text(), self._mode, self.width())
            painter.drawText(self.rect(), int(self.alignment() | Qt.AlignmentFlag.AlignVCenter), shown)

    def _measure(self) -> None:
        self._cut = QFontMetrics(self.font()).horizontalAdvance(self.text()) > self.width()
        set_tooltip(self, self.text() if self._cut else "")


class Hairline(QFrame):
    """Draws a hairline."""

    def __init__(self, vertical: bool = False) -> None:
        super().__init__()
        self.setProperty("line", True)
        if vertical:
            self.setFixedWidth(1)
        else:
            self.setFixedHeight(1)


class Button(QPushButton):
    """Shows a button in a role of the style sheet. It has an icon, a text or both."""

    def __init__(
        self,
        theme: Theme,
        text: str = "",
        role: str = "",
        drawing: str = "",
        accessible_name: str = "",
        tooltip: str = "",
        keys: str = "",
    ) -> None:
        super().__init__()
        self._theme = theme
        self._drawing = drawing
        self.setProperty("role", role)
        self.set_text(text)
        self.setAccessibleName(accessible_name or text)
        self.set_tooltip(tooltip, keys)
        self.setAutoDefault(False)
        when_visible(theme, self, self._tint)
        self._tint()

    def set_text(self, text: str) -> None:
        """Set the text of the button. An ampersand is shown as it is."""
        self._text = text
        self.setText((" " if self._drawing and text else "") + text.replace("&", "&&"))
        if text:
            self.setAccessibleName(text)

    def set_tooltip(self, tooltip: str, keys: str = "") -> None:
        self.setAccessibleDescription(tooltip)
        set_tooltip(self, tooltip, keys)

    def set_icon(self, drawing: str) -> None:
        if drawing != self._drawing:
            self._drawing = drawing
            self.set_text(self._text)
            self.setIcon(QIcon())
            self._tint()

    def set_role(self, role: str) -> None:
        """Change the role: the main button becomes Stop while it works."""
        if role != self.property("role"):
            set_style(self, role=role)
            self._tint()

    def _tint(self) -> None:
        if self._drawing:
            colour = {
                "primary": "on_accent",
                "play": "on_accent",
                "stop": "danger",
                "record": "danger",
                "": "text",
                "square": "text",
                "round": "text",
                "tool": "text",
            }.get(str(self.property("role")), "soft")
            on = "on_accent" if self.property("role") == "round" else colour
            side = self._theme.scaled(22 if self.property("role") == "play" else 18)
            self.setIcon(make_icon(self._theme, self._drawing, colour, on=on))
            self.setIconSize(QSize(side, side))


class SegmentedControl(QFrame):
    """Shows a few choices, one of which is chosen."""

    chosen = Signal(str)

    def __init__(
        self,
        theme: Theme,
        name: str,
        choices: Sequence[tuple[str, str]],
        tooltip: str = "",
        keys: str = "",
        tight: bool = False,
    ) -> None:
        super().__init__()
        self.setProperty("role", "segments")
        self.setProperty("tight", tight)
        self.setAccessibleName(name)
        row = QHBoxLayout(self)
        row.setContentsMargins(2, 2, 2, 2)
        row.setSpacing(2)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._group = QButtonGroup(self)
        self._buttons: dict[str, Button] = {}
        for key, text in choices:
            button = Button(theme, text, "segment", tooltip=tooltip, keys=keys)
            button.setAccessibleName(f"{name}: {text}")
            button.setCheckable(True)
            button.clicked.connect(self._emitter(key))
            self._group.addButton(button)
            self._buttons[key] = button
            row.addWidget(button, 1)
        self.setFocusProxy(next(iter(self._buttons.values())))

    def show_choice(self, key: str) -> None:
        if key in self._buttons:
            self._buttons[key].setChecked(True)

    def button_of(self, key: str) -> Button:
        return self._buttons[key]

    def checked_button(self) -> Button | None:
        """Return the button of the present choice."""
        return next((button for button in self._buttons.values() if button.isChecked()), None)

    def _emitter(self, key: str) -> Callable[[], None]:
        return lambda: self.chosen.emit(key)


class ChoiceField(QComboBox):
    """Shows a list to choose from. The wheel changes it only while it has the focus."""

    def __init__(self, theme: Theme, name: str, tooltip: str = "") -> None:
        super().__init__()
        self._theme = theme
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.set_tooltip(tooltip)

    def set_tooltip(self, help: str) -> None:
        self.setAccessibleDescription(help)
        set_tooltip(self, help)

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        paint_arrow(self, self._theme, 9)

    @guarded(None)
    def wheelEvent(self, event: QWheelEvent) -> None:
        handle_wheel_if_focused(self, event, super().wheelEvent)


def paint_arrow(field: QWidget, theme: Theme, right: int, lower: int = 0) -> None:
    """Draw the arrow of a field that opens a list, so many pixels from its right end and below its middle."""
    side = theme.scaled(14)
    with QPainter(field) as painter:
        drawing = icon_pixmap("down", theme.colour("soft"), side, field.devicePixelRatioF())
        painter.drawPixmap(field.width() - side - theme.scaled(right), (field.height() - side) // 2 + lower, drawing)


class NumberField(QSpinBox):
    """Edits a whole number with the arrows or the wheel.

    The sheet gives its buttons no width: Qt 6.11 leaves no space for the number if a style sheet meets `NoButtons`.
    """

    def __init__(self, name: str, least: int, most: int, tooltip: str = "") -> None:
        super().__init__()
        self.setRange(least, most)
        self.setKeyboardTracking(False)
        self.lineEdit().setTextMargins(5, 0, 0, 0)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(name)
        self.set_tooltip(tooltip)

    def set_tooltip(self, help: str) -> None:
        self.setAccessibleDescription(help)
        set_tooltip(self, help)

    @guarded(None)
    def wheelEvent(self, event: QWheelEvent) -> None:
        handle_wheel_if_focused(self, event, super().wheelEvent)


def handle_wheel_if_focused(widget: QWidget, event: QWheelEvent, handle: Callable[[QWheelEvent], None]) -> None:
    """Let the wheel change the focused control only. Otherwise it scrolls the page."""
    if widget.hasFocus():
        handle(event)
    else:
        event.ignore()


def make_row(*parts: QWidget | int, spacing: int = 8, margins: tuple[int, int, int, int] = (0, 0, 0, 0)) -> QWidget:
    """Return widgets side by side. A number is a gap in pixels; 0 is one that stretches."""
    box = QWidget()
    line = QHBoxLayout(box)
    line.setContentsMargins(*margins)
    line.setSpacing(spacing)
    for part in parts:
        if isinstance(part, QWidget):
            line.addWidget(part)
        elif part:
            line.addSpacing(part)
        else:
            line.addStretch(1)
    return box


def make_button_pair(second: QWidget, main: QWidget) -> QWidget:
    """Return two buttons of the same width, with the main one at the right."""
    box = make_row(second, main, spacing=16)
    for place in (0, 1):
        box.layout().setStretch(place, 1)  # type: ignore[union-attr]
    return box


def make_empty_page(*parts: QWidget) -> QWidget:
    """Return a page whose parts stand below each other in its middle."""
    box = QWidget()
    column = QVBoxLayout(box)
    column.setSpacing(16)
    column.addStretch(1)
    for part in parts:
        if isinstance(part, Label):
            part.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(part)
    column.addStretch(1)
    return box
