"""Holds which take the stage of a panel shows, and changes takes for the panel."""

from PySide6.QtCore import QObject

from studio.app.core.artwork import Artwork
from studio.app.core.messages import Messages
from studio.app.core.observable import State, Value
from studio.app.core.undo import ChangeStep
from studio.app.takes import tree
from studio.app.takes.store import TakeStore


class TakeSelection(State):
    """Holds the take on the stage. `change` changes takes as a step of the panel's undo."""

    def __init__(self, takes: TakeStore, messages: Messages, change: ChangeStep, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all = takes
        self._messages = messages
        self._change = change
        self.takes: Value[tuple[Artwork, ...]] = takes.takes
        self.current: Value[int | None] = Value(None, self)
        """The index of the take that the stage shows; None if it shows something else."""
        self._name: str | None = None
        takes.takes.changed.connect(self._update_current)

    @property
    def current_name(self) -> str | None:
        """Return the name of the take that the stage shows. It may still be loading."""
        return self._name

    @property
    def current_take(self) -> Artwork | None:
        """Return the take that the stage shows."""
        index = self.current.get()
        return self.takes.get()[index] if index is not None else None

    def select_take(self, name: str | None) -> None:
        """Show another take on the stage, or none."""
        self._name = name
        self._update_current()

    def delete_take(self, index: int, branch: bool = False) -> None:
        """Move a take to the bin. Undo restores it.

        With `branch`, all that came from it goes, too. Otherwise that is placed below the take's own parent.
        """
        takes = self.takes.get()
        up = tree.find_parents(self.takes.get())
        deleted = [
            place for place in range(len(takes)) if place == index or (branch and index in tree.path_to_root(up, place))
        ]
        names = [takes[place].name for place in deleted]
        self._change("prune", takes=dict.fromkeys(names, False))
        undo = ("Undo", lambda: self._change("bring back", takes=dict.fromkeys(names, True)))
        more = "one" if len(names) == 2 else f"{len(names) - 1:,}"
        also = f" and the {more} that came from it are" if len(names) > 1 else " is"
        self._messages.show_message(f"Take {index + 1}{also} in the bin.", "info", undo, until=(self.takes.changed,))

    def copy_take(self, index: int) -> None:
        """Copy the picture of a take to the clipboard, and show the outcome."""
        take = self.takes.get()[index]
        self._messages.copy_requested.emit(take.array, take.work)

    def rename_take(self, index: int, label: str) -> None:
        """Name a take. An empty name removes the name."""
        if self._all.check_rename():
            self._change("name", take_names={self.takes.get()[index].name: label.strip()[:80]})

    def _update_current(self) -> None:
        names = [take.name for take in self.takes.get()]
        self.current.set(names.index(self._name) if self._name in names else None)
