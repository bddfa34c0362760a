"""Shows the buttons of a player, the time, the speed of this computer, and the volume."""

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from studio.app.core.guard import guarded
from studio.app.panels.sound.lanes.lane_view import ruler_time
from studio.app.widgets.controls import Button, Label, make_row, set_style, set_tooltip
from studio.app.widgets.icons import icon_pixmap
from studio.app.widgets.slider import Slider
from studio.app.widgets.theme import Theme

LOUD_LEVEL = 0.7
"""Home of the volume."""
NARROW_WIDTH = 500
ROOMY_WIDTH = 690
FULL_WIDTH = 880
"""Pixels of width from which on the time stands beside the buttons, all in one line, and nothing below another."""


METER_WIDTH = 236
"""Pixels for the words of the meter beside the buttons."""


class TransportView(QWidget):
    """Shows the transport. Its play button looks pressed during playback; loop and record while they are on."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._speed = ""
        self._ahead = ""
        self.start = Button(theme, "", "round", "start", "To the start", "Go to 0:00", "Home")
        self.play = Button(theme, "", "play", "play", "Play", "Play while it is made", "Space")
        self.stop = Button(theme, "", "round", "stop", "Stop", "Stop making", "Shift+Esc")
        self.loop = Button(theme, "", "round", "loop", "Loop", "Repeat the region", "G")
        self.record = Button(theme, "", "record", "record", "Record", "Keep what is heard as a new recording", "Q")
        self.buttons = (self.start, self.play, self.stop, self.loop, self.record)
        self.time = Label("0:00.00", "figure")
        self.made = Label("", "soft")
        self.speed = Label("", "strong")
        self.ahead = Label("", "note", wrap=True)
        self._sign = Label()
        self.level = Slider(theme, 0.0, 1.0, LOUD_LEVEL, None)
        self.level.setAccessibleName("Volume")
        set_tooltip(self.level, "Set how loud it plays. The export stays the same")
        self.meter = QWidget()
        self.meter.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        set_tooltip(self.meter, "See how fast this computer makes sound, and how far ahead")
        self._column = QVBoxLayout(self)
        self._lines: list[QHBoxLayout] = []
        self._mode = ""
        self._build()
        self._own = ControlKeys(self)
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def _build(self) -> None:
        self.loop.setCheckable(True)
        self.record.setCheckable(True)
        for label in (self.speed, self.ahead):
            label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        inside = QGridLayout(self.meter)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(0)
        inside.addWidget(self.speed, 0, 0)
        inside.addWidget(self.ahead, 1, 0)
        self._buttons = make_row(*self.buttons, spacing=6)
        self._clock = QWidget()
        self._under = QGridLayout()
        self._clock.setLayout(self._under)
        self._volume = make_row(self._sign, self.level)
        self._volume.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        self.meter.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def show_playing(self, playing: bool) -> None:
        self.play.set_icon("pause" if playing else "play")
        self.play.setAccessibleName("Pause" if playing else "Play")
        self.play.set_tooltip("Pause here. Making continues a little" if playing else "Play while it is made", "Space")

    def show_time(self, position: float, made: float, fresh: bool) -> None:
        """Show the position and the length; `fresh`: nothing is made yet, so the length is that of the source."""
        self.time.setText(ruler_time(position, 2))
        self.made.setText(f"of {ruler_time(made, 2)}{'' if fresh or self._mode == 'small' else ' made'}")

    def show_speed(self, speed: float, ahead: float, gaps: int, waiting: str, making: bool) -> None:
        """Show `speed`, seconds made in a second, 0 if unknown, or `waiting`: why nothing is heard yet."""
        decimals = 1 if speed >= 0.1 else 3
        words = f"{speed:.{decimals}f} × real time" if speed else ""
        gap = "1 gap so far" if gaps == 1 else f"{gaps or 'no'} gaps so far"
        far = gap.capitalize() if speed else ""
        if making:
            far = f"{ahead:.1f} s ahead, {gap}"
        below = waiting.split(" × real time. ")[-1] or far
        if (words, below) == (self._speed, self._ahead):
            return
        self._speed = words
        self._ahead = below
        self.speed.setText(words)
        self.ahead.setText(below)
        set_style(self.speed, role="warn" if 0 < speed < 1 else "strong")
        text = f"Speed, {speed:.1f} times real time" if speed else "Speed"
        self.meter.setAccessibleName(f"{text}, {ahead:.1f} seconds ahead" if making and speed else text)
        self.meter.setAccessibleDescription(waiting or gap)

    def show_level(self, level: float) -> None:
        self.level.show_value(level)
        self.level.setAccessibleDescription(f"{round(level * 100)} percent")

    # ── layout ───────────────────────────────────────────────────────────────────────────────────

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def _lay_out(self) -> None:
        """Place the controls in one line if they fit, else in two or three."""
        px = self._theme.scaled
        wide = self.width() / self._theme.scale
        mode = "wide"
        for limit, name in ((FULL_WIDTH, "roomy"), (ROOMY_WIDTH, "two lines"), (NARROW_WIDTH, "small")):
            if wide < limit:
                mode = name
        if mode != self._mode:
            self._mode = mode
            self._arrange_rows(
                {
                    "small": ((self._buttons, 0), (self._clock, 0, self._volume), (self.meter,)),
                    "two lines": ((self._buttons, self._clock, 0), (self.meter, self._volume)),
                }.get(mode, ((self._buttons, self._clock, 0, self.meter, self._volume),))
            )
        above = mode == "roomy"
        self._under.addWidget(self.time, 0, 0)
        self._under.addWidget(self.made, int(above), int(not above), Qt.AlignmentFlag.AlignVCenter)
        self._under.setContentsMargins(0, 0, 0, 0)
        self._under.setHorizontalSpacing(px(10))
        self._under.setVerticalSpacing(0)
        one = mode in ("roomy", "wide")
        side = Qt.AlignmentFlag.AlignRight if one else Qt.AlignmentFlag.AlignLeft
        self.meter.setMinimumWidth(px(METER_WIDTH) if one else 0)
        self.meter.setMaximumWidth(px(METER_WIDTH) if one else 10_000)
        for label in (self.speed, self.ahead):
            label.setAlignment(side | Qt.AlignmentFlag.AlignVCenter)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(px(6))
        self.time.setFixedWidth(px(106))
        self.level.setFixedWidth(px(104 if mode == "wide" else 72))
        self._sign.setPixmap(icon_pixmap("speaker", self._theme.colour("soft"), px(18), self.devicePixelRatioF()))

    def _arrange_rows(self, rows: tuple[tuple[QWidget | int, ...], ...]) -> None:
        """Place widgets beside each other, in rows below each other."""
        for line in self._lines:
            self._column.removeItem(line)
            line.deleteLater()
        self._lines = []
        for parts in rows:
            line = QHBoxLayout()
            line.setSpacing(self._theme.scaled(16))
            for part in parts:
                if isinstance(part, QWidget):
                    line.addWidget(part)
                else:
                    line.addStretch(1)
            self._column.addLayout(line)
            self._lines.append(line)


class ControlKeys(QObject):
    """Gives controls the single keys that they use: Space presses a focused button, Home and End move a slider."""

    def __init__(self, inside: TransportView) -> None:
        super().__init__(inside)
        self._keys: dict[QObject, tuple[Qt.Key, ...]] = {inside.level: (Qt.Key.Key_Home, Qt.Key.Key_End)}
        self._keys |= {button: (Qt.Key.Key_Space,) for button in inside.buttons}
        for widget in self._keys:
            widget.installEventFilter(self)

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            own = self._keys.get(watched, ())
            if event.key() in own and not event.modifiers():
                event.accept()
        return False
