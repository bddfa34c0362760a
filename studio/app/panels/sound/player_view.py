"""Shows the sound on the stage: lanes below one ruler, and the transport."""

from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.app.core.guard import guarded
from studio.app.generation.parameters import safe_temperatures
from studio.app.panels.sound.lanes.lanes_view import LanesView
from studio.app.panels.sound.state import SoundState
from studio.app.panels.sound.transport_view import LOUD_LEVEL, TransportView
from studio.app.widgets.binding import bind
from studio.app.widgets.theme import Theme
from studio.library.models import InstalledModel

FRAME_INTERVAL = 30
"""Milliseconds between two frames of what plays or is being made."""
MIN_LOOP = 0.02
"""Seconds of a region."""


class PlayerView(QWidget):
    """Shows lanes and transport, with a frame for each change while anything moves."""

    def __init__(self, theme: Theme, state: SoundState) -> None:
        super().__init__()
        self._theme = theme
        self._state = state
        self._player = state.player
        self.lanes = LanesView(theme)
        self.transport = TransportView(theme)
        self._compact = False
        self._kept = 0
        self._priced = 0
        self._shown = 0
        """Counts of the last frame: unchanged samples, unchanged bits, and the number that it showed."""
        self._bits_seen = False
        self._before: tuple[float, Any, Any] = (0.0, None, None)
        self._fits = False
        """Whether the next frame shows the whole sound."""
        self._frames = QTimer(self)
        self._frames.setInterval(FRAME_INTERVAL)
        self._frames.timeout.connect(self.show_frame)
        self._column = QVBoxLayout(self)
        self._column.addWidget(self.lanes, 1)
        self._line = QHBoxLayout()
        self._line.addWidget(self.transport)
        self._column.addLayout(self._line)
        self._connect()
        self._connect_lanes()
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def _connect(self) -> None:
        state = self._state
        player = self._player
        transport = self.transport
        player.grew.connect(self._show_samples)
        player.bits_changed.connect(self._show_priced)
        player.leaving.connect(self._forget_bits)
        bind(self, player.playing, self._show_playing)
        bind(self, player.making, self._request_frame)
        bind(self, player.waiting_reason, self._request_frame)
        bind(self, player.level, transport.show_level, transport.level.moved, player.set_level)
        bind(self, player.loop, self._show_loop)
        bind(self, player.looping, self._show_loop)
        bind(self, state.live_settings.temperature_curve, self.lanes.temperature.show_curve)
        bind(self, state.model, self._show_model)
        bind(self, state.live_settings.cut, self._show_cut)
        bind(self, state.source.recording, self._show_cut)
        state.sound_opened.connect(self._fit_recording)
        transport.start.clicked.connect(self.seek_start)
        transport.play.clicked.connect(state.toggle_playback)
        transport.stop.clicked.connect(player.stop)
        transport.loop.clicked.connect(self.toggle_loop)
        bind(self, player.recording, self._show_recording, transport.record.toggled, state.set_recording)
        transport.level.home_requested.connect(lambda: player.set_level(LOUD_LEVEL))

    def _connect_lanes(self) -> None:
        state = self._state
        time = self.lanes.timeline
        temperature = self.lanes.temperature
        moment = self.lanes.playhead
        time.seek_requested.connect(self.seek)
        time.cut_moved.connect(lambda seconds: state.set_cut(seconds))
        time.loop_moved.connect(self._set_loop)
        time.grabbed.connect(self._on_grabbed)
        time.released.connect(state.history.end_gesture)
        time.moved.connect(self._report_visible)
        self.lanes.bits.visibility_changed.connect(self._show_bits)
        temperature.curve_drawn.connect(lambda knots: state.set_temperature_curve(knots))
        temperature.grabbed.connect(lambda: self._on_grabbed("temperature over time"))
        temperature.released.connect(state.history.end_gesture)
        moment.seek_requested.connect(self.seek)
        moment.nudged.connect(lambda up: temperature.nudge_knot(time.position, up))
        moment.delete_knot_requested.connect(lambda: temperature.delete_nearest_knot(time.position))

    # ── user actions ─────────────────────────────────────────────────────────────────────────────

    def seek(self, seconds: float) -> None:
        self.lanes.timeline.follows = True
        self._player.seek(seconds)
        self.show_frame()
        self.lanes.timeline.scroll_to(seconds)

    def seek_start(self) -> None:
        self.seek(0.0)

    def seek_newest(self) -> None:
        self.seek(self._player.made_seconds)

    def add_knot(self) -> None:
        self.lanes.temperature.add_knot(self.lanes.timeline.position)

    def toggle_loop(self) -> None:
        """Repeat the region, or the visible part if there is none; or stop repeating."""
        player = self._player
        time = self.lanes.timeline
        seen = max(time.begin, 0.0), min(time.end, time.made)
        loop = player.loop.get() or (seen if seen[1] - seen[0] > MIN_LOOP else None)
        if loop != player.loop.get():
            self._state.set_loop(loop)
        self._state.set_looping(loop is not None and not player.looping.get())
        self._show_loop(None)

    def cancel_drag(self) -> bool:
        """Cancel the drag; return whether there was one."""
        cut, loop, curve = self._before
        if self.lanes.temperature.cancel_drag():
            self._state.set_temperature_curve(curve)
        elif (held := self.lanes.cancel_drag()) == "cut":
            self._state.set_cut(cut)
        elif held:
            self._state.set_loop(loop)
        else:
            return False
        self._state.history.end_gesture()
        return True

    def _on_grabbed(self, what: str) -> None:
        self._before = (
            self._state.live_settings.cut.get(),
            self._player.loop.get(),
            self._state.live_settings.temperature_curve.get(),
        )
        self._state.history.begin_gesture(what)

    def _set_loop(self, begin: float, end: float) -> None:
        if end - begin >= MIN_LOOP:
            self._state.set_loop((begin, end))

    # ── frames ───────────────────────────────────────────────────────────────────────────────────

    def _show_model(self, trained: InstalledModel | None) -> None:
        if trained is not None:
            self.lanes.temperature.show_safe(safe_temperatures(trained.card))

    def show_frame(self) -> None:
        """Show the present moment; while nothing moves, no more frames come."""
        player = self._player
        time = self.lanes.timeline
        samples = player.samples
        if self._kept < len(samples) or self._shown != len(samples) or self._priced < self._kept:
            self._fits = self._fits or not self._kept or time.begin >= player.made_seconds
            self.lanes.show_sound(samples, player.bits, player.rate, self._kept, self._priced)
            self._kept = self._priced = self._shown = len(samples)
        if self._fits:
            self._fits = False
            time.made = player.made_seconds
            time.show_all()
        self.lanes.temperature.show_settled(self._state.live_settings.settled_seconds)
        time.set_spare(self._state.live_settings.is_fresh)
        making = player.making.get()
        playing = player.playing.get()
        moves = playing or (making and not player.live_generation.is_waiting)
        time.set_marks(player.position, player.made_seconds, playing, making and moves)
        self.transport.show_time(time.position, time.made, time.spare)
        self.transport.show_speed(
            player.speed.get(), player.seconds_ahead, player.gap_count, player.waiting_reason.get(), making
        )
        if not moves or not self.isVisible():
            self._frames.stop()

    def _show_samples(self) -> None:
        """Show samples that were added or removed."""
        count = len(self._player.samples)
        self._kept = min(self._kept, count)
        self._priced = min(self._priced, count)
        self._request_frame()

    def _fit_recording(self) -> None:
        """Show an opened recording whole."""
        self._fits = True
        self._request_frame()

    def _forget_bits(self) -> None:
        """Forget the bits before another sound is shown."""
        self._priced = 0

    def _show_priced(self, first: int, end: int) -> None:
        """Show the bits of some samples now, or in the next frame if the samples are not shown yet."""
        self.lanes.show_priced(self._player.bits, first, min(end, self._priced))

    def _show_bits(self, seen: bool) -> None:
        """Note whether the lane of bits is on the screen; in a minimised window it is not."""
        self._bits_seen = seen
        self._report_visible()

    def _report_visible(self) -> None:
        """Report which seconds are visible with their bits."""
        time = self.lanes.timeline
        self._state.recording_bits.set_visible((time.begin, time.end) if self._bits_seen else None)

    def _request_frame(self, _: object = None) -> None:
        if self.isVisible() and not self._frames.isActive():
            self._frames.start()
            QTimer.singleShot(0, self.show_frame)

    def _show_playing(self, playing: bool) -> None:
        self.transport.show_playing(playing)
        self._request_frame()

    def _show_cut(self, _: object) -> None:
        cut = self._state.live_settings.cut.get()
        self.lanes.timeline.set_cut(cut if cut or self._state.source.recording.get() is not None else None)
        self._request_frame()

    def _show_loop(self, _: object) -> None:
        looping = self._player.looping.get()
        self.transport.loop.setChecked(looping)
        self.lanes.timeline.set_loop(self._player.loop.get(), looping)

    def _show_recording(self, on: bool) -> None:
        self.transport.record.setChecked(on)
        self.transport.record.setAccessibleName("End the recording" if on else "Record")

    # ── layout ───────────────────────────────────────────────────────────────────────────────────

    def set_compact(self, compact: bool) -> None:
        self._compact = compact
        self.lanes.set_compact(compact)
        self._lay_out()

    def _lay_out(self) -> None:
        px = self._theme.scaled
        compact = self._compact
        self._column.setContentsMargins(px(12), px(2), px(24 if not compact else 16), px(8 if compact else 20))
        self._column.setSpacing(px(8 if compact else 16))
        self._line.setContentsMargins(self.lanes.lanes_left if self.width() >= px(900) else 0, 0, 0, 0)

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    @guarded(None)
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.show_frame()
        self._request_frame()

    @guarded(None)
    def hideEvent(self, event: QHideEvent) -> None:
        self._frames.stop()
