"""Defines a slider with a name, a home, and a value that can be typed."""

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent
from PySide6.QtWidgets import QGridLayout, QLineEdit, QWidget

from studio.app.core.guard import guarded
from studio.app.widgets.controls import ElidedLabel, set_style, set_tooltip
from studio.app.widgets.slider import Slider
from studio.app.widgets.theme import Theme

OUTSIDE_SAFE_RANGE = "outside the safe range"
SIGNED_WIDTH = 54
PLAIN_WIDTH = 40
"""Widths in logical pixels of a value with a sign and of one without."""
NAME_WIDTH = 92
"""The smallest width in logical pixels of a name beside a note."""


def format_value(value: float, signed: bool) -> str:
    """Return a value as text.

    Examples: `+1.24`, `−0.62` or `0` for a direction, `0.70` for a temperature.
    """
    text = f"{abs(value):.2f}"
    if not signed:
        return f"−{text}" if value < 0 and text != "0.00" else text
    if text == "0.00":
        return "0"
    return f"+{text}" if value > 0 else f"−{text}"


class ValueSlider(QWidget):
    """Edits a named value.

    `moved` carries each value that the user sets, `renamed` a new name. `grabbed` and `released` enclose a drag.
    """

    grabbed = Signal()
    moved = Signal(float)
    released = Signal()
    home_requested = Signal()
    renamed = Signal(str)

    def __init__(
        self,
        theme: Theme,
        name: str,
        least: float,
        most: float,
        home: float = 0.0,
        safe: tuple[float, float] | None = None,
        accessible_name: str = "",
        tooltip: str = "",
        may_rename: bool = False,
    ) -> None:
        super().__init__()
        self._theme = theme
        self._home = home
        self._safe = safe
        self._signed = least < 0
        self._narrow = False
        self._value = home
        self._figure_width = SIGNED_WIDTH if self._signed else PLAIN_WIDTH
        self._may_rename = may_rename
        self._accessible_name = accessible_name
        self.name = ElidedLabel(name, mode=Qt.TextElideMode.ElideRight)
        self.note = ElidedLabel("", "caution", Qt.TextElideMode.ElideRight)
        self.value = QLineEdit()
        self.value.setProperty("role", "value")
        self.value.setTextMargins(-2, 0, -3, 0)  # the number ends at the right end of the slider
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.slider = Slider(theme, least, most, home, safe)
        self.slider.setAccessibleName(accessible_name or name)
        self.setFocusProxy(self.slider)
        self.name.setBuddy(self.slider)
        set_tooltip(self.slider, tooltip, "")
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(0)
        self._grid.addWidget(self.name, 0, 0)
        self._grid.addWidget(self.note, 0, 1)
        self._grid.addWidget(self.value, 0, 2)
        self._grid.addWidget(self.slider, 1, 0, 1, 3)
        self._grid.setColumnStretch(0, 1)
        self._connect()
        self._resize()
        self.show_name(name)
        self.show_value(home)

    def _connect(self) -> None:
        self.slider.grabbed.connect(self.grabbed)
        self.slider.moved.connect(self.moved)
        self.slider.released.connect(self.released)
        self.slider.home_requested.connect(self.home_requested)
        self.slider.edit_requested.connect(self._edit_value)
        self.value.editingFinished.connect(self._apply_typed)
        self.value.installEventFilter(self)
        self.name.installEventFilter(self)
        self.slider.installEventFilter(self)
        self._theme.changed.connect(self._resize)

    def show_value(self, value: float) -> None:
        self._value = value
        self.slider.show_value(value)
        if not (self.value.hasFocus() and self.value.isModified()):
            self.value.setText(format_value(value, self._signed))
        at_home = abs(value - self._home) < 5e-4
        outside = self.is_outside_safe_range
        set_style(self.value, home=at_home)
        self.note.setVisible(outside and not self._narrow)
        self.note.show_text(OUTSIDE_SAFE_RANGE if outside else "")
        spoken_value = f"{self._spoken_sign(value)}{abs(value):.2f}"
        safe = f", safe {self._safe[0]:g} to {self._safe[1]:g}" if self._safe else ""
        self.slider.setAccessibleDescription(
            f"{spoken_value}, home is {self._home:g}{safe}{', ' + OUTSIDE_SAFE_RANGE if outside else ''}"
        )

    @property
    def is_outside_safe_range(self) -> bool:
        """Return whether the value is outside the safe range."""
        return self._safe is not None and not self._safe[0] <= self._value <= self._safe[1]

    def set_narrow(self, narrow: bool) -> None:
        """Use a narrower value and no note, because several sliders share a row."""
        wide_width = SIGNED_WIDTH if self._signed else PLAIN_WIDTH
        self._figure_width = 32 if narrow else wide_width
        self._narrow = narrow
        set_style(self.value, narrow=narrow)
        self._resize()

    def show_home(self, home: float) -> None:
        """Set the value at rest."""
        self._home = home
        self.slider.set_home(home)
        self.show_value(self._value)

    def show_safe(self, safe: tuple[float, float] | None) -> None:
        """Set the range in which results resemble what the model learned; None: everything does."""
        self._safe = safe
        self.slider.set_safe(safe)
        self.show_value(self._value)

    def show_name(self, name: str) -> None:
        self.name.show_text(name)
        self._resize()
        label = self._accessible_name.replace("*", name) or name
        self.value.setAccessibleName(f"{label}, figure")
        self.slider.setAccessibleName(label)

    def edit_name(self) -> None:
        """Show a field over the name. Enter keeps what is typed, Esc drops it."""
        if not self._may_rename:
            return
        field = QLineEdit(self.name.text(), self)
        field.setAccessibleName(f"Name of {self.name.text()}")
        field.setProperty("role", "inline")
        field.setMaxLength(80)
        field.setAcceptDrops(False)
        field.setGeometry(0, 0, self.width() - self.value.width() - self._theme.scaled(8), self.value.height())
        field.selectAll()
        field.installEventFilter(self)
        field.editingFinished.connect(lambda: self._apply_name(field))
        field.show()
        field.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _apply_name(self, field: QLineEdit) -> None:
        if field.isVisible():
            self._close_field(field)
            if field.text().strip() != self.name.text():
                self.renamed.emit(field.text().strip())

    def _spoken_sign(self, value: float) -> str:
        """Return the sign of a value for a screen reader."""
        if value < 0:
            return "minus "
        return "plus " if value > 0 and self._signed else ""

    def _edit_value(self) -> None:
        self.value.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.value.selectAll()

    def _apply_typed(self) -> None:
        """Apply a typed number, or `home`. Any other text changes nothing."""
        if not self.value.isModified():
            return
        self.value.setModified(False)
        text = self.value.text().strip().replace("−", "-").replace(",", ".").lower()
        if text == "home":
            self.home_requested.emit()
        else:
            try:
                value = float(text)
            except ValueError:
                value = self._value
            if value == value and value != self._value:
                least = self.slider.minimum() / 1000
                most = self.slider.maximum() / 1000
                self.moved.emit(min(max(value, least), most))
                self.released.emit()
        self.value.setText(format_value(self._value, self._signed))

    def _resize(self) -> None:
        self.value.setFixedWidth(self._theme.scaled(self._figure_width))
        self.name.setMinimumHeight(self._theme.scaled(22))
        needed = QFontMetrics(self._theme.font()).horizontalAdvance(self.name.text()) + self._theme.scaled(6)
        self.name.setMinimumWidth(0 if self._narrow else min(needed, self._theme.scaled(NAME_WIDTH)))

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.MouseButtonDblClick and watched is self.name:
            self.edit_name()
            return True
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() == Qt.Key.Key_F2 and watched is self.slider and self._may_rename:
                self.edit_name()
                return True
            if event.key() == Qt.Key.Key_Escape and isinstance(watched, QLineEdit):
                self._cancel_field(watched)
                return True
        return False

    def _cancel_field(self, field: QLineEdit) -> None:
        if field is self.value:
            field.setModified(False)
            field.setText(format_value(self._value, self._signed))
            self.slider.setFocus(Qt.FocusReason.ShortcutFocusReason)
        else:
            self._close_field(field)

    def _close_field(self, field: QLineEdit) -> None:
        """Close the field of the name, and focus the slider if the field had it."""
        focused = field.hasFocus()
        field.hide()  # first, because losing the focus would confirm the name as Enter does
        field.deleteLater()
        if focused:
            self.slider.setFocus(Qt.FocusReason.ShortcutFocusReason)
