"""Keys to play a wave with: drawn for the mouse, and the computer's own."""

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.app.audio.wave_synth import OCTAVES, WaveSynth, note_name
from studio.app.core.guard import guarded
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import set_tooltip
from studio.app.widgets.theme import Theme

LETTERS = "AWSEDFTGYHUJK"
"""Of the computer's keyboard, for the first thirteen notes: its rows lie as those of a piano."""
_WHITE = (0, 2, 4, 5, 7, 9, 11)
_BLACK = (1, 3, 6, 8, 10)
KEYBOARD_HEIGHT = 104


class Keyboard(QWidget):
    """Two octaves. `touched` says that a mouse went down on it, so that whatever plays can take the focus."""

    pressed = Signal()

    def __init__(self, theme: Theme, tone: WaveSynth) -> None:
        super().__init__()
        self._theme, self._tone = theme, tone
        self._first = 0
        self._down: tuple[int, ...] = ()
        self._sounding_notes: int | None = None
        self._mouse: int | None = None
        self._letters = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        set_tooltip(self, "Press a key to hear its pitch. Drag for a glissando")
        bind(self, tone.octave, self._show_octave)
        bind(self, tone.pressed_notes, self._show_notes)
        bind(self, tone.note, self._show_notes)
        bind(self, tone.sounding, self._show_notes)
        theme.changed.connect(self.updateGeometry)

    def show_letters(self, shown: bool) -> None:
        """Whether the computer's keys play now."""
        self._letters = shown
        self.update()

    def key_rect(self, note: int) -> QRectF:
        """Where the key of a note lies."""
        octave, step = divmod(note - self._first, 12)
        wide, tall = self._wide(), float(self.height())
        if step in _WHITE:
            return QRectF((octave * 7 + _WHITE.index(step)) * wide, 0, wide, tall)
        left = sum(white < step for white in _WHITE) + octave * 7
        return QRectF((left - 0.31) * wide, 0, 0.62 * wide, 0.58 * tall)

    def note_at(self, x: float, y: float) -> int | None:
        """The note of the key under a point."""
        black = [n for n in self._notes() if (n - self._first) % 12 in _BLACK]
        notes = [*black, *(n for n in self._notes() if n not in black)]
        return next((note for note in notes if self.key_rect(note).contains(x, y)), None)

    @guarded(QSize(560, KEYBOARD_HEIGHT))
    def sizeHint(self) -> QSize:
        return QSize(self._theme.scaled(560), self._theme.scaled(KEYBOARD_HEIGHT))

    @guarded(QSize(280, KEYBOARD_HEIGHT))
    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.scaled(280), self._theme.scaled(72))

    @guarded(None)
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.pressed.emit()
            self._move_to(event.position())

    @guarded(None)
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._move_to(event.position())

    @guarded(None)
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._mouse is not None:
            self._tone.release_key(self._mouse)
            self._mouse = None

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for black in (False, True):
                for note in self._notes():
                    if ((note - self._first) % 12 in _BLACK) == black:
                        self._paint_key(painter, note, black)

    def _paint_key(self, painter: QPainter, note: int, black: bool) -> None:
        look, place = self._theme, self.key_rect(note).adjusted(0.5, -6, -0.5, -0.5)
        lit = note in self._down or note == self._sounding_notes
        dark = min(("canvas", "text"), key=lambda token: look.colour(token).lightness())
        painter.setPen(QPen(look.colour("accent" if lit else "border" if look.high else "groove"), 1))
        painter.setBrush(look.colour("accent" if lit else dark if black else "raised"))
        painter.drawRoundedRect(place, look.scaled(4), look.scaled(4))
        number = note - self._first
        light = max(("canvas", "text"), key=lambda token: look.colour(token).lightness())
        painter.setPen(look.colour("on_accent" if lit else light if black else "soft"))
        foot, middle = place.adjusted(0, 0, 0, -look.scaled(5)), Qt.AlignmentFlag.AlignHCenter
        if self._letters and number < len(LETTERS):
            painter.setFont(look.font(12, 600))
            above = 0 if black else look.scaled(16)
            painter.drawText(
                foot.adjusted(0, 0, 0, -above), int(middle | Qt.AlignmentFlag.AlignBottom), LETTERS[number]
            )
        if number % 12 == 0:
            painter.setFont(look.font(12))
            painter.drawText(foot, int(middle | Qt.AlignmentFlag.AlignBottom), note_name(note))

    def _move_to(self, at: QPointF) -> None:
        """The mouse is over a key now: the one before goes up after it, so that it is one sound."""
        note = self.note_at(at.x(), at.y())
        if note == self._mouse:
            return
        before, self._mouse = self._mouse, note
        if note is not None:
            self._tone.press_key(note)
        if before is not None:
            self._tone.release_key(before)

    def _show_octave(self, octave: int) -> None:
        self._first = 12 * (octave + 1)
        top = note_name(self._first + 12 * OCTAVES)
        self.setAccessibleName(f"Keys, {note_name(self._first)} to {top}")
        self.update()

    def _show_notes(self, _: object) -> None:
        self._down = self._tone.pressed_notes.get()
        self._sounding_notes = self._tone.note.get() if self._tone.sounding.get() else None
        sounds = note_name(self._sounding_notes) if self._sounding_notes is not None else "silent"
        self.setAccessibleDescription(sounds)
        self.update()

    def _notes(self) -> range:
        return range(self._first, self._first + 12 * OCTAVES + 1)

    def _wide(self) -> float:
        return self.width() / (7 * OCTAVES + 1)


class ComputerKeys(QObject):
    """The computer's keys, while a widget has the focus: they go before the window's own single keys."""

    changed = Signal(bool)
    """Whether they play now."""

    def __init__(self, widget: QWidget, tone: WaveSynth) -> None:
        super().__init__(widget)
        self._tone = tone
        self._pressed: dict[int, int] = {}
        self.on = True
        """Single keys can be switched off in the settings; the space bar stays."""
        self._focus = False
        widget.installEventFilter(self)

    def set_on(self, on: bool) -> None:
        self.on = on
        self._release_all()
        self.changed.emit(self.on and self._focus)

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if isinstance(event, QFocusEvent):
            self._focus = kind == QEvent.Type.FocusIn
            self._release_all()
            self.changed.emit(self.on and self._focus)
        elif isinstance(event, QKeyEvent) and self._note_of(event):
            if kind == QEvent.Type.ShortcutOverride:
                event.accept()  # so that the key comes here, and not to the window's single keys
            elif kind == QEvent.Type.KeyPress and not event.isAutoRepeat():
                self._press(event.key())
            elif kind == QEvent.Type.KeyRelease and not event.isAutoRepeat() and event.key() in self._pressed:
                self._tone.release_key(self._pressed.pop(event.key()))
            return True
        return False

    def _note_of(self, event: QKeyEvent) -> bool:
        key, letter = event.key(), _letter_of(event.key())
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        return plain and (key == Qt.Key.Key_Space or (self.on and letter != "" and letter in LETTERS + "ZX"))

    def _press(self, key: int) -> None:
        letter, tone = _letter_of(key), self._tone
        if key == Qt.Key.Key_Space:
            tone.hold_note(not tone.held.get())
        elif letter in "ZX":
            tone.set_octave(tone.octave.get() + (1 if letter == "X" else -1))
        else:
            note = 12 * (tone.octave.get() + 1) + LETTERS.index(letter)
            self._pressed[key] = note
            tone.press_key(note)

    def _release_all(self) -> None:
        """A key that goes up elsewhere is never heard of."""
        for note in self._pressed.values():
            self._tone.release_key(note)
        self._pressed.clear()


def _letter_of(key: int) -> str:
    return chr(key) if Qt.Key.Key_A <= key <= Qt.Key.Key_Z else ""
