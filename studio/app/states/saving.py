"""Saves artworks with their making inside, where the person wants them, and says how it went."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject

from studio.app.states.later import Later
from studio.app.states.messages import Messages
from studio.app.states.value import State
from studio.library import storage, work
from studio.library.storage import NotSaved
from studio.library.work import Work
from studio.media.names import shown
from studio.wire.messages import Array


class Form(Enum):
    """How a recording is saved: for people, the ending of its file, and its bits, 0 of floats."""

    WAV = "WAV, 16 bit", ".wav", 16
    WAV_24 = "WAV, 24 bit", ".wav", 24
    WAV_FLOAT = "WAV, float", ".wav", 0
    FLAC = "FLAC, 16 bit", ".flac", 16
    FLAC_24 = "FLAC, 24 bit", ".flac", 24

    @property
    def title(self) -> str:
        return self.value[0]

    @property
    def ending(self) -> str:
        return self.value[1]

    @property
    def bits(self) -> int:
        return self.value[2]


@dataclass(frozen=True, eq=False)
class Piece:
    """An artwork to be saved."""

    picture: Array
    """(height, width, channels) uint8; of a wave (samples,) int16; of a wavetable (frames, samples) int16."""
    work: Work
    name: str
    """To suggest for its file, with the ending."""
    form: Form = Form.WAV
    """Of a recording."""

    @property
    def ending(self) -> str:
        return self.form.ending if self.work.rate else self.work.ending


@dataclass(frozen=True)
class Saved:
    """How saving went: `count` of `total` pieces, the last of them, what stopped it, and what they are called."""

    count: int
    total: int
    last: Path
    fault: NotSaved | None = None
    called: str = "pictures"
    size: str = ""
    """Of a wavetable, as synthesizers count it."""

    def sentence(self) -> str:
        if self.fault is not None:
            before = f" {self.count:,} of {self.total:,} {self.called} were saved before." if self.count else ""
            return self.fault.sentence + before
        if self.total == 1:
            return f'Saved "{shown(self.last.name)}"{self.size} with its recipe inside.'
        return f'Saved {self.total:,} {self.called} in "{shown(self.last.parent.name)}", each with its recipe inside.'


Place = Callable[[Piece], Path]
"""Where a piece goes."""


class Saving(State):
    """Writes beside the window: bringing a file to the disk takes a while, and there may be thousands."""

    def __init__(self, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._messages = messages
        self._later = Later(self)

    def one(self, piece: Piece, path: Path) -> None:
        """Save a piece under a name that the person chose."""
        ending = piece.ending
        target = path if path.suffix.lower() == ending else path.with_name(path.name + ending)

        def elsewhere(left: Sequence[Piece]) -> None:
            self._messages.where.emit(target.name, lambda other: self.one(left[0], other))

        self._run([piece], lambda piece: target, elsewhere)

    def many(self, pieces: Sequence[Piece], folder: Path) -> None:
        """Save pieces into a folder, beside what is there already."""

        def elsewhere(left: Sequence[Piece]) -> None:
            self._messages.where_folder.emit(lambda other: self.many(left, other))

        self._run(pieces, lambda piece: _free(folder, piece.name), elsewhere)

    def close(self) -> None:
        """Wait for what is being written."""
        self._later.wait()

    def _run(self, pieces: Sequence[Piece], place: Place, elsewhere: Callable[[Sequence[Piece]], object]) -> None:
        def told(saved: Saved | Exception) -> None:
            if isinstance(saved, Exception):
                raise saved
            if saved.fault is None:
                show = ("Show it", lambda: self._messages.reveal.emit(saved.last))
                self._messages.say(saved.sentence(), "info", show)
            else:
                left = pieces[saved.count :]
                self._messages.say(saved.sentence(), "failed", ("Save elsewhere…", lambda: elsewhere(left)))

        self._later.run(lambda: write(pieces, place), told)


def write(pieces: Sequence[Piece], place: Place) -> Saved:
    """Write pieces one after another, until one cannot be written."""
    last, called = (
        Path(),
        ("sounds" if pieces[0].work.rate else "waves") if pieces[0].work.kind == "sound" else "pictures",
    )
    size = f", {len(pieces[0].picture)} frames of 2,048 samples," if pieces and pieces[0].picture.ndim == 2 else ""
    for count, piece in enumerate(pieces):
        last = place(piece)
        try:
            storage.write(last, in_a_file(piece))
        except NotSaved as fault:
            return Saved(count, len(pieces), last, fault, called)
    return Saved(len(pieces), len(pieces), last, None, called, size)


def in_a_file(piece: Piece) -> bytes:
    """A picture as PNG; a wave, or the frames of a wavetable, as synthesizers load them."""
    if piece.work.kind == "picture":
        return work.to_png(piece.picture, piece.work)
    if piece.work.rate:
        return _recording(piece)
    return work.to_wavetable(piece.picture if piece.picture.ndim == 2 else piece.picture[None], piece.work)


def _recording(piece: Piece) -> bytes:
    samples, bits = piece.picture, piece.form.bits
    if piece.form.ending == ".flac":
        return work.to_flac(samples, piece.work, bits=bits)
    return work.to_wav(samples if bits else samples.astype(np.float32) / np.float32(32_768), piece.work, bits=bits)


def _free(folder: Path, name: str) -> Path:
    path = folder / storage.clean(name)
    return storage.free_name(folder, path.stem, path.suffix) if path.exists() else path
