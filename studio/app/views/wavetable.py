"""The part of Explore's inspector that saves a wavetable: from the stage to a take."""

from typing import Any

from studio.app.states.explore import Explore
from studio.app.states.value import Value
from studio.app.views.bind import bind
from studio.app.views.controls import Button, Choice, Label, row
from studio.app.views.dialogs import Dialogs
from studio.app.views.pages import Column
from studio.app.views.theme import Look

_NOTE = "64 frames on the way from the stage to a take, as synthesizers load them."
_EMPTY = "Keep another take of this model, and a wavetable can lead to it from the stage."


class WavetableSection(Column):
    """Only where the stage shows waves."""

    def __init__(self, look: Look, state: Explore, dialogs: Dialogs) -> None:
        super().__init__(look)
        self._state, self._table, self._dialogs = state, state.wavetable, dialogs
        self.take = Choice(look, "Wavetable to", "The take at the other end of the wavetable")
        self.save = Button(look, "Save…", help="Save the way from the stage to this take as a wavetable")
        self.save.setAccessibleName("Save wavetable…")
        self.note = Label("", "note", wrap=True)
        self.section("Wavetable")
        self._choice = row(self.take, self.save)
        self.add(self._choice, self.note)
        self.save.clicked.connect(self.ask)
        shown: tuple[Value[Any], ...] = (state.model, state.takes, state.picture, state.current, self._table.making)
        for value in shown:
            bind(self, value, self._show)

    def ask(self) -> None:
        """Ask where the wavetable should go."""
        index = self.take.currentData()
        if isinstance(index, int) and (name := self._table.name_of(index)):
            self._dialogs.save(name, lambda path: self._table.save(index, path))

    def _show(self, _: object) -> None:
        trained, making = self._state.model.get(), self._table.making.get()
        partners = [index for index in self._table.partners() if index != self._state.current.get()]
        if [self.take.itemData(place) for place in range(self.take.count())] != partners:
            before = self.take.currentData()
            self.take.clear()
            for index in partners:
                self.take.addItem(f"Take {index + 1}", index)
            self.take.setCurrentIndex(partners.index(before) if before in partners else len(partners) - 1)
        self._choice.setVisible(bool(partners))
        self.save.setEnabled(not making)
        self.save.say("Making" if making else "Save…")
        self.save.setAccessibleName("Making the wavetable" if making else "Save wavetable…")
        self.note.setText(_NOTE if partners else _EMPTY)
        self.setVisible(trained is not None and trained.card.kind == "sound")
