"""Keeps the takes, and the user's pictures that they began from, as files."""

import contextlib
import functools
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec import structs
from PySide6.QtCore import QObject, Signal

from studio.app.core.background import BackgroundTask
from studio.app.core.messages import Messages
from studio.app.core.observable import Entries, Field, Record, State, Value
from studio.app.files.opening import WAVES, read_file, read_own_sound, read_work
from studio.app.takes.start import Start
from studio.library import storage, work
from studio.library.storage import NotSaved
from studio.library.work import BadWork, Work
from studio.media.pictures.image import FileRefused, read_bytes
from studio.wire.messages import Array


@dataclass(frozen=True, eq=False)
class Take:
    """Holds an artwork that was kept, with its recipe."""

    picture: Array
    """(height, width, channels) uint8, or (samples,) int16."""
    work: Work
    name: str
    """The name of its file."""

    @functools.cached_property
    def key(self) -> str:
        """Return the key of its recipe. Takes that came from it refer to it by this key."""
        return self.work.identity_hash


def read_take(path: Path) -> Take | None:
    """Read a take as it was kept; None if it is not the studio's.

    Raises FileRefused.
    """
    recipe, _ = read_work(path) if path.suffix.lower() in WAVES else (None, "")
    if recipe is not None:
        return Take(read_own_sound(path, recipe), recipe, path.name)
    opened = read_file(path)
    return Take(opened.picture.array, opened.work, path.name) if opened.work is not None else None


def encode_take(take: Take) -> bytes:
    """Encode a take with every pixel or sample."""
    return (work.encode_wav if take.work.kind == "sound" else work.encode_png)(take.picture, take.work)


class TakeFolder:
    """Holds the artworks of one folder. One that could not be written stays until the window closes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._takes: dict[str, Take] = {}

    def read_takes(self) -> list[Take]:
        """Read the takes in the folder, oldest first. Unreadable files are skipped; nothing is held yet."""
        storage.delete_leftovers(self._folder)
        paths = sorted(path for path in self._folder.glob("*.*") if path.suffix in (".png", ".wav"))
        return [take for path in paths if (take := self.read_take(path.name)) is not None]

    def read_take(self, name: str) -> Take | None:
        """Read one file of the folder; None if it is no artwork."""
        try:
            return read_take(self._folder / name)
        except FileRefused:
            return None

    def read_recipe(self, name: str) -> Work | None:
        """Read the recipe of a file without its pixels or samples; None without one."""
        path = self._folder / name
        try:
            data = read_bytes(path, name)
            return work.recipe_of_wav(data) if path.suffix in WAVES else work.recipe_of_png(data)
        except (FileRefused, BadWork):
            return None

    def hold_takes(self, takes: Iterable[Take]) -> None:
        """Hold takes that were read."""
        self._takes |= {take.name: take for take in takes}

    def get_take(self, name: str) -> Take | None:
        return self._takes.get(name)

    def names(self) -> list[str]:
        return sorted(self._takes)

    def add_take(self, take: Take) -> None:
        """Hold a take and write its file. Raises NotSaved after it is held, so that nothing is lost."""
        self._takes[take.name] = Take(np.array(take.picture), take.work, take.name)
        storage.write_file(self._folder / take.name, encode_take(take))

    def write_unsaved(self) -> None:
        """Write the takes that could not be written before. Raises NotSaved."""
        for name, take in self._takes.items():
            if not (self._folder / name).exists():
                storage.write_file(self._folder / name, encode_take(take))

    def bin_takes(self, names: Iterable[str]) -> None:
        """Forget takes that nothing refers to, and move their files to the bin."""
        for name in list(names):
            self._takes.pop(name, None)
            if (self._folder / name).exists():
                with contextlib.suppress(NotSaved):  # the file stays, which loses nothing
                    storage.move_to_bin(self._folder / name)

    def free_name(self, ending: str) -> str:
        """Return the next name. The order of names is the order in which takes were kept."""
        highest = max((int(Path(name).stem) for name in self._takes if Path(name).stem.isdecimal()), default=0)
        free = (f"{number:06d}{ending}" for number in itertools.count(highest + 1))
        return next(name for name in free if not (self._folder / name).exists())


NAMES_ELSEWHERE = "Another window of Latent Studio is open. Names can be changed only there."

MAX_LINEAGE = 64
"""The most ancestors that an artwork records."""


class TakeStore(State):
    """Lists the takes by their names, the same for every panel. Their files are the truth.

    `entries` are the fields of every panel that change them: `takes` says which takes are on the strip, and `named`
    what they are called. So the steps of one panel can be undone, whatever was done in another.
    """

    loaded = Signal()
    """The takes from before the start are on the strip."""

    def __init__(self, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._messages = messages
        self.names_writable = True
        """Whether names may be changed. A second window on the same folders would overwrite those of the first."""
        self.takes: Value[tuple[Take, ...]] = Value((), self)
        """The takes in the order in which they were kept."""
        self._take_folder = TakeFolder(storage.home_folder("data") / "takes")
        self._start_folder = TakeFolder(storage.home_folder("data") / "starts")
        self._names: list[str] = []
        self._starts: dict[str, Start] = {}
        self._loading = BackgroundTask(self)
        self.entries = (
            Entries("named", self._label_of, self._name_all),
            Entries("takes", lambda name: name in self._names, self._set_on_strip),
        )
        self.fields = (
            Field("starts", self._starts_to_record, self._read_starts, undo=False),
            Field("takes", lambda: self.names, self._use_names, undo=False),
        )

    @property
    def names(self) -> list[str]:
        """Return the names of the takes on the strip, including those that are still loading."""
        return list(self._names)

    def get_take(self, name: str) -> Take | None:
        """Return the take of that name, on the strip or not."""
        return self._take_folder.get_take(name)

    def find_same(self, work: Work) -> Take | None:
        """Return the take with the same recipe, at any time and under any name."""
        wanted = structs.replace(work, made="", name="", came_from=())
        same_takes = (
            take for take in self.takes.get() if structs.replace(take.work, made="", name="", came_from=()) == wanted
        )
        return next(same_takes, None)

    def lineage(self, key: str) -> tuple[str, ...]:
        """Return the keys of a take and its ancestors; none without a key."""
        held = (self._take_folder.get_take(name) for name in self._take_folder.names())
        above = next((take.work.came_from for take in held if take is not None and take.key == key), ())
        return (key, *above)[:MAX_LINEAGE] if key else ()

    def check_rename(self) -> bool:
        """Return whether names may be changed here. If not, show a message."""
        if not self.names_writable:
            self._messages.show_message(NAMES_ELSEWHERE, "warn")
        return self.names_writable

    # ── changes by steps of undo ─────────────────────────────────────────────────────────────────

    def _name_all(self, labels: Record) -> None:
        for name, label in labels.items():
            self._set_label(name, str(label))
        self._update_takes()

    def _set_on_strip(self, on_strip: Record) -> None:
        """Add takes to the strip, or remove them."""
        on = {name for name, is_there in on_strip.items() if is_there}
        self._names = sorted(set(self._names) - on_strip.keys() | on)
        self._update_takes()

    def add_take(self, picture: Array, work: Work) -> str:
        """Write a take's file and return its name.

        If the file cannot be written, the take is held and a message is shown.
        """
        name = self._take_folder.free_name(work.file_suffix)
        self._write(self._take_folder, Take(picture, work, name))
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
            self._write(self._take_folder, Take(take.picture, structs.replace(take.work, name=label), name))

    # ── starts of takes ──────────────────────────────────────────────────────────────────────────

    def get_start(self, key: str) -> Start | None:
        return self._starts.get(key)

    def add_start(self, start: Start, work: Work, picture: Array | None) -> None:
        """Keep a start as the artwork `work`.

        A start with a round trip replaces one without.
        """
        known = self._starts.get(start.key)
        if known is None or start.round_trip is not None:
            self._starts[start.key] = start
        if known is None:
            unknown = np.zeros(256, np.int16) if work.kind == "sound" else np.zeros((1, 1, 3), np.uint8)
            shown = picture if picture is not None else unknown
            self._write(self._start_folder, Take(shown, work, f"{start.key}{work.file_suffix}"))

    # ── files ────────────────────────────────────────────────────────────────────────────────────

    def _write(self, folder: TakeFolder, take: Take) -> None:
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

    def _read_starts(self, record: Record) -> None:
        for key, start_record in record.items():
            recipe = self._start_folder.read_recipe(f"{key}.png") or self._start_folder.read_recipe(f"{key}.wav")
            start = Start.from_record(recipe, start_record) if recipe is not None else None
            if start is not None:
                self._starts[start.key] = start

    def _use_names(self, names: Sequence[str]) -> None:
        self._names = [str(name) for name in names]

    def read_takes(self, records: Sequence[Record]) -> None:
        """Read the takes' files in another thread. Hundreds of them would delay the window."""

        def hold_loaded(takes: list[Take] | Exception) -> None:
            if isinstance(takes, Exception):
                raise takes
            self._take_folder.hold_takes(takes)
            known = {*_take_names(records), *self._names}
            # A file that no record names was kept just before a crash.
            self._names = sorted({*self._names, *(take.name for take in takes if take.name not in known)})
            self._update_takes()
            self.loaded.emit()

        self._loading.run(self._take_folder.read_takes, hold_loaded)

    def close(self, records: Sequence[Record] | None) -> None:
        """Move files that no record needs to the bin. Keep all if `records` is None."""
        self._loading.wait()
        if records is None:
            return
        starts = {str(record["start"]) for record in records if record.get("start")}
        self._take_folder.bin_takes(set(self._take_folder.names()) - {*_take_names(records), *self._names})
        self._start_folder.bin_takes(f"{key}{end}" for key in self._starts.keys() - starts for end in (".png", ".wav"))
        self._starts = {key: start for key, start in self._starts.items() if key in starts}


def _take_names(records: Sequence[Record]) -> set[str]:
    """Return the names of the takes in records."""
    entries = (record.get(key) for record in records for key in ("takes", "named"))
    return {name for each in entries if isinstance(each, dict) for name in each}
