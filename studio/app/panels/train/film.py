"""Saves the samples of a run as a film: pictures as an animated GIF, recordings as one WAV."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject

from studio.app.core.background import BackgroundTask
from studio.app.core.messages import Messages
from studio.app.core.observable import State, Value
from studio.library import storage
from studio.library.runs import RunSamples
from studio.media import export
from studio.media.names import display_name
from studio.media.pictures import animation

FRAME_SECONDS = 0.25
"""Seconds for which each sample is shown."""
PAUSE_SECONDS = 0.4
"""Seconds of silence between two sounds."""
SHOWN_SEEDS = 3
"""The number of seeds whose pictures stand side by side. A film of sounds has only the first seed."""


class FilmExport(State):
    """Asks where to save a film, and writes it there in another thread."""

    def __init__(self, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._messages = messages
        self._task = BackgroundTask(self)
        self.is_saving: Value[bool] = Value(False, self)

    def ask_path(self, samples: Sequence[RunSamples], name: str, rate: int) -> None:
        """Ask for the path of a film of these samples, oldest first; `rate` in Hz is 0 for pictures."""
        proposed = f"{name}-learning{film_suffix(rate)}"
        self._messages.file_requested.emit(proposed, partial(self.save, tuple(samples), rate))

    def save(self, samples: Sequence[RunSamples], rate: int, path: Path) -> None:
        """Write a film."""
        suffix = film_suffix(rate)
        target = path if path.suffix.lower() == suffix else path.with_name(path.name + suffix)
        self.is_saving.set(True)
        self._task.run(
            lambda: storage.write_file(target, encode_film(samples, rate)),
            lambda outcome: self._show_outcome(samples, rate, target, outcome),
        )

    def close(self) -> None:
        """Wait until the film is written."""
        self._task.wait()

    def _show_outcome(self, samples: Sequence[RunSamples], rate: int, path: Path, outcome: None | Exception) -> None:
        self.is_saving.set(False)
        if isinstance(outcome, storage.NotSaved):
            elsewhere = partial(self._messages.file_requested.emit, path.name, partial(self.save, samples, rate))
            self._messages.show_message(outcome.message, "failed", ("Save elsewhere…", elsewhere))
        elif outcome is not None:
            raise outcome
        else:
            show = ("Show it", lambda: self._messages.reveal_requested.emit(path))
            self._messages.show_message(f'Saved "{display_name(path.name)}".', "info", show)


def film_suffix(rate: int) -> str:
    return ".wav" if rate else ".gif"


def encode_film(samples: Sequence[RunSamples], rate: int) -> bytes:
    """Return a GIF of the first seeds, or a WAV of the first seed, from the oldest to the newest samples."""
    same = [one.artworks for one in samples if one.artworks.shape[1:] == samples[-1].artworks.shape[1:]]
    if not rate:
        count = min([SHOWN_SEEDS, *map(len, same)])
        return animation.encode_gif_bytes([artworks[:count] for artworks in same], FRAME_SECONDS)
    pause = np.zeros(round(PAUSE_SECONDS * rate), np.int16)
    parts = [part for artworks in same for part in (artworks[0], pause)]
    return export.encode_wav_bytes(np.concatenate(parts[:-1]), rate, {})
