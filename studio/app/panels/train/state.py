"""Holds the state of Train: examines a folder, trains a model on it, and follows the training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from PySide6.QtCore import Signal

from studio.app.audio.sound_card import SoundCard
from studio.app.core.jobs import JobList
from studio.app.core.messages import MessageButton, Messages
from studio.app.core.observable import EngineProtocol, Field, Value
from studio.app.model_browser.model_list import ModelList
from studio.app.panels.base import PanelState
from studio.app.panels.train.comparison import RunComparison
from studio.app.panels.train.costs import span_text
from studio.app.panels.train.file_report import FileReport
from studio.app.panels.train.folder import FolderScan
from studio.app.panels.train.past_runs import PastRuns, RunArtworks
from studio.app.panels.train.preparation import PreparationSettings
from studio.app.panels.train.preview import ExamplePreview
from studio.app.panels.train.queue import QueuedTraining, TrainingQueue
from studio.app.panels.train.run import Phase, TrainingProcess
from studio.app.panels.train.samples import ShownSamples
from studio.app.panels.train.settings import TrainingSettings
from studio.app.panels.train.training_computers import TrainingComputers
from studio.app.takes.selection import TakeSelection
from studio.app.takes.store import TakeStore
from studio.library.models import InstalledModel
from studio.library.runs import RunSummary
from studio.wire.messages import TrainingPrepared

MainAction = Literal["start", "wait", "queue", "queued", "pause", "resume", "new", "none"]
Page = Literal["empty", "folder", "run"]


class TrainState(PanelState):
    """Holds the state of the panel Train."""

    play_requested = Signal(str, str)
    """Carries a panel, and the name of the model that it should open."""
    folder_opened = Signal()

    def __init__(
        self,
        engine: EngineProtocol,
        release: Callable[[], object],
        models: ModelList,
        messages: Messages,
        jobs: JobList,
        takes: TakeStore,
        card: SoundCard,
        computers: TrainingComputers,
    ) -> None:
        """Create the state.

        Arguments
            engine: the engine that trains. It is started when it is needed.
            release: ends this engine's process, so that its memory is free
            card: plays the samples of a sound run and the sounds of the preview
            computers: the other computers that can train
        """
        super().__init__()
        self.models = models
        self.messages = messages
        self._release = release
        self.preparation = PreparationSettings(self.change, self)
        self.folder = FolderScan(engine, lambda: self.settings.scan_options(), self)
        self.computers = computers
        self.settings = TrainingSettings(engine, models, self.folder, self.preparation, self.change, computers, self)
        self.preview = ExamplePreview(engine, self.folder, self.settings, card, messages, self)
        self.file_report = FileReport(self.folder, messages, self)
        self.run = TrainingProcess(engine, computers.engine, self)
        computers.busy_host = self._busy_host
        self.past = PastRuns(messages, self)
        self.comparison = RunComparison(self)
        self.samples = ShownSamples(self.run, card, messages, self)
        self.queue = TrainingQueue(self.run, engine, jobs, messages, self)
        self.page: Value[Page] = Value("empty", self)
        """What the panel shows: how to begin, the folder and its settings, or the run."""
        self.prepares_next: Value[bool] = Value(False, self)
        """Whether the folder is shown although there is a run, to prepare the next one."""
        self.model: Value[InstalledModel | None] = self.settings.start_model
        self.selection = TakeSelection(takes, messages, self.change, self)
        self.main_action: Value[MainAction] = Value("none", self)
        """The action of the main button."""
        self.waits: Value[bool] = Value(False, self)
        """Whether a training starts as soon as the engine has prepared it."""
        self._shown_name = ""
        """The run to show when the list of runs is read."""
        folder, settings = self.folder, self.settings
        for known in (settings.fault, folder.fault, folder.report, folder.busy):
            known.changed.connect(self._stop_waiting_in_vain)
        pages: tuple[Value[Any], ...] = (self.run.shown, folder.source, self.prepares_next)
        for value in pages:
            value.changed.connect(self._update_page)
        actions: tuple[Value[Any], ...] = (
            self.page, self.run.phase, folder.fault, folder.report, folder.excluded, self.waits, self.queue.waiting,
            settings.prepared,
        )  # fmt: skip
        for value in actions:
            value.changed.connect(self._update_main)
        settings.prepared.changed.connect(self._start_waiting)
        self.run.phase.changed.connect(self._follow_phase)
        self.run.ended.connect(self._end_run)
        self.run.model_written.connect(self._on_model_written)
        self.run.message.connect(lambda text, severity: messages.show_message(text, severity))
        self.run.shown.changed.connect(self.comparison.follow_run)
        self.queue.begins.connect(lambda: self.samples.scrub(None))
        self._declare(
            *self.preparation.fields,
            Field("folder", self._folder_record, self._use_folder_record),
            *self.settings.fields,
            *takes.entries,
            Field("run", self._run_name, self._remember_run, undo=False),
            Field("queue", self.queue.record, self.queue.restore_record, undo=False),
        )

    # ── folder ───────────────────────────────────────────────────────────────────────────────────

    def open_folder(self, path: Path) -> None:
        """Examine a folder and prepare a training on it. A run at work continues."""
        self._show_folder()
        is_same = str(path) == self.folder.source.get()
        self.preview.shown.set(False)
        self.change("folder", folder=[str(path), []], title="", has_classes=False)
        if is_same:  # its files may have changed
            self.folder.examine_again()
        else:
            self.folder.wake()
        self.folder_opened.emit()

    def show_files(self) -> None:
        """Show every file of the folder, with the outcome and the reason."""
        self.preview.shown.set(False)
        self.folder.filter.set("list")

    def exclude_look_alikes(self) -> None:
        """Leave out all files that look alike, except the first of each group."""
        report = self.folder.report.get()
        more = {self.folder.files[number].key for group in (report.alike if report else ()) for number in group[1:]}
        self.change("look-alikes", folder=[self.folder.source.get(), sorted(self.folder.excluded.get() | more)])

    def exclude_file(self, number: int) -> None:
        """Leave a file out, or use it again."""
        key = self.folder.files[number].key if number < len(self.folder.files) else ""
        if key:
            excluded = self.folder.excluded.get() ^ {key}
            self.change("excluded file", folder=[self.folder.source.get(), sorted(excluded)])

    def _folder_record(self) -> list[object]:
        return [self.folder.source.get(), sorted(self.folder.excluded.get())]

    def _use_folder_record(self, record: list[object]) -> None:
        source, excluded = record
        keys = frozenset(str(key) for key in excluded) if isinstance(excluded, list) else frozenset()
        if str(source) != self.folder.source.get():
            self.waits.set(False)
            self.folder.open_folder(str(source), keys)
        else:
            self.folder.excluded.set(keys)

    # ── settings ─────────────────────────────────────────────────────────────────────────────────

    def choose_model(self, name: str) -> None:
        """Start from a trained model."""
        trained = self.models.find_or_report(name)
        if trained in self.settings.start_models():
            self.settings.choose_start(name)

    # ── run ──────────────────────────────────────────────────────────────────────────────────────

    def press_main(self) -> None:
        """Run the action of the main button."""
        match self.main_action.get():
            case "start" | "queue":
                self.start()
            case "wait":
                self.waits.set(False)
            case "pause":
                self.run.pause()
            case "resume":
                self.run.resume()
            case "new":
                self.leave_run()
            case "queued" | "none":
                pass

    def start(self) -> None:
        """Start a training on the folder, or add it to the queue while another is at work."""
        if not self.folder.source.get():
            return
        training = self._make_training()
        if training is None:
            self._wait_for_config()
            return
        self.waits.set(False)
        if self.run.is_active:
            if not self.queue.contains(training):
                self.queue.add(training)
        else:
            self.prepares_next.set(False)
            self.queue.begin(training)

    def _make_training(self) -> QueuedTraining | None:
        """Return the training that the settings describe; None until the engine has prepared it."""
        shown = self.run.shown.get()
        begun = {shown.name} if shown is not None and self.run.is_active else set()
        config = self.settings.make_config(self.queue.taken_names | begun)
        if config is None:
            return None
        preparation = {**config.get("preparation", {}), "excluded": sorted(self.folder.excluded.get())}
        start = self.settings.start_model.get()
        name = start.card.name if start is not None else ""
        config = {**config, "preparation": preparation}
        return QueuedTraining(config, self.folder.source.get(), name, self.settings.computer.get())

    def _wait_for_config(self) -> None:
        """Start as soon as there is a config, and ask for it again if nobody is working on it."""
        if self.folder.report.get() is None and not self.folder.busy.get():
            self.folder.examine_again()
        elif self.settings.fault.get():
            self.settings.prepare()
        self.waits.set(self.folder.is_usable)

    def toggle_pause(self) -> None:
        """Pause a run at work, or resume a paused one."""
        if self.run.phase.get() in ("running", "waiting"):
            self.run.pause()
        elif self.run.can_resume:
            self.run.resume()

    def stop_and_keep(self) -> None:
        """End the training and keep the best model. A paused run is resumed for its last step."""
        self.run.finish()

    def play(self, panel: str) -> None:
        """Open the newest weights of a run at work, or the model of a finished one, in a panel."""
        shown = self.run.shown.get()
        if shown is not None and self.run.phase.get() == "finished":
            self.play_requested.emit(panel, shown.name)
        else:
            self.run.publish(panel)

    def show_run(self, name: str) -> None:
        """Show a run of the list, with its curve and samples."""
        run = self.past.find(name)
        if run is not None and not self.run.is_active:
            self.past.read_samples(run, lambda artworks: self._show_read(run, artworks))

    def compare_run(self, name: str) -> None:
        """Draw the curve of a past run beside that of the visible one, or remove it."""
        run = self.past.find(name)
        if run is not None:
            self.comparison.toggle(run)

    def delete_run(self, name: str) -> None:
        """Move a past run to the bin. Its model is kept, and Undo brings the run back."""
        run = self.past.find(name)
        shown = self.run.shown.get()
        is_shown = shown is not None and run is not None and shown.folder == run.folder
        if run is None or (is_shown and self.run.is_active):
            return
        if is_shown:
            self.leave_run()
        self.comparison.remove(name)
        self.past.delete(run)

    def show_run_at_work(self) -> None:
        """Show the run again after the next one was prepared."""
        self.prepares_next.set(False)

    def leave_run(self) -> None:
        """Show the folder again, to train another model on it. A run at work continues."""
        self._show_folder()
        if not self.folder.source.get():
            return
        if self.folder.report.get() is not None:
            self.folder.follow_options()
            self.settings.prepare_if_needed()
        elif not self.folder.busy.get():
            self.folder.examine_again()

    # ── reactions to changes ─────────────────────────────────────────────────────────────────────

    def _show_read(self, run: RunSummary, artworks: RunArtworks) -> None:
        self.samples.scrub(None)
        self.prepares_next.set(False)
        self.comparison.remove(run.folder.name)
        self.run.show_run(run, *artworks)

    def _show_folder(self) -> None:
        """Show the folder instead of the run. A run at work stays in the background."""
        self.run.show_none()
        self.prepares_next.set(self.run.is_active)

    def _update_page(self, _: object = None) -> None:
        page: Page = "folder" if self.folder.source.get() else "empty"
        is_run = self.run.shown.get() is not None and not self.prepares_next.get()
        self.page.set("run" if is_run else page)

    def _update_main(self, _: object = None) -> None:
        self.main_action.set(self._action_of_run() if self.page.get() == "run" else self._action_of_folder())

    def _action_of_folder(self) -> MainAction:
        if not self.folder.source.get() or not self.folder.is_usable:
            return "none"
        if self.waits.get():
            return "wait"
        if not self.run.is_active:
            return "start"
        training = self._make_training()
        return "queued" if training is not None and self.queue.contains(training) else "queue"

    def _action_of_run(self) -> MainAction:
        phase: Phase = self.run.phase.get()
        action: MainAction = "none"
        if phase in ("running", "waiting"):
            action = "pause"
        elif self.run.can_resume:
            action = "resume"
        elif phase in ("finished", "failed"):
            action = "new"
        return action

    def _start_waiting(self, prepared: TrainingPrepared | None) -> None:
        if prepared is not None and self.waits.get():
            self.start()

    def _stop_waiting_in_vain(self, _: object) -> None:
        """Stop waiting for a config if none will come, so that nothing starts unasked later."""
        is_stopped = self.folder.report.get() is None and not self.folder.busy.get()
        if is_stopped or self.settings.fault.get() or not self.folder.is_usable:
            self.waits.set(False)

    def _follow_phase(self, phase: Phase) -> None:
        """Give the engine to a training that begins, unless the user prepares the next one."""
        if phase == "starting" and not self.prepares_next.get():
            self.preview.shown.set(False)
            self.folder.cancel()
            self.settings.cancel()

    def _end_run(self) -> None:
        """Free the run's memory, and show how it ended."""
        self._release()
        self.computers.release()
        self.past.refresh()
        shown = self.run.shown.get()
        if shown is None:
            return
        if self.run.phase.get() == "failed":
            buttons: tuple[MessageButton, ...] = (("New training", self.leave_run),)
            if self.run.can_force:
                buttons = (
                    ("Learn from these files", self.run.learn_changed_files),
                    ("Keep the best", self.run.keep_best),
                )
            elif self.run.can_resume:
                buttons = (("Resume", self.run.resume),)
            self.messages.show_message(self.run.fault.get(), "failed", *buttons, until=(self.run.phase.changed,))
        elif self.run.phase.get() == "finished":
            self.messages.show_message(
                f'"{shown.title}" is ready after {span_text(self.run.seconds.get())}.',
                "info",
                ("Play with it", lambda: self.play_requested.emit(shown.play_panel, shown.name)),
            )

    def _on_model_written(self, name: str, is_final: bool) -> None:
        self.models.refresh_models()
        panel = self.run.publishing.get()
        if panel and not is_final:
            self.play_requested.emit(panel, name)

    # ── plain data: undo, restart ────────────────────────────────────────────────────────────────

    def _busy_host(self) -> str:
        """Return the other computer that trains now; empty if none does."""
        shown = self.run.shown.get()
        place = shown.place if shown is not None and self.run.is_active else None
        return place.computer if place is not None else ""

    def _run_name(self) -> str:
        shown = self.run.shown.get()
        return shown.folder.name if shown is not None else ""

    def _remember_run(self, name: object) -> None:
        self._shown_name = str(name)

    def settle(self) -> None:
        """Read the list of runs, and show the run from before the restart."""
        if self._shown_name or not self.past.runs.get():
            name = self._shown_name
            self._shown_name = ""
            self.past.refresh(lambda: self.show_run(name) if name else None)
        self.queue.report_restored()

    def _follow(self, record: dict[str, object]) -> None:
        """Prepare the training again after a change of its settings; later if a run is shown."""
        fields = (*self.settings.fields, *self.preparation.fields)
        names = {field.name for field in fields if isinstance(field, Field)} - {"title"}
        if not names & record.keys():
            return
        if self.page.get() == "run":
            self.settings.forget_answer()
        else:
            self.folder.follow_options()
            self.settings.prepare()

    def close(self) -> None:
        """Wait for running reads and writes. The engine saves a training at work when the window closes."""
        self.preview.close()
        self.file_report.close()
        self.past.close()
        self.run.close()
        self.samples.close()
