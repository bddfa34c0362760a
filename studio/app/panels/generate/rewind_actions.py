"""The hand on the row marker: a picture goes on from one of its rows, as another take."""

from collections.abc import Sequence
from dataclasses import replace

from msgspec.structs import replace as other
from PySide6.QtCore import QObject

from studio.app.core.messages import Messages
from studio.app.core.observable import Record, State, values_before
from studio.app.core.undo import ChangeStep
from studio.app.files.opening import to_model_shape
from studio.app.generation.parameters import Parameters, record_of_work
from studio.app.model_browser.model_list import ModelList
from studio.app.panels.generate.enlarged import Closeup
from studio.app.panels.generate.rewind import Base, Mark, Rewind
from studio.app.takes import tree
from studio.app.takes.store import TakeStore
from studio.library.work import Work
from studio.wire.messages import Array

SET = frozenset({"seed", "temperature", "label", "mix", "share"})
"""What of a record a picture goes on with."""


class Branching(State):
    """`change` sets fields of Generate as steps of its undo; one gesture is one step."""

    def __init__(
        self,
        models: ModelList,
        messages: Messages,
        takes: TakeStore,
        dials: Parameters,
        closeup: Closeup,
        rewind: Rewind,
        change: ChangeStep,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._models, self._messages, self._takes, self._dials = models, messages, takes, dials
        self._closeup, self._rewind, self._change = closeup, rewind, change
        self._touched = False
        """Whether a hand has set seed, temperature or kind since the picture on the stage came."""
        rewind.base.changed.connect(self._came)
        rewind.done.connect(self._went_on)

    def hand_sets(self, record: Record) -> None:
        """A hand sets what a record says."""
        self._touched = self._touched or not SET.isdisjoint(record)

    def move(self, row: int) -> None:
        """Keep so many rows; nothing is drawn yet."""
        base, mark = self._rewind.base.get(), self._rewind.mark.get()
        if base is not None and mark is not None:
            self._mark("row marker", replace(mark, row=min(max(row, 0), base.end), armed=True), "row marker")

    def arm(self) -> None:
        """Make the marker ready: where the picture went on before, else in its middle."""
        base, mark, large = self._rewind.base.get(), self._rewind.mark.get(), self._closeup.large.get()
        if base is not None and mark is not None:
            self.move(mark.row if mark.row < base.rows else base.rows // 2)
        elif large is not None and large.piece is not None:
            trained = self._models.find_maker(large.piece.work)
            title = trained.card.title if trained is not None else large.piece.work.model
            if trained is not None and trained.card.can_inpaint:
                return
            what = "wave" if large.sound else "picture"
            said = f'"{title}" makes the whole {what} at once and cannot go on from a part of it.'
            said = f"{said} Choose a model that draws row by row."
            self._messages.show_message(said, "warn", until=(self._dials.model.changed, self._closeup.large.changed))

    def impose(self, row: int, column: int, colour: Sequence[int] | None) -> None:
        """Choose the colour of a pixel below the marker, or let it go where there is none."""
        mark = self._rewind.imposing(row, column, colour)
        if mark is not None:
            self._mark("colour of a pixel" if colour is not None else "pixel let go", mark)

    def branch(self) -> None:
        """Go on from the marker, as another take, with the seed, temperature and kind that are set. What was drawn
        just so already gets another seed, unless that is locked."""
        work = self._making()
        if work is None or self._rewind.running:
            return
        if self._drawn_already(work):
            if self._dials.locked.get():
                self._messages.show_message(
                    "This is how it was drawn already, so nothing new would come. Unlock the seed, or move the marker, "
                    "the temperature or a pixel."
                )
                return
            self._dials.new_seed()
            work = self._making()
        if work is not None:
            self._rewind.go_on(work)

    def restore_work(self, work: Work, picture: Array) -> None:
        """Bring back a picture that went on from a row: as a take, with its marker and what is set as it was."""
        trained = self._models.find_or_report_maker(work)
        if trained is not None:
            take = self._takes.find_same(work)
            name = take.name if take is not None else self._takes.add_take(to_model_shape(picture, trained), work)
            self._change(
                "restore the work", takes={name: True}, stage={"at": f"take {name}"}, **record_of_work(work, trained)
            )

    def _making(self) -> Work | None:
        base, dials = self._rewind.base.get(), self._dials
        mix = dials.mix.chosen_mix() if base is not None and base.trained == dials.model.get() else None
        return self._rewind.making(dials.seed.get(), dials.temperature.get(), dials.label.get(), mix)

    def _drawn_already(self, work: Work) -> bool:
        base = self._rewind.base.get()
        if base is None or self._rewind.same(work):
            return True
        like = self._takes.find_same(work)
        above = (
            () if base.drawn is not None else (tree.origin_of(self._takes.takes.get(), base.work, work).identity_hash,)
        )
        return like is not None and like.work.came_from[:1] == above

    def _went_on(self, work: Work, picture: Array, base: Base) -> None:
        """Another take, and the one it came from, where that was none yet; what was half-drawn is none."""
        above, put = tree.origin_of(self._takes.takes.get(), base.work, work), {}
        if base.drawn is None and above is base.work and base.place.startswith("cell"):
            take = self._takes.find_same(above)
            above = take.work if take is not None else above
            if take is None:
                put[self._takes.add_take(base.picture, above)] = True
        line = self._takes.lineage(above.identity_hash) if base.drawn is None else ()
        name = self._takes.add_take(picture, other(work, came_from=line))
        after: Record = {"takes": {**put, name: True}}
        now = self._rewind.base.get()
        if now is not None and now.place == base.place:
            after["stage"] = {"at": f"take {name}"}
        else:
            self._messages.show_message("The picture that went on is among your takes.")
        row = work.rewound.row if work.rewound is not None else 0
        self._change(f"going on from row {row}", **after)

    def _mark(self, name: str, mark: Mark, gesture: str | None = None) -> None:
        """A hand on the marker; the first touch brings what the picture was made with, unless a hand has set
        something else meanwhile, so that only what is changed is different."""
        base, before = self._rewind.base.get(), self._rewind.mark.get()
        if base is not None and before is not None and mark != before:
            own = record_of_work(base.work, base.trained)
            if self._dials.locked.get():
                del own["seed"]
            if before.armed or self._touched:
                own = values_before(self._dials.fields, own)
            touched = self._touched
            kind = self._dials.label.get()
            self._change(name, gesture, stage={"at": base.place, **mark.plain()}, **own)
            self._touched = touched
            if self._dials.label.get() != kind and self._dials.class_name:
                said = f'Kind is "{self._dials.class_name}" now, as this picture was made. Undo takes it back.'
                self._messages.show_message(said, until=(self._dials.label.changed,))

    def _came(self) -> None:
        """Another picture is on the stage."""
        self._touched = False
