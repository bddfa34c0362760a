"""The takes of the window and the artist's own pictures that they began from, kept as files."""

import contextlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from msgspec import structs
from PySide6.QtCore import QObject, Signal

from studio.app.core.artwork import Artwork
from studio.app.core.background import BackgroundTask
from studio.app.core.messages import Messages
from studio.app.core.observable import Entries, Field, Record, State, Value
from studio.app.files.opening import WAVES, read_file, read_own_sound, read_work
from studio.app.takes.start import Start
from studio.library import storage, work
from studio.library.storage import NotSaved
from studio.library.work import BadWork, Work
from studio.media.pictures.image import FileRefused, read_bytes


def read_take(path: Path) -> Artwork | None:
    """A work of ours as it was kept, None where it is none. Raises Refused."""
    making, _ = read_work(path) if path.suffix.lower() in WAVES else (None, "")
    if making is not None:
        return Artwork(read_own_sound(path, making), making, path.name)
    kept = read_file(path).artwork
    return replace(kept, name=path.name) if kept is not None else None


def encode_take(take: Artwork) -> bytes:
    """A take as it lies on the shelf: every pixel, every sample."""
    return (work.encode_wav if take.work.medium == "sound" else work.encode_png)(take.array, take.work)


class TakeFolder:
    """The works of one folder, by the names of their files. One that could not be written is held until the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._takes: dict[str, Artwork] = {}

    def read_takes(self) -> list[Artwork]:
        """What the folder holds, oldest first; what in it cannot be read is left alone. Nothing is held yet."""
        storage.delete_leftovers(self._folder)
        paths = sorted(path for path in self._folder.glob("*.*") if path.suffix in (".png", ".wav"))
        return [take for path in paths if (take := self.read_take(path.name)) is not None]

    def read_take(self, name: str) -> Artwork | None:
        """One file of the folder, None where it is no work."""
        try:
            return read_take(self._folder / name)
        except FileRefused:
            return None

    def read_recipe(self, name: str) -> Work | None:
        """How a file of the folder was made, without a look at its pixels or samples; None if it is no work."""
        path = self._folder / name
        try:
            data = read_bytes(path, name)
            return work.recipe_of_wav(data) if path.suffix in WAVES else work.recipe_of_png(data)
        except (FileRefused, BadWork):
            return None

    def hold_takes(self, takes: Iterable[Artwork]) -> None:
        """Hold what was read."""
        self._takes |= {take.name: take for take in takes}

    def get_take(self, name: str) -> Artwork | None:
        return self._takes.get(name)

    def names(self) -> list[str]:
        return sorted(self._takes)

    def add_take(self, take: Artwork) -> None:
        """Hold a take and write its file. Raises NotSaved after it is held, so that nothing is lost."""
        self._takes[take.name] = replace(take, array=np.array(take.array))
        storage.write_file(self._folder / take.name, encode_take(take))

    def write_unsaved(self) -> None:
        """Write what could not be written before. Raises NotSaved."""
        for name, take in self._takes.items():
            if not (self._folder / name).exists():
                storage.write_file(self._folder / name, encode_take(take))

    def bin_takes(self, names: Iterable[str]) -> None:
        """Let go of what nothing leads back to; their files go to the bin."""
        for name in list(names):
            self._takes.pop(name, None)
            if (self._folder / name).exists():
                with contextlib.suppress(NotSaved):  # it stays where it is, which loses nothing
                    storage.move_to_bin(self._folder / name)

    def free_name(self, ending: str) -> str:
        """The next name, so that the order of names is the order of keeping."""
        highest = max((int(Path(name).stem) for name in self._takes if Path(name).stem.isdecimal()), default=0)
        free = (f"{number:06d}{ending}" for number in itertools.count(highest + 1))
        return next(name for name in free if not (self._folder / name).exists())


NAMES_ELSEWHERE = "Another window of Latent Studio is open. Names can be changed only there."

MAX_LINEAGE = 64
"""Works that a work remembers to have come from."""


class TakeStore(State):
    """Which takes there are, by their names; the files are the truth of each. Every panel shows the same ones.

    `entries` are the fields of every panel that change them. `takes` says which takes are laid on the strip or taken
    off, `take_names` what they are called. So the steps of one panel can be undone whatever was done in another.
    """

    loaded = Signal()
    """The takes that were here before the start lie on the strip."""

    def __init__(self, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._messages = messages
        self.names_writable = True
        """Whether names may be changed. A second window on the same folders would write over those of the first."""
        self.takes: Value[tuple[Artwork, ...]] = Value((), self)
        """In the order in which they were kept."""
        self._take_folder = TakeFolder(storage.home_folder("data") / "takes")
        self._start_folder = TakeFolder(storage.home_folder("data") / "starts")
        self._names: list[str] = []
        self._starts: dict[str, Start] = {}
        self._loading = BackgroundTask(self)
        self.entries = (
            Entries("take_names", self._label_of, self._name_all),
            Entries("takes", lambda name: name in self._names, self._lay_on_or_off),
        )
        self.fields = (
            Field("starts", self._starts_to_record, self._read_starts, undo=False),
            Field("takes", lambda: self.names, self._use_names, undo=False),
        )

    @property
    def names(self) -> list[str]:
        """Of the takes on the strip, those still being read from the disk among them."""
        return list(self._names)

    def get_take(self, name: str) -> Artwork | None:
        """The take of that name, on the strip or not."""
        return self._take_folder.get_take(name)

    def find_same(self, work: Work) -> Artwork | None:
        """The take that was made just so, whenever it was kept and whatever it is called."""
        wanted = structs.replace(work, created="", name="", ancestors=())
        like = (
            take for take in self.takes.get() if structs.replace(take.work, created="", name="", ancestors=()) == wanted
        )
        return next(like, None)

    def lineage(self, key: str) -> tuple[str, ...]:
        """Keys of a take and of all that it came from, for what comes from it; none where there is no key."""
        held = (self._take_folder.get_take(name) for name in self._take_folder.names())
        above = next((take.work.ancestors for take in held if take is not None and take.key == key), ())
        return (key, *above)[:MAX_LINEAGE] if key else ()

    def check_rename(self) -> bool:
        """Whether a name may be changed here; if not, the message line says so."""
        if not self.names_writable:
            self._messages.show_message(NAMES_ELSEWHERE, "warn")
        return self.names_writable

    # ── what a step does ─────────────────────────────────────────────────────────────────────────

    def _name_all(self, labels: Record) -> None:
        for name, label in labels.items():
            self._set_label(name, str(label))
        self._update_takes()

    def _lay_on_or_off(self, there: Record) -> None:
        """Lay takes on the strip, or take them off."""
        on = {name for name, is_there in there.items() if is_there}
        self._names = sorted(set(self._names) - there.keys() | on)
        self._update_takes()

    def add_take(self, artwork: Artwork) -> str:
        """Write a take's file; its name. It is held even where it cannot be written, and that is said."""
        name = self._take_folder.free_name(artwork.work.file_suffix)
        self._write(self._take_folder, replace(artwork, name=name))
        return name

    def _update_takes(self) -> None:
        held = (self._take_folder.get_take(name) for name in self._names)
        self.takes.set(tuple(take for take in held if take is not None))

    def _label_of(self, name: str) -> str:
        take = self._take_folder.get_take(name)
        return take.work.name if take is not None else ""

    def _set_label(self, name: str, label: str) -> None:
        take = self._take_folder.get_take(name)
        if take is not None and take.work.name != label and self.names_writable:
            self._write(self._take_folder, replace(take, work=structs.replace(take.work, name=label)))

    # ── where takes begin ────────────────────────────────────────────────────────────────────────

    def get_start(self, key: str) -> Start | None:
        return self._starts.get(key)

    def add_start(self, start: Start, artwork: Artwork) -> None:
        """Keep a start as the file of an artwork; one that knows how it comes back replaces one that does not."""
        known = self._starts.get(start.key)
        if known is None or start.round_trip is not None:
            self._starts[start.key] = start
        if known is None:
            self._write(self._start_folder, replace(artwork, name=f"{start.key}{artwork.work.file_suffix}"))

    # ── files ────────────────────────────────────────────────────────────────────────────────────

    def _write(self, folder: TakeFolder, take: Artwork) -> None:
        try:
            folder.add_take(take)
        except NotSaved as fault:
            self._messages.show_message(fault.message, "failed", ("Try again", self._write_again))

    def _write_again(self) -> None:
        try:
            self._take_folder.write_unsaved()
            self._start_folder.write_unsaved()
        except NotSaved as fault:
            self._messages.show_message(fault.message, "failed", ("Try again", self._write_again))
        else:
            self._messages.show_message("Your takes are saved.")

    def _starts_to_record(self) -> Record:
        return {key: start.to_record() for key, start in self._starts.items()}

    def _read_starts(self, plain: Record) -> None:
        for key, said in plain.items():
            making = self._start_folder.read_recipe(f"{key}.png") or self._start_folder.read_recipe(f"{key}.wav")
            start = Start.from_record(making, said) if making is not None else None
            if start is not None:
                self._starts[start.key] = start

    def _use_names(self, names: Sequence[str]) -> None:
        self._names = [str(name) for name in names]

    def read_takes(self, records: Sequence[Record]) -> None:
        """Read the takes' files beside the window: hundreds take a while, and the window should be on the screen."""

        def loaded(found: list[Artwork] | Exception) -> None:
            if isinstance(found, Exception):
                raise found
            # Takes that were kept meanwhile are held as they are now: perhaps renamed, perhaps deleted again.
            found = [take for take in found if self._take_folder.get_take(take.name) is None]
            self._take_folder.hold_takes(found)
            known = {*_take_names(records), *self._names}
            # A file that nothing knows was kept in the moment before a crash.
            self._names = sorted({*self._names, *(take.name for take in found if take.name not in known)})
            self._update_takes()
            self.loaded.emit()

        self._loading.run(self._take_folder.read_takes, loaded)

    def close(self, records: Sequence[Record] | None) -> None:
        """Move files that no record needs to the bin; none if the records may be incomplete."""
        self._loading.wait()
        if records is None:
            return
        starts = {str(record["start"]) for record in records if record.get("start")}
        self._take_folder.bin_takes(set(self._take_folder.names()) - {*_take_names(records), *self._names})
        self._start_folder.bin_takes(f"{key}{end}" for key in self._starts.keys() - starts for end in (".png", ".wav"))
        self._starts = {key: start for key, start in self._starts.items() if key in starts}


def _take_names(records: Sequence[Record]) -> set[str]:
    """The takes that records speak of."""
    entries = (record.get(key) for record in records for key in ("takes", "take_names"))
    return {name for each in entries if isinstance(each, dict) for name in each}
