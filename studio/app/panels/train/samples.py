"""Holds which samples of a run are shown, plays and saves them, and warns of copies."""

from PySide6.QtCore import QObject

from studio.app.audio.sound_card import SoundCard
from studio.app.core.messages import Messages
from studio.app.core.observable import State, Value
from studio.app.panels.train.film import FilmExport
from studio.app.panels.train.gauge import is_copying
from studio.app.panels.train.pairs import make_pairs
from studio.app.panels.train.run import TrainingProcess
from studio.app.panels.train.sample_player import SamplePlayer


class ShownSamples(State):
    """Follows the samples of the visible run."""

    def __init__(
        self, run: TrainingProcess, card: SoundCard, messages: Messages, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._run = run
        self._messages = messages
        self.film = FilmExport(messages, self)
        self.player = SamplePlayer(card, messages, self)
        self.scrubbed: Value[int | None] = Value(None, self)
        """The index of the visible samples; None for the newest."""
        self.shows_pairs: Value[bool] = Value(False, self)
        """Whether the newest samples are shown beside their nearest training artworks."""
        run.shown.changed.connect(lambda _: self.player.stop())
        run.compared.changed.connect(lambda _: self.show_pairs(self.shows_pairs.get()))
        run.verdict.changed.connect(self._warn_of_copies)
        run.samples_changed.connect(lambda: self.scrub(self.scrubbed.get()))  # it may be gone

    def scrub(self, place: int | None) -> None:
        """Show earlier samples; None follows the newest."""
        count = len(self._run.samples)
        self.scrubbed.set(None if place is None or place >= count - 1 else max(0, place))

    def play_sample(self, place: int, row: int) -> None:
        """Play a sample of a sound run."""
        shown = self._run.shown.get()
        if shown is not None and len(shown.shape) == 1 and place < len(self._run.samples):
            samples = self._run.samples[place]
            self.player.play((samples.step, row), samples.artworks[row], shown.sample_rate)

    def play_pair(self, place: int, side: int) -> None:
        """Play a sample of a compared pair, or the training artwork beside it."""
        shown = self._run.shown.get()
        pairs = make_pairs(self._run.compared.get())
        if shown is not None and len(shown.shape) == 1 and place < len(pairs):
            pair = pairs[place]
            sound = pair.nearest if side else pair.sample
            self.player.play((self._run.step.get(), place, side), sound, shown.sample_rate)

    def show_pairs(self, shows: bool = True) -> None:
        """Show or hide the newest samples beside their nearest training artworks."""
        self.shows_pairs.set(shows and self._run.compared.get() is not None)

    def close_pairs(self) -> bool:
        """Show the curve again. Return whether the pairs were shown."""
        was_shown = self.shows_pairs.get()
        self.show_pairs(False)
        return was_shown

    @property
    def has_film(self) -> bool:
        """Return whether the samples can be saved as a film. Single waves cannot."""
        shown = self._run.shown.get()
        return shown is not None and bool(self._run.samples) and bool(len(shown.shape) == 3 or shown.sample_rate)

    def save_film(self) -> None:
        """Ask where to save the samples so far as a film."""
        shown = self._run.shown.get()
        if shown is not None and self.has_film:
            self.film.ask_path(self._run.samples, shown.name, shown.sample_rate)

    def _warn_of_copies(self, verdict: str) -> None:
        """Say that a training at work begins to copy what it learned from."""
        copied = self._run.copied
        shown = self._run.shown.get()
        if verdict == "Memorising" and is_copying(copied) and self._run.is_active and shown is not None:
            text = f"{sum(copied)} of {len(copied)} samples are copies of training {shown.things}."
            until = (self._run.verdict.changed,)
            self._messages.show_message(text, "warn", ("Show them", self.show_pairs), until=until)

    def close(self) -> None:
        """Wait for a film that is being saved, and stop playing."""
        self.film.close()
        self.player.close()
