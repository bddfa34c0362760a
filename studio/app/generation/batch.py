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
from studio.app.generation.parameters import Parameters
from studio.app.generation.run import ArtworkKind, BatchRun, Cell, DrawnWith
from studio.app.generation.wording import BatchText
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

UNCERTAINTY_LATER = "Uncertainty is recorded while drawing. It appears with the next pictures."


@dataclass(frozen=True)
class DrawSettings:
    """What a run draws by from now on; `heat` as it is packed."""

    temperature: float
    share: float | None
    heat: str = ""


class Batch(State):
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
        wording: Callable[[], BatchText],
        make_command: Callable[..., AnyCommand | None],
        repeat: Callable[[], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._models, self._messages, self._queue = models, messages, queue
        self._request = Request(engine, verb.lower(), "single", self)
        self._verb, self._file, self._wording, self._make_command, self._repeat = (
            verb,
            file,
            wording,
            make_command,
            repeat,
        )
        self.run: BatchRun | None = None
        self.temperature_map = ""
        """What is painted of temperature in this run, packed."""
        self.cells: Value[tuple[Cell, ...]] = Value((), self)
        self.running: Value[bool] = self._request.running
        self.caption: Value[str] = Value("", self)
        """The caption below them."""
        self.keeps_pictures = True
        """Whether the pictures are kept over a restart."""
        self.can_continue: Value[bool] = Value(False, self)
        """Whether a stopped or lost run has pictures left to make."""
        self.button_text: Value[str] = Value(verb, self)
        """What the main button says: the verb, `Starts when ready` or `Stop`."""
        self.uncertainty = UncertaintyMaps()
        """How open each pixel was just before it was drawn."""
        self._job_cells: tuple[int, ...] = ()
        """Cells of the job under way, in the order of its seeds."""
        self._sent_settings = DrawSettings(1.0, None)
        self._repeats = 0
        self.compiling: Value[bool] = Value(False, self)
        """Whether the loop that draws pixel by pixel is still being compiled."""
        self._writing = BackgroundTask(self)
        self.uncertainty.on.changed.connect(self._steer_uncertainty)
        self._request.progressed.connect(self._use_part)
        self._request.answered.connect(self._finish)
        self._request.stopped.connect(self._show_stop)
        self._request.failed.connect(self._show_failure)
        self._request.lost.connect(self._show_loss)
        engine.status_changed.connect(self._update_derived)
        engine.announced.connect(self._note_compiling)

    @property
    def artwork_kind(self) -> ArtworkKind:
        """Of what they are."""
        return self.run.artwork_kind if self.run is not None else "picture"

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

    def start_run(self, run: BatchRun, cells: Sequence[Cell], temperature_map: str = "") -> None:
        """Make these, in place of those that were here."""
        self.run, self.temperature_map = run, temperature_map
        self.uncertainty.clear_scale()
        self.cells.set(tuple(cells))
        self._send_job(range(len(cells)))

    def queue_repeat(self) -> None:
        """Begin again when this run is done."""
        self._repeats += 1
        self._messages.show_message("The next run starts when this one is done.", until=(self.running.changed,))

    def stop_run(self) -> None:
        """Stop now and keep what is drawn."""
        self._repeats = 0
        self._request.stop()

    def continue_run(self) -> None:
        """Make the pictures that a stopped or lost run left unfinished."""
        if not self.running.get():
            self._send_job([index for index, cell in enumerate(self.cells.get()) if not cell.finished])

    def apply_settings(
        self, parameters: Parameters, packed_map: str = "", temperature_map: Array | None = None
    ) -> DrawSettings | None:
        """Have the run draw by these dials from its next row on, where a hand has turned them: what it draws by
        then. What is `painted` of temperature is `heat` packed. Dials of another model are for another run."""
        run, trained = self.run, parameters.model.get()
        if not self._request.job or run is None or trained is None or trained.card.name != run.model:
            return None
        mixed = run.mix is not None and run.mix.model == parameters.mix.name.get()
        share = parameters.mix.share.get() if mixed else self._sent_settings.share
        wish = DrawSettings(parameters.temperature.get(), share, packed_map)
        if wish == self._sent_settings:
            return None
        self._sent_settings, self.temperature_map = wish, packed_map
        self._request.steer("dials", temperature=(wish.temperature,), share=share, temperature_map=temperature_map)
        return wish

    def show_uncertainty(self, on: bool) -> None:
        """Show how open each pixel was before it was drawn, or not; it can only be told while one is drawn."""
        self.uncertainty.set_on(on)
        if on and not self.running.get() and self.uncertainty.scale.get() is None:
            self._messages.show_message(UNCERTAINTY_LATER)

    def _steer_uncertainty(self, on: bool) -> None:
        """A run that draws pixel by pixel tells from now on how open each was, or no more."""
        if self.rows:
            self._request.steer(report_entropy=on)

    def _send_job(self, indices: Sequence[int]) -> None:
        run, cells = self.run, self.cells.get()
        if run is None or not indices:
            return
        seeds = tuple(cells[index].seed for index in indices)
        report_entropy = self.uncertainty.on.get() and self.rows > 0

        def question(job: str) -> AnyCommand | None:
            command = self._make_command(job=job, seeds=seeds, report_entropy=report_entropy, **run.command_fields())
            if command is not None:
                self._job_cells = tuple(indices)
                self._sent_settings = DrawSettings(
                    run.temperature, run.mix.share if run.mix is not None else None, self.temperature_map
                )
                words = self._wording()
                self._queue.add_job(job, f"{words.source}: {words.count_text(len(indices))}", len(indices))
            return command

        self._request.ask(question)
        self._update_derived()

    # ── what the engine says ─────────────────────────────────────────────────────────────────────

    def _note_compiling(self, event: AnyEvent) -> None:
        match event:
            case Ready(uncompiled_loops=loops) | CompilingLoops(loops=loops):
                self.compiling.set("pixels" in loops)
                self._update_derived()

    def _use_part(self, event: AnyEvent) -> None:
        match event:
            case PicturesPreview():
                self._update_cells(event)
            case Notice(text=text):
                self._messages.show_message(text)

    def _finish(self) -> None:
        self._end_job(self._wording().finished_text(self.cells.get()))
        if self._repeats:
            self._repeats -= 1
            self._repeat()

    def _show_stop(self) -> None:
        said = self._wording().stopped_text(self.cells.get())
        self._end_job(said)
        self._messages.show_message(said, "info", ("Continue", self.continue_run), until=(self.running.changed,))

    def _show_failure(self, event: Failed) -> None:
        self._repeats = 0
        self._end_job(self._wording().stopped_text(self.cells.get()))
        again = ("Try again", self.continue_run)
        self._messages.show_message(
            f"{event.reason} {event.hint}".strip(), "failed", again, until=(self.running.changed,)
        )

    def _show_loss(self, why: str) -> None:
        """The engine died: keep what is finished, offer the rest."""
        self._repeats = 0
        words = self._wording()
        self._end_job(words.stopped_text(self.cells.get()))
        said, button = words.lost_text(self.cells.get())
        self._messages.show_message(
            f"{why} {said}".strip(), "failed", (button, self.continue_run), until=(self.running.changed,)
        )

    def _update_cells(self, event: PicturesPreview) -> None:
        cells, count, by = list(self.cells.get()), len(event.pictures), DrawnWith.from_event(event)
        prices, kinds = event.log_prob or (None,) * count, event.labels or (None,) * count
        parts, seats = event.following_log_prob or (None,) * count, self._job_cells[event.first : event.first + count]
        for index, picture, price, kind, part in zip(seats, event.pictures, prices, kinds, parts, strict=False):
            seed = cells[index].seed
            cells[index] = Cell(seed, picture, event.done, event.total, price, kind, part, by)
        pictures = [picture for index in seats if (picture := cells[index].picture) is not None]
        self.uncertainty.add_pictures(event.job, pictures, event.entropy, event.done == event.total)
        self.cells.set(tuple(cells))
        self._update_derived()

    def _end_job(self, caption: str) -> None:
        self._job_cells = ()
        self._update_derived()
        self.caption.set(caption)
        self._write_run()

    def _update_derived(self) -> None:
        """Every value that follows from others."""
        running, cells = self.running.get(), self.cells.get()
        self.can_continue.set(not running and any(not cell.finished for cell in cells))
        ready = self._request.ready
        self.button_text.set(self._verb if not running else "Stop" if ready else "Starts when ready")
        if running:
            slow = self.compiling.get() and self.rows > 0
            self.caption.set(
                self._wording().progress_text(cells, self._queue.time_left(self._request.job), ready, slow)
            )

    # ── kept over a restart ──────────────────────────────────────────────────────────────────────

    def read_kept(self, temperature_map: str = "") -> None:
        """Those that were here before a restart."""
        kept = grid.read_run(self._file)
        if kept is not None:
            (self.run, cells), self.temperature_map = kept, temperature_map
            self.cells.set(cells)
            self.caption.set(self._wording().finished_text(cells))
            self._update_derived()

    def close(self) -> None:
        """Wait for what is being written; of a run under way, what is finished is kept."""
        self._writing.wait()
        if self.running.get() and self.run is not None and self.keeps_pictures:
            grid.write_run(self.run, self.cells.get(), self._file)

    def _write_run(self) -> None:
        if self.run is not None and self.keeps_pictures:
            run, cells = self.run, self.cells.get()
            self._writing.run(lambda: grid.write_run(run, cells, self._file), lambda outcome: None)
