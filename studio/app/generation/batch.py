"""The pictures of one run as they are made: asked for, drawn, stopped or lost, and gone on with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject

from studio.app.core.background import BackgroundTask
from studio.app.core.jobs import JobList
from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, State, Value
from studio.app.core.request import Request
from studio.app.generation import run as grid
from studio.app.generation.parameters import Dials
from studio.app.generation.run import By, Cell, Kind, Run
from studio.app.generation.wording import Words
from studio.app.maps.uncertainty import UncertaintyMaps
from studio.app.model_browser.model_list import ModelList
from studio.library.models import InstalledModel
from studio.wire.messages import (
    AnyCommand,
    AnyEvent,
    Array,
    CompilingLoops,
    Failed,
    Notice,
    PicturesPreview,
    Ready,
)


@dataclass(frozen=True)
class Wish:
    """What a run draws by from now on; `heat` as it is packed."""

    temperature: float
    share: float | None
    heat: str = ""


class Cells(State):
    """One run at a time.

    Arguments
        verb: what the main button says: `Generate`
        file: name of the file in which the finished ones are kept over a restart
        words: how to speak of them now
        ask: the command of a job, from its fields; None where it cannot be asked any more, which `ask` says itself
        again: begins the same again
    """

    def __init__(
        self,
        engine: EngineProtocol,
        models: ModelList,
        messages: Messages,
        queue: JobList,
        verb: str,
        file: str,
        words: Callable[[], Words],
        ask: Callable[..., AnyCommand | None],
        again: Callable[[], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._models, self._messages, self._queue = models, messages, queue
        self._request = Request(engine, verb.lower(), "single", self)
        self._verb, self._file, self._words, self._ask, self._begin_again = verb, file, words, ask, again
        self.run: Run | None = None
        self.heat = ""
        """What is painted of temperature in this run, packed."""
        self.cells: Value[tuple[Cell, ...]] = Value((), self)
        self.running: Value[bool] = self._request.running
        self.progress: Value[str] = Value("", self)
        """The caption below them."""
        self.keeps = True
        """Whether the pictures are kept over a restart."""
        self.can_go_on: Value[bool] = Value(False, self)
        """Whether a stopped or lost run has pictures left to make."""
        self.main: Value[str] = Value(verb, self)
        """What the main button says: the verb, `Starts when ready` or `Stop`."""
        self.doubt = UncertaintyMaps()
        """How open each pixel was just before it was drawn."""
        self._seats: tuple[int, ...] = ()
        """Cells of the job under way, in the order of its seeds."""
        self._told = Wish(1.0, None)
        self._again = 0
        self.compiling: Value[bool] = Value(False, self)
        """Whether the loop that draws pixel by pixel is still being compiled."""
        self._keeping = BackgroundTask(self)
        self.doubt.on.changed.connect(self._tell_doubt)
        self._request.progressed.connect(self._use_part)
        self._request.answered.connect(self._finish)
        self._request.stopped.connect(self._show_stop)
        self._request.failed.connect(self._show_failure)
        self._request.lost.connect(self._show_loss)
        engine.status_changed.connect(self._tell)
        engine.announced.connect(self._note_compiling)

    @property
    def kind(self) -> Kind:
        """Of what they are."""
        return self.run.kind if self.run is not None else "picture"

    @property
    def trained(self) -> InstalledModel | None:
        """The model that makes them, where it is here."""
        return self._models.find_model(self.run.model) if self.run is not None else None

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) of the pictures, where their model is here."""
        return self.trained.card.picture_size if self.trained is not None else None

    @property
    def rows(self) -> int:
        """In how many rows the pictures are drawn one after another; 0 where they are drawn whole."""
        return (
            self.size[0] if self.trained is not None and self.trained.card.can_inpaint and self.size is not None else 0
        )

    def begin(self, run: Run, cells: Sequence[Cell], heat: str = "") -> None:
        """Make these, in place of those that were here."""
        self.run, self.heat = run, heat
        self.doubt.clear_scale()
        self.cells.set(tuple(cells))
        self._send(range(len(cells)))

    def same_again(self) -> None:
        """Begin again when this run is done."""
        self._again += 1
        self._messages.show_message("The next run starts when this one is done.", until=(self.running.changed,))

    def stop(self) -> None:
        """Stop now and keep what is drawn."""
        self._again = 0
        self._request.stop()

    def go_on(self) -> None:
        """Make the pictures that a stopped or lost run left unfinished."""
        if not self.running.get():
            self._send([index for index, cell in enumerate(self.cells.get()) if not cell.finished])

    def follow(self, dials: Dials, heat: str = "", painted: Array | None = None) -> Wish | None:
        """Have the run draw by these dials from its next row on, where a hand has turned them: what it draws by
        then. What is `painted` of temperature is `heat` packed. Dials of another model are for another run."""
        run, trained = self.run, dials.model.get()
        if not self._request.job or run is None or trained is None or trained.card.name != run.model:
            return None
        mixed = run.mix is not None and run.mix.model == dials.mixing.name.get()
        share = dials.mixing.share.get() if mixed else self._told.share
        wish = Wish(dials.temperature.get(), share, heat)
        if wish == self._told:
            return None
        self._told, self.heat = wish, heat
        self._request.steer("dials", temperature=(wish.temperature,), share=share, heat=painted)
        return wish

    def watch(self, on: bool) -> None:
        """Show how open each pixel was before it was drawn, or not; it can only be told while one is drawn."""
        self.doubt.set_on(on)
        if on and not self.running.get() and self.doubt.scale.get() is None:
            self._messages.show_message("Doubt is told while pictures are drawn, so it shows with the next ones.")

    def _tell_doubt(self, on: bool) -> None:
        """A run that draws pixel by pixel tells from now on how open each was, or no more."""
        if self.rows:
            self._request.steer(doubt=on)

    def _send(self, seats: Sequence[int]) -> None:
        run, cells = self.run, self.cells.get()
        if run is None or not seats:
            return
        seeds, doubt = tuple(cells[index].seed for index in seats), self.doubt.on.get() and self.rows > 0

        def question(job: str) -> AnyCommand | None:
            command = self._ask(job=job, seeds=seeds, doubt=doubt, **run.asks())
            if command is not None:
                self._seats = tuple(seats)
                self._told = Wish(run.temperature, run.mix.share if run.mix is not None else None, self.heat)
                words = self._words()
                self._queue.add_job(job, f"{words.of}: {words.count(len(seats))}", len(seats))
            return command

        self._request.ask(question)
        self._tell()

    # ── what the engine says ─────────────────────────────────────────────────────────────────────

    def _note_compiling(self, event: AnyEvent) -> None:
        match event:
            case Ready(uncompiled_loops=loops) | CompilingLoops(loops=loops):
                self.compiling.set("pixels" in loops)
                self._tell()

    def _use_part(self, event: AnyEvent) -> None:
        match event:
            case PicturesPreview():
                self._draw(event)
            case Notice(text=text):
                self._messages.show_message(text)

    def _finish(self) -> None:
        self._end(self._words().ended(self.cells.get()))
        if self._again:
            self._again -= 1
            self._begin_again()

    def _show_stop(self) -> None:
        said = self._words().stopped(self.cells.get())
        self._end(said)
        self._messages.show_message(said, "info", ("Go on", self.go_on), until=(self.running.changed,))

    def _show_failure(self, event: Failed) -> None:
        self._again = 0
        self._end(self._words().stopped(self.cells.get()))
        again = ("Try again", self.go_on)
        self._messages.show_message(
            f"{event.reason} {event.hint}".strip(), "failed", again, until=(self.running.changed,)
        )

    def _show_loss(self, why: str) -> None:
        """The engine died: keep what is finished, offer the rest."""
        self._again = 0
        words = self._words()
        self._end(words.stopped(self.cells.get()))
        said, button = words.lost(self.cells.get())
        self._messages.show_message(
            f"{why} {said}".strip(), "failed", (button, self.go_on), until=(self.running.changed,)
        )

    def _draw(self, event: PicturesPreview) -> None:
        cells, count, by = list(self.cells.get()), len(event.pictures), By.of(event)
        prices, kinds = event.log_prob or (None,) * count, event.labels or (None,) * count
        parts, seats = event.following_log_prob or (None,) * count, self._seats[event.first : event.first + count]
        for index, picture, price, kind, part in zip(seats, event.pictures, prices, kinds, parts, strict=False):
            seed = cells[index].seed
            cells[index] = Cell(seed, picture, event.done, event.total, price, kind, part, by)
        pictures = [picture for index in seats if (picture := cells[index].picture) is not None]
        self.doubt.add_pictures(event.job, pictures, event.entropy, event.done == event.total)
        self.cells.set(tuple(cells))
        self._tell()

    def _end(self, caption: str) -> None:
        self._seats = ()
        self._tell()
        self.progress.set(caption)
        self._keep()

    def _tell(self) -> None:
        """Every value that follows from others."""
        running, cells = self.running.get(), self.cells.get()
        self.can_go_on.set(not running and any(not cell.finished for cell in cells))
        ready = self._request.ready
        self.main.set(self._verb if not running else "Stop" if ready else "Starts when ready")
        if running:
            slow = self.compiling.get() and self.rows > 0
            self.progress.set(self._words().caption(cells, self._queue.time_left(self._request.job), ready, slow))

    # ── kept over a restart ──────────────────────────────────────────────────────────────────────

    def read(self, heat: str = "") -> None:
        """Those that were here before a restart."""
        kept = grid.read(self._file)
        if kept is not None:
            (self.run, cells), self.heat = kept, heat
            self.cells.set(cells)
            self.progress.set(self._words().ended(cells))
            self._tell()

    def close(self) -> None:
        """Wait for what is being written; of a run under way, what is finished is kept."""
        self._keeping.wait()
        if self.running.get() and self.run is not None and self.keeps:
            grid.keep(self.run, self.cells.get(), self._file)

    def _keep(self) -> None:
        if self.run is not None and self.keeps:
            run, cells = self.run, self.cells.get()
            self._keeping.run(lambda: grid.keep(run, cells, self._file), lambda outcome: None)
