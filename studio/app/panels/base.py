"""Gives every panel undo over a table of fields, and restores the fields after a restart."""

from studio.app.core.observable import Entries, Field, Record, State, set_fields, values_before
from studio.app.core.undo import UndoHistory
from studio.app.maps.surprisal import ShownPicture


class PanelState(State):
    """Holds the state of one panel. A subclass creates its parts, then declares their fields in one table."""

    def __init__(self) -> None:
        super().__init__()
        self.history = UndoHistory(self._apply, self)

    def _declare(self, *fields: Field | Entries) -> None:
        """Declare all fields of the panel, in the order in which a record sets them."""
        self.fields = (*fields, Field("history", self.history.snapshot, self.history.restore, undo=False))

    def change(self, name: str, gesture: str | None = None, **values: object) -> None:
        """Change fields as one step of undo.

        It raises what a setter raises; then all fields have their old values, and there is no step.

        Arguments
            name: the name of the step, as in "Undo warmth"
            gesture: steps of the same gesture become one step
            values: by the names of fields; KeyError if there is no such field
        """
        unknown = values.keys() - {field.name for field in self.fields if field.undo}
        if unknown:
            raise KeyError(f"undo knows no {unknown}")
        self._commit(name, gesture, self._before(values), values)

    def _before(self, after: Record) -> Record:
        """Return a record that undoes a change of fields to `after`."""
        return values_before(self.fields, after)

    def _commit(self, name: str, gesture: str | None, before: Record, after: Record) -> None:
        """Apply a change and keep it as a step of undo."""
        try:
            for fault in self._apply(after).values():
                raise fault
        except Exception:
            self._apply(before)
            raise
        self.history.add_step(name, before, after, gesture)

    def _apply(self, record: Record) -> dict[str, Exception]:
        """Set the fields of a change, undo or redo, then update dependent values. Return the refused fields."""
        refused = set_fields((field for field in self.fields if field.undo), record)
        self._follow(record)
        return refused

    def _follow(self, record: Record) -> None:
        """Update the values that depend on the fields of a record, such as a run under way."""

    def shown_pictures(self) -> tuple[ShownPicture, ...]:
        """Return the pictures on the stage that can have maps, the most urgent first."""
        return ()

    def records(self) -> list[Record]:
        """Return every record that may name takes or pictures, so that their files are kept."""
        return [*self.history.records(), self.snapshot()]
