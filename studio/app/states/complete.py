"""Complete: a hole painted into a picture is filled many times over, from the most typical to the strangest."""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import Signal

from studio.app.states import mask as masks
from studio.app.states.bringing import Bringing
from studio.app.states.cells import Cells
from studio.app.states.completions import Completions, Ranking
from studio.app.states.dials import Dials, at_home
from studio.app.states.grid import Cell
from studio.app.states.history import History
from studio.app.states.later import Later
from studio.app.states.messages import Action, Messages
from studio.app.states.models import Models
from studio.app.states.originals import Originals
from studio.app.states.painting import Painting
from studio.app.states.pieces import Made, Pieces
from studio.app.states.queue import Queue
from studio.app.states.said import Words
from studio.app.states.saving import Piece, Saving
from studio.app.states.scene import How, Photo
from studio.app.states.shelf import Opened, in_shape
from studio.app.states.strip import Strip
from studio.app.states.surprise import Shown
from studio.app.states.takes import Takes
from studio.app.states.value import Engine, Plain, State, Value
from studio.library.models import Trained
from studio.library.work import Work
from studio.media.image import Box, Picture, fit, open_picture
from studio.media.sound import Wave
from studio.wire import messages as wire
from studio.wire.messages import AnyCommand, AnyEvent, Array

MOST = 1024
"""Completions of one run."""
DRAWING = frozenset({"picture", "source", "mask", "heat"})
"""What of a record lies on the canvas."""


@dataclass(frozen=True)
class Hole:
    """What the completions here were made from, whatever is painted now; `picture` by its key."""

    picture: str
    source: str
    mask: str
    origin: str = ""
    """Key of the take that the picture is, if it is one."""


class Complete(State):
    """The panel Complete."""

    came = Signal()
    """A picture was brought here: the panel should show."""
    to_explore = Signal(object, object)
    """A studio.library.work.Work and its picture, to be opened in Explore."""

    def __init__(self, engine: Engine, models: Models, messages: Messages, queue: Queue, takes: Takes) -> None:
        super().__init__()
        self._models, self._messages = models, messages
        self.dials = Dials(models, 9, MOST, self._step, self)
        self.model: Value[Trained | None] = self.dials.model
        self.picture: Value[Array | None] = Value(None, self)
        """(height, width, channels) uint8 in the model's shape: what is completed."""
        self.source: Value[str] = Value("", self)
        """Name of that picture."""
        self.history = History(self._apply, self)
        self._takes = takes
        self.strip = Strip(takes, messages, self._step, self)
        self.painting = Painting(self._step, self.history.hold, self.history.seal, self)
        self.follows: Value[bool] = Value(False, self)
        """Whether what is kept goes on after the hole: then completions can be ranked by it."""
        self.grid = Cells(
            engine, models, messages, queue, "Complete", "completions", self._words, self._ask, self.complete, self
        )
        self.results = Completions(self.grid.cells, self)
        self.chosen: Value[tuple[int, ...]] = Value((), self)
        """Completions that saving and keeping act on, by their index; the last is the one looked at."""
        self._bringing = Bringing(engine, messages, self.model, self.dials.label, self)
        self._bringing.opened.connect(self._opened)
        self.photo: Value[Photo | None] = self._bringing.photo
        """The crop preview, while a picture is being brought in."""
        self._originals = Originals(messages, self)
        self._pieces = Pieces(engine, messages, self)
        self._saving = Saving(messages, self)
        self._reading = Later(self)
        self._key = ""
        self._hole: Hole | None = None

    # ── what can be set ──────────────────────────────────────────────────────────────────────────

    def choose_model(self, name: str) -> None:
        """A model that can keep a part; another one is refused with a sentence."""
        trained = self._models.find(name)
        if trained is None or trained == self.model.get():
            return
        if not trained.card.keeps:
            self._messages.say(cannot(trained), "warn")
            return
        after = at_home(trained)
        picture = self.picture.get()
        if picture is not None and trained.card.pixels is not None:
            size = trained.card.pixels
            key = self._originals.keep(_shaped(picture, trained))
            mask, heat = (masks.resized(layer.get(), size) for layer in (self.painting.mask, self.painting.heat))
            after |= {"picture": key, "mask": masks.packed(mask), "heat": masks.packed(heat)}
        self._step("model", **after)

    def rank_by(self, ranking: Ranking) -> None:
        """What "typical" is measured on."""
        self._step("ranking", ranking=ranking)

    # ── the picture ──────────────────────────────────────────────────────────────────────────────

    def open(self, path: Path) -> None:
        """Bring in a file: as it is where it has the model's size, else through the crop preview."""
        if self.model.get() is None:
            self._messages.say(NOBODY_KEEPS + " Your file is untouched.", "warn")
            return
        self._bringing.open(path)

    def open_mask(self, path: Path) -> None:
        """Take the white part of a picture for the hole; it must have the size of the picture on the canvas."""

        def read(found: Picture | Exception) -> None:
            if isinstance(found, ValueError):  # Refused: a sentence for people
                self._messages.say(str(found), "failed")
            elif isinstance(found, Exception):
                raise found
            else:
                self._use_mask(found)

        self._reading.run(lambda: open_picture(path), read)

    def _use_mask(self, found: Picture) -> None:
        (height, width), (tall, wide) = found.array.shape[:2], self.painting.shape
        if (height, width) == (tall, wide) and self.picture.get() is not None:
            self._step("open mask", mask=masks.packed(fit(found.array, (1, tall, wide))[..., 0] >= 128))
            return
        self._messages.say(
            f'The mask "{found.name}" is {width} × {height} pixels, but the picture is {wide} × {tall}. The hole stays '
            "as it was. Save the mask in the size of the picture.",
            "warn",
        )

    def set_crop(self, how: How, box: Box | None = None) -> None:
        self._bringing.cut(how, box)

    def use_photo(self) -> None:
        """Complete the picture in the crop preview."""
        photo = self.photo.get()
        if photo is not None:
            self._bringing.cancel()
            self._bring(photo.seen, photo.picture.name)

    def cancel_photo(self) -> bool:
        """Leave the crop preview; whether it was open."""
        was = self.photo.get() is not None
        self._bringing.cancel()
        return was

    def open_work(self, work: Work, picture: Array, any_model: bool = False) -> None:
        """Complete a picture of ours, with the model that made it. Where that cannot keep a part it is said, and
        another is offered; `any_model` takes that one at once."""
        trained = self._models.of_work(work)
        own = self.model.get()
        if trained is not None and trained.card.keeps:
            self.choose_model(trained.card.name)
        elif not any_model or own is None:
            other: tuple[Action, ...] = ()
            if own is not None:
                other = (("Choose a model that can", lambda: self.open_work(work, picture, any_model=True)),)
            if trained is not None:
                self._messages.say(cannot(trained), "warn", *other)
            return
        self._bring(picture, work.source or f"seed {work.seed}")

    def choose_take(self, index: int) -> None:
        """Complete a take, with the model that made it where that can."""
        take = self.strip.takes.get()[index]
        if take.work.kind == "sound":
            self._messages.say("This take is a wave, and only pictures can be completed.", "warn")
            return
        own = self._models.of(take.work)
        if own is not None and own.card.keeps:
            self.choose_model(own.card.name)
        self._bring(take.picture, take.work.source or f"seed {take.work.seed}", take.name)

    def paint_on(self, index: int) -> None:
        """Go on painting on a completion: it becomes the picture."""
        cell = self.results.cells.get()[index]
        if cell.picture is not None and cell.finished:
            self._step("picture", picture=self._originals.keep(cell.picture), current=None)

    def _opened(self, opened: Opened) -> None:
        trained, picture = self.model.get(), opened.picture
        if trained is None:
            return
        if isinstance(picture, Wave):
            self._messages.say(
                f'"{picture.name}" is a wave, and only pictures can be completed. It is untouched.', "warn"
            )
            return
        if _fits(picture, trained):
            self._bring(in_shape(picture.array, trained), picture.name)
        else:
            self._bringing.show(picture)
            self.came.emit()
        if trained.card.shape[0] == 1 and (np.ptp(picture.array[..., :3], -1) > 0).any():
            self._messages.say(
                f'"{picture.name}" is in colour and "{trained.card.title}" draws in grey, so it is brought to grey. '
                "Your file is untouched."
            )

    def _bring(self, picture: Array, name: str, take: str | None = None) -> None:
        trained = self.model.get()
        if trained is not None:
            key = self._originals.keep(_shaped(picture, trained))
            self._step(f"open {name}", picture=key, source=name, mask="", heat="", current=take)
            self.came.emit()

    # ── making ───────────────────────────────────────────────────────────────────────────────────

    def complete(self) -> None:
        """Fill the hole; while a run is under way, the same again after it."""
        trained, mask = self.model.get(), self.painting.mask.get()
        if trained is None or self.picture.get() is None:
            return
        if not mask.any() or mask.all():
            self._messages.say(ALL if mask.any() else NOTHING, "warn")
            return
        if self.grid.running.get():
            self.grid.same_again()
            return
        run, cells = self.dials.begin(trained)
        take = self.strip.shown
        self._hole = Hole(self._key, self.source.get(), masks.packed(mask), take.key if take else "")
        self.chosen.set(())
        self.results.clear()
        self.grid.begin(run, cells, masks.packed(self.painting.heat.get()))

    def _ask(self, **fields: Any) -> wire.Complete | None:
        hole = self._hole
        picture = self._originals.get(hole.picture) if hole is not None else None
        if hole is None or picture is None or self.grid.trained is None:
            self._messages.say("The picture or its model is not here any more. What was finished is kept.", "failed")
            return None
        shape = picture.shape[:2]
        free = masks.unpacked_mask(hole.mask, shape).astype(np.uint8)
        heat = _factors(masks.unpacked_heat(self.grid.heat, shape)) if self.grid.heat else None
        return wire.Complete(picture=picture, free=free, heat=heat, **fields)

    def _words(self) -> Words:
        source = self._hole.source if self._hole is not None else ""
        return Words("completion", source, "Your picture and the hole are kept.", ranked=True, rows=self.grid.rows)

    def _steer(self) -> None:
        """A run under way draws by what is set and painted now, from its next row on; it goes on by that, too."""
        run, heat = self.grid.run, self.painting.heat.get()
        if run is None or self._hole is None or self._hole.picture != self._key:
            return
        wish = self.grid.follow(self.dials, masks.packed(heat), _factors(heat))
        if wish is not None:
            self.grid.run = run.turned(wish.temperature, wish.share)

    # ── what the engine says ─────────────────────────────────────────────────────────────────────

    def heed(self, status: str) -> None:
        """The engine's state in a word."""
        self.grid.heed(status)

    def take(self, event: AnyEvent) -> None:
        self._pieces.take(event)
        self.grid.take(event)

    def lost(self, commands: Sequence[AnyCommand], why: str) -> None:
        """The engine died with these commands unanswered: keep what is finished, offer the rest."""
        self._pieces.lost(commands, why)
        self.grid.lost(commands, why)

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
        return trained.card.percentile(-cell.log_prob / math.log(2) / math.prod(trained.card.shape))

    def shown(self) -> tuple[Shown, ...]:
        """The finished completions, for their maps: the chosen one before the others."""
        trained = self.grid.trained
        if trained is None:
            return ()
        hand, cells = self.looked_at(), [cell for cell in self.results.cells.get() if cell.finished]
        first = [cell for cell in cells if cell is hand] + [cell for cell in cells if cell is not hand]
        return tuple(Shown(cell.picture, trained.card.name, cell.label) for cell in first if cell.picture is not None)

    def save(self, path: Path) -> None:
        """Save the chosen completion as PNG with its making inside. Says the outcome."""
        self._pieces.of(self._made()[-1:], lambda pieces: self._saving.one(pieces[0], path))

    def save_all(self, folder: Path) -> None:
        """Save every chosen completion into a folder. Says the outcome."""
        self._pieces.of(self._made(), lambda pieces: self._saving.many(pieces, folder))

    def name_of(self) -> str:
        """A file name to suggest for the chosen completion; empty where there is none."""
        made = self._made()
        return made[-1].name() if made else ""

    def keep_takes(self) -> None:
        """Keep the chosen completions as takes."""
        made = self._made()
        if not made:
            self._messages.say("No completion is chosen yet. Click one, then keep it as a take.")
            return

        def keep(pieces: Sequence[Piece]) -> None:
            names = [self._takes.keep(piece.picture, piece.work) for piece in pieces]
            self._step("keep take", takes=dict.fromkeys(names, True))

        self._pieces.of(made, keep)

    def open_in_explore(self) -> None:
        """Go on there with the chosen completion."""
        self._pieces.of(self._made()[-1:], lambda pieces: self.to_explore.emit(pieces[0].work, pieces[0].picture))

    def _made(self) -> list[Made]:
        """The chosen completions that are finished."""
        run, hole, cells = self.grid.run, self._hole, self.results.cells.get()
        if run is None or hole is None:
            return []
        line = self._takes.line(hole.origin)
        return [
            Made(picture, run.model, run.model_hash, cells[i].seed, cells[i].label, hole.source, line)
            for i in self.chosen.get()
            if i < len(cells) and cells[i].finished and (picture := cells[i].picture) is not None
        ]

    # ── kept over a restart ──────────────────────────────────────────────────────────────────────

    def snapshot(self) -> Plain:
        return {
            **self._plain(),
            **self.dials.snapshot(),
            "tool": self.painting.tool.get(),
            "size": self.painting.size.get(),
            "warmth": self.painting.warmth.get(),
            "hole": list(astuple(self._hole)) if self._hole is not None else None,
            "painted": self.grid.heat,
            "history": self.history.snapshot(),
        }

    def restore(self, plain: Plain) -> None:
        self.dials.restore(plain)
        self._apply({key: plain[key] for key in self._plain() if key in plain})
        self.painting.restore(plain)
        self.history.restore(plain.get("history", {}))
        if plain.get("hole") is not None:
            self._hole = Hole(*(str(part) for part in plain["hole"]))
            self.grid.read(str(plain.get("painted", "")))

    def settle(self) -> None:
        """Choose the first model that can keep a part, where none is chosen yet."""
        self.dials.settle(lambda trained: trained.card.keeps)

    def records(self) -> list[Plain]:
        """All that leads back to takes and pictures."""
        return [*self.history.records(), self._plain()]

    def close(self) -> None:
        """Wait for what is being written; what no step leads back to goes to the bin."""
        self._bringing.close()
        self._saving.close()
        self._reading.wait()
        self.grid.close()
        used = [record.get("picture") for record in self.records()]
        if self._hole is not None:
            used.append(self._hole.picture)
        self._originals.close(str(key) for key in used if key)

    def _plain(self) -> Plain:
        return {
            **self.dials.plain(),
            "ranking": self.results.ranking.get(),
            "picture": self._key,
            "source": self.source.get(),
            "mask": masks.packed(self.painting.mask.get()),
            "heat": masks.packed(self.painting.heat.get()),
            "current": self.strip.name,
        }

    def _step(self, name: str, gesture: str | None = None, **after: object) -> None:
        now = self._plain()
        before = {key: now[key] for key in after if key in now} | self._takes.before(after)
        self._apply(after)
        self.history.do(name, before, after, gesture)

    def _apply(self, record: Plain) -> None:
        """Put the values of a record into the state; a model or picture that is gone changes nothing."""
        self.dials.put(record)
        if record.get("ranking") in ("whole", "following"):
            self.results.rank_by("following" if record["ranking"] == "following" else "whole")
        self._takes.apply(record)
        if DRAWING & record.keys():
            self._lay(record)
        if "current" in record:
            self.strip.show(record["current"])
        self._steer()

    def _lay(self, record: Plain) -> None:
        """Picture, mask and heat of a record."""
        if "picture" in record:
            picture = self._originals.get(str(record["picture"]))
            self._key = str(record["picture"]) if picture is not None else ""
            self.picture.set(picture)
        self.source.set(str(record.get("source", self.source.get())))
        picture, painting = self.picture.get(), self.painting
        shape = picture.shape[:2] if picture is not None else (1, 1)
        if "mask" in record or painting.mask.get().shape != shape:
            painting.mask.set(masks.unpacked_mask(str(record.get("mask", "")), shape))
        if "heat" in record or painting.heat.get().shape != shape:
            painting.heat.set(masks.unpacked_heat(str(record.get("heat", "")), shape))
        self.follows.set(masks.follows(painting.mask.get()))


NOTHING = "Nothing is marked yet. Your picture is kept. Paint what is missing, then complete it."
ALL = (
    "All of the picture is marked, so nothing of it would be kept. Take a part away with the eraser, or make new "
    "pictures in Generate."
)
NOBODY_KEEPS = "No model here can keep a part of a picture. Add one that draws pixel by pixel, such as a PixelCNN++."


def cannot(trained: Trained) -> str:
    return f'"{trained.card.title}" makes the whole picture at once and cannot keep part of it.'


def _shaped(picture: Array, trained: Trained) -> Array:
    """A picture in the size and the channels of a model."""
    channels, height, width = trained.card.shape
    return fit(picture, (channels, height, width))


def _fits(picture: Picture, trained: Trained) -> bool:
    """Whether it has the model's size already, or was enlarged from it by whole blocks."""
    height, width = picture.array.shape[:2]
    rows, columns = trained.card.pixels or (0, 0)
    return (height, width) == (rows, columns)


def _factors(heat: Array) -> Array:
    """What the temperature is multiplied by, as the wire has it."""
    return heat.astype(np.float32) / masks.EVEN
