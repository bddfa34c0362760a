"""Plays a wave from keys drawn for the mouse and from the computer's keyboard."""

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.app.audio.wave_synth import OCTAVES, WaveSynth, note_name
from studio.app.core.guard import guarded
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import set_tooltip
from studio.app.widgets.theme import Theme

LETTERS = "AWSEDFTGYHUJK"
"""The computer's keys for the first thirteen notes. Their rows lie like the keys of a piano."""
_WHITE = (0, 2, 4, 5, 7, 9, 11)
_BLACK = (1, 3, 6, 8, 10)
KEYBOARD_HEIGHT = 104


class Keyboard(QWidget):
    """Shows two octaves. `pressed` lets the view that plays take the focus."""

    pressed = Signal()

    def __init__(self, theme: Theme, wave_synth: WaveSynth) -> None:
        super().__init__()
        self._theme = theme
        self._wave_synth = wave_synth
        self._first = 0
        self._down: tuple[int, ...] = ()
        self._sounding_notes: int | None = None
        self._mouse: int | None = None
        self._letters = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        set_tooltip(self, "Press a key to hear its pitch. Drag for a glissando")
        bind(self, wave_synth.octave, self._show_octave)
        bind(self, wave_synth.pressed_notes, self._show_notes)
        bind(self, wave_synth.note, self._show_notes)
        bind(self, wave_synth.sounding, self._show_notes)
        theme.changed.connect(self.updateGeometry)

    def show_letters(self, shown: bool) -> None:
        """Show the letters of the computer's keys while these play."""
        self._letters = shown
        self.update()

    def key_rect(self, note: int) -> QRectF:
        """Return the rectangle of a note's key."""
        octave, step = divmod(note - self._first, 12)
        wide = self._wide()
        tall = float(self.height())
        if step in _WHITE:
            return QRectF((octave * 7 + _WHITE.index(step)) * wide, 0, wide, tall)
        left = sum(white < step for white in _WHITE) + octave * 7
        return QRectF((left - 0.31) * wide, 0, 0.62 * wide, 0.58 * tall)

    def note_at(self, x: float, y: float) -> int | None:
        """Return the note of the key at a point."""
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
            self._wave_synth.release_key(self._mouse)
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
        theme = self._theme
        rect = self.key_rect(note).adjusted(0.5, -6, -0.5, -0.5)
        is_sounding = note in self._down or note == self._sounding_notes
        dark = min(("canvas", "text"), key=lambda token: theme.colour(token).lightness())
        edge = "border" if theme.high else "groove"
        painter.setPen(QPen(theme.colour("accent" if is_sounding else edge), 1))
        ground = dark if black else "raised"
        painter.setBrush(theme.colour("accent" if is_sounding else ground))
        painter.drawRoundedRect(rect, theme.scaled(4), theme.scaled(4))
        number = note - self._first
        light = max(("canvas", "text"), key=lambda token: theme.colour(token).lightness())
        letter = light if black else "soft"
        painter.setPen(theme.colour("on_accent" if is_sounding else letter))
        foot = rect.adjusted(0, 0, 0, -theme.scaled(5))
        middle = Qt.AlignmentFlag.AlignHCenter
        if self._letters and number < len(LETTERS):
            painter.setFont(theme.font(12, 600))
            above = 0 if black else theme.scaled(16)
            painter.drawText(
                foot.adjusted(0, 0, 0, -above), int(middle | Qt.AlignmentFlag.AlignBottom), LETTERS[number]
            )
        if number % 12 == 0:
            painter.setFont(theme.font(12))
            painter.drawText(foot, int(middle | Qt.AlignmentFlag.AlignBottom), note_name(note))

    def _move_to(self, at: QPointF) -> None:
        """Press the key under the mouse, and release the one before it.

        It is released second, so that both make one sound.
        """
        note = self.note_at(at.x(), at.y())
        if note == self._mouse:
            return
        before = self._mouse
        self._mouse = note
        if note is not None:
            self._wave_synth.press_key(note)
        if before is not None:
            self._wave_synth.release_key(before)

    def _show_octave(self, octave: int) -> None:
        self._first = 12 * (octave + 1)
        top = note_name(self._first + 12 * OCTAVES)
        self.setAccessibleName(f"Keys, {note_name(self._first)} to {top}")
        self.update()

    def _show_notes(self, _: object) -> None:
        self._down = self._wave_synth.pressed_notes.get()
        self._sounding_notes = self._wave_synth.note.get() if self._wave_synth.sounding.get() else None
        sounds = note_name(self._sounding_notes) if self._sounding_notes is not None else "silent"
        self.setAccessibleDescription(sounds)
        self.update()

    def _notes(self) -> range:
        return range(self._first, self._first + 12 * OCTAVES + 1)

    def _wide(self) -> float:
        return self.width() / (7 * OCTAVES + 1)


class ComputerKeys(QObject):
    """Plays the computer's keys while a widget has the focus, before the window uses them."""

    changed = Signal(bool)
    """Whether the keys play now."""

    def __init__(self, widget: QWidget, wave_synth: WaveSynth) -> None:
        super().__init__(widget)
        self._wave_synth = wave_synth
        self._pressed: dict[int, int] = {}
        self.on = True
        """Whether letters play. The settings can switch single keys off; the space bar still works."""
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
                event.accept()  # the key then comes here instead of to the window's single keys
            elif kind == QEvent.Type.KeyPress and not event.isAutoRepeat():
                self._press(event.key())
            elif kind == QEvent.Type.KeyRelease and not event.isAutoRepeat() and event.key() in self._pressed:
                self._wave_synth.release_key(self._pressed.pop(event.key()))
            return True
        return False

    def _note_of(self, event: QKeyEvent) -> bool:
        key = event.key()
        letter = _letter_of(event.key())
        has_no_modifiers = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        return has_no_modifiers and (key == Qt.Key.Key_Space or (self.on and letter != "" and letter in LETTERS + "ZX"))

    def _press(self, key: int) -> None:
        letter = _letter_of(key)
        wave_synth = self._wave_synth
        if key == Qt.Key.Key_Space:
            wave_synth.hold_note(not wave_synth.held.get())
        elif letter in "ZX":
            wave_synth.set_octave(wave_synth.octave.get() + (1 if letter == "X" else -1))
        else:
            note = 12 * (wave_synth.octave.get() + 1) + LETTERS.index(letter)
            self._pressed[key] = note
            wave_synth.press_key(note)

    def _release_all(self) -> None:
        """Release all keys. The release of a key elsewhere reaches no event."""
        for note in self._pressed.values():
            self._wave_synth.release_key(note)
        self._pressed.clear()


def _letter_of(key: int) -> str:
    return chr(key) if Qt.Key.Key_A <= key <= Qt.Key.Key_Z else ""
