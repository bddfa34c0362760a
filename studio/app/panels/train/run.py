"""Runs one training in the engine: starts, pauses and resumes it, and holds its curve and samples."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
from PySide6.QtCore import QObject, Signal

from studio.app.core.observable import EngineProtocol, State, Value
from studio.app.core.request import Request
from studio.app.panels.train.artwork_sender import ArtworkSender
from studio.app.panels.train.curve import Curve
from studio.app.panels.train.forecast import StopRule
from studio.app.panels.train.gauge import Verdict, judge
from studio.app.panels.train.remote_record import RemoteRunRecord
from studio.app.panels.train.shown_run import ShownRun
from studio.library import runs, storage
from studio.library.runs import ComparedSamples, RunConfig, RunPlace, RunSamples, RunSummary
from studio.wire.messages import (
    AnyEvent,
    DatasetLoaded,
    Failed,
    FilesExamined,
    ModelPiece,
    ModelWritten,
    Notice,
    SamplesCompared,
    SteerTraining,
    Train,
    TrainingProgress,
    TrainingSamples,
    TrainingWaits,
)

Phase = Literal["none", "starting", "running", "waiting", "pausing", "finishing", "paused", "finished", "failed"]
"""`starting`: the engine reads the artworks. `waiting`: it waits until its files can be saved. `pausing`, `finishing`:
it takes its last step and saves."""
PICTURE_SEEDS = tuple(range(1, 17))
SOUND_SEEDS = (1, 2, 3)
"""The seeds whose samples are drawn. Recordings take long."""
ACTIVE: tuple[Phase, ...] = ("starting", "running", "waiting", "pausing", "finishing")


class TrainingProcess(State):
    """Holds the run that the panel shows, and controls it while it is at work."""

    samples_changed = Signal()
    model_written = Signal(str, bool)
    """Emitted when a model was written, with its name and whether the training has ended."""
    message = Signal(str, str)
    """Carries a sentence for the user and its severity."""
    began = Signal()
    """Emitted when a training was requested."""
    ended = Signal()
    """Emitted when the run is no longer at work."""

    def __init__(self, engine: EngineProtocol, remote_engine: EngineProtocol, parent: QObject | None = None) -> None:
        """Create the state without a run.

        Arguments
            engine: the engine that trains on this computer
            remote_engine: the engine that trains on another one
        """
        super().__init__(parent)
        self.phase: Value[Phase] = Value("none", self)
        self.shown: Value[ShownRun | None] = Value(None, self)
        self.progress: Value[TrainingProgress | None] = Value(None, self)
        """The last report of this session; None before the first."""
        self.step: Value[int] = Value(0, self)
        self.seconds: Value[float] = Value(0.0, self)
        """Seconds of training so far, in all sessions."""
        self.files_read: Value[int] = Value(0, self)
        """Files that were read for the training that is starting."""
        self.is_loaded: Value[bool] = Value(False, self)
        """Whether all of them are read."""
        self.bytes_sent: Value[tuple[int, int]] = Value((0, 0), self)
        """The bytes of the artworks that have arrived on another computer, and all bytes; zeros before the first."""
        self.wait: Value[TrainingWaits | None] = Value(None, self)
        """Why the run waits; None if it does not."""
        self._awaited_phase: Phase = "running"
        """The phase in which it continues."""
        self.compared: Value[ComparedSamples | None] = Value(None, self)
        """The newest samples beside their nearest training artworks."""
        self.verdict: Value[Verdict] = Value("Learning", self)
        self.fault: Value[str] = Value("", self)
        """Why the run failed."""
        self.sampling: Value[bool] = Value(False, self)
        """Whether samples were requested and have not arrived yet."""
        self.publishing: Value[str] = Value("", self)
        """The panel that waits for the newest weights; empty if none does."""
        self.curve = Curve(self)
        self.samples: list[RunSamples] = []
        self.phase.changed.connect(self._show_rule)
        self.only_exports = False
        """Whether the best model is written without another step."""
        self.can_force = False
        """Whether the run failed because its files have changed, and can continue with them."""
        self.is_lost = False
        """Whether the engine died while it was at work."""
        self._steer_number = 0
        self._local_engine = self._engine = engine
        self._remote_engine = remote_engine
        self._local_request = self._request = Request(engine, "training", "single", self)
        self._remote_request = Request(remote_engine, "remote-training", "single", self)
        for request in (self._local_request, self._remote_request):
            request.progressed.connect(self._receive)
            request.answered.connect(lambda _: self._finish())
            request.stopped.connect(lambda: self._end("paused"))
            request.failed.connect(self._show_failure)
            request.lost.connect(self._show_loss)
        self._sender = ArtworkSender(engine, remote_engine, self)
        self._sender.progressed.connect(self._receive)
        self._sender.sending.connect(lambda sent, size: self.bytes_sent.set((sent, size)))
        self._sender.stopped.connect(lambda: self._end("paused"))
        self._sender.failed.connect(self._show_failure)
        self._sender.lost.connect(self._show_loss)
        self._sender.sent.connect(self._train_remotely)
        self._remote_command: Callable[[str, str], Train] | None = None
        """Makes the command of a remote training from a job's name and the path of its artworks there."""
        self._record = RemoteRunRecord(self)
        self._record.model_saved.connect(self._note_saved_model)
        self._record.model_refused.connect(self._show_refused_model)
        self._ends_when_saved = False
        """Whether the training has ended, and its model is being saved here."""

    @property
    def is_active(self) -> bool:
        """Return whether a training is at work."""
        return self.phase.get() in ACTIVE

    @property
    def is_remote(self) -> bool:
        """Return whether another computer trains the visible run."""
        shown = self.shown.get()
        return shown is not None and shown.place is not None

    @property
    def copied(self) -> tuple[bool, ...]:
        """Return whether each of the newest samples is a copy of a training artwork; empty if unknown."""
        compared = self.compared.get()
        return compared.copied if compared is not None else ()

    @property
    def is_begun(self) -> bool:
        """Return whether a step was taken, so that the run can be resumed."""
        return self.step.get() > 0

    @property
    def can_resume(self) -> bool:
        """Return whether the run is at rest and can continue. One that was killed early begins again at step 0."""
        return self.phase.get() == "paused" or (self.phase.get() == "failed" and self.is_begun)

    @property
    def job(self) -> str:
        return self._request.job

    def start(self, config: dict[str, Any], source: str, start_model: str, computer: str = "") -> None:
        """Start a new run, on another computer if one is named."""
        place = RunPlace(computer, f"{config['name']}-{secrets.token_hex(4)}") if computer else None
        folder = storage.home_folder("runs") / config["name"]
        self._show(ShownRun.of(folder, msgspec.convert(config, RunConfig), source, place))
        self._train(folder, config, source, start_model)

    def show_run(self, run: RunSummary, samples: list[RunSamples], compared: ComparedSamples | None) -> None:
        """Show a past run from its folder."""
        if self.is_active:
            return
        self._show(ShownRun.of(run.folder, run.config, run.source, run.place))
        self.samples = samples
        self.curve.show_points(run.curve)
        self.step.set(run.step)
        self.seconds.set(run.seconds)
        self.compared.set(compared)
        self._judge()
        self.samples_changed.emit()
        self.phase.set("finished" if run.outcome is not None else "paused")

    def show_none(self) -> None:
        """Stop showing the run, so that another can be prepared. A run at work stays."""
        if not self.is_active:
            self._show(None)

    def resume(self) -> None:
        """Continue a paused or failed run from its last checkpoint."""
        self._continue()

    def learn_changed_files(self) -> None:
        """Continue a run with the files of its folder as they are now."""
        self._continue(force=True)

    def keep_best(self) -> None:
        """Write the best model of a run that is not at work, even if its files have changed."""
        self._continue(force=self.can_force, only_export=True)

    def _continue(self, *, force: bool = False, only_export: bool = False) -> None:
        shown = self.shown.get()
        if shown is None or self.is_active:
            return
        try:
            config = runs.read_config(shown.folder)
        except (OSError, ValueError):
            self.message.emit(f'"{shown.title}" cannot be resumed: its settings are missing.', "failed")
            return
        self.fault.set("")
        self._train(shown.folder, config, shown.source, "", force=force, only_export=only_export)

    def pause(self) -> None:
        """Save the run and pause it. Its memory is freed."""
        if self.phase.get() not in ("starting", "running", "waiting"):
            return
        self.phase.set("pausing")
        if self._request.job:
            self._request.stop()
        else:  # its artworks are on their way to another computer
            self._sender.cancel()
            self._end("paused")

    def finish(self) -> None:
        """End the training and keep the best model."""
        if self.phase.get() == "paused":
            self.keep_best()
        elif self.phase.get() == "running":
            self.phase.set("finishing")
            self._steer("finish")

    def sample_now(self) -> None:
        """Draw samples after the present step."""
        if self.phase.get() == "running" and not self.sampling.get():
            self.sampling.set(True)
            self._steer("sample")

    def publish(self, panel: str) -> None:
        """Write the newest weights as a model, to be opened in a panel."""
        if self.phase.get() == "running" and not self.publishing.get():
            self.publishing.set(panel)
            self._steer("publish")

    def _steer(self, action: Literal["sample", "publish", "finish"]) -> None:
        self._steer_number += 1
        job = f"steer-{self._steer_number}-{self._request.job}"
        self._engine.send(SteerTraining(job=job, running_job=self._request.job, action=action))

    def _train(
        self,
        folder: Path,
        config: dict[str, Any],
        source: str,
        start_model: str,
        *,
        force: bool = False,
        only_export: bool = False,
    ) -> None:
        self.only_exports = only_export
        self.can_force = False
        self.is_lost = False
        self.files_read.set(0)
        self.is_loaded.set(False)
        self.bytes_sent.set((0, 0))
        self.progress.set(None)
        self.phase.set("starting")
        shown = self.shown.get()
        place = shown.place if shown is not None else None

        def command(job: str, data: str) -> Train:
            return Train(
                job=job,
                source=data,
                run_folder=str(folder) if place is None else place.folder,
                config=config,
                start_model=start_model,
                force=force,
                only_export=only_export,
                sample_seeds=SOUND_SEEDS if config.get("sample_rate") else PICTURE_SEEDS,
                is_remote=place is not None,
            )

        if place is None:
            self._engine, self._request = self._local_engine, self._local_request
            self._request.ask(lambda job: command(job, source))
            self.began.emit()
        else:
            self._engine, self._request = self._remote_engine, self._remote_request
            self._remote_engine.use_computer(place.computer)
            self._remote_command = command
            self._record.open(folder, place, config, source, self.curve.points)
            self._sender.send(source, config)

    def _train_remotely(self, data: str) -> None:
        """Train on another computer, whose file `data` holds the artworks."""
        command = self._remote_command
        if command is not None:
            self._request.ask(lambda job: command(job, data))
            self.began.emit()

    def _show(self, shown: ShownRun | None) -> None:
        self.samples = []
        self.curve.show_points(())
        self.step.set(0)
        self.seconds.set(0.0)
        self.progress.set(None)
        self.compared.set(None)
        self.verdict.set("Learning")
        self.fault.set("")
        self.shown.set(shown)
        self.phase.set("none")
        self.samples_changed.emit()

    def _receive(self, event: AnyEvent) -> None:
        handlers: dict[type, Callable[[Any], object]] = {
            FilesExamined: lambda event: self.files_read.set(event.done),
            DatasetLoaded: lambda _: self.is_loaded.set(True),
            TrainingProgress: self._add_progress,
            TrainingWaits: self._follow_wait,
            TrainingSamples: self._add_samples,
            SamplesCompared: self._show_compared,
            ModelPiece: self._record.add_piece,
            ModelWritten: self._note_model,
            Notice: lambda notice: self.message.emit(notice.text, "info") if self.progress.get() else None,
        }
        if type(event) in handlers:
            handlers[type(event)](event)

    def _add_progress(self, event: TrainingProgress) -> None:
        if self.phase.get() == "starting":
            self.phase.set("running")
        self.step.set(event.step)
        self.seconds.set(event.seconds)
        self.curve.add_point(event.step, event.loss, event.held_out)
        if self.is_remote:
            self._record.add_progress(event)
        if event.held_out is not None:
            self._judge()
        self.progress.set(event)

    def _follow_wait(self, event: TrainingWaits) -> None:
        """Show that the run waits, or that it continues. A run that the user ends is not shown as waiting."""
        phase = self.phase.get()
        if event.reason and phase in ("starting", "running", "finishing"):
            self._awaited_phase = phase
            self.wait.set(event)
            self.phase.set("waiting")
        elif not event.reason:
            self.wait.set(None)
            if phase == "waiting":
                self.phase.set(self._awaited_phase)
        self.message.emit(event.text, "warn" if event.reason else "info")

    def _add_samples(self, event: TrainingSamples) -> None:
        self.sampling.set(False)
        if not len(event.artworks):
            return
        self.samples = [one for one in self.samples if one.step < event.step]
        self.samples.append(RunSamples(event.step, event.seconds, event.artworks))
        if self.is_remote:
            self._record.add_samples(self.samples[-1])
        self.samples_changed.emit()

    def _show_compared(self, event: SamplesCompared) -> None:
        compared = ComparedSamples(event.step, event.samples, event.nearest, event.distances)
        self.compared.set(compared)
        if self.is_remote:
            self._record.add_compared(compared)
        self._judge()

    def _note_model(self, event: ModelWritten) -> None:
        if self.is_remote:
            self._record.save_model(event.name, event.is_final)
        else:
            self._note_saved_model(event.name, event.is_final)

    def _note_saved_model(self, name: str, is_final: bool) -> None:
        self.model_written.emit(name, is_final)
        self.publishing.set("")
        if self._ends_when_saved:
            self._end("finished")

    def _show_refused_model(self, why: str) -> None:
        """Show that the model of another computer could not be saved here."""
        self.publishing.set("")
        if self._ends_when_saved:
            self.fault.set(f"{why} The run there is kept.")
            self._end("failed")
        else:
            self.message.emit(why, "failed")

    def _finish(self) -> None:
        """End the run; one on another computer once its model is saved here."""
        if self._record.is_saving_model:
            self._ends_when_saved = True
        else:
            self._end("finished")

    def _show_rule(self, phase: Phase) -> None:
        """Tell the curve how the run will end, unless it has ended."""
        shown = self.shown.get()
        if shown is None or phase in ("finishing", "finished"):
            self.curve.rule.set(None)
        else:
            self.curve.rule.set(StopRule(shown.steps, shown.evaluate_every, shown.patience))

    def _judge(self) -> None:
        figures = [float(bits) for bits in self.curve.held_out[:, 1]]
        self.verdict.set(judge(figures, self.copied))

    def _show_failure(self, event: Failed) -> None:
        self.can_force = event.can_force
        self.fault.set(f"{event.reason} {event.hint}".strip())
        self._end("failed")

    def _show_loss(self, why: str) -> None:
        self.is_lost = True
        shown = self.shown.get()
        place = shown.place if shown is not None else None
        happened = "The training stopped unexpectedly."
        if place is not None and self.is_begun:
            happened = f'The connection to "{place.computer}" was lost.'
        elif place is not None:
            happened = why
        kept = "What it learned until its last save is kept." if self.is_begun else "Nothing was learned yet."
        self.fault.set(f"{happened} {kept}")
        self._end("failed")

    def _end(self, phase: Phase) -> None:
        self._ends_when_saved = False
        if self.is_remote:
            self._record.save_progress()
        self.sampling.set(False)
        self.publishing.set("")
        self.progress.set(None)
        self.wait.set(None)
        if phase == "paused" and not self.is_begun:  # the run has not learned, so its folder is not kept
            self._show(None)
        else:
            self.phase.set(phase)
        self.ended.emit()

    def close(self) -> None:
        """Wait until what another computer reported is written."""
        self._sender.cancel()
        self._record.close()
