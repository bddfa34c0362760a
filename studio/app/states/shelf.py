"""Artworks with their making, kept as files: takes, and the artist's own pictures and waves as starts."""

import contextlib
import functools
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from studio.app.states.recorded import kept, work_of
from studio.library import storage, work
from studio.library.models import Trained
from studio.library.storage import NotSaved
from studio.library.work import BadWork, Work
from studio.media import decoder, wavetable
from studio.media.contents import form_of
from studio.media.image import Picture, Refused, fit, read_bytes
from studio.media.sound import Wave
from studio.wire.messages import Array

WAVES = (".wav", ".wave")


@dataclass(frozen=True, eq=False)
class Take:
    """An artwork that was kept, with its making."""

    picture: Array
    """(height, width, channels) uint8, or (samples,) int16."""
    work: Work
    name: str
    """Of its file."""

    @functools.cached_property
    def key(self) -> str:
        """Of its making: what takes that come from it call it."""
        return self.work.key


@dataclass(frozen=True)
class Opened:
    """A file that was opened: the picture or wave, and how it was made where it is a work of ours."""

    picture: Picture | Wave
    work: Work | None
    fault: str = ""
    """Why its making cannot be read, where it carries one."""
    sheet: tuple[tuple[Array, Work], ...] = ()
    """All pictures of a sheet with their recipes; the first one is `picture`."""


def open_kept(path: Path) -> Take | None:
    """A work of ours as it was kept, None where it is none. Raises Refused."""
    making, _ = work_of(path) if path.suffix.lower() in WAVES else (None, "")
    if making is not None:
        return Take(kept(path, making), making, path.name)
    opened = open_file(path)
    return Take(opened.picture.array, opened.work, path.name) if opened.work is not None else None


def open_file(path: Path, samples: int | None = None) -> Opened:
    """A picture file or a wave of so many samples, with its making if it carries one. Raises Refused."""
    ending = path.suffix.lower()
    picture = decoder.open_wave(path, samples) if form_of(path) is not None else decoder.open_picture(path)
    read = work.from_wav if ending in WAVES else work.from_png if ending == ".png" else None
    try:
        data = read_bytes(path, picture.name) if read is not None else b""
        sheet = work.from_sheet(data, picture.array) if isinstance(picture, Picture) else []
        if sheet and isinstance(picture, Picture):
            first, making = sheet[0]
            return Opened(replace(picture, array=first), making, sheet=tuple(sheet))
        return Opened(picture, read(data) if read is not None else None)
    except BadWork as fault:
        return Opened(picture, None, str(fault))
    except Refused:  # it went away in between; the picture is here
        return Opened(picture, None)


def in_shape(array: Array, trained: Trained | None) -> Array:
    """An artwork of a model as that model makes it: every picture's file comes back in colour, and maybe enlarged."""
    if trained is None or array.ndim != len(trained.card.shape):
        return array
    if array.ndim == 1:
        samples = trained.card.shape[0]
        return array if len(array) == samples else wavetable.cycle(array / wavetable.FULL, samples)
    channels, height, width = trained.card.shape
    return fit(array, (channels, height, width))


def in_a_file(take: Take) -> bytes:
    """A take as it lies on the shelf: every pixel, every sample."""
    return (work.to_wav if take.work.kind == "sound" else work.to_png)(take.picture, take.work)


class Shelf:
    """The works of one folder. One that could not be written is still held until the window closes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, Take] = {}

    def read(self) -> list[Take]:
        """What the folder holds, oldest first; what in it cannot be read is left alone. Nothing is held yet."""
        storage.sweep(self._folder)
        paths = sorted(path for path in self._folder.glob("*.*") if path.suffix in (".png", ".wav"))
        return [take for path in paths if (take := self.read_one(path.name)) is not None]

    def read_one(self, name: str) -> Take | None:
        """One file of the folder, None where it is no work."""
        try:
            return open_kept(self._folder / name)
        except Refused:
            return None

    def making(self, name: str) -> Work | None:
        """How a file of the folder was made, without a look at its pixels or samples; None if it is no work."""
        path = self._folder / name
        try:
            data = read_bytes(path, name)
            return work.from_wav(data) if path.suffix in WAVES else work.from_png(data)
        except (Refused, BadWork):
            return None

    def hold(self, takes: Iterable[Take]) -> None:
        """Hold what was read."""
        self._held |= {take.name: take for take in takes}

    def get(self, name: str) -> Take | None:
        return self._held.get(name)

    def names(self) -> list[str]:
        return sorted(self._held)

    def keep(self, take: Take) -> None:
        """Hold a take and write its file. Raises NotSaved after it is held, so that nothing is lost."""
        self._held[take.name] = Take(np.array(take.picture), take.work, take.name)
        storage.write(self._folder / take.name, in_a_file(take))

    def save(self) -> None:
        """Write what could not be written before. Raises NotSaved."""
        for name, take in self._held.items():
            if not (self._folder / name).exists():
                storage.write(self._folder / name, in_a_file(take))

    def put_away(self, names: Iterable[str]) -> None:
        """Let go of what nothing leads back to; their files go to the bin."""
        for name in list(names):
            self._held.pop(name, None)
            if (self._folder / name).exists():
                with contextlib.suppress(NotSaved):  # it stays where it is, which loses nothing
                    storage.to_bin(self._folder / name)

    def free_name(self, ending: str) -> str:
        """The next name, so that the order of names is the order of keeping."""
        highest = max((int(Path(name).stem) for name in self._held if Path(name).stem.isdecimal()), default=0)
        free = (f"{number:06d}{ending}" for number in itertools.count(highest + 1))
        return next(name for name in free if not (self._folder / name).exists())
