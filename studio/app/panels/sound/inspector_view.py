"""Shows the parameters of a sound, its recording, its loop, its branch and its output."""

from collections.abc import Callable

from PySide6.QtCore import QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QWidget

from studio.app.core.guard import guarded
from studio.app.generation.parameters_view import ParametersForm
from studio.app.panels.sound.lanes.lane_view import ruler_time
from studio.app.panels.sound.state import SoundState
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Button, ChoiceField, Column, ElidedLabel, Label, make_row, set_tooltip
from studio.app.widgets.theme import Theme

REFRESH_INTERVAL = 500
"""Milliseconds between two checks of the output."""
CLOSE_KEYS = "Ctrl+W"
"""The keys that close the opened recording."""
SYSTEM_OUTPUT = "The system's own"
NO_MODEL_TEXT = "Add a model. Its temperature, class and seed appear here."


class SoundInspector(Column):
    """Shows, from the top: the parameters that can change during playback, My recording, Loop, Branch, Output."""

    def __init__(
        self,
        theme: Theme,
        state: SoundState,
        open_sound: Callable[[], object],
        choose_followed: Callable[[], object],
    ) -> None:
        super().__init__(theme, 10)
        self._state = state
        self._player = state.player
        self._build(open_sound, choose_followed)
        self._connect()
        self._refresh_timer = QTimer(self)
        self._refresh_timer.setInterval(REFRESH_INTERVAL)
        self._refresh_timer.timeout.connect(self._show_output)

    def _build(self, open_sound: Callable[[], object], choose_followed: Callable[[], object]) -> None:
        look = self._theme
        self.heard_label = Label("", "note", wrap=True)
        self.parameters = ParametersForm(
            look, self._state.parameters, self._state.history, 1, below=(self.heard_label,)
        )
        set_tooltip(
            self.parameters.temperature.slider,
            "Change the sound while it plays. A fast computer plays it soon",
        )
        self.priced = Label("", "note", wrap=True)
        self._none = Label(NO_MODEL_TEXT, "note", wrap=True)
        self.add_section("While it plays", first=True)
        self.show_bits = Button(look, "Show bits", "link", tooltip="Compute the bits of the visible samples")
        self.show_bits.clicked.connect(self._state.recording_bits.resume)
        self.add_widgets(self.parameters, make_row(self.priced, self.show_bits), self._none)
        self._follows = self._build_followed(choose_followed)
        self.change = Button(look, "Change…", "link", tooltip="Choose a sound to continue", keys="Ctrl+O")
        self.change.clicked.connect(open_sound)
        self.name = ElidedLabel("", "strong")
        self.description = Label("", "note", wrap=True)
        self.where = Label("", "note")
        self.close_recording = Button(
            look,
            "",
            "icon",
            "close",
            "Put the recording away",
            "Put the recording away. Undo brings it back",
            CLOSE_KEYS,
        )
        self.close_recording.clicked.connect(self._state.close_recording)
        heading = make_row(Label("My recording", "heading"), 0, self.change)
        named = make_row(self.name, self.close_recording)
        self._source = self._add_part(heading, named, self.description, self.where, title="")
        self.region = Label("", "strong")
        self.join = Label("", "note", wrap=True)
        self.best = Button(
            look,
            "Find the best join",
            "",
            "loop",
            tooltip="Move the loop's ends to the cheapest join",
            keys="J",
        )
        self.best.clicked.connect(self._state.find_loop)
        self._loop = self._add_part(self.region, self.join, self.best, title="Loop")
        self.branch = Button(look, "Branch here", "", "fork", tooltip="Start another take from this moment", keys="K")
        self.branch.clicked.connect(lambda: self._state.branch_at())
        self.from_ = Label("", "note", wrap=True)
        self._branch = self._add_part(self.from_, self.branch, title="Branch")
        self.output = ChoiceField(look, "Output", "Choose the output to play on")
        self.latency = ChoiceField(look, "Latency", "Set the latency. A longer one suits a busy computer")
        for seconds in (0.0, *self._player.card.latencies):
            self.latency.addItem(f"Latency {1000 * seconds:.0f} ms" if seconds else "Latency as needed", seconds)
        self.delay = Label("", "note")
        self.gaps = Label("", "note")
        self._output = self._add_part(self.output, self.latency, make_row(self.delay, 0, self.gaps), title="Output")
        self.add_stretch()
        self._player.grew.connect(self._show_parts)

    def _build_followed(self, choose_followed: Callable[[], object]) -> Column:
        """Add the part with the recording that the model follows."""
        self.choose_followed = Button(
            self._theme, "Choose…", "link", tooltip="Choose a recording of yours that the sound follows"
        )
        self.choose_followed.setAccessibleName("Choose a recording to follow")
        self.followed_name = ElidedLabel("", "strong")
        self.followed_note = Label("", "note", wrap=True)
        self.clear_followed = Button(
            self._theme, "", "icon", "close", "Follow no recording of mine", "Follow one that it learned from again"
        )
        self.choose_followed.clicked.connect(choose_followed)
        self.clear_followed.clicked.connect(self._state.followed.clear)
        heading = make_row(Label("Follows", "heading"), 0, self.choose_followed)
        named = make_row(self.followed_name, self.clear_followed)
        return self._add_part(heading, named, self.followed_note, title="")

    def _show_followed(self, _: object) -> None:
        """Show the recording that the model follows, if it follows one."""
        trained = self._state.model.get()
        what = trained.card.followed_text if trained is not None else ""
        opened = self._state.followed.opened.get()
        self._follows.setVisible(bool(what))
        self.followed_name.show_text(opened.name if opened is not None else "A recording that it learned from")
        self.followed_note.setText(f"The sound takes {what} from it, again and again.")
        self.clear_followed.setVisible(opened is not None)

    def _add_part(self, *widgets: QWidget, title: str | None = None) -> Column:
        """Add widgets that are shown and hidden together, below a hairline if they have a title."""
        part = Column(self._theme, 10)
        if title is not None:
            part.add_section(title)
        part.add_widgets(*widgets)
        self.add_widgets(part)
        return part

    def _connect(self) -> None:
        state = self._state
        player = self._player
        bind(self, state.model, self._show_parts)
        bind(self, state.model, self._show_followed)
        bind(self, state.followed.opened, self._show_followed)
        bind(self, state.parameters.mix.name, self._show_mix)
        bind(self, state.recording_bits.status_text, self._show_priced)
        bind(self, state.recording_bits.stopped, self._show_priced)
        bind(self, state.source.recording, self._show_recording)
        bind(self, state.live_settings.cut, self._show_recording)
        bind(self, state.selection.current, self._show_recording)
        bind(self, player.loop, self._show_loop)
        bind(self, state.loop_finder.status_text, self._show_loop)
        bind(self, state.loop_finder.busy, self._show_loop)
        bind(self, player.card.devices, self._show_devices, self.output.activated, self._choose_output)
        bind(self, player.card.device, self._show_devices)
        bind(self, player.card.latency, self._show_latency, self.latency.activated, self._choose_latency)
        bind(self, player.playing, self._show_output)

    def _show_parts(self, _: object = None) -> None:
        """Enable the parts that can be used: all need a model, some need a sound."""
        able = self._state.model.get() is not None
        there = bool(len(self._player.samples))
        for part in (self.parameters, self._source, self._output):
            part.setVisible(able)
        self._none.setVisible(not able)
        for part in (self._loop, self._branch):
            part.setVisible(able and there)

    def _show_mix(self, name: str) -> None:
        mix = self.parameters.mix
        self.parameters.share.show_name(f"{mix.itemText(mix.findData(name))} in the mix" if name else "Share")

    def _show_priced(self, _: object) -> None:
        """Say which model the bits belong to, and whether some are missing because a job was stopped."""
        text = self._state.recording_bits.status_text.get()
        stopped = self._state.recording_bits.stopped.get()
        words = ", ".join(filter(None, [text, "stopped" if stopped else ""]))
        self.priced.setText(f"Bits a sample: {words}.")
        self.priced.setVisible(bool(words))
        self.show_bits.setVisible(stopped)

    # ── where it comes from ──────────────────────────────────────────────────────────────────────

    def _show_recording(self, _: object) -> None:
        recording = self._state.source.recording.get()
        cut = self._state.live_settings.cut.get()
        self.change.set_text("Change…" if recording is not None else "Open…")
        self.name.show_text(recording.name if recording is not None else "None: the model begins by itself")
        self.description.setText(recording.description if recording is not None else "")
        self.description.setVisible(bool(self.description.text()))
        self.where.setText(f"Continues from {ruler_time(cut, 1)}")
        self.where.setVisible(recording is not None)
        self.close_recording.setVisible(recording is not None)
        self.from_.setText(self._branch_text(cut))
        self.from_.setVisible(bool(self.from_.text()))

    def _branch_text(self, cut: float) -> str:
        """Return the take from which it branched."""
        if not cut:
            return ""
        takes = self._state.selection.takes.get()
        above = self._state.source.parent_name
        found = [(n, take) for n, take in enumerate(takes, 1) if take.name == above]
        if found and found[0][1].work.continued_samples >= len(found[0][1].array):
            return ""  # a recording, which is described above
        return f"Continues from {f'take {found[0][0]}' if found else 'another'} at {ruler_time(cut, 1)}"

    def _show_loop(self, _: object) -> None:
        loop = self._player.loop.get()
        joining = self._state.loop_finder
        self.region.setText(f"{ruler_time(loop[0], 3)} to {ruler_time(loop[1], 3)}" if loop is not None else "")
        self.region.setVisible(loop is not None)
        self.join.setText(
            joining.status_text.get() if loop is not None else "Drag on the wave to choose what is repeated."
        )
        self.join.setVisible(bool(self.join.text()))
        self.best.setVisible(loop is not None)
        self.best.setEnabled(not joining.busy.get())

    # ── where it is heard ────────────────────────────────────────────────────────────────────────

    def _show_devices(self, _: object) -> None:
        device = self._player.card.device.get()
        devices = self._player.card.devices.get()
        self.output.clear()
        for name in ("", *devices, *([device] if device and device not in devices else [])):
            self.output.addItem(name or SYSTEM_OUTPUT, name)
        self.output.setCurrentIndex(self.output.findData(device))

    def _choose_output(self, place: int) -> None:
        self._player.choose_output(self.output.itemData(place))

    def _show_latency(self, seconds: float) -> None:
        self.latency.setCurrentIndex(self.latency.findData(seconds))

    def _choose_latency(self, place: int) -> None:
        self._player.set_latency(self.latency.itemData(place))

    def _show_output(self, _: object = None) -> None:
        player = self._player
        self.delay.setText(f"Delay {player.card.delay:.2f} s" if player.card.delay else "")
        plural = "" if player.gap_count == 1 else "s"
        self.gaps.setText(f"{player.gap_count} gap{plural}" if player.made_seconds else "")
        self.heard_label.setText(self._delay_text())

    def _delay_text(self) -> str:
        """Return how soon a change is heard."""
        player = self._player
        if not (player.playing.get() and player.making.get() and player.speed.get()):
            return "Heard soon after you move them, while it plays"
        settled = self._state.live_settings.settled_seconds - player.position
        return f"Heard {max(settled, player.live_generation.spare) + player.card.delay:.2f} s after you move them"

    @guarded(None)
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._player.card.list_devices()
        self._refresh_timer.start()
