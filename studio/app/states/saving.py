"""Saves pictures with their making inside, where the person wants them, and says how it went."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject

from studio.app.states.later import Later
from studio.app.states.messages import Messages
from studio.app.states.value import State
from studio.library import storage, work
from studio.library.storage import NotSaved
from studio.library.work import Work
from studio.media.names import shown
from studio.wire.messages import Array


@dataclass(frozen=True, eq=False)
class Piece:
    """A picture to be saved."""

    picture: Array
    work: Work
    name: str
    """To suggest for its file, with the ending."""


@dataclass(frozen=True)
class Saved:
    """How saving went: `count` of `total` pictures, the last of them, and what stopped it."""

    count: int
    total: int
    last: Path
    fault: NotSaved | None = None

    def sentence(self) -> str:
        if self.fault is not None:
            before = f" {self.count:,} of {self.total:,} pictures were saved before." if self.count else ""
            return self.fault.sentence + before
        if self.total == 1:
            return f'Saved "{shown(self.last.name)}" with its recipe inside.'
        return f'Saved {self.total:,} pictures in "{shown(self.last.parent.name)}", each with its recipe inside.'


Place = Callable[[Piece], Path]
"""Where a picture goes."""


class Saving(State):
    """Writes beside the window: bringing a file to the disk takes a while, and there may be thousands."""

    def __init__(self, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._messages = messages
        self._later = Later(self)

    def one(self, piece: Piece, path: Path) -> None:
        """Save a picture under a name that the person chose."""
        target = path if path.suffix.lower() == ".png" else path.with_name(path.name + ".png")

        def elsewhere(left: Sequence[Piece]) -> None:
            self._messages.where.emit(target.name, lambda other: self.one(left[0], other))

        self._run([piece], lambda piece: target, elsewhere)

    def many(self, pieces: Sequence[Piece], folder: Path) -> None:
        """Save pictures into a folder, beside what is there already."""

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
    """Write pictures one after another, until one cannot be written."""
    last = Path()
    for count, piece in enumerate(pieces):
        last = place(piece)
        try:
            storage.write(last, work.to_png(piece.picture, piece.work))
        except NotSaved as fault:
            return Saved(count, len(pieces), last, fault)
    return Saved(len(pieces), len(pieces), last)


def _free(folder: Path, name: str) -> Path:
    path = folder / storage.clean(name)
    return storage.free_name(folder, path.stem, ".png") if path.exists() else path
