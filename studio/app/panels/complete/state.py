"""Complete: a hole painted into a picture is filled many times over, from the most typical to the strangest."""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from PySide6.QtCore import Signal

from studio.app.core.jobs import JobList
from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, Field, Record, Value, one_of
from studio.app.files.exporting import Exporter, ExportItem
from studio.app.generation.batch import Batch
from studio.app.generation.parameters import Parameters, default_record
from studio.app.generation.run import Cell
from studio.app.generation.wording import BatchText
from studio.app.maps.surprisal import ShownPicture
from studio.app.model_browser.explorable import find_replacement
from studio.app.model_browser.model_list import ModelList
from studio.app.panels.base import PanelState
from studio.app.panels.complete import mask as masks
from studio.app.panels.complete.canvas import Canvas, cannot
from studio.app.panels.complete.encoding import Made, Pieces
from studio.app.panels.complete.ranking import Completions, Ranking
from studio.app.takes.selection import TakeSelection
from studio.app.takes.store import TakeStore
from studio.library.models import InstalledModel
from studio.wire import messages as wire
from studio.wire.messages import Array

MOST = 1024
"""Completions of one run."""


@dataclass(frozen=True)
class Hole:
    """What the completions here were made from, whatever is painted now; `picture` by its key."""

    picture: str
    source: str
    mask: str
    origin: str = ""
    """Key of the take that the picture is, if it is one."""


class Complete(PanelState):
    """The panel Complete."""

    to_explore = Signal(object, object)
    """A studio.library.work.Work and its picture, to be opened in Explore."""

    def __init__(
        self,
        engine: EngineProtocol,
        models: ModelList,
        messages: Messages,
        queue: JobList,
        takes: TakeStore,
        saving: Exporter,
    ) -> None:
        super().__init__()
        self._models, self._messages = models, messages
        self.dials = Parameters(models, 9, MOST, lambda trained: trained.card.can_inpaint, self.change, self)
        self.model: Value[InstalledModel | None] = self.dials.model
        self._takes = takes
        self.strip = TakeSelection(takes, messages, self.change, self)
        self.canvas = Canvas(
            engine, models, messages, self.dials, self.strip, self.history, self.change, self.choose_model, self
        )
        self.grid = Batch(
            engine, models, messages, queue, "Complete", "completions", self._words, self._ask, self.complete, self
        )
        self.doubt = self.grid.uncertainty
        self.results = Completions(self.grid.cells, self)
        self.chosen: Value[tuple[int, ...]] = Value((), self)
        """Completions that saving and keeping act on, by their index; the last is the one looked at."""
        self._pieces = Pieces(engine, messages, self)
        self._saving = saving
        self._hole: Hole | None = None
        self._declare(
            *self.dials.fields,
            Field("ranking", self.results.ranking.get, self._use_ranking),
            *takes.entries,
            *self.canvas.fields,
            Field("current", lambda: self.strip.current_name, self.strip.select_take),
            Field("hole", lambda: astuple(self._hole) if self._hole is not None else None, self._use_hole, undo=False),
            Field("painted", lambda: self.grid.temperature_map, self._read_completions, undo=False),
            Field.of("doubt", self.doubt.on, bool, undo=False),
        )

    # ── what can be set ──────────────────────────────────────────────────────────────────────────

    def choose_model(self, name: str) -> None:
        """A model that can keep a part; another one is refused with a sentence."""
        trained = self._models.find_or_report(name)
        if trained is None or trained == self.model.get():
            return
        if not trained.card.can_inpaint:
            self._messages.show_message(cannot(trained), "warn", until=(self.model.changed,))
            return
        self.change("model", **default_record(trained), **self.canvas.fitted(trained))

    def rank_by(self, ranking: Ranking) -> None:
        """What "typical" is measured on."""
        self.change("ranking", ranking=ranking)

    # ── making ───────────────────────────────────────────────────────────────────────────────────

    def complete(self) -> None:
        """Fill the hole; while a run is under way, the same again after it."""
        trained, canvas, mask = self.model.get(), self.canvas, self.canvas.painting.mask.get()
        if trained is None or canvas.picture.get() is None:
            return
        if not mask.any() or mask.all():
            self._messages.show_message(ALL if mask.any() else NOTHING, "warn", until=(canvas.painting.mask.changed,))
            return
        if self.grid.running.get():
            self.grid.queue_repeat()
            return
        run, cells = self.dials.start_run(trained)
        take = self.strip.current_take
        self._hole = Hole(canvas.key, canvas.source.get(), masks.packed(mask), take.key if take else "")
        self.chosen.set(())
        self.results.clear()
        self.grid.start_run(run, cells, masks.packed(canvas.painting.heat.get()))

    def _ask(self, **fields: Any) -> wire.Inpaint | None:
        hole = self._hole
        picture = self.canvas.originals.get(hole.picture) if hole is not None else None
        if hole is None or picture is None or self.grid.trained is None:
            self._messages.show_message(
                "The picture or its model is not here any more. What was finished is kept.", "failed"
            )
            return None
        shape = picture.shape[:2]
        free = masks.unpacked_mask(hole.mask, shape).astype(np.uint8)
        heat = _factors(masks.unpacked_heat(self.grid.temperature_map, shape)) if self.grid.temperature_map else None
        return wire.Inpaint(picture=picture, mask=free, temperature_map=heat, **fields)

    def _words(self) -> BatchText:
        source = self._hole.source if self._hole is not None else ""
        return BatchText(
            "completion", source, "Your picture and the hole are kept.", is_ranked=True, rows=self.grid.rows
        )

    def _steer(self) -> None:
        """A run under way draws by what is set and painted now, from its next row on; it goes on by that, too."""
        run, heat = self.grid.run, self.canvas.painting.heat.get()
        if run is None or self._hole is None or self._hole.picture != self.canvas.key:
            return
        wish = self.grid.apply_settings(self.dials, masks.packed(heat), _factors(heat))
        if wish is not None:
            self.grid.run = run.with_settings(wish.temperature, wish.share)

    # ── choosing and keeping ─────────────────────────────────────────────────────────────────────

    def choose(self, indices: Sequence[int]) -> None:
        self.chosen.set(tuple(indices))

    def looked_at(self) -> Cell | None:
        """The completion that was chosen last, where it is finished."""
        chosen, cells = self.chosen.get(), self.results.cells.get()
        cell = cells[chosen[-1]] if chosen and chosen[-1] < len(cells) else None
        return cell if cell is not None and cell.finished else None

    def percentile(self) -> float | None:
        """Of how many in a hundred held-out pictures the chosen completion is more typical; None where that is not
        known of its model, nor of two that were mixed."""
        cell, trained, run = self.looked_at(), self.grid.trained, self.grid.run
        if cell is None or cell.log_prob is None or trained is None or run is None or run.mix is not None:
            return None
        return trained.card.strangeness_percentile(-cell.log_prob / math.log(2) / math.prod(trained.card.shape))

    def shown(self) -> tuple[ShownPicture, ...]:
        """The finished completions, for their maps: the chosen one before the others."""
        trained = self.grid.trained
        if trained is None:
            return ()
        hand, cells = self.looked_at(), [cell for cell in self.results.cells.get() if cell.finished]
        first = [cell for cell in cells if cell is hand] + [cell for cell in cells if cell is not hand]
        return tuple(
            ShownPicture(cell.picture, trained.card.name, cell.label) for cell in first if cell.picture is not None
        )

    def save(self, path: Path) -> None:
        """Save the chosen completion as PNG with its making inside. Says the outcome."""
        self._pieces.of(self._made()[-1:], lambda pieces: self._saving.export_item(pieces[0], path))

    def save_all(self, folder: Path) -> None:
        """Save every chosen completion into a folder. Says the outcome."""
        self._pieces.of(self._made(), lambda pieces: self._saving.export_items(pieces, folder))

    def copy(self) -> None:
        """Copy the chosen completion to the clipboard; if none is chosen, the original picture."""
        made = self._made()
        if made:
            self._pieces.of(
                made[-1:], lambda pieces: self._messages.copy_requested.emit(pieces[0].picture, pieces[0].work)
            )
        else:
            self.copy_picture()

    def copy_picture(self) -> None:
        """Copy the original picture, which has no recipe."""
        picture = self.canvas.picture.get()
        if picture is not None:
            self._messages.copy_requested.emit(picture, None)
        else:
            self._messages.show_message("There is no picture to copy yet. Open one, or paste it.")

    def paste(self) -> None:
        """Open the picture on the clipboard."""
        self._messages.paste_requested.emit()

    def name_of_sheet(self) -> str:
        """Suggest a file name for a sheet of the chosen completions; empty if none is chosen."""
        made = self._made()
        if not made:
            return ""
        pictures = np.stack([each.picture for each in made])
        return self._saving.name_for_picture(pictures, f"{Path(made[0].name()).stem}-sheet.png")

    def save_sheet(self, path: Path) -> None:
        """Save all chosen completions on one sheet, and show the outcome."""
        self._pieces.of(self._made(), lambda pieces: self._saving.export_sheet(pieces, path))

    def name_of(self) -> str:
        """A file name to suggest for the chosen completion; empty where there is none."""
        made = self._made()
        return self._saving.name_for_picture(made[-1].picture, made[-1].name()) if made else ""

    def keep_takes(self) -> None:
        """Keep the chosen completions as takes."""
        made = self._made()
        if not made:
            self._messages.show_message("No completion is chosen yet. Click one, then keep it as a take.")
            return

        def keep(pieces: Sequence[ExportItem]) -> None:
            names = [self._takes.add_take(piece.picture, piece.work) for piece in pieces]
            self.change("keep take", takes=dict.fromkeys(names, True))

        self._pieces.of(made, keep)

    def open_in_explore(self) -> None:
        """Continue there with the chosen completion. Its latent is needed only if its own model opens it there."""
        made, models = self._made()[-1:], self._models
        if made and find_replacement(models.cards.get(), models.find_model(made[0].model)) is not None:
            self.to_explore.emit(made[0].work(), made[0].picture)
            return
        self._pieces.of(made, lambda pieces: self.to_explore.emit(pieces[0].work, pieces[0].picture))

    def paint_on(self, index: int) -> None:
        """Go on painting on a completion: it becomes the picture."""
        cell = self.results.cells.get()[index]
        if cell.picture is not None and cell.finished:
            self.change("picture", picture=self.canvas.originals.keep(cell.picture), current=None)

    def _made(self) -> list[Made]:
        """The chosen completions that are finished."""
        run, hole, cells = self.grid.run, self._hole, self.results.cells.get()
        if run is None or hole is None:
            return []
        line = self._takes.lineage(hole.origin)
        return [
            Made(picture, run.model, run.model_hash, cells[i].seed, cells[i].label, hole.source, line)
            for i in self.chosen.get()
            if i < len(cells) and cells[i].finished and (picture := cells[i].picture) is not None
        ]

    # ── plain data: undo, restart ────────────────────────────────────────────────────────────────

    def _use_ranking(self, ranking: str) -> None:
        rankings: tuple[Ranking, ...] = get_args(Ranking)
        self.results.rank_by(one_of(rankings, ranking))

    def _use_hole(self, parts: Sequence[str] | None) -> None:
        self._hole = Hole(*(str(part) for part in parts)) if parts is not None else None

    def _read_completions(self, heat: str) -> None:
        """Read the completions that were made of the hole."""
        if self._hole is not None:
            self.grid.read_kept(str(heat))

    def settle(self) -> None:
        """Choose the first model that can keep a part, where none is chosen yet."""
        self.dials.choose_default_model()

    def close(self) -> None:
        """Wait for running work; move files that no undo step needs to the bin."""
        self.canvas.close()
        self.grid.close()
        used = [record.get("picture") for record in self.records()]
        if self._hole is not None:
            used.append(self._hole.picture)
        if self.grid.keeps_pictures:
            self.canvas.originals.close(str(key) for key in used if key)

    def _follow(self, record: Record) -> None:
        self._steer()  # a run under way


NOTHING = "Nothing is marked yet. Your picture is kept. Paint what is missing, then complete it."
ALL = (
    "All of the picture is marked, so nothing of it would be kept. Take a part away with the eraser, or make new "
    "pictures in Generate."
)


def _factors(heat: Array) -> Array:
    """What the temperature is multiplied by, as the wire has it."""
    return heat.astype(np.float32) / masks.EVEN
