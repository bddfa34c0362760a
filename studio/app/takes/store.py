"""Keeps takes as files, and the user's own pictures and sounds that takes began from."""

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
    """Read a take from its file; None if the file holds no recipe. Raises FileRefused."""
    making, _ = read_work(path) if path.suffix.lower() in WAVES else (None, "")
    if making is not None:
        return Artwork(read_own_sound(path, making), making, path.name)
    kept = read_file(path).artwork
    return replace(kept, name=path.name) if kept is not None else None


def encode_take(take: Artwork) -> bytes:
    """Encode a take with its recipe, losing no pixel or sample."""
    return (work.encode_wav if take.work.medium == "sound" else work.encode_png)(take.array, take.work)


class TakeFolder:
    """Holds the takes of one folder by their file names. Takes that could not be written stay in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._takes: dict[str, Artwork] = {}

    def read_takes(self) -> list[Artwork]:
        """Read all takes of the folder, oldest first. Files that cannot be read are skipped. Nothing is held yet."""
        storage.delete_leftovers(self._folder)
        paths = sorted(path for path in self._folder.glob("*.*") if path.suffix in (".png", ".wav"))
        return [take for path in paths if (take := self.read_take(path.name)) is not None]

    def read_take(self, name: str) -> Artwork | None:
        """Read one file of the folder; None if it is no take."""
        try:
            return read_take(self._folder / name)
        except FileRefused:
            return None

    def read_recipe(self, name: str) -> Work | None:
        """Read the recipe in a file without decoding pixels or samples; None if there is none."""
        path = self._folder / name
        try:
            data = read_bytes(path, name)
            return work.recipe_of_wav(data) if path.suffix in WAVES else work.recipe_of_png(data)
        except (FileRefused, BadWork):
            return None

    def hold_takes(self, takes: Iterable[Artwork]) -> None:
        """Hold takes that were read."""
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
        """Write the takes that could not be written before. Raises NotSaved."""
        for name, take in self._takes.items():
            if not (self._folder / name).exists():
                storage.write_file(self._folder / name, encode_take(take))

    def bin_takes(self, names: Iterable[str]) -> None:
        """Forget takes, and move their files to the bin."""
        for name in list(names):
            self._takes.pop(name, None)
            if (self._folder / name).exists():
                with contextlib.suppress(NotSaved):  # the file stays in the folder, so nothing is lost
                    storage.move_to_bin(self._folder / name)

    def free_name(self, ending: str) -> str:
        """Return the next free file name. Names are numbered in the order in which takes are kept."""
        highest = max((int(Path(name).stem) for name in self._takes if Path(name).stem.isdecimal()), default=0)
        free = (f"{number:06d}{ending}" for number in itertools.count(highest + 1))
        return next(name for name in free if not (self._folder / name).exists())


NAMES_ELSEWHERE = "Another window of Latent Studio is open. Names can be changed only there."

MAX_LINEAGE = 64
"""The most ancestors that a recipe lists."""


class TakeStore(State):
    """Holds the takes that every panel shows, by their names. Each take is stored in its own file.

    Every panel has the `entries` among its fields: `takes` states which takes are on the strip, `take_names` states
    the user's names for them. An entry holds only the changed takes, so each panel can undo its own steps.
    """

    loaded = Signal()
    """Emitted when the takes of earlier sessions are on the strip."""

    def __init__(self, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._messages = messages
        self.names_writable = True
        """Whether takes can be renamed here. A second window would overwrite the names of the first."""
        self.takes: Value[tuple[Artwork, ...]] = Value((), self)
        """The takes on the strip, in the order in which they were kept."""
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
        """Return the names of all takes on the strip, including those that are still being read."""
        return list(self._names)

    def get_take(self, name: str) -> Artwork | None:
        """Return a take by its file name, even if it is not on the strip."""
        return self._take_folder.get_take(name)

    def find_same(self, work: Work) -> Artwork | None:
        """Return the take with this recipe. The date, the user's name and the ancestors may differ."""
        wanted = structs.replace(work, created="", name="", ancestors=())
        like = (
            take for take in self.takes.get() if structs.replace(take.work, created="", name="", ancestors=()) == wanted
        )
        return next(like, None)

    def lineage(self, key: str) -> tuple[str, ...]:
        """Return a take's key and those of its ancestors, as its children list them; empty without a key."""
        held = (self._take_folder.get_take(name) for name in self._take_folder.names())
        above = next((take.work.ancestors for take in held if take is not None and take.key == key), ())
        return (key, *above)[:MAX_LINEAGE] if key else ()

    def check_rename(self) -> bool:
        """Return whether takes can be renamed here; if not, show a message."""
        if not self.names_writable:
            self._messages.show_message(NAMES_ELSEWHERE, "warn")
        return self.names_writable

    # ── fields ───────────────────────────────────────────────────────────────────────────────────

    def _name_all(self, labels: Record) -> None:
        for name, label in labels.items():
            self._set_label(name, str(label))
        self._update_takes()

    def _lay_on_or_off(self, there: Record) -> None:
        """Add takes to the strip, or remove them."""
        on = {name for name, is_there in there.items() if is_there}
        self._names = sorted(set(self._names) - there.keys() | on)
        self._update_takes()

    def add_take(self, artwork: Artwork) -> str:
        """Write a take's file and return its name. If that fails, hold the take and show a message."""
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
        """Store a start with its artwork. A known start is replaced if the new one has a round trip."""
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
        """Read the takes' files in another thread, because hundreds of files take a while."""

        def loaded(found: list[Artwork] | Exception) -> None:
            if isinstance(found, Exception):
                raise found
            # Takes that were kept meanwhile may be renamed or deleted already, so their files are ignored.
            found = [take for take in found if self._take_folder.get_take(take.name) is None]
            self._take_folder.hold_takes(found)
            known = {*_take_names(records), *self._names}
            # A file that no record names was kept just before a crash.
            self._names = sorted({*self._names, *(take.name for take in found if take.name not in known)})
            self._update_takes()
            self.loaded.emit()

        self._loading.run(self._take_folder.read_takes, loaded)

    def close(self, records: Sequence[Record] | None) -> None:
        """Move files that no record names to the bin. If `records` is None, move none."""
        self._loading.wait()
        if records is None:
            return
        starts = {str(record["start"]) for record in records if record.get("start")}
        self._take_folder.bin_takes(set(self._take_folder.names()) - {*_take_names(records), *self._names})
        self._start_folder.bin_takes(f"{key}{end}" for key in self._starts.keys() - starts for end in (".png", ".wav"))
        self._starts = {key: start for key, start in self._starts.items() if key in starts}


def _take_names(records: Sequence[Record]) -> set[str]:
    """Return the names of the takes in records."""
    entries = (record.get(key) for record in records for key in ("takes", "take_names"))
    return {name for each in entries if isinstance(each, dict) for name in each}
