"""Generate: make pictures from seeds, watch them form, choose, keep."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from msgspec.structs import replace as other
from PySide6.QtCore import Signal

from studio.app.states import grid, seeds, tree
from studio.app.states.grid import By, Cell, Run
from studio.app.states.history import History
from studio.app.states.later import Later
from studio.app.states.messages import Messages
from studio.app.states.mixing import Mixing
from studio.app.states.models import Models, hash_of
from studio.app.states.queue import Queue, about
from studio.app.states.rewind import Base, Mark, Rewind
from studio.app.states.saving import Piece, Saving
from studio.app.states.seeds import SeedField
from studio.app.states.shelf import in_shape
from studio.app.states.strip import Strip
from studio.app.states.surprise import Shown
from studio.app.states.takes import Takes
from studio.app.states.value import Engine, Plain, State, Value
from studio.library import storage
from studio.library.card import Card
from studio.library.models import Trained
from studio.library.work import Work
from studio.wire.messages import AnyCommand, AnyEvent, Array, Drawn, Failed, Finished, Notice, Sample, Stopped

__all__ = ["MOST", "Cell", "Generate", "Large"]

MOST = 4096
"""Pictures of one run, as `studio.wire.messages.Sample` allows."""
HOTTEST = 4.0


@dataclass(frozen=True, eq=False)
class Large:
    """What stands large: a picture or wave of the grid, a take, or one that goes on."""

    picture: Array | None
    words: str
    """`Picture 3 of 24`."""
    seed: int
    log_prob: float | None = None
    drawn: int | None = None
    """How many rows are drawn, None where all are."""
    piece: Piece | None = None
    """To be saved or opened, once it is finished."""
    sound: bool = False


class Generate(State):
    """The panel Generate."""

    to_explore = Signal(object, object)
    """A studio.library.work.Work and its picture, to be opened in Explore."""
    to_complete = Signal(object, object)
    """Likewise, to be completed."""

    def __init__(self, engine: Engine, models: Models, messages: Messages, queue: Queue, takes: Takes) -> None:
        super().__init__()
        self._engine, self._models, self._messages, self._queue = engine, models, messages, queue
        self.model: Value[Trained | None] = Value(None, self)
        self.number: Value[int] = Value(16, self)
        """1 to 4096 pictures."""
        self._field = SeedField(self)
        self.seed: Value[int] = self._field.seed
        """0 to 2**53 - 1: of the first picture; the next ones count up from it."""
        self.locked: Value[bool] = self._field.locked
        """Whether the next run keeps the seed."""
        self.temperature: Value[float] = Value(1.0, self)
        """0.0 to 4.0; its home is the model's own card.temperature."""
        self.label: Value[int | None] = Value(None, self)
        """Index into card.classes, None for any."""
        self.error: Value[str] = self._field.error
        """What is wrong with the seed that was typed, as a sentence; empty when nothing is."""
        self.cells: Value[tuple[Cell, ...]] = Value((), self)
        self.chosen: Value[int | None] = Value(None, self)
        """Index of the cell with the ring."""
        self.enlarged: Value[int | None] = Value(None, self)
        """Index of the cell shown large, None for the grid."""
        self._takes = takes
        self.strip = Strip(takes, messages, self._step, self)
        """Its current take is the one shown large."""
        self.rewind = Rewind(engine, messages, queue, self)
        self.large: Value[Large | None] = Value(None, self)
        """What is shown large, None for the grid."""
        self.mixing = Mixing(engine, models, self)
        self.running: Value[bool] = Value(False, self)
        self.progress: Value[str] = Value("", self)
        """The caption below the grid."""
        self.can_start: Value[bool] = Value(False, self)
        """Whether there is a model to make pictures with and no run is under way."""
        self.can_go_on: Value[bool] = Value(False, self)
        """Whether a stopped or lost run has pictures left to make."""
        self.can_save: Value[bool] = Value(False, self)
        """Whether any picture of the grid is finished."""
        self.main: Value[str] = Value("Generate", self)
        """What the main button says: `Generate`, `Starts when ready` or `Stop`."""
        self.history = History(self._apply, self)
        self._status = "Starting"
        self._run: Run | None = None
        self._job = ""
        self._seats: tuple[int, ...] = ()
        """Cells of the job under way, in the order of its seeds."""
        self._spent: int | None = None
        """The seed of the last run: pressing Generate again rolls another, unless it is locked."""
        self._again = 0
        self._jobs = itertools.count(1)
        self._saving = Saving(messages, self)
        self._keeping = Later(self)
        self._touched = False
        """Whether a hand has set seed, temperature or kind since the picture on the stage came."""
        self._left: Plain = {}
        """Where the marker was before a restart, until the take that it was on has been read."""
        shown: tuple[Value[Any], ...] = (
            self.cells, self.enlarged, self.strip.current, self.rewind.forming, takes.list, models.cards,
        )  # fmt: skip
        for value in shown:
            value.changed.connect(self._look)
        takes.loaded.connect(self._come_back)
        self.rewind.done.connect(self._went_on)

    # ── what can be set ──────────────────────────────────────────────────────────────────────────

    def choose_model(self, name: str) -> None:
        trained = self._models.find(name)
        if trained is not None:
            self._step("model", model=name, temperature=trained.card.temperature, label=None, mix="")

    def set_number(self, number: int) -> None:
        self._step("number", "number", number=min(max(number, 1), MOST))

    def set_seed(self, seed: int | str) -> None:
        """Text that is no seed leaves the last one and says so in `error`."""
        found = self._field.typed(seed)
        if found is not None:
            self._spent = None
            self._step("seed", seed=found)

    def new_seed(self) -> None:
        """Roll another seed."""
        self.set_seed(seeds.roll(self.seed.get()))

    def lock(self, on: bool) -> None:
        """Keep this seed for the next run, or not."""
        self.locked.set(on)

    def set_temperature(self, temperature: float, gesture: str | None = "temperature") -> None:
        """Settings of one gesture are one step of undo; None makes each a step of its own."""
        self._step("temperature", gesture, temperature=min(max(float(temperature), 0.0), HOTTEST))

    def set_label(self, label: int | None) -> None:
        self._step("kind", label=label)

    def set_mix(self, name: str) -> None:
        """Have a second model decide, too; an empty name for none."""
        self._step("mix", mix=name)

    def set_share(self, share: float, gesture: str | None = "share") -> None:
        self._step("share", gesture, share=share)

    # ── making ───────────────────────────────────────────────────────────────────────────────────

    def generate(self) -> None:
        """Make the pictures; while a run is under way, the same again after it."""
        trained = self.model.get()
        if trained is None:
            return
        if self.running.get():
            self._again += 1
            self._messages.say("The same again starts when this run is done.")
            return
        if self._spent == self.seed.get() and not self.locked.get():
            self.new_seed()
        self._spent = self.seed.get()
        card = trained.card
        self.strip.show(None)
        mix = self.mixing.chosen()
        self._run = Run(card.name, hash_of(trained), self.temperature.get(), self.label.get(), card.kind, mix)
        count = self.number.get()
        self.chosen.set(None)
        self.enlarged.set(None)
        self.cells.set(tuple(Cell((self._spent + n) % seeds.BEYOND) for n in range(count)))
        self._send(range(count))

    def stop(self) -> None:
        """Stop now and keep what is drawn."""
        self._again = 0
        if self._job:
            self._engine.stop(self._job)

    def go_on(self) -> None:
        """Make the pictures that a stopped or lost run left unfinished."""
        if not self.running.get() and self._run is not None:
            self._send([index for index, cell in enumerate(self.cells.get()) if not cell.finished])

    def _send(self, seats: Sequence[int]) -> None:
        if self._run is None or not seats:
            return
        cells, self._seats = self.cells.get(), tuple(seats)
        self._job = f"generate-{next(self._jobs)}"
        trained = self._models.find(self._run.model)
        title = trained.card.title if trained is not None else self._run.model
        self._queue.add(self._job, f"{title}: {grid.pictures(len(seats), self.kind)}", len(seats))
        self.running.set(True)
        self._tell()
        if self._status == "Stopped":  # after too many crashes it waits for a person, who has just asked
            self._engine.start()
        mix = self._run.mix
        self._engine.send(
            Sample(
                job=self._job,
                model=self._run.model,
                seeds=tuple(cells[index].seed for index in seats),
                temperature=(self._run.temperature,),
                label=self._run.label,
                mix=mix.model if mix is not None else "",
                share=mix.share if mix is not None else 0.5,
            )
        )
        self.mixing.began(self._run.temperature, mix)

    def _steer(self) -> None:
        """A run that draws row by row follows its dials; one of another model does not."""
        run, trained = self._run, self.model.get()
        if self._job and run is not None and self.rows and trained is not None and trained.card.name == run.model:
            self.mixing.steer(self._job, run.mix, self.temperature.get())

    # ── what the engine says ─────────────────────────────────────────────────────────────────────

    def heed(self, status: str) -> None:
        """The engine's state in a word."""
        self._status = status
        self.rewind.heed(status)
        self._tell()

    def take(self, event: AnyEvent) -> None:
        self.rewind.take(event)
        if not self._job or getattr(event, "job", None) != self._job:
            return
        match event:
            case Drawn():
                self._draw(event)
            case Notice(text=text):
                self._messages.say(text)
            case Finished():
                self._end(grid.finished(self.cells.get(), self.kind))
                if self._again:
                    self._again -= 1
                    self.generate()
            case Stopped():
                said = grid.stopped(self.cells.get(), self.kind, self.rows)
                self._end(said)
                self._messages.say(said, "info", ("Go on", self.go_on))
            case Failed(why=why, hint=hint):
                self._again = 0
                self._end(grid.stopped(self.cells.get(), self.kind, self.rows))
                self._messages.say(f"{why} {hint}".strip(), "failed", ("Try again", self.go_on))
            case _:
                pass

    def lost(self, commands: Sequence[AnyCommand], why: str) -> None:
        """The engine died with these commands unanswered: keep what is finished, offer the rest."""
        self.rewind.lost(commands, why)
        if not self._job or not any(command.job == self._job for command in commands):
            return
        self._again = 0
        self._queue.drop(self._job)
        self._end(grid.stopped(self.cells.get(), self.kind, self.rows))
        said, button = grid.lost(self.cells.get(), self.kind)
        self._messages.say(f"{why} {said}".strip(), "failed", (button, self.go_on))

    def _draw(self, event: Drawn) -> None:
        cells = list(self.cells.get())
        prices, by = event.log_prob or (None,) * len(event.pictures), By.of(event)
        seats = self._seats[event.first : event.first + len(event.pictures)]
        kinds = event.labels or (None,) * len(event.pictures)
        for index, picture, price, kind in zip(seats, event.pictures, prices, kinds, strict=False):
            cells[index] = Cell(cells[index].seed, picture, event.done, event.total, price, kind, by=by)
        self.cells.set(tuple(cells))
        self._tell()

    def _end(self, caption: str) -> None:
        self._job, self._seats = "", ()
        self.running.set(False)
        self._tell()
        self.progress.set(caption)
        self._keep_grid()

    def _tell(self) -> None:
        """Every value that follows from others."""
        running, cells = self.running.get(), self.cells.get()
        self.can_start.set(self.model.get() is not None and not running)
        self.can_go_on.set(self._run is not None and not running and any(not cell.finished for cell in cells))
        self.can_save.set(any(cell.finished for cell in cells))
        ready = self._status in ("Ready", "Working")
        self.main.set("Generate" if not running else "Stop" if ready else "Starts when ready")
        if running:
            entry = self._queue.entry(self._job)
            left = about(entry.seconds_left) if entry is not None and entry.seconds_left is not None else ""
            self.progress.set(grid.caption(cells, left, ready, self.kind, self.rows))

    # ── choosing and keeping ─────────────────────────────────────────────────────────────────────

    def choose(self, index: int | None) -> None:
        self.chosen.set(index)

    def enlarge(self, index: int | None) -> None:
        """Show one picture large, None for the grid again."""
        if index is not None:
            self.chosen.set(index)
        self._left = {}
        self.strip.show(None)
        self.enlarged.set(index)

    def show_take(self, index: int) -> None:
        """Show a take large; what is set stays as it is."""
        self._left = {}
        self.enlarged.set(None)
        self.strip.show(self.strip.takes.get()[index].name)

    def in_hand(self) -> Array | None:
        """The finished picture or wave that is large, or chosen; None where there is none."""
        piece = self._piece(None)
        return piece.picture if piece is not None else None

    def shown(self) -> tuple[Shown, ...]:
        """The finished pictures on show, for their maps: the large one, or the chosen one before the others."""
        large, run = self.large.get(), self._run
        if large is not None:
            piece = None if large.sound else large.piece
            known = piece is not None and self._models.find(piece.work.model) is not None
            return (Shown(piece.picture, piece.work.model, piece.work.label),) if piece is not None and known else ()
        if run is None or run.kind != "picture" or self._models.find(run.model) is None:
            return ()
        hand = self.in_hand()
        others = [cell.picture for cell in self.cells.get() if cell.finished and cell.picture is not hand]
        pictures = [picture for picture in (hand, *others) if picture is not None]
        return tuple(Shown(picture, run.model, run.label) for picture in pictures)

    def name_of(self, index: int | None = None) -> str:
        """A file name to suggest for a cell: `realnvp-emoji-32-4112.png`; empty while it is not finished. None, here
        and below, is what is large or chosen."""
        piece = self._piece(index)
        return piece.name if piece is not None else ""

    def save(self, index: int | None, path: Path) -> None:
        """Save a finished picture as PNG with its making inside. Says the outcome."""
        piece = self._piece(index)
        if piece is not None:
            self._saving.one(piece, path)

    def save_all(self, folder: Path) -> None:
        """Save every finished picture into a folder, beside what is there already. Says the outcome."""
        pieces = [self._piece(index) for index in range(len(self.cells.get()))]
        if any(pieces):
            self._saving.many([piece for piece in pieces if piece is not None], folder)

    def open_in_explore(self, index: int | None = None) -> None:
        """Go on there with a finished picture."""
        piece = self._piece(index)
        if piece is not None:
            self.to_explore.emit(piece.work, piece.picture)

    def open_in_complete(self, index: int | None = None) -> None:
        """Paint a hole into a finished picture there."""
        piece = self._piece(index)
        if piece is not None and piece.picture.ndim == 3:
            self.to_complete.emit(piece.work, piece.picture)

    def keep_take(self, index: int | None = None) -> None:
        """Keep a finished picture as a take; one that is a take already stays as it is."""
        piece = self._piece(index)
        if piece is not None and (index is not None or self.strip.shown is None):
            self._step("keep take", takes={self._takes.keep(piece.picture, piece.work): True})

    # ── going on from a row ──────────────────────────────────────────────────────────────────────

    def begin_mark(self) -> None:
        """A hand takes the row marker: until `end_mark` every move is one step."""
        self.history.hold("row marker")

    def end_mark(self) -> None:
        self.history.seal()

    def move_mark(self, row: int) -> None:
        """Keep so many rows; nothing is drawn yet."""
        base, mark = self.rewind.base.get(), self.rewind.mark.get()
        if base is not None and mark is not None:
            self._mark("row marker", replace(mark, row=min(max(row, 0), base.rows), armed=True), "row marker")

    def arm(self) -> None:
        """Make the marker ready: where the picture went on before, else in its middle."""
        base, mark, large = self.rewind.base.get(), self.rewind.mark.get(), self.large.get()
        if base is not None and mark is not None:
            self.move_mark(mark.row if mark.row < base.rows else base.rows // 2)
        elif large is not None and large.piece is not None:
            trained = self._models.of(large.piece.work)
            title = trained.card.title if trained is not None else large.piece.work.model
            if trained is not None and trained.card.keeps:
                return
            what = "wave" if large.sound else "picture"
            said = f'"{title}" makes the whole {what} at once and cannot go on from a part of it.'
            self._messages.say(f"{said} Choose a model that draws row by row.", "warn")

    def impose(self, row: int, column: int, colour: Sequence[int] | None) -> None:
        """Choose the colour of a pixel below the marker, or let it go where there is none."""
        mark = self.rewind.imposing(row, column, colour)
        if mark is not None:
            self._mark("colour of a pixel" if colour is not None else "pixel let go", mark)

    def branch(self) -> None:
        """Go on from the marker, as another take, with the seed, temperature and kind that are set. What was drawn
        just so already gets another seed, unless that is locked."""
        work = self._making()
        if work is None or self.rewind.running:
            return
        if self._drawn_already(work):
            if self.locked.get():
                self._messages.say(
                    "This is how it was drawn already, so nothing new would come. Unlock the seed, or move the marker, "
                    "the temperature or a pixel."
                )
                return
            self.new_seed()
            work = self._making()
        if work is not None:
            self.rewind.go_on(work)

    def restore_work(self, work: Work, picture: Array) -> None:
        """Bring back a picture that went on from a row: as a take, with its marker and what is set as it was."""
        trained = self._models.of_work(work)
        if trained is not None:
            take, after = self._takes.like(work), self._settings_of(work, trained, locked=False)
            name = take.name if take is not None else self._takes.keep(in_shape(picture, trained), work)
            self._step("restore the work", takes={name: True}, stage={"at": f"take {name}"}, **after)

    def _making(self) -> Work | None:
        base = self.rewind.base.get()
        mix = self.mixing.chosen() if base is not None and base.trained == self.model.get() else None
        return self.rewind.making(self.seed.get(), self.temperature.get(), self.label.get(), mix)

    def _drawn_already(self, work: Work) -> bool:
        base = self.rewind.base.get()
        if base is None or self.rewind.same(work):
            return True
        like = self._takes.like(work)
        return like is not None and like.work.came_from[:1] == (
            tree.origin(self.strip.takes.get(), base.work, work).key,
        )

    def _went_on(self, work: Work, picture: Array, base: Base) -> None:
        """Another take, and the one it came from, where that was none yet."""
        above, put = tree.origin(self.strip.takes.get(), base.work, work), {}
        if above is base.work and base.place.startswith("cell"):
            take = self._takes.like(above)
            above = take.work if take is not None else above
            if take is None:
                put[self._takes.keep(base.picture, above)] = True
        name = self._takes.keep(picture, other(work, came_from=self._takes.line(above.key)))
        after: Plain = {"takes": {**put, name: True}}
        now = self.rewind.base.get()
        if now is not None and now.place == base.place:
            after["stage"] = {"at": f"take {name}"}
        else:
            self._messages.say("The picture that went on is among your takes.")
        row = work.rewound.row if work.rewound is not None else 0
        self._step(f"going on from row {row}", **after)

    def _mark(self, name: str, mark: Mark, gesture: str | None = None) -> None:
        """A hand on the marker; the first touch brings what the picture was made with, unless a hand has set
        something else meanwhile, so that only what is changed is different."""
        base, before = self.rewind.base.get(), self.rewind.mark.get()
        if base is not None and before is not None and mark != before:
            own = self._settings_of(base.work, base.trained, self.locked.get())
            if before.armed or self._touched:
                own = {key: self._plain()[key] for key in own}
            touched = self._touched
            self._step(name, gesture, stage={"at": base.place, **mark.plain()}, **own)
            self._touched = touched

    def _settings_of(self, work: Work, trained: Trained, locked: bool) -> Plain:
        """What is set, as a work had it; a locked seed stays."""
        said: Plain = {"model": trained.card.name, "temperature": work.temperature[0], "label": work.label}
        said["mix"] = work.mix.model if work.mix is not None else ""
        if work.mix is not None:
            said["share"] = work.mix.share
        return said if locked else {**said, "seed": work.seed}

    # ── what stands large ────────────────────────────────────────────────────────────────────────

    def _look(self) -> None:
        """Find out what stands large, and whether it can go on from one of its rows."""
        before = self.rewind.base.get()
        self.rewind.show(self._base())
        self._touched = self._touched and self.rewind.base.get() is before
        self.large.set(self._large())

    def _base(self) -> Base | None:
        take, index, cells = self.strip.shown, self.enlarged.get(), self.cells.get()
        if take is not None and take.work.kind == "picture":
            trained = self._models.of(take.work)
            if trained is not None and trained.card.pixels is not None:
                return Base(in_shape(take.picture, trained), take.work, trained, f"take {take.name}")
        if take is None and index is not None and index < len(cells):
            piece, trained = self._piece(index), self._models.find(self._run.model) if self._run is not None else None
            if piece is not None and trained is not None and trained.card.pixels is not None:
                return Base(piece.picture, piece.work, trained, f"cell {cells[index].seed}")
        return None

    def _large(self) -> Large | None:
        base, forming = self.rewind.base.get(), self.rewind.forming.get()
        take, index, cells = self.strip.shown, self.enlarged.get(), self.cells.get()
        if forming is not None and base is not None and forming.base.place == base.place:
            return Large(forming.picture, f"On from row {forming.start}", forming.work.seed)
        if take is not None:
            takes, place = self.strip.takes.get(), self.strip.current.get() or 0
            said = tree.titled(takes, tree.parents(takes), place)
            picture = in_shape(take.picture, self._models.of(take.work))
            file = take.work.name or f"{take.work.model}-{take.work.seed}"
            piece = Piece(picture, take.work, storage.clean(f"{file}{take.work.ending}"))
            return Large(picture, said, take.work.seed, piece=piece, sound=take.work.kind == "sound")
        if index is None or index >= len(cells):
            return None
        cell, sound = cells[index], self.kind == "sound"
        words = f"{'Wave' if sound else 'Picture'} {index + 1} of {len(cells)}"
        drawn = cell.rows_drawn(self.rows) if self.rows and not cell.finished else None
        return Large(cell.picture, words, cell.seed, cell.log_prob, drawn, self._piece(index), sound)

    def _put_stage(self, plain: Plain) -> None:
        """Show what a record says large, with its marker where it was; what is not here shows the grid."""
        base = self.rewind.base.get()
        if base is None or base.place != plain.get("at"):  # a marker that is dragged leaves its picture where it is
            self._put_large(str(plain.get("at", "")))
        if "row" in plain:
            self.rewind.put(Mark.of_plain(plain))

    def _put_large(self, at: str) -> None:
        kind, _, name = at.partition(" ")
        seeds_of = [cell.seed for cell in self.cells.get()]
        seed = int(name) if kind == "cell" and name.isdecimal() else None
        index = seeds_of.index(seed) if seed in seeds_of else None
        self.strip.show(name if kind == "take" else None)
        self.enlarged.set(index)
        self._look()

    def _stage(self) -> Plain:
        """What stands large, and where the marker is."""
        base, mark = self.rewind.base.get(), self.rewind.mark.get()
        if base is not None and mark is not None:
            return {"at": base.place, **mark.plain()}
        index, cells = self.enlarged.get(), self.cells.get()
        if self.strip.name is not None:
            return {"at": f"take {self.strip.name}"}
        return {"at": f"cell {cells[index].seed}" if index is not None and index < len(cells) else ""}

    def _come_back(self) -> None:
        """What was large before a restart is so again."""
        if self._left:
            left, self._left = self._left, {}
            self._put_stage(left)

    @property
    def kind(self) -> grid.Kind:
        """Of what the grid holds."""
        return self._run.kind if self._run is not None else "picture"

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) of the pictures of the grid, where their model is here."""
        card = self._card()
        return card.pixels if card is not None else None

    @property
    def rows(self) -> int:
        """In how many rows the pictures of the grid are drawn one after another; 0 where they are drawn whole."""
        card = self._card()
        return card.pixels[0] if card is not None and card.keeps and card.pixels is not None else 0

    def _card(self) -> Card | None:
        """Of the model that made the grid."""
        trained = self._models.find(self._run.model) if self._run is not None else None
        return trained.card if trained is not None else None

    def _piece(self, index: int | None) -> Piece | None:
        """A finished picture with its making; of None that of what is large, or chosen."""
        cells = self.cells.get()
        if index is None:
            large, index = self.large.get(), self.chosen.get()
            if large is not None:
                return large.piece
        if self._run is None or index is None or index >= len(cells):
            return None
        return self._run.piece(cells[index])

    # ── kept over a restart ──────────────────────────────────────────────────────────────────────

    def snapshot(self) -> Plain:
        return {
            **self._plain(),
            "locked": self.locked.get(),
            "spent": self._spent,
            "chosen": self.chosen.get(),
            "stage": self._left or self._stage(),
            "history": self.history.snapshot(),
        }

    def restore(self, plain: Plain) -> None:
        self._apply({key: plain[key] for key in self._plain() if key in plain})
        self.locked.set(bool(plain.get("locked", False)))
        spent = plain.get("spent")
        self._spent = int(spent) if spent is not None else None
        self.history.restore(plain.get("history", {}))
        kept = grid.read()
        if kept is not None:
            self._run, cells = kept
            self.cells.set(cells)
            chosen = plain.get("chosen")
            self.chosen.set(chosen if isinstance(chosen, int) and 0 <= chosen < len(cells) else None)
            said = grid.finished if all(cell.finished for cell in cells) else grid.stopped
            self.progress.set(said(cells, self.kind))
        self._left = dict(plain.get("stage", {}))
        if "row" in self._left:
            Mark.of_plain(self._left)  # what makes no sense is refused now
        self._tell()

    def settle(self) -> None:
        """Choose the first model, where none is chosen yet."""
        first = self._models.first()
        if self.model.get() is None and first is not None:
            self.model.set(first)
            self.temperature.set(first.card.temperature)
        self.mixing.fit(self.model.get())
        self._tell()

    def records(self) -> list[Plain]:
        """All that leads back to takes."""
        return self.history.records()

    def close(self) -> None:
        """Wait for what is being written; of a run under way, what is finished is kept."""
        self._saving.close()
        self._keeping.wait()
        if self._job and self._run is not None:
            grid.keep(self._run, self.cells.get())

    def _keep_grid(self) -> None:
        if self._run is not None:
            run, cells = self._run, self.cells.get()
            self._keeping.run(lambda: grid.keep(run, cells), lambda outcome: None)

    def _plain(self) -> Plain:
        trained = self.model.get()
        return {
            "model": trained.card.name if trained is not None else None,
            "number": self.number.get(),
            "seed": self.seed.get(),
            "temperature": self.temperature.get(),
            "label": self.label.get(),
            **self.mixing.plain(),
        }

    def _step(self, name: str, gesture: str | None = None, **after: object) -> None:
        now = {**self._plain(), "stage": self._stage()}
        before = {key: now[key] for key in after if key in now} | self._takes.before(after)
        self._touched = self._touched or not {"seed", "temperature", "label", "mix", "share"}.isdisjoint(after)
        self._apply(after)
        self.history.do(name, before, after, gesture)

    def _apply(self, record: Plain) -> None:
        """Put the values of a record into the state; a model that is gone changes nothing."""
        if record.get("model") is not None:
            self.model.set(self._models.find(str(record["model"])) or self.model.get())
        if "number" in record:
            self.number.set(min(max(int(record["number"]), 1), MOST))
        if "seed" in record:
            self._field.put(record["seed"])
        if "temperature" in record:
            self.temperature.set(min(max(float(record["temperature"]), 0.0), HOTTEST))
        if "label" in record:
            trained, label = self.model.get(), record["label"]
            known = label is not None and trained is not None and 0 <= int(label) < len(trained.card.classes)
            self.label.set(int(label) if known else None)
        self.mixing.fit(self.model.get())
        self.mixing.put(record)
        self._steer()
        self._takes.apply(record)
        if "stage" in record:
            self._left = {}
            self._put_stage(record["stage"])
        self._tell()
