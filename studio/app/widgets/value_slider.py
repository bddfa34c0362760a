"""A latent slider: a name, a groove with a home, and a figure that can be typed."""

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent
from PySide6.QtWidgets import QGridLayout, QLineEdit, QWidget

from studio.app.core.guard import guarded
from studio.app.widgets.controls import Elided, mark, tip
from studio.app.widgets.slider import Groove
from studio.app.widgets.theme import Look

OUTSIDE = "outside the safe range"
SIGNED, PLAIN = 54, 40
"""Widths in logical pixels of a figure with a sign and of one without."""
NAME = 92
"""Smallest width in logical pixels of a name beside a note."""


def figure(value: float, signed: bool) -> str:
    """`+1.24`, `−0.62`, `0` for a direction; `0.70` for a temperature."""
    text = f"{abs(value):.2f}"
    if not signed:
        return f"−{text}" if value < 0 and text != "0.00" else text
    return "0" if text == "0.00" else ("+" if value > 0 else "−") + text


class LatentSlider(QWidget):
    """`moved` carries each value that the hand sets, `renamed` a new name; `grabbed` and `let_go` frame a drag."""

    grabbed = Signal()
    moved = Signal(float)
    let_go = Signal()
    homed = Signal()
    renamed = Signal(str)

    def __init__(
        self,
        look: Look,
        name: str,
        least: float,
        most: float,
        home: float = 0.0,
        safe: tuple[float, float] | None = None,
        says: str = "",
        help: str = "",
        may_rename: bool = False,
    ) -> None:
        super().__init__()
        self._look, self._home, self._safe = look, home, safe
        self._signed = least < 0
        self._narrow = False
        self._value = home
        self._figure_width = SIGNED if self._signed else PLAIN
        self._may_rename, self._says = may_rename, says
        self.name = Elided(name, mode=Qt.TextElideMode.ElideRight)
        self.note = Elided("", "caution", Qt.TextElideMode.ElideRight)
        self.value = QLineEdit()
        self.value.setProperty("role", "value")
        self.value.setTextMargins(-2, 0, -3, 0)  # the figure ends where the groove does
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.groove = Groove(look, least, most, home, safe)
        self.groove.setAccessibleName(says or name)
        self.setFocusProxy(self.groove)
        self.name.setBuddy(self.groove)
        tip(self.groove, help, "")
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(0)
        self._grid.addWidget(self.name, 0, 0)
        self._grid.addWidget(self.note, 0, 1)
        self._grid.addWidget(self.value, 0, 2)
        self._grid.addWidget(self.groove, 1, 0, 1, 3)
        self._grid.setColumnStretch(0, 1)
        self._tie()
        self._resize()
        self.show_name(name)
        self.show_value(home)

    def _tie(self) -> None:
        self.groove.grabbed.connect(self.grabbed)
        self.groove.moved.connect(self.moved)
        self.groove.let_go.connect(self.let_go)
        self.groove.homed.connect(self.homed)
        self.groove.edit.connect(self._type)
        self.value.editingFinished.connect(self._typed)
        self.value.installEventFilter(self)
        self.name.installEventFilter(self)
        self.groove.installEventFilter(self)
        self._look.changed.connect(self._resize)

    def show_value(self, value: float) -> None:
        self._value = value
        self.groove.show_value(value)
        if not (self.value.hasFocus() and self.value.isModified()):
            self.value.setText(figure(value, self._signed))
        at_home = abs(value - self._home) < 5e-4
        outside = self.outside
        mark(self.value, home=at_home)
        self.note.setVisible(outside and not self._narrow)
        self.note.show_text(OUTSIDE if outside else "")
        words = ("minus " if value < 0 else "plus " if value > 0 and self._signed else "") + f"{abs(value):.2f}"
        safe = f", safe {self._safe[0]:g} to {self._safe[1]:g}" if self._safe else ""
        self.groove.setAccessibleDescription(
            f"{words}, home is {self._home:g}{safe}{', ' + OUTSIDE if outside else ''}"
        )

    @property
    def outside(self) -> bool:
        """Return whether the value is outside the safe range."""
        return self._safe is not None and not self._safe[0] <= self._value <= self._safe[1]

    def set_narrow(self, narrow: bool) -> None:
        """Take less room for the figure and none for a note, if several sliders share a row."""
        usual = SIGNED if self._signed else PLAIN
        self._figure_width = 32 if narrow else usual
        self._narrow = narrow
        mark(self.value, narrow=narrow)
        self._resize()

    def show_home(self, home: float) -> None:
        """Where it is at rest."""
        self._home = home
        self.groove.set_home(home)
        self.show_value(self._value)

    def show_safe(self, safe: tuple[float, float] | None) -> None:
        """Set the range in which results resemble what the model learned; None if every value does."""
        self._safe = safe
        self.groove.set_safe(safe)
        self.show_value(self._value)

    def show_name(self, name: str) -> None:
        self.name.show_text(name)
        self._resize()
        says = self._says.replace("*", name) or name
        self.value.setAccessibleName(f"{says}, figure")
        self.groove.setAccessibleName(says)

    def rename(self) -> None:
        """Let the name be typed, over the name; Enter keeps it, Esc does not."""
        if not self._may_rename:
            return
        field = QLineEdit(self.name.text(), self)
        field.setAccessibleName(f"Name of {self.name.text()}")
        field.setProperty("role", "inline")
        field.setMaxLength(80)
        field.setAcceptDrops(False)
        field.setGeometry(0, 0, self.width() - self.value.width() - self._look.px(8), self.value.height())
        field.selectAll()
        field.installEventFilter(self)
        field.editingFinished.connect(lambda: self._named(field))
        field.show()
        field.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _named(self, field: QLineEdit) -> None:
        if field.isVisible():
            self._close(field)
            if field.text().strip() != self.name.text():
                self.renamed.emit(field.text().strip())

    def _type(self) -> None:
        self.value.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.value.selectAll()

    def _typed(self) -> None:
        """A figure, or home; anything else leaves the value as it is."""
        if not self.value.isModified():
            return
        self.value.setModified(False)
        text = self.value.text().strip().replace("−", "-").replace(",", ".").lower()
        if text == "home":
            self.homed.emit()
        else:
            try:
                value = float(text)
            except ValueError:
                value = self._value
            if value == value and value != self._value:
                least, most = self.groove.minimum() / 1000, self.groove.maximum() / 1000
                self.moved.emit(min(max(value, least), most))
                self.let_go.emit()
        self.value.setText(figure(self._value, self._signed))

    def _resize(self) -> None:
        self.value.setFixedWidth(self._look.px(self._figure_width))
        self.name.setMinimumHeight(self._look.px(22))
        needed = QFontMetrics(self._look.font()).horizontalAdvance(self.name.text()) + self._look.px(6)
        self.name.setMinimumWidth(0 if self._narrow else min(needed, self._look.px(NAME)))

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.MouseButtonDblClick and watched is self.name:
            self.rename()
            return True
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() == Qt.Key.Key_F2 and watched is self.groove and self._may_rename:
                self.rename()
                return True
            if event.key() == Qt.Key.Key_Escape and isinstance(watched, QLineEdit):
                self._leave(watched)
                return True
        return False

    def _leave(self, field: QLineEdit) -> None:
        if field is self.value:
            field.setModified(False)
            field.setText(figure(self._value, self._signed))
            self.groove.setFocus(Qt.FocusReason.ShortcutFocusReason)
        else:
            self._close(field)

    def _close(self, field: QLineEdit) -> None:
        """Close the field for the name, and focus the slider again unless the user has focused something else."""
        focused = field.hasFocus()
        field.hide()  # first, because losing the focus would confirm the name as Enter does
        field.deleteLater()
        if focused:
            self.groove.setFocus(Qt.FocusReason.ShortcutFocusReason)
