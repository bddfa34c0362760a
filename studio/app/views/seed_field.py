"""The seed: typed, locked, rolled."""

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from studio.app.states.seeds import grouped
from studio.app.views.controls import Button, Label, mark, tip
from studio.app.views.guard import guarded
from studio.app.views.theme import Look


class SeedField(QWidget):
    """`typed` carries what was typed, `locked` whether to keep it, `rolled` asks for another."""

    typed = Signal(str)
    locked = Signal(bool)
    rolled = Signal()

    def __init__(self, look: Look, roll: str, roll_help: str, prefix: str = "") -> None:
        super().__init__()
        self._look, self._prefix, self._seed = look, prefix, 0
        self._box = QFrame()
        self._box.setProperty("role", "field")
        self.field = QLineEdit()
        self.field.setProperty("role", "bare")
        self.field.setAccessibleName("Seed")
        tip(self.field, "The number that decides the picture")
        self.lock = Button(look, "", "small", "unlock", "Lock seed", "Keep this seed for the next run", "L")
        self.lock.setCheckable(True)
        self.dice = Button(look, "", "square", "dice", roll, roll_help, "R")
        self.error = Label("", "danger", wrap=True)
        self.error.hide()
        inside = QHBoxLayout(self._box)
        inside.setContentsMargins(7, 0, 2, 0)
        inside.setSpacing(2)
        inside.addWidget(self.field, 1)
        inside.addWidget(self.lock)
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(self._box, 1)
        line.addWidget(self.dice)
        self.line = line
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(line)
        column.addWidget(self.error)
        self.setFocusProxy(self.field)
        self.field.editingFinished.connect(self._finish)
        self.field.installEventFilter(self)
        self.lock.clicked.connect(self.locked)
        self.dice.clicked.connect(self.rolled)
        look.changed.connect(self._resize)
        self._resize()

    def show_seed(self, seed: int) -> None:
        self._seed = seed
        if not (self.field.hasFocus() and self.field.isModified()):
            self._write()

    def show_locked(self, locked: bool) -> None:
        self.lock.setChecked(locked)
        self.lock.draw("lock" if locked else "unlock")

    def show_error(self, sentence: str) -> None:
        self.error.setText(sentence)
        self.error.setVisible(bool(sentence))
        mark(self._box, wrong=bool(sentence))
        self.field.setAccessibleDescription(sentence)

    def _write(self) -> None:
        self.field.setText(f"{self._prefix}{grouped(self._seed)}")

    def _finish(self) -> None:
        if self.field.isModified():
            self.field.setModified(False)
            self.typed.emit(self.field.text().removeprefix(self._prefix))
            if not self.error.text():
                self._write()

    def _resize(self) -> None:
        self._box.setFixedHeight(self._look.px(32))

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Esc puts the seed back; a click selects it whole, so that typing replaces it."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Escape:
            self.field.setModified(False)
            self._write()
            self.show_error("")
            return True
        return False
