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
from studio.app.panels.generate.enlarged import Enlarged
from studio.app.panels.generate.rewind import Marker, Rewind, RewindBase
from studio.app.takes import tree
from studio.app.takes.store import TakeStore
from studio.library.work import Work
from studio.wire.messages import Array

SETTINGS = frozenset({"seed", "temperature", "label", "mix", "share"})
"""What of a record a picture goes on with."""
ADDED_TO_TAKES = "The continued picture is among your takes."
ALREADY_DRAWN = (
    "Nothing was drawn, because the settings are the same. "
    "Unlock the seed, or change the marker, the temperature or a pixel."
)


class RewindActions(State):
    """`change` sets fields of Generate as steps of its undo; one gesture is one step."""

    def __init__(
        self,
        models: ModelList,
        messages: Messages,
        takes: TakeStore,
        parameters: Parameters,
        enlarged: Enlarged,
        rewind: Rewind,
        change: ChangeStep,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._models, self._messages, self._takes, self._parameters = models, messages, takes, parameters
        self._enlarged, self._rewind, self._change = enlarged, rewind, change
        self._changed_settings = False
        """Whether a hand has set seed, temperature or kind since the picture on the stage came."""
        rewind.base.changed.connect(self._on_picture_changed)
        rewind.finished.connect(self._on_finished)

    def note_change(self, record: Record) -> None:
        """A hand sets what a record says."""
        self._changed_settings = self._changed_settings or not SETTINGS.isdisjoint(record)

    def move_marker(self, row: int) -> None:
        """Keep so many rows; nothing is drawn yet."""
        base, mark = self._rewind.base.get(), self._rewind.marker.get()
        if base is not None and mark is not None:
            self._change_marker(
                "row marker", replace(mark, row=min(max(row, 0), base.last_row), armed=True), "row marker"
            )

    def arm_marker(self) -> None:
        """Make the marker ready: where the picture went on before, else in its middle."""
        base, mark, large = self._rewind.base.get(), self._rewind.marker.get(), self._enlarged.item.get()
        if base is not None and mark is not None:
            self.move_marker(mark.row if mark.row < base.rows else base.rows // 2)
        elif large is not None and large.export_item is not None:
            trained = self._models.find_maker(large.export_item.work)
            title = trained.card.title if trained is not None else large.export_item.work.model
            if trained is not None and trained.card.can_inpaint:
                return
            what = "wave" if large.is_sound else "picture"
            said = f'"{title}" makes the whole {what} at once. It cannot continue from a part.'
            said = f"{said} Choose a model that draws row by row."
            self._messages.show_message(
                said, "warn", until=(self._parameters.model.changed, self._enlarged.item.changed)
            )

    def set_pixel(self, row: int, column: int, colour: Sequence[int] | None) -> None:
        """Choose the colour of a pixel below the marker, or let it go where there is none."""
        mark = self._rewind.marker_with_pixel(row, column, colour)
        if mark is not None:
            self._change_marker("colour of a pixel" if colour is not None else "release of a pixel", mark)

    def branch_here(self) -> None:
        """Go on from the marker, as another take, with the seed, temperature and kind that are set. What was drawn
        just so already gets another seed, unless that is locked."""
        work = self._new_work()
        if work is None or self._rewind.is_running:
            return
        if self._is_already_drawn(work):
            if self._parameters.locked.get():
                self._messages.show_message(ALREADY_DRAWN)
                return
            self._parameters.new_seed()
            work = self._new_work()
        if work is not None:
            self._rewind.draw_rest(work)

    def restore_work(self, work: Work, picture: Array) -> None:
        """Bring back a picture that went on from a row: as a take, with its marker and what is set as it was."""
        trained = self._models.find_or_report_maker(work)
        if trained is not None:
            take = self._takes.find_same(work)
            name = take.name if take is not None else self._takes.add_take(to_model_shape(picture, trained), work)
            self._change(
                "restore the work", takes={name: True}, stage={"at": f"take {name}"}, **record_of_work(work, trained)
            )

    def _new_work(self) -> Work | None:
        base, dials = self._rewind.base.get(), self._parameters
        mix = dials.mix.chosen_mix() if base is not None and base.trained == dials.model.get() else None
        return self._rewind.work_of(dials.seed.get(), dials.temperature.get(), dials.label.get(), mix)

    def _is_already_drawn(self, work: Work) -> bool:
        base = self._rewind.base.get()
        if base is None or self._rewind.is_already_drawn(work):
            return True
        like = self._takes.find_same(work)
        above = (
            ()
            if base.rows_drawn is not None
            else (tree.origin_of(self._takes.takes.get(), base.work, work).identity_hash,)
        )
        return like is not None and like.work.came_from[:1] == above

    def _on_finished(self, work: Work, picture: Array, base: RewindBase) -> None:
        """Another take, and the one it came from, where that was none yet; what was half-drawn is none."""
        above, put = tree.origin_of(self._takes.takes.get(), base.work, work), {}
        if base.rows_drawn is None and above is base.work and base.caption.startswith("cell"):
            take = self._takes.find_same(above)
            above = take.work if take is not None else above
            if take is None:
                put[self._takes.add_take(base.picture, above)] = True
        line = self._takes.lineage(above.identity_hash) if base.rows_drawn is None else ()
        name = self._takes.add_take(picture, other(work, came_from=line))
        after: Record = {"takes": {**put, name: True}}
        now = self._rewind.base.get()
        if now is not None and now.caption == base.caption:
            after["stage"] = {"at": f"take {name}"}
        else:
            self._messages.show_message(ADDED_TO_TAKES)
        row = work.rewound.row if work.rewound is not None else 0
        self._change(f"continue from row {row}", **after)

    def _change_marker(self, name: str, mark: Marker, gesture: str | None = None) -> None:
        """A hand on the marker; the first touch brings what the picture was made with, unless a hand has set
        something else meanwhile, so that only what is changed is different."""
        base, before = self._rewind.base.get(), self._rewind.marker.get()
        if base is not None and before is not None and mark != before:
            own = record_of_work(base.work, base.trained)
            if self._parameters.locked.get():
                del own["seed"]
            if before.armed or self._changed_settings:
                own = values_before(self._parameters.fields, own)
            touched = self._changed_settings
            kind = self._parameters.label.get()
            self._change(name, gesture, stage={"at": base.caption, **mark.to_record()}, **own)
            self._changed_settings = touched
            if self._parameters.label.get() != kind and self._parameters.class_name:
                said = (
                    f'The class is now "{self._parameters.class_name}", as in this picture. Undo brings the other back.'
                )
                self._messages.show_message(said, until=(self._parameters.label.changed,))

    def _on_picture_changed(self) -> None:
        """Another picture is on the stage."""
        self._changed_settings = False
