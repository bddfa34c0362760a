"""Holds the state of Generate: makes pictures from seeds, shows them as they form, keeps them."""

from typing import Any

from PySide6.QtCore import Signal

from studio.app.audio.wave_synth import WaveSynth
from studio.app.core.artwork import Artwork
from studio.app.core.jobs import JobList
from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, Field, Record, Value, one_of
from studio.app.files.exporting import Exporter
from studio.app.generation.batch import Batch
from studio.app.generation.parameters import Parameters, default_record
from studio.app.generation.wording import BatchText
from studio.app.maps.surprisal import ShownPicture, SurprisalMaps
from studio.app.model_browser.model_list import ModelList
from studio.app.panels.base import PanelState
from studio.app.panels.generate.enlarged import Enlarged
from studio.app.panels.generate.rewind import Rewind
from studio.app.panels.generate.rewind_actions import RewindActions
from studio.app.takes.selection import TakeSelection
from studio.app.takes.store import TakeStore
from studio.library.models import InstalledModel
from studio.wire.messages import Array, Sample

COPIES = (1, 2, 3)
"""The choices for `GenerateState.copies`."""
MAX_PICTURES = 4096
"""Pictures of one run, as `studio.wire.messages.Sample` allows."""


class GenerateState(PanelState):
    """Holds the state of the panel Generate."""

    explore_requested = Signal(object)
    """Carries an Artwork to be opened in Explore."""
    complete_requested = Signal(object)
    """Carries an Artwork to be completed."""
    file_chosen = Signal(object)
    """Carries the Path of a file of the user, to be opened in the panel that can show it."""

    def __init__(
        self,
        engine: EngineProtocol,
        models: ModelList,
        messages: Messages,
        jobs: JobList,
        takes: TakeStore,
        exporter: Exporter,
        surprisal: SurprisalMaps,
        synth: WaveSynth,
    ) -> None:
        super().__init__()
        self.models = models
        self.messages = messages
        self.exporter = exporter
        self.surprisal = surprisal
        self.synth = synth
        self.parameters = Parameters(
            models, 16, MAX_PICTURES, lambda trained: not trained.card.sample_rate, self.change, self
        )
        self.model: Value[InstalledModel | None] = self.parameters.model
        self.batch = Batch(
            engine,
            models,
            messages,
            jobs,
            "Generate",
            "grid",
            self._wording,
            self._make_command,
            self.start_batch,
            self,
        )
        self.chosen: Value[int | None] = Value(None, self)
        """Index of the cell with the ring."""
        self._takes = takes
        self.selection = TakeSelection(takes, messages, self.change, self)
        """The take that is shown large."""
        self.rewind = Rewind(engine, messages, jobs, self.batch.uncertainty, self)
        self.enlarged = Enlarged(models, self.batch, takes, self.selection, self.rewind, self)
        self.rewind_actions = RewindActions(
            models, messages, takes, self.parameters, self.enlarged, self.rewind, self.change, self
        )
        self.copies: Value[int] = Value(1, self)
        """How many copies of a large seamless picture are shown side by side, and as many below each other."""
        self.can_save: Value[bool] = Value(False, self)
        """Whether any picture of the grid is finished."""
        self.batch.cells.changed.connect(lambda cells: self.can_save.set(any(cell.finished for cell in cells)))
        self._declare(
            *self.parameters.fields,
            *takes.entries,
            Field("enlarged", self.enlarged.to_record, self.enlarged.apply_record, restart=False),
            Field("chosen", self.chosen.get, self._use_chosen, undo=False),
            Field("enlarged", self.enlarged.stored, self.enlarged.restore_later, undo=False),
            Field.of("uncertainty", self.batch.uncertainty.on, bool, undo=False),
            Field("copies", self.copies.get, lambda copies: self.copies.set(one_of(COPIES, copies)), undo=False),
        )

    # ── what can be set ──────────────────────────────────────────────────────────────────────────

    def choose_model(self, name: str) -> None:
        trained = self.models.find_or_report(name)
        if trained is not None and not trained.card.sample_rate:
            self.change("model", **default_record(trained))

    # ── making ───────────────────────────────────────────────────────────────────────────────────

    def start_batch(self) -> None:
        """Make the pictures; during a run, make the same again afterwards."""
        canvas = self.parameters.canvas
        size = canvas.chosen_size()
        seamless = size is not None and canvas.seamless.get()
        self.batch.start_run(self.parameters, self._clear_stage, canvas_size=size, seamless=seamless)

    def _make_command(self, **fields: Any) -> Sample:
        run = self.batch.run
        assert run is not None, "a run makes its commands"
        return Sample(canvas_size=run.canvas_size, seamless=run.seamless, **fields)

    def _clear_stage(self) -> None:
        self.selection.select_take(None)
        self.chosen.set(None)
        self.enlarged.index.set(None)

    def _wording(self) -> BatchText:
        trained = self.batch.trained
        run = self.batch.run
        title = run.model if run is not None else ""
        if trained is not None:
            title = trained.card.title
        one = "wave" if self.batch.artwork_kind == "sound" else "picture"
        return BatchText(
            one,
            title,
            unfinished_text="What is finished can already be opened or saved.",
            rows=self.batch.rows,
            note=run.sharpening.density_note if run is not None else "",
        )

    # ── choosing and keeping ─────────────────────────────────────────────────────────────────────

    def show_copies(self, copies: int) -> None:
        """Show a large seamless picture once, or 2 × 2 or 3 × 3 copies of it."""
        self.copies.set(copies)

    def choose_cell(self, index: int | None) -> None:
        self.chosen.set(index)

    def enlarge_cell(self, index: int | None) -> None:
        """Enlarge one picture; None shows the grid again."""
        if index is not None:
            self.chosen.set(index)
        self.enlarged.show_cell(index)

    def current_item(self) -> Array | None:
        """Return the finished picture or wave that is enlarged or chosen; None if there is none."""
        item = self.artwork(None)
        return item.array if item is not None else None

    def visible_model(self) -> InstalledModel | None:
        """Return the model that made the visible pictures; the chosen one if there are none."""
        large = self.enlarged.item.get()
        base = self.rewind.base.get()
        if large is not None and large.artwork is not None:
            return self.models.find_maker(large.artwork.work)
        if large is not None and base is not None:
            return base.trained
        return self.batch.trained if self.batch.cells.get() else self.model.get()

    def shown_pictures(self) -> tuple[ShownPicture, ...]:
        """Return the finished pictures for their maps: the enlarged or chosen one first."""
        large = self.enlarged.item.get()
        if large is not None:
            item = None if large.is_sound else large.artwork
            known = item is not None and self.models.find_model(item.work.model) is not None
            return (ShownPicture(item.array, item.work.model, item.work.label),) if item is not None and known else ()
        return self.batch.shown_pictures(self.current_item())

    def save_picture(self, index: int | None = None) -> None:
        """Ask where to save a finished picture with its recipe, and save it.

        Here and below, None means the enlarged or chosen picture.
        """
        item = self.artwork(index)
        if item is not None:
            self.exporter.ask_path(item)

    def copy_picture(self, index: int | None = None) -> None:
        """Copy a finished picture to the clipboard, and show the outcome."""
        item = self.artwork(index)
        if item is not None:
            self.messages.copy_requested.emit(item.array, item.work)
        else:
            self.messages.show_message("No picture is chosen yet. Click one, then copy it.")

    def save_all(self) -> None:
        """Ask where to save every finished picture, and save them in a folder or on one sheet."""
        items = (self.artwork(index) for index in range(len(self.batch.cells.get())))
        if finished := [item for item in items if item is not None]:
            self.exporter.ask_folder(finished)

    def open_in_explore(self, index: int | None = None) -> None:
        """Open a finished picture in Explore."""
        item = self.artwork(index)
        if item is not None:
            self.explore_requested.emit(item)

    def open_in_complete(self, index: int | None = None) -> None:
        """Open a finished picture in Complete."""
        item = self.artwork(index)
        if item is not None and item.array.ndim == 3:
            self.complete_requested.emit(item)

    def keep_take(self, index: int | None = None) -> None:
        """Keep a finished picture as a take; an existing take stays as it is."""
        item = self.artwork(index)
        if item is not None and (index is not None or self.selection.current_take is None):
            self.change("keep take", takes={self._takes.add_take(item): True})

    def artwork(self, index: int | None = None) -> Artwork | None:
        """Return a finished picture with its recipe; for None, the enlarged or chosen one."""
        cells = self.batch.cells.get()
        if index is None:
            large = self.enlarged.item.get()
            index = self.chosen.get()
            if large is not None:
                return large.artwork
        if self.batch.run is None or index is None or index >= len(cells):
            return None
        return self.batch.run.artwork_of(cells[index])

    # ── plain data: undo, restart ────────────────────────────────────────────────────────────────

    def restore(self, plain: Record) -> None:
        """Read the pictures of the grid, then set the fields that name them."""
        self.batch.read_kept()
        super().restore(plain)

    def _use_chosen(self, index: int | None) -> None:
        """Choose a picture by its index; choose none if the grid no longer has it."""
        self.chosen.set(index if index is not None and 0 <= index < len(self.batch.cells.get()) else None)

    def settle(self) -> None:
        """Choose the first model of pictures or waves if none is chosen yet."""
        self.parameters.choose_default_model()

    def close(self) -> None:
        """Keep the finished pictures of a run that is still going."""
        self.batch.close()

    def change(self, name: str, gesture: str | None = None, **values: object) -> None:
        self.rewind_actions.note_change(values)
        super().change(name, gesture, **values)

    def _follow(self, record: Record) -> None:
        """Apply the present settings to a run that draws row by row."""
        if self.batch.rows:
            self.batch.apply_settings(self.parameters)
