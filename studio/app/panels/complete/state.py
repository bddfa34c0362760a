"""Holds the state of Complete: a hole is filled many times, ranked by likelihood."""

import math
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
from PySide6.QtCore import Signal

from studio.app.core.artwork import Artwork
from studio.app.core.jobs import JobList
from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, Field, Record, Value, one_of
from studio.app.core.text import timestamp
from studio.app.files.exporting import Exporter
from studio.app.generation.batch import Batch
from studio.app.generation.parameters import Parameters, default_record
from studio.app.generation.run import Cell
from studio.app.generation.wording import BatchText
from studio.app.maps.surprisal import ShownPicture, SurprisalMaps
from studio.app.model_browser.explorable import find_replacement
from studio.app.model_browser.model_list import ModelList
from studio.app.panels.base import PanelState
from studio.app.panels.complete import mask as masks
from studio.app.panels.complete.canvas import Canvas, cannot_keep_text
from studio.app.panels.complete.encoding import CompletionEncoder
from studio.app.panels.complete.ranking import RankBy, Ranking
from studio.app.takes.selection import TakeSelection
from studio.app.takes.store import TakeStore
from studio.library import file_names
from studio.library.models import InstalledModel
from studio.library.work import Work
from studio.wire import messages as wire
from studio.wire.messages import Array

MAX_COMPLETIONS = 1024
"""Completions of one run."""


@dataclass(frozen=True)
class Hole:
    """Holds the inputs of the present completions. `picture` is a key."""

    picture: str
    source: str
    mask: str
    origin: str = ""
    """Key of the take that the picture is, if it is one."""


class CompleteState(PanelState):
    """Holds the state of the panel Complete."""

    explore_requested = Signal(object)
    """Carries an Artwork to be opened in Explore."""

    def __init__(
        self,
        engine: EngineProtocol,
        models: ModelList,
        messages: Messages,
        jobs: JobList,
        takes: TakeStore,
        exporter: Exporter,
        surprisal: SurprisalMaps,
    ) -> None:
        super().__init__()
        self._models = models
        self.messages = messages
        self.exporter = exporter
        self.surprisal = surprisal
        self.parameters = Parameters(
            models, 9, MAX_COMPLETIONS, lambda trained: trained.card.can_inpaint, self.change, self
        )
        self.model: Value[InstalledModel | None] = self.parameters.model
        self._takes = takes
        self.selection = TakeSelection(takes, messages, self.change, self)
        self.canvas = Canvas(
            engine,
            models,
            messages,
            self.parameters,
            self.selection,
            self.history,
            self.change,
            self.choose_model,
            self,
        )
        self.batch = Batch(
            engine,
            models,
            messages,
            jobs,
            "Complete",
            "completions",
            self._wording,
            self._make_command,
            self.start_batch,
            self,
        )
        self.ranking = Ranking(self.batch.cells, self)
        self.chosen: Value[tuple[int, ...]] = Value((), self)
        """Indices of the completions that are saved or kept; the last one is shown in the inspector."""
        self._encoder = CompletionEncoder(engine, messages, self)
        self._hole: Hole | None = None
        self._declare(
            *self.parameters.fields,
            Field("ranking", self.ranking.rank_by.get, self._use_ranking),
            *takes.entries,
            *self.canvas.fields,
            Field("current", lambda: self.selection.current_name, self.selection.select_take),
            Field("hole", lambda: astuple(self._hole) if self._hole is not None else None, self._use_hole, undo=False),
            Field("batch_temperature_map", lambda: self.batch.temperature_map, self._read_completions, undo=False),
            Field.of("uncertainty", self.batch.uncertainty.on, bool, undo=False),
        )

    # ── what can be set ──────────────────────────────────────────────────────────────────────────

    def choose_model(self, name: str) -> None:
        """Choose a model that can keep a part; refuse others with a message."""
        trained = self._models.find_or_report(name)
        if trained is None or trained == self.model.get():
            return
        if not trained.card.can_inpaint:
            self.messages.show_message(cannot_keep_text(trained), "warn", until=(self.model.changed,))
            return
        self.change("model", **default_record(trained), **self.canvas.fitted_record(trained))

    def rank_by(self, ranking: RankBy) -> None:
        """Set the pixels by which "typical" is measured."""
        self.change("ranking", ranking=ranking)

    def grow_picture(self) -> None:
        """Continue the picture to the right and downwards, to the size that was set."""
        self.canvas.grow_picture(*self.parameters.canvas.size.get())

    # ── making ───────────────────────────────────────────────────────────────────────────────────

    def start_batch(self) -> None:
        """Fill the hole; during a run, fill it again afterwards."""
        canvas = self.canvas
        mask = canvas.brush.mask.get()
        if self.model.get() is None or canvas.picture.get() is None:
            return
        if not mask.any() or mask.all():
            self.messages.show_message(
                ALL_MARKED if mask.any() else NOTHING_MARKED, "warn", until=(canvas.brush.mask.changed,)
            )
            return
        temperature_map = masks.pack_layer(canvas.brush.temperature_map.get())
        self.batch.start_run(self.parameters, self._fix_hole, temperature_map, canvas.canvas_size)

    def _fix_hole(self) -> None:
        """Set the hole of the next run, in place of the present completions."""
        canvas = self.canvas
        mask = masks.pack_layer(canvas.brush.mask.get())
        take = self.selection.current_take
        self._hole = Hole(canvas.picture_key, canvas.source.get(), mask, take.key if take else "")
        self.chosen.set(())
        self.ranking.clear_places()

    def _make_command(self, **fields: Any) -> wire.Inpaint | None:
        hole = self._hole
        picture = self.canvas.originals.get_picture(hole.picture) if hole is not None else None
        if hole is None or picture is None or self.batch.trained is None:
            self.messages.show_message("The picture or its model is missing. Finished completions are kept.", "failed")
            return None
        shape = picture.shape[:2]
        free = masks.unpack_mask(hole.mask, shape).astype(np.uint8)
        temperature = (
            _temperature_factors(masks.unpack_temperature_map(self.batch.temperature_map, shape))
            if self.batch.temperature_map
            else None
        )
        return wire.Inpaint(picture=picture, mask=free, temperature_map=temperature, **fields)

    def _wording(self) -> BatchText:
        source = self._hole.source if self._hole is not None else ""
        run = self.batch.run
        return BatchText(
            "completion",
            source,
            "Your picture and the hole are kept.",
            is_ranked=True,
            rows=self.batch.rows,
            note=run.sharpening.density_note if run is not None else "",
        )

    def _steer_batch(self) -> None:
        """Apply the present settings to the run, from its next row on."""
        run = self.batch.run
        temperature = self.canvas.brush.temperature_map.get()
        if run is None or self._hole is None or self._hole.picture != self.canvas.picture_key:
            return
        wanted = self.batch.apply_settings(
            self.parameters, masks.pack_layer(temperature), _temperature_factors(temperature)
        )
        if wanted is not None:
            self.batch.run = run.with_settings(wanted.temperature, wanted.share)

    # ── choosing and keeping ─────────────────────────────────────────────────────────────────────

    def choose_completions(self, indices: Sequence[int]) -> None:
        self.chosen.set(tuple(indices))

    def current_completion(self) -> Cell | None:
        """Return the completion that was chosen last, if it is finished."""
        chosen = self.chosen.get()
        cells = self.ranking.cells.get()
        cell = cells[chosen[-1]] if chosen and chosen[-1] < len(cells) else None
        return cell if cell is not None and cell.finished else None

    def chosen_percentile(self) -> float | None:
        """Return how many of 100 held-out pictures are less typical than the chosen completion.

        It is None if the model does not know this, or if two models were mixed.
        """
        cell = self.current_completion()
        trained = self.batch.trained
        run = self.batch.run
        if cell is None or cell.log_prob is None or trained is None or run is None or run.mix is not None:
            return None
        channels, *own_size = trained.card.shape
        entries = channels * math.prod(run.canvas_size or own_size)
        return trained.card.strangeness_percentile(-cell.log_prob / math.log(2) / entries)

    def shown_pictures(self) -> tuple[ShownPicture, ...]:
        """Return the finished completions for their maps: the chosen one first."""
        current = self.current_completion()
        return self.batch.shown_pictures(current.picture if current is not None else None)

    def save_chosen(self) -> None:
        """Ask where to save the chosen completions, and save them with their recipes.

        Several are saved in a folder, or on one sheet if the user wants one.
        """
        made = self._finished_pictures()
        several = len(self.chosen.get()) > 1
        if several and made and not self.exporter.settings.on_sheet.get():
            self.messages.folder_requested.emit(partial(self._encode_and_export, made, self.exporter.export_artworks))
        elif several and made:
            pictures = np.stack([each.array for each in made])
            name = self.exporter.name_for_picture(pictures, f"{Path(made[0].name).stem}-sheet.png")
            self.messages.file_requested.emit(name, partial(self._encode_and_export, made, self.exporter.export_sheet))
        elif made:
            name = self.exporter.name_for_picture(made[0].array, made[0].name)
            self.messages.file_requested.emit(name, partial(self._encode_and_export, made, self._export_one))

    def _encode_and_export(
        self, made: Sequence[Artwork], export: Callable[[Sequence[Artwork], Path], None], path: Path
    ) -> None:
        self._encoder.encode(made, lambda pieces: export(pieces, path))

    def _export_one(self, pieces: Sequence[Artwork], path: Path) -> None:
        self.exporter.export_artwork(pieces[0], path)

    def copy_chosen(self) -> None:
        """Copy the chosen completion to the clipboard; if none is chosen, the original picture."""
        made = self._finished_pictures()
        if made:
            self._encoder.encode(
                made[-1:], lambda pieces: self.messages.copy_requested.emit(pieces[0].array, pieces[0].work)
            )
        else:
            self.copy_original()

    def copy_original(self) -> None:
        """Copy the original picture, which has no recipe."""
        picture = self.canvas.picture.get()
        if picture is not None:
            self.messages.copy_requested.emit(picture, None)
        else:
            self.messages.show_message("There is no picture to copy yet. Open one, or paste it.")

    def keep_takes(self) -> None:
        """Keep the chosen completions as takes."""
        made = self._finished_pictures()
        if not made:
            self.messages.show_message(NO_COMPLETION_CHOSEN)
            return

        def keep(pieces: Sequence[Artwork]) -> None:
            names = [self._takes.add_take(piece) for piece in pieces]
            self.change("keep take", takes=dict.fromkeys(names, True))

        self._encoder.encode(made, keep)

    def open_in_explore(self) -> None:
        """Open the chosen completion in Explore. Its latent is needed only if its own model opens it there."""
        made = self._finished_pictures()[-1:]
        models = self._models
        if made and find_replacement(models.cards.get(), models.find_model(made[0].work.model)) is not None:
            self.explore_requested.emit(made[0])
            return
        self._encoder.encode(made, lambda pieces: self.explore_requested.emit(pieces[0]))

    def use_as_picture(self, index: int) -> None:
        """Use a completion as the new picture."""
        cell = self.ranking.cells.get()[index]
        if cell.picture is not None and cell.finished:
            self.change("picture", picture=self.canvas.originals.add_picture(cell.picture), current=None)

    def _finished_pictures(self) -> list[Artwork]:
        """Return the chosen completions that are finished. Their recipes have no latents yet.

        If they do not have the model's own size, kept pixels are those of the picture, byte for byte.
        """
        run = self.batch.run
        hole = self._hole
        cells = self.ranking.cells.get()
        if run is None or hole is None:
            return []
        line = self._takes.lineage(hole.origin)
        chosen = [cells[index] for index in self.chosen.get() if index < len(cells) and cells[index].finished]
        found = []
        for cell in chosen:
            work = Work(
                model=run.model, model_hash=run.model_hash, seed=cell.seed, label=cell.label, source=hole.source,
                palette=run.palette, canvas_size=run.canvas_size, ancestors=line, created=timestamp(),
            )  # fmt: skip
            name = file_names.clean_name(f"{Path(hole.source).stem or run.model}-{cell.seed}.png")
            if cell.picture is not None:
                array = cell.picture if run.canvas_size is None else self._with_kept_pixels(cell.picture, hole)
                found.append(Artwork(array, work, name))
        return found

    def _with_kept_pixels(self, completion: Array, hole: Hole) -> Array:
        """Return a completion with the picture's own pixels around the hole. The model sees them in its levels."""
        own = self.canvas.originals.get_picture(hole.picture)
        if own is None or own.shape != completion.shape:
            return completion
        free = masks.unpack_mask(hole.mask, own.shape[:2])
        return np.where(free[..., None], completion, own)

    # ── plain data: undo, restart ────────────────────────────────────────────────────────────────

    def _use_ranking(self, ranking: str) -> None:
        rankings: tuple[RankBy, ...] = get_args(RankBy)
        self.ranking.set_rank_by(one_of(rankings, ranking))

    def _use_hole(self, parts: Sequence[str] | None) -> None:
        self._hole = Hole(*(str(part) for part in parts)) if parts is not None else None

    def _read_completions(self, heat: str) -> None:
        """Read the completions that were made of the hole."""
        if self._hole is not None:
            self.batch.read_kept(str(heat))

    def settle(self) -> None:
        """Choose the first model that can keep a part if none is chosen yet."""
        self.parameters.choose_default_model()

    def close(self) -> None:
        """Wait for running work; move files that no undo step needs to the bin."""
        self.canvas.close()
        self.batch.close()
        used = [record.get("picture") for record in self.records()]
        if self._hole is not None:
            used.append(self._hole.picture)
        if self.batch.keeps_pictures:
            self.canvas.originals.close(str(key) for key in used if key)

    def _follow(self, record: Record) -> None:
        self._steer_batch()  # a run under way


NO_COMPLETION_CHOSEN = "No completion is chosen yet. Click one, then keep it as a take."
NOTHING_MARKED = "Nothing is marked yet. Your picture is kept. Paint what is missing, then complete it."
ALL_MARKED = "All of the picture is marked, so nothing would be kept. Erase a part, or make new pictures in Generate."


def _temperature_factors(heat: Array) -> Array:
    """Return the temperature map as factors, as the engine expects it."""
    return heat.astype(np.float32) / masks.NEUTRAL
