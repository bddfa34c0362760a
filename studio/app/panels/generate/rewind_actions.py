"""Moves the row marker and continues pictures from it, as other takes."""

from collections.abc import Sequence
from dataclasses import replace

from msgspec.structs import replace as other
from PySide6.QtCore import QObject

from studio.app.core.artwork import Artwork
from studio.app.core.messages import Messages
from studio.app.core.observable import Record, State, values_before
from studio.app.core.undo import ChangeStep
from studio.app.files.opening import to_model_shape
from studio.app.generation.parameters import Parameters, record_of_work
from studio.app.generation.sharpening import Sharpening
from studio.app.model_browser.model_list import ModelList
from studio.app.panels.generate.enlarged import Enlarged
from studio.app.panels.generate.rewind import Marker, Rewind, RewindBase
from studio.app.takes import tree
from studio.app.takes.store import TakeStore
from studio.library.work import Work

SETTINGS = frozenset({"seed", "temperature", "label", "mix", "share", "guidance", "top_p"})
"""The fields of a record with which a picture is continued."""
ADDED_TO_TAKES = "The continued picture is among your takes."
ALREADY_DRAWN = (
    "Nothing was drawn, because the settings are the same. "
    "Unlock the seed, or change the marker, the temperature or a pixel."
)


class RewindActions(State):
    """Acts on the marker. `change` sets fields of Generate as steps of undo; one gesture is one step."""

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
        self._models = models
        self._messages = messages
        self._takes = takes
        self._parameters = parameters
        self._enlarged = enlarged
        self._rewind = rewind
        self._change = change
        self._changed_settings = False
        """Whether the user has set seed, temperature or class since the picture came to the stage."""
        rewind.base.changed.connect(self._on_picture_changed)
        rewind.finished.connect(self._on_finished)

    def note_change(self, record: Record) -> None:
        """Note that the user has set the fields of a record."""
        self._changed_settings = self._changed_settings or not SETTINGS.isdisjoint(record)

    def move_marker(self, row: int) -> None:
        """Keep this many rows; nothing is drawn yet."""
        base = self._rewind.base.get()
        marker = self._rewind.marker.get()
        if base is not None and marker is not None:
            self._change_marker(
                "row marker", replace(marker, row=min(max(row, 0), base.last_row), armed=True), "row marker"
            )

    def arm_marker(self) -> None:
        """Arm the marker at the row of the last continuation; without one, in the middle."""
        base = self._rewind.base.get()
        marker = self._rewind.marker.get()
        large = self._enlarged.item.get()
        if base is not None and marker is not None:
            self.move_marker(marker.row if marker.row < base.rows else base.rows // 2)
        elif large is not None and large.artwork is not None:
            trained = self._models.find_maker(large.artwork.work)
            title = trained.card.title if trained is not None else large.artwork.work.model
            if trained is not None and trained.card.draws_by_rows:
                return
            what = "wave" if large.is_sound else "picture"
            text = f'"{title}" makes the whole {what} at once. It cannot continue from a part.'
            text = f"{text} Choose a model that draws row by row."
            self._messages.show_message(
                text, "warn", until=(self._parameters.model.changed, self._enlarged.item.changed)
            )

    def set_pixel(self, row: int, column: int, colour: Sequence[int] | None) -> None:
        """Choose the colour of a pixel below the marker, or release it if `colour` is None."""
        marker = self._rewind.marker_with_pixel(row, column, colour)
        if marker is not None:
            self._change_marker("colour of a pixel" if colour is not None else "release of a pixel", marker)

    def branch_here(self) -> None:
        """Continue from the marker as another take, with the present seed, temperature and class.

        If exactly this was drawn before, it uses another seed, unless the seed is locked.
        """
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

    def restore_work(self, artwork: Artwork) -> None:
        """Restore a continued picture as a take, with its marker and its settings."""
        work = artwork.work
        trained = self._models.find_or_report_maker(work)
        if trained is not None:
            take = self._takes.find_same(work) or Artwork(
                to_model_shape(artwork.array, trained, work.canvas_size), work
            )
            name = take.name or self._takes.add_take(take)
            self._change(
                "restore the work",
                takes={name: True},
                enlarged={"item": f"take {name}"},
                **record_of_work(work, trained),
            )

    def _new_work(self) -> Work | None:
        base = self._rewind.base.get()
        parameters = self._parameters
        own_model = base is not None and base.trained == parameters.model.get()
        return self._rewind.work_of(
            parameters.seed.get(),
            parameters.temperature.get(),
            parameters.label.get(),
            parameters.mix.chosen_mix() if own_model else None,
            parameters.sharpening.chosen() if own_model else Sharpening(),
        )

    def _is_already_drawn(self, work: Work) -> bool:
        base = self._rewind.base.get()
        if base is None or self._rewind.is_already_drawn(work):
            return True
        like = self._takes.find_same(work)
        above = (
            ()
            if base.rows_drawn is not None
            else (tree.origin_of(self._takes.takes.get(), base.artwork.work, work).identity_hash,)
        )
        return like is not None and like.work.ancestors[:1] == above

    def _on_finished(self, continued: Artwork, base: RewindBase) -> None:
        """Keep the continued picture and its original as takes; half-drawn originals are not kept."""
        work = continued.work
        above = tree.origin_of(self._takes.takes.get(), base.artwork.work, work)
        put = {}
        if base.rows_drawn is None and above is base.artwork.work and base.caption.startswith("cell"):
            take = self._takes.find_same(above)
            above = take.work if take is not None else above
            if take is None:
                put[self._takes.add_take(replace(base.artwork, work=above))] = True
        line = self._takes.lineage(above.identity_hash) if base.rows_drawn is None else ()
        name = self._takes.add_take(replace(continued, work=other(work, ancestors=line)))
        after: Record = {"takes": {**put, name: True}}
        now = self._rewind.base.get()
        if now is not None and now.caption == base.caption:
            after["enlarged"] = {"item": f"take {name}"}
        else:
            self._messages.show_message(ADDED_TO_TAKES)
        row = work.redrawn.row if work.redrawn is not None else 0
        self._change(f"continue from row {row}", **after)

    def _change_marker(self, name: str, mark: Marker, gesture: str | None = None) -> None:
        """Change the marker.

        The first change restores the settings of the picture, unless the user has set others meanwhile, so that only
        the user's changes differ.
        """
        base = self._rewind.base.get()
        before = self._rewind.marker.get()
        if base is not None and before is not None and mark != before:
            own = record_of_work(base.artwork.work, base.trained)
            if self._parameters.locked.get():
                del own["seed"]
            if before.armed or self._changed_settings:
                own = values_before(self._parameters.fields, own)
            touched = self._changed_settings
            label_before = self._parameters.label.get()
            self._change(name, gesture, enlarged={"item": base.caption, **mark.to_record()}, **own)
            self._changed_settings = touched
            if self._parameters.label.get() != label_before and self._parameters.class_name:
                text = (
                    f'The class is now "{self._parameters.class_name}", as in this picture. Undo brings the other back.'
                )
                self._messages.show_message(text, until=(self._parameters.label.changed,))

    def _on_picture_changed(self) -> None:
        """Forget the user's settings for the previous picture."""
        self._changed_settings = False
