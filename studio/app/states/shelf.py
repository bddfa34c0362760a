"""Pictures with their making, kept as PNG files: takes, and the artist's own pictures as starts."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studio.library import storage, work
from studio.library.models import Trained
from studio.library.storage import NotSaved
from studio.library.work import BadWork, Work
from studio.media.image import Picture, Refused, fit, open_picture
from studio.wire.messages import Array


@dataclass(frozen=True, eq=False)
class Take:
    """A picture that was kept, with its making."""

    picture: Array
    """(height, width, channels) uint8."""
    work: Work
    name: str
    """Of its file."""


@dataclass(frozen=True)
class Opened:
    """A file that was opened: the picture, and how it was made where it is a work of ours."""

    picture: Picture
    work: Work | None
    fault: str = ""
    """Why its making cannot be read, where it carries one."""


def open_file(path: Path) -> Opened:
    """A picture file, with its making if it carries one. Raises Refused."""
    picture = open_picture(path)
    try:
        return Opened(picture, work.from_png(path.read_bytes()) if path.suffix.lower() == ".png" else None)
    except BadWork as fault:
        return Opened(picture, None, str(fault))
    except OSError:  # it went away in between; the picture is here
        return Opened(picture, None)


def in_shape(array: Array, trained: Trained | None) -> Array:
    """A picture of a model as that model shows it: files of ours come back in colour, grey models are grey."""
    if trained is None or len(trained.card.shape) != 3:
        return array
    channels, height, width = trained.card.shape
    return fit(array, (channels, height, width))


class Shelf:
    """The PNG files of one folder. A picture that could not be written is still held until the window closes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._takes: dict[str, Take] = {}

    def read(self) -> list[str]:
        """The folder's files, oldest first; what in it cannot be read is left alone."""
        storage.sweep(self._folder)
        for path in sorted(self._folder.glob("*.png")):
            try:
                opened = open_file(path)
            except Refused:
                continue
            if opened.work is not None:
                self._takes[path.name] = Take(opened.picture.array, opened.work, path.name)
        return list(self._takes)

    def names(self) -> list[str]:
        return list(self._takes)

    def get(self, name: str) -> Take | None:
        return self._takes.get(name)

    def keep(self, picture: Array, making: Work, name: str = "") -> Take:
        """Hold a picture and write its file. Raises NotSaved after it is held, so that nothing is lost."""
        take = Take(np.array(picture), making, name or self._next())
        self._takes[take.name] = take
        storage.write(self._folder / take.name, work.to_png(take.picture, making))
        return take

    def newest(self) -> Take:
        return self._takes[next(reversed(self._takes))]

    def put_away(self, name: str) -> None:
        """Let go of a picture that nothing leads back to; its file goes to the bin."""
        self._takes.pop(name, None)
        path = self._folder / name
        if path.exists():
            storage.to_bin(path)

    def retry(self) -> None:
        """Write what could not be written before. Raises NotSaved."""
        for name, take in self._takes.items():
            if not (self._folder / name).exists():
                storage.write(self._folder / name, work.to_png(take.picture, take.work))

    def _next(self) -> str:
        highest = max((int(Path(name).stem) for name in self._takes if Path(name).stem.isdecimal()), default=0)
        return next(f"{n:06d}.png" for n in itertools.count(highest + 1) if not (self._folder / f"{n:06d}.png").exists())


__all__ = ["NotSaved", "Opened", "Shelf", "Take", "in_shape", "open_file"]
