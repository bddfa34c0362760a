"""The takes of Explore and the artist's own pictures that they began from, kept as files."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from PySide6.QtCore import QObject

from studio.app.states.later import Later
from studio.app.states.messages import Messages
from studio.app.states.scene import Start
from studio.app.states.shelf import Shelf, Take
from studio.app.states.value import Plain, State, Value
from studio.library import storage
from studio.library.storage import NotSaved
from studio.library.work import Work
from studio.wire.messages import Array


class Takes(State):
    """Which takes lie on the strip, by their names; the files are the truth of each."""

    def __init__(self, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._messages = messages
        self.list: Value[tuple[Take, ...]] = Value((), self)
        self.current: Value[int | None] = Value(None, self)
        self._shelf = Shelf(storage.home("data") / "takes")
        self._start_shelf = Shelf(storage.home("data") / "starts")
        self._names: list[str] = []
        self._starts: dict[str, Start] = {}
        self._loading = Later(self)

    @property
    def names(self) -> list[str]:
        """Of the takes on the strip, those still being read from the disk among them."""
        return list(self._names)

    @property
    def current_name(self) -> str | None:
        index = self.current.get()
        return self.list.get()[index].name if index is not None else None

    def put(self, names: Iterable[str], current: str | None) -> None:
        """Lay these takes on the strip; those that are not held are left out."""
        self._names = list(names)
        held = (self._shelf.get(name) for name in self._names)
        self.list.set(tuple(take for take in held if take is not None))
        shown = [take.name for take in self.list.get()]
        self.current.set(shown.index(current) if current in shown else None)

    def keep(self, picture: Array, work: Work) -> str:
        """Write a take's file; its name. It is held even where it cannot be written, and that is said."""
        name = self._shelf.free_name(work.ending)
        self._write(self._shelf, Take(picture, work, name))
        return name

    def start(self, key: str) -> Start | None:
        return self._starts.get(key)

    def hold_start(self, start: Start, work: Work, picture: Array | None) -> None:
        """Keep a start as the work `work`; one that knows how it comes back replaces one that does not."""
        known = self._starts.get(start.key)
        if known is None or start.figures is not None:
            self._starts[start.key] = start
        if known is None:
            unknown = np.zeros(256, np.int16) if work.kind == "sound" else np.zeros((1, 1, 3), np.uint8)
            seen = picture if picture is not None else unknown
            self._write(self._start_shelf, Take(seen, work, f"{start.key}{work.ending}"))

    def _write(self, shelf: Shelf, take: Take) -> None:
        try:
            shelf.keep(take)
        except NotSaved as fault:
            self._messages.say(fault.sentence, "failed", ("Try again", self._write_again))

    def _write_again(self) -> None:
        try:
            self._shelf.save()
            self._start_shelf.save()
        except NotSaved as fault:
            self._messages.say(fault.sentence, "failed", ("Try again", self._write_again))
        else:
            self._messages.say("Your takes are saved.")

    def snapshot(self) -> Plain:
        return {
            "takes": self.names,
            "current": self.current_name,
            "starts": {key: start.plain() for key, start in self._starts.items()},
        }

    def restore(self, plain: Plain) -> None:
        for key, said in plain.get("starts", {}).items():
            kept = self._start_shelf.read_one(f"{key}.png") or self._start_shelf.read_one(f"{key}.wav")
            start = Start.of_plain(kept.work, said) if kept is not None else None
            if kept is not None and start is not None:
                self._start_shelf.hold([kept])
                self._starts[start.key] = start
        self._names = [str(name) for name in plain.get("takes", [])]

    def load(self, left_at: Callable[[], str | None], records: Sequence[Plain], then: Callable[[], object]) -> None:
        """Read the takes' files beside the window; `then` when they lie on the strip, the current one chosen.

        Hundreds of takes take a while to read, and the window should be on the screen by then.
        """

        def loaded(found: list[Take] | Exception) -> None:
            if isinstance(found, Exception):
                raise found
            self._shelf.hold(found)
            known = {name for record in records for name in record.get("takes", [])} | set(self._names)
            # A file that nothing knows was kept in the moment before a crash.
            names = [*self._names, *(take.name for take in found if take.name not in known)]
            self.put(names, self.current_name or left_at())
            then()

        self._loading.run(self._shelf.read, loaded)

    def close(self, records: Sequence[Plain]) -> None:
        """What no record leads back to goes to the bin."""
        self._loading.wait()
        takes = {name for record in records for name in record.get("takes", [])} | set(self._names)
        starts = {record["start"] for record in records if record.get("start")}
        self._shelf.put_away(set(self._shelf.names()) - takes)
        self._start_shelf.put_away(f"{key}{end}" for key in self._starts.keys() - starts for end in (".png", ".wav"))
        self._starts = {key: start for key, start in self._starts.items() if key in starts}
