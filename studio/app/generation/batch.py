"""Makes the pictures of a run: starts, draws, stops and continues it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from PySide6.QtCore import QObject

from studio.app.core.background import BackgroundTask
from studio.app.core.jobs import JobList
from studio.app.core.messages import Messages, Severity
from studio.app.core.observable import EngineProtocol, State, Value
from studio.app.core.request import Request
from studio.app.generation import run as grid
from studio.app.generation.parameters import Parameters
from studio.app.generation.run import ArtworkKind, BatchRun, Cell, DrawnWith
from studio.app.generation.wording import BatchText
from studio.app.maps.surprisal import ShownPicture
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
    """Holds the settings with which a run continues. `temperature_map` is packed."""

    temperature: float
    share: float | None
    temperature_map: str = ""


class Batch(State):
    """Makes one run at a time.

    Arguments
        verb: the text of the main button, such as `Generate`
        file: the name of the file in which finished pictures are kept over a restart
        wording: returns the sentences about the present pictures
        make_command: returns the command of a job from its fields; None, after a message, if that is impossible
        repeat: begins the same run again
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
        self._models = models
        self._messages = messages
        self._queue = queue
        self._request = Request(engine, verb.lower(), "single", self)
        self._verb = verb
        self._file = file
        self._wording = wording
        self._make_command = make_command
        self._repeat = repeat
        self.run: BatchRun | None = None
        self.temperature_map = ""
        """The painted temperature map of this run, packed."""
        self.cells: Value[tuple[Cell, ...]] = Value((), self)
        self.running: Value[bool] = self._request.running
        self.caption: Value[str] = Value("", self)
        """The caption below the pictures."""
        self.keeps_pictures = True
        """Whether the pictures are kept over a restart."""
        self.can_continue: Value[bool] = Value(False, self)
        """Whether a stopped or lost run has pictures left to make."""
        self.button_text: Value[str] = Value(verb, self)
        """The text of the main button: the verb, `Starts when ready` or `Stop`."""
        self.uncertainty = UncertaintyMaps()
        """The uncertainty of each pixel before it was drawn."""
        self._job_cells: tuple[int, ...] = ()
        """The cells of the running job, in the order of its seeds."""
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
        """Return the kind of artwork that the run makes."""
        return self.run.artwork_kind if self.run is not None else "picture"

    @property
    def trained(self) -> InstalledModel | None:
        """Return the model that makes the pictures, if it is installed."""
        return self._models.find_model(self.run.model) if self.run is not None else None

    @property
    def size(self) -> tuple[int, int] | None:
        """Return (height, width) of the pictures, if their model is installed."""
        trained = self.trained
        if trained is None or self.run is None:
            return None
        return self.run.canvas_size or trained.card.picture_size

    @property
    def rows(self) -> int:
        """Return how many rows are drawn one after another; 0 for pictures drawn whole."""
        trained = self.trained
        size = self.size if trained is not None and trained.card.draws_by_rows else None
        return size[0] if size is not None else 0

    def start_run(
        self,
        parameters: Parameters,
        prepare: Callable[[], object],
        temperature_map: str = "",
        canvas_size: tuple[int, int] | None = None,
        seamless: bool = False,
    ) -> None:
        """Make new pictures with these parameters. During a run, let a new one follow it.

        Arguments
            prepare: called before the new pictures replace the present ones
            temperature_map: the painted one, packed
            canvas_size: (height, width) of pictures that do not have the model's own size
            seamless: whether opposite edges of these continue each other
        """
        trained = parameters.model.get()
        if trained is None:
            return
        if self.running.get():
            self._repeats += 1
            self._messages.show_message("The next run starts when this one is done.", until=(self.running.changed,))
            return
        run, cells = parameters.start_run(trained)
        prepare()
        self.run = replace(run, canvas_size=canvas_size, seamless=seamless)
        self.temperature_map = temperature_map
        self.uncertainty.clear_scale()
        self.cells.set(tuple(cells))
        self._send_job(range(len(cells)))

    def stop_run(self) -> None:
        """Stop the run and keep its pictures as far as they are drawn."""
        self._repeats = 0
        self._request.stop()

    def continue_run(self) -> None:
        """Make the pictures that a stopped or lost run left unfinished."""
        if not self.running.get():
            self._send_job([index for index, cell in enumerate(self.cells.get()) if not cell.finished])

    def apply_settings(
        self, parameters: Parameters, packed_map: str = "", temperature_map: Array | None = None
    ) -> DrawSettings | None:
        """Change the parameters of the run from its next row on.

        Returns the settings from then on; None if nothing changed. `packed_map` is `temperature_map` packed.
        Parameters of another model apply to another run.
        """
        run = self.run
        trained = parameters.model.get()
        if not self._request.job or run is None or trained is None or trained.card.name != run.model:
            return None
        mixed = run.mix is not None and run.mix.model == parameters.mix.name.get()
        share = parameters.mix.share.get() if mixed else self._sent_settings.share
        settings = DrawSettings(parameters.temperature.get(), share, packed_map)
        if settings == self._sent_settings:
            return None
        self._sent_settings = settings
        self.temperature_map = packed_map
        self._request.steer(
            "parameters", temperature=(settings.temperature,), share=share, temperature_map=temperature_map
        )
        return settings

    def shown_pictures(self, current: Array | None) -> tuple[ShownPicture, ...]:
        """Return the finished pictures for their maps: the current one first, each with its own class."""
        run = self.run
        if run is None or run.artwork_kind != "picture" or self.trained is None:
            return ()
        finished = [cell for cell in self.cells.get() if cell.finished]
        return tuple(
            ShownPicture(cell.picture, run.model, run.label_of(cell))
            for cell in sorted(finished, key=lambda cell: cell.picture is not current)
            if cell.picture is not None
        )

    def show_uncertainty(self, on: bool) -> None:
        """Show the uncertainty of each pixel, or hide it. The engine sends it only while drawing."""
        self.uncertainty.set_on(on)
        if on and not self.running.get() and self.uncertainty.scale.get() is None:
            self._messages.show_message(UNCERTAINTY_LATER)

    def _steer_uncertainty(self, on: bool) -> None:
        """Start or stop the report of uncertainty in a run that draws pixel by pixel."""
        if self.rows:
            self._request.steer(report_entropy=on)

    def _send_job(self, indices: Sequence[int]) -> None:
        run = self.run
        cells = self.cells.get()
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
                wording = self._wording()
                self._queue.add_job(job, f"{wording.source}: {wording.count_text(len(indices))}", len(indices))
            return command

        self._request.ask(question)
        self._update_derived()

    # ── events of the engine ─────────────────────────────────────────────────────────────────────

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
        self._offer_rest(self._wording().stopped_text(self.cells.get()), "Continue", "info")

    def _show_failure(self, event: Failed) -> None:
        self._offer_rest(f"{event.reason} {event.hint}", "Try again")

    def _show_loss(self, why: str) -> None:
        text, button = self._wording().lost_text(self.cells.get())
        self._offer_rest(f"{why} {text}", button)

    def _offer_rest(self, text: str, button: str, severity: Severity = "failed") -> None:
        """Keep the rows that a run drew before it ended early, and offer to make the rest. Start no other run."""
        self._repeats = 0
        self._end_job(self._wording().stopped_text(self.cells.get()))
        self._messages.show_message(text.strip(), severity, (button, self.continue_run), until=(self.running.changed,))

    def _update_cells(self, event: PicturesPreview) -> None:
        cells = list(self.cells.get())
        count = len(event.pictures)
        by = DrawnWith.from_event(event)
        log_probs = event.log_prob or (None,) * count
        kinds = event.labels or (None,) * count
        parts = event.following_log_prob or (None,) * count
        indices = self._job_cells[event.first : event.first + count]
        for index, picture, log_prob, kind, part in zip(indices, event.pictures, log_probs, kinds, parts, strict=False):
            seed = cells[index].seed
            cells[index] = Cell(seed, picture, event.done, event.total, log_prob, kind, part, by)
        pictures = [picture for index in indices if (picture := cells[index].picture) is not None]
        self.uncertainty.add_pictures(event.job, pictures, event.entropy, event.done == event.total)
        self.cells.set(tuple(cells))
        self._update_derived()

    def _end_job(self, caption: str) -> None:
        self._job_cells = ()
        self._update_derived()
        self.caption.set(caption)
        self._write_run()

    def _update_derived(self) -> None:
        """Update every value that depends on others."""
        running = self.running.get()
        cells = self.cells.get()
        self.can_continue.set(not running and any(not cell.finished for cell in cells))
        ready = self._request.ready
        self.button_text.set(self._button_text(running, ready))
        if running:
            slow = self.compiling.get() and self.rows > 0
            self.caption.set(
                self._wording().progress_text(cells, self._queue.time_left(self._request.job), ready, slow)
            )

    def _button_text(self, running: bool, ready: bool) -> str:
        if not running:
            return self._verb
        return "Stop" if ready else "Starts when ready"

    # ── restart ──────────────────────────────────────────────────────────────────────────────────

    def read_kept(self, temperature_map: str = "") -> None:
        """Read the pictures from before a restart."""
        stored = grid.read_run(self._file)
        if stored is not None:
            (self.run, cells) = stored
            self.temperature_map = temperature_map
            self.cells.set(cells)
            self.caption.set(self._wording().finished_text(cells))
            self._update_derived()

    def close(self) -> None:
        """Wait until files are written. Keep the finished pictures of an open run."""
        self._writing.wait()
        if self.running.get() and self.run is not None and self.keeps_pictures:
            grid.write_run(self.run, self.cells.get(), self._file)

    def _write_run(self) -> None:
        if self.run is not None and self.keeps_pictures:
            run = self.run
            cells = self.cells.get()
            self._writing.run(lambda: grid.write_run(run, cells, self._file), lambda outcome: None)
