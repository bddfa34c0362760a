"""Open the sound card when something is played, and release it after a while of silence."""

from typing import Protocol

from PySide6.QtCore import QObject, QTimer, Signal

from studio.app.core.background import BackgroundTask
from studio.app.core.observable import State, Value
from studio.media.sounds.speaker import LATENCIES, NoSoundOutput, SampleSource


class OutputProtocol(Protocol):
    """Defines the methods of a speaker that the window uses, such as studio.media.sounds.speaker."""

    @property
    def device(self) -> str: ...
    @property
    def delay(self) -> float: ...
    @property
    def still(self) -> float: ...
    def outputs(self) -> tuple[str, ...]: ...
    def open(self, source: SampleSource, device: str = "", latency: float = 0.0) -> None: ...
    def close(self) -> None: ...
    def fault(self) -> str: ...


CHECK_INTERVAL = 250
"""Milliseconds between two checks of the card."""

STALL_LIMIT = 3.0
"""Seconds without a request for sound, after which a message is shown. Some outputs request only every 2 s."""

RELEASE_AFTER = 20
"""Checks without a sound, after which the sound card is released."""


class SoundCard(State):
    """Plays one source at a time on the sound card of this computer: the one that was requested last.

    A sound server may take a while to answer, or not answer at all. So the window never waits for it.
    """

    opened = Signal(object)
    """Emitted with a source when the card begins to play it. The source then knows the card's rate."""
    failed = Signal(object, str)
    """Emitted if the card cannot be opened for a source. Carries the source and a sentence."""
    lost = Signal(object, str)
    """Emitted if the card was lost. Carries the source that it played and a sentence."""
    handed_over = Signal(object)
    """Emitted just before another source replaces the one that plays. Carries the replaced source."""

    latencies = LATENCIES

    def __init__(self, output: OutputProtocol, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._output = output
        self.device: Value[str] = Value("", self)
        """The name of the output for recordings; empty for the system's own."""
        self.latency: Value[float] = Value(0.0, self)
        """The chosen latency for recordings, in seconds; 0 lets this computer choose."""
        self.devices: Value[tuple[str, ...]] = Value((), self)
        """The names of all outputs."""
        self.source: SampleSource | None = None
        """The source that the card plays, or that waits for the card to open."""
        self._is_opened = False
        self._is_silent = False
        """Whether the source has nothing to play."""
        self._idle_checks = 0
        self._opening = BackgroundTask(self)
        self._looking = BackgroundTask(self)
        self._timer = QTimer(self)
        self._timer.setInterval(CHECK_INTERVAL)
        self._timer.timeout.connect(self.check_output)

    @property
    def delay(self) -> float:
        """Return the seconds from the card's input to the ear."""
        return self._output.delay if self.source is not None else 0.0

    @property
    def waiting_reason(self) -> str:
        """Return why the card does not play; empty if it plays."""
        if self.source is not None and not self._is_opened:
            return "The output is being opened."
        if self.source is not None and self._output.still > STALL_LIMIT:
            return f'"{self._output.device}" takes no sound at the moment. Playing waits for it.'
        return ""

    def play_source(self, source: SampleSource, device: str = "", latency: float = 0.0) -> None:
        """Play a source, by the system's own output unless another device is given."""
        self._is_silent = False
        if source is self.source:
            return
        if self.source is not None:
            self.handed_over.emit(self.source)
            self.release(self.source)
        self.source = source
        self._is_opened = False
        self._opening.run(
            lambda: self._output.open(source, device, latency), lambda outcome: self._on_opened(source, outcome)
        )

    def rest(self, source: SampleSource) -> None:
        """Note that a source has paused. After a while without sound the card is released."""
        if source is self.source:
            self._is_silent = True

    def release(self, source: SampleSource) -> None:
        """Stop playing a source, if the card plays it."""
        if source is self.source:
            self._opening.wait()
            self._timer.stop()
            self._output.close()
            self.source = None

    def check_output(self) -> None:
        """Check whether the card was lost, and release it after a while of silence."""
        source = self.source
        if source is None:
            return
        self._idle_checks = self._idle_checks + 1 if self._is_silent else 0
        fault = self._output.fault()
        if fault or self._idle_checks >= RELEASE_AFTER:
            self.release(source)
        if fault:
            self.lost.emit(source, fault)

    def list_devices(self) -> None:
        """Look up the names of all outputs in another thread."""
        self._looking.run(self._output.outputs, self._on_listed)

    def close(self) -> None:
        self._looking.wait()
        if self.source is not None:
            self.release(self.source)

    def _on_opened(self, source: SampleSource, outcome: None | Exception) -> None:
        self._idle_checks = 0
        self._is_opened = outcome is None
        if outcome is None:
            self._timer.start()
            self.opened.emit(source)
            return
        self.source = None
        if not isinstance(outcome, NoSoundOutput):
            raise outcome
        self.failed.emit(source, str(outcome))

    def _on_listed(self, outcome: tuple[str, ...] | Exception) -> None:
        if isinstance(outcome, NoSoundOutput):
            outcome = ()
        if isinstance(outcome, Exception):
            raise outcome
        self.devices.set(outcome)
