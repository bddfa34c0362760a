"""Shows some files beside what the model gets of them, and variations of one; their sounds can be heard."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from PySide6.QtCore import QObject

from studio.app.audio.sound_card import SoundCard
from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, State, Value
from studio.app.core.request import Request
from studio.app.panels.train.folder import FolderScan
from studio.app.panels.train.sample_player import SamplePlayer
from studio.app.panels.train.settings import TrainingSettings
from studio.wire.messages import AnyEvent, Array, ExamplesPreview, Failed, PreviewExamples

EXAMPLES = 9
"""Files that are shown."""
VARIATIONS = 6
"""Variations of each that are drawn."""
ORIGINAL, SEEN, FIRST_VARIATION = range(3)
"""The parts of an example: the file, what the model gets, and from there on its variations."""


class ShownExample(NamedTuple):
    """Holds a file beside its artwork. Pictures are (height, width, channels) uint8, sounds (samples,) int16."""

    name: str
    original: Array | None
    """The file as it is; None if it is unknown."""
    original_rate: int
    """Hz of a recording in its file; 0 otherwise."""
    seen: Array
    """What the model gets."""
    rate: int
    """Hz of it, if it is a recording; 0 otherwise."""
    variations: tuple[Array, ...]

    @property
    def is_sound(self) -> bool:
        """Return whether it can be heard."""
        return self.seen.ndim == 1

    def sound_of(self, part: int) -> tuple[Array, int]:
        """Return the samples of a part and their rate in Hz; no samples if it is unknown."""
        if part == ORIGINAL:
            return (self.seen[:0] if self.original is None else self.original), self.original_rate
        return (self.seen if part == SEEN else self.variations[part - FIRST_VARIATION]), self.rate


class ExamplePreview(State):
    """Asks the engine for examples while the page is shown, and again whenever an option changes."""

    def __init__(
        self,
        engine: EngineProtocol,
        folder: FolderScan,
        settings: TrainingSettings,
        card: SoundCard,
        messages: Messages,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._folder = folder
        self._settings = settings
        self.shown: Value[bool] = Value(False, self)
        """Whether the page is shown."""
        self.examples: Value[tuple[ShownExample, ...]] = Value((), self)
        """The newest examples. Earlier ones stay until newer ones arrive."""
        self.palette: Value[tuple[Sequence[int], ...]] = Value((), self)
        """The colours in which the examples are seen; empty without a palette."""
        self.busy: Value[bool] = Value(False, self)
        self.fault: Value[str] = Value("", self)
        """Why there are no examples."""
        self.chosen: Value[int] = Value(0, self)
        """The number of the example whose variations are shown."""
        self.player = SamplePlayer(card, messages, self)
        """Plays a part of an example under its number and that of the part."""
        self._seed = 0
        self._source = ""
        """The folder of the examples."""
        self._originals: dict[str, tuple[Array, int]] = {}
        """The files as they are, with their rates, by their names."""
        self._request = Request(engine, "preview", "latest", self)
        self._request.progressed.connect(self._receive)
        self._request.answered.connect(lambda _: self.busy.set(False))
        self._request.stopped.connect(lambda: self.busy.set(False))
        self._request.failed.connect(self._show_failure)
        self._request.lost.connect(lambda why: self._show_fault(why))
        settings.prepared.changed.connect(lambda _: self._ask_if_prepared())
        settings.fault.changed.connect(self._follow_fault)
        folder.excluded.changed.connect(lambda _: self._ask_if_prepared())
        folder.source.changed.connect(lambda _: self.shown.set(False))
        self.shown.changed.connect(self._on_shown)

    def toggle(self) -> None:
        """Show the page once the engine knows the settings, or return to the files of the folder."""
        self.shown.set(not self.shown.get() and self._settings.prepared.get() is not None)

    def show_others(self) -> None:
        """Show other files, chosen at random."""
        self._seed += 1
        self.chosen.set(0)
        self._ask(originals=True)

    def choose(self, number: int) -> None:
        """Show the variations of an example."""
        if 0 <= number < len(self.examples.get()):
            self.chosen.set(number)

    @property
    def chosen_example(self) -> ShownExample | None:
        """Return the example whose variations are shown."""
        examples = self.examples.get()
        return examples[self.chosen.get()] if self.chosen.get() < len(examples) else None

    # ── sound ────────────────────────────────────────────────────────────────────────────────────

    def play(self, number: int, part: int) -> None:
        """Play a part of an example, or stop it if it plays."""
        examples = self.examples.get()
        if number < len(examples) and examples[number].is_sound:
            sound, rate = examples[number].sound_of(part)
            if len(sound):
                self.player.play((number, part), sound, rate)

    # ── the engine ───────────────────────────────────────────────────────────────────────────────

    def _on_shown(self, shown: bool) -> None:
        if shown:
            self._ask_if_prepared()
        else:
            self._request.cancel()
            self.busy.set(False)
            self.player.stop()

    def _ask_if_prepared(self) -> None:
        """Ask for examples of the present settings once the engine has prepared a config for them."""
        if self.shown.get() and self._settings.prepared.get() is not None:
            is_known = self._source == self._folder.source.get() and bool(self._originals)
            self._ask(originals=not is_known)

    def _follow_fault(self, fault: str) -> None:
        """Show why the engine has no examples of these settings."""
        if fault and self._settings.prepared.get() is None:
            self._show_fault(fault)

    def _ask(self, *, originals: bool) -> None:
        prepared = self._settings.prepared.get()
        if prepared is None:
            return
        self.busy.set(True)
        self._request.start_engine()
        excluded = sorted(self._folder.excluded.get())
        preparation = {**prepared.config.get("preparation", {}), "excluded": excluded}
        config: dict[str, Any] = {**prepared.config, "preparation": preparation}
        source = self._folder.source.get()
        varies = bool(self._settings.variations())
        self._request.ask(
            lambda job: PreviewExamples(
                job=job,
                control="preview",
                source=source,
                config=config,
                count=EXAMPLES,
                variations=VARIATIONS if varies else 0,
                originals=originals,
                seed=self._seed,
            )
        )

    def _receive(self, event: AnyEvent) -> None:
        if not isinstance(event, ExamplesPreview):
            return
        if event.originals:
            rates = event.original_rates or (0,) * len(event.originals)
            self._source = self._folder.source.get()
            self._originals = dict(zip(event.names, zip(event.originals, rates, strict=True), strict=True))
        elif not self._originals.keys() >= set(event.names) and any(event.names):
            self._ask(originals=True)  # other files than before are used now
            return
        self.fault.set("")
        self.chosen.set(min(self.chosen.get(), max(len(event.names) - 1, 0)))
        self.player.stop()
        self.palette.set(event.palette)
        self.examples.set(tuple(self._examples(event)))

    def _examples(self, event: ExamplesPreview) -> list[ShownExample]:
        found = []
        for number, (name, seen) in enumerate(zip(event.names, event.examples, strict=True)):
            original, rate = self._originals.get(name, (None, 0))
            varied = tuple(event.variations[number]) if event.variations else ()
            found.append(ShownExample(name, original, rate, seen, event.sample_rate, varied))
        return found

    def _show_failure(self, event: Failed) -> None:
        self._show_fault(f"{event.reason} {event.hint}".strip())

    def _show_fault(self, fault: str) -> None:
        self.busy.set(False)
        self.palette.set(())
        self.examples.set(())
        self.fault.set(fault)

    def close(self) -> None:
        """Stop the sound that plays."""
        self.player.close()
