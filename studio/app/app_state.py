"""Holds the state of the whole window: its panels, its engine and the saved settings."""

import base64
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from PySide6.QtCore import QTimer

from studio.app.audio.sound_card import OutputProtocol, SoundCard
from studio.app.audio.wave_synth import WaveSynth
from studio.app.core.artwork import Artwork
from studio.app.core.autosave import Autosave, SettingsStore
from studio.app.core.earlier_settings import SETTINGS
from studio.app.core.jobs import JobList
from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, Field, Record, State, Value, one_of
from studio.app.core.preferences import Preferences
from studio.app.core.request import Request
from studio.app.core.smoothing import Smoothing
from studio.app.core.undo import UndoHistory
from studio.app.engine.client import EngineClient
from studio.app.engine.computers import Computers
from studio.app.file_opener import FileOpener, PanelStates
from studio.app.files.clipboard import Clipboard
from studio.app.files.export_settings import ExportSettings
from studio.app.files.exporting import Exporter
from studio.app.files.folders import Folders
from studio.app.maps.surprisal import SurprisalMaps
from studio.app.maps.uncertainty import UncertaintyMaps
from studio.app.model_browser.model_list import ModelList
from studio.app.panels.complete.state import CompleteState
from studio.app.panels.explore.state import ExploreState
from studio.app.panels.generate.state import GenerateState
from studio.app.panels.sound.state import SoundState
from studio.app.panels.train.state import TrainState
from studio.app.panels.train.training_computers import TrainingComputers
from studio.app.takes.store import TakeStore
from studio.library import storage
from studio.library.models import InstalledModel
from studio.media import decoder
from studio.wire.messages import AnyEvent, Diagnosis, Doctor, Failed, Ready

PANELS = ("generate", "explore", "complete", "sound", "train", "library")
ThemeName = Literal["system", "light", "dark"]
ContrastName = Literal["system", "normal", "high"]
READING_TIME = 8000
"""Milliseconds that a message stays after its cause has gone, so that it can be read."""
SECOND_WINDOW = (
    "Another window of Latent Studio is open. Takes that you keep here are safe. "
    "Settings and undo of this window are not kept."
)
PARTLY_READ = "Part of the saved window could not be read. It starts fresh. Your takes are safe."
FAULT_TEXT = "Something went wrong inside the window. Your last action may be lost. Your takes are safe."


def window_log_path() -> Path:
    """Return the path of the log of the window's faults."""
    return storage.home_folder("log") / "window.log"


class AppState(State):
    """Owns all other states: the shared ones, such as `models`, `messages` and `takes`, and one for each panel."""

    def __init__(
        self,
        engine: EngineProtocol,
        settings: SettingsStore,
        output: OutputProtocol,
        is_first: bool = True,
        trainer: EngineClient | None = None,
        remote_trainer: EngineClient | None = None,
    ) -> None:
        """Create all states. Call `start` before the window is shown.

        Arguments
            is_first: whether no other window uses the same folders. A later window adds takes and changes nothing
                else there: the first one saves the settings and knows which files are needed.
            trainer: an engine for training alone; None if the other one trains, too
            remote_trainer: an engine for training on other computers; None if no other computer trains
        """
        super().__init__()
        self._trainer = trainer
        self._remote_trainer = remote_trainer
        self._is_first = is_first
        self.engine = engine
        self._settings = settings
        self.sound_card = SoundCard(output, self)
        self._create_shared_states()
        self._create_panels()
        self._kept_states: dict[str, State] = {
            "preferences": self.preferences,
            "computers": self.computers,
            "takes": self.takes,
            "models": self.models,
            **self._panels,
            "wave_synth": self.wave_synth,
            "surprisal": self.surprisal,
            "export_settings": self.export_settings,
            "folders": self.folders,
        }
        self._create_values()
        self._declare_fields()
        self.panel.changed.connect(self.messages.open_panel)
        self.autosave = Autosave(settings, self.messages, self.snapshot, self)

    def _create_shared_states(self) -> None:
        """Create the states that no single panel owns."""
        self.engine_status: Value[str] = Value("Starting", self)
        """The engine in a word: `Starting`, `Ready`, `Working`, `Stopped`."""
        self.preferences = Preferences()
        self.computers = Computers()
        self.messages = Messages()
        self.models = ModelList(self.messages)
        self.jobs = JobList(self.engine)
        self.takes = TakeStore(self.messages)
        self.smoothing = Smoothing(self._visible_model, self)
        self.export_settings = ExportSettings(self.smoothing.smooth, self)
        self.folders = Folders(self)
        self.clipboard = Clipboard(self.messages, self.export_settings, self)
        self.exporter = Exporter(self.messages, self.jobs, self.export_settings, self.folders, self)
        self.wave_synth = WaveSynth(self.sound_card, self.messages)
        self.surprisal = SurprisalMaps(self.engine, self.messages)

    def _create_panels(self) -> None:
        """Create the state of each panel, which has its own messages."""
        of = self.messages.for_panel
        engine, models, jobs, takes, exporter = self.engine, self.models, self.jobs, self.takes, self.exporter
        surprisal, synth, status = self.surprisal, self.wave_synth, self.engine_status
        self.generate = GenerateState(engine, models, of("generate"), jobs, takes, exporter, surprisal, synth)
        self.explore = ExploreState(engine, models, of("explore"), takes, exporter, surprisal, synth, status)
        self.complete = CompleteState(engine, models, of("complete"), jobs, takes, exporter, surprisal)
        self.sound = SoundState(engine, self.sound_card, models, of("sound"), jobs, takes, exporter, status)
        trainer, release = (engine, _keep_engine) if self._trainer is None else (self._trainer, self._trainer.rest)
        if self._trainer is not None:
            self.jobs.follow_engine(self._trainer)
        elsewhere = self._training_computers(trainer)
        self.train = TrainState(trainer, release, models, of("train"), jobs, takes, self.sound_card, elsewhere)
        self.train.queue.is_restored = self._is_first
        self._panels: dict[str, PanelStates] = dict(
            generate=self.generate, explore=self.explore, complete=self.complete, sound=self.sound, train=self.train
        )
        for grid in (self.generate.batch, self.complete.batch):
            grid.keeps_pictures = self._is_first
        self.takes.names_writable = self._is_first

    def _training_computers(self, trainer: EngineProtocol) -> TrainingComputers:
        """Return the computers that can train besides this one."""
        remote = self._remote_trainer
        if remote is None:
            return TrainingComputers(trainer, Value(()), _keep_engine)
        self.jobs.follow_engine(remote)
        return TrainingComputers(remote, self.computers.hosts, remote.rest)

    def _create_values(self) -> None:
        """Create the values of the window itself: its panel, its appearance and the engine's reports."""
        self.panel: Value[str] = Value("generate", self)
        """One of PANELS."""
        self.device: Value[str] = Value("", self)
        """The engine's device, as shown to the user: `Processor, 2 threads`."""
        self.findings: Value[tuple[tuple[str, bool, str], ...]] = Value((), self)
        """Doctor's findings: the examined part, whether it is fine, the finding."""
        self.theme: Value[ThemeName] = Value("system", self)
        self.contrast: Value[ContrastName] = Value("system", self)
        self.geometry: Value[bytes] = Value(b"", self)
        """The bytes of QWidget.saveGeometry."""
        self._death_reason = ""
        """The engine's last report about itself."""
        self._doctor = Request(self.engine, "doctor", "latest", self)
        self._opener = FileOpener(
            self.panel, self._panels, self.explore, self.complete, self.sound, self.train, self.models, self.messages
        )
        self.open_file = self._opener.open_file
        self.open_dropped = self._opener.open_dropped
        self.drop_text = self._opener.drop_text
        self.clipboard.file_pasted.connect(lambda path: self.open_dropped([path]))

    def _declare_fields(self) -> None:
        """Declare the fields that are kept over a restart: values of the window itself, and whole states."""
        themes: tuple[ThemeName, ...] = get_args(ThemeName)
        contrasts: tuple[ContrastName, ...] = get_args(ContrastName)
        self.fields = (
            Field("panel", self.panel.get, self.show_panel),
            Field("theme", self.theme.get, lambda theme: self.theme.set(one_of(themes, theme))),
            Field("contrast", self.contrast.get, lambda contrast: self.contrast.set(one_of(contrasts, contrast))),
            Field("smoothing", lambda: dict(self.smoothing.choices.get()), self.smoothing.restore_choices),
            Field(
                "geometry",
                lambda: base64.b64encode(self.geometry.get()).decode(),
                lambda text: self.geometry.set(base64.b64decode(text)),
            ),
            *(Field(name, state.snapshot, state.restore) for name, state in self._kept_states.items()),
        )

    def start(self) -> None:
        """Look for models, restore the saved state and listen to the engine. Call once, before the window shows."""
        self.models.refresh_models()
        stored, sentence = self._settings.read()
        plain = SETTINGS.to_present(stored)
        try:
            self.restore({**dict.fromkeys(self._kept_states, {}), **plain})  # some states also have files of their own
        except ValueError:
            sentence = sentence or PARTLY_READ
        for panel in self._panels.values():
            panel.settle()
        self.takes.read_takes(self._records())
        self._connect_states()
        for refused in self.models.refused.get():
            self.messages.show_message(refused, "warn", until=(self.models.refused.changed,))
        if sentence:
            self.messages.show_message(sentence, "warn")
        if not self._is_first:
            self.messages.show_message(SECOND_WINDOW, "warn")

    def show_panel(self, name: str) -> None:
        if name in PANELS:
            self.panel.set(name)

    def stop_job(self) -> None:
        """Stop the job of the open panel, else the running one."""
        player = self.sound.player
        if self.panel.get() == "sound" and (player.making.get() or player.playing.get()):
            player.stop()
            return
        entries = self.jobs.jobs.get()
        batch = (self.complete if self.panel.get() == "complete" else self.generate).batch
        if batch.running.get():
            batch.stop_run()
        elif entries and not entries[0].queue_place:
            self.jobs.stop_job(entries[0].job)

    def run_doctor(self) -> None:
        """Ask Doctor about this computer; the answer arrives in `findings`."""
        self._doctor.ask(lambda job: Doctor(job=job))

    def show_fault(self) -> None:
        """Show a message about a fault of the window, with a button for its log."""
        self.messages.show_message(FAULT_TEXT, "failed", ("Show the log", self.show_log))

    def show_log(self) -> None:
        """Show the folder that holds the window's log."""
        self.messages.reveal_requested.emit(window_log_path())

    # ── panels ───────────────────────────────────────────────────────────────────────────────────

    def _play_model(self, panel: str, name: str) -> None:
        """Open a model that the panel Train made in another panel."""
        if self.models.find_or_report(name) is not None:
            self._panels[panel].choose_model(name)
            self.show_panel(panel)
            if panel == "explore":
                self.explore.parameters.new_start()

    # ── undo ─────────────────────────────────────────────────────────────────────────────────────

    def open_history(self) -> UndoHistory | None:
        """Return the history of the open panel; None if it has none."""
        panel = self._panels.get(self.panel.get())
        return panel.history if panel is not None else None

    def undo(self) -> None:
        """Undo the last step of the open panel."""
        if (history := self.open_history()) is not None:
            history.undo()

    def redo(self) -> None:
        """Redo the step that was undone last."""
        if (history := self.open_history()) is not None:
            history.redo()

    # ── the engine ───────────────────────────────────────────────────────────────────────────────

    def _use_event(self, event: AnyEvent) -> None:
        """Show the engine's report on its device, and Doctor's findings."""
        match event:
            case Ready(device=device):
                self.device.set(device)
            case Diagnosis(findings=findings):
                self.findings.set(findings)

    def _show_failure(self, event: Failed) -> None:
        """Show that Doctor failed."""
        self.messages.show_message(f"{event.reason} {event.hint}".strip(), "failed")

    def _connect_states(self) -> None:
        """Connect the states to each other, to the engine and to autosave."""
        self.computers.generating.changed.connect(self._use_computer)
        if host := self.computers.generating.get():
            self._use_computer(host)
        self.engine.announced.connect(self._use_event)
        self._doctor.progressed.connect(self._use_event)
        self._doctor.failed.connect(self._show_failure)
        self.engine.status_changed.connect(self._on_status_changed)
        self.engine.message_raised.connect(self._show_engine_message)
        for name, maker in (("generate", self.generate), ("complete", self.complete)):
            maker.explore_requested.connect(partial(self.explore.open_work, self.messages.for_panel(name)))
        for asked in (self.generate.complete_requested, self.explore.complete_requested):
            asked.connect(self.complete.canvas.open_work)
        self.explore.generate_requested.connect(self._restore_work)
        self.train.play_requested.connect(self._play_model)
        self.train.folder_opened.connect(lambda: self.panel.set("train"))
        for panel_state in (self.generate, self.explore):
            panel_state.file_chosen.connect(self.open_file)
        self.preferences.single_keys.changed.connect(self.wave_synth.letters_play.set)
        self.wave_synth.letters_play.set(self.preferences.single_keys.get())
        for panel in self._panels.values():
            self.models.cards.changed.connect(panel.settle)
            panel.model.changed.connect(self._opener.remember_model)
        self.sound.sound_opened.connect(lambda: self.panel.set("sound"))
        self.explore.picture_opened.connect(lambda: self.panel.set("explore"))
        self.complete.canvas.picture_opened.connect(lambda: self.panel.set("complete"))
        generate = self.generate
        shown: tuple[Value[Any], ...] = (
            self.panel, self.explore.render.picture, generate.batch.cells, generate.chosen, generate.enlarged.item,
        )  # fmt: skip
        for value in shown:
            value.changed.connect(self._update_wave)
        completions: tuple[Value[Any], ...] = (self.complete.ranking.cells, self.complete.chosen)
        for doubt in (self.generate.batch.uncertainty, self.complete.batch.uncertainty):  # one map at a time
            self.surprisal.on.changed.connect(partial(_keep_one_on, doubt))
            doubt.on.changed.connect(partial(_keep_one_on, self.surprisal))
        for value in (*shown, *completions, self.explore.render.busy, self.surprisal.on):
            value.changed.connect(self._update_surprisal)
        for value in (*shown, *(panel.model for panel in self._panels.values()), self.models.cards):
            value.changed.connect(self.smoothing.follow_model)
        self._update_wave()
        self._update_surprisal()
        self.smoothing.follow_model()
        overlays = (self.surprisal, self.generate.batch.uncertainty, self.complete.batch.uncertainty)
        kept: list[Value[Any]] = [overlay.on for overlay in overlays]  # their other values are not restored
        for state in (self, *self._kept_states.values()):
            kept += state.findChildren(Value) if state is not self.surprisal else ()
        for value in kept:
            value.changed.connect(self.autosave.schedule)

    def _update_wave(self) -> None:
        """Let the user hear the wave that the open panel shows."""
        panel = self.panel.get()
        hand = self.generate.current_item() if panel != "complete" else None
        picture = self.explore.render.picture.get() if panel == "explore" else hand
        self.wave_synth.set_wave(picture if picture is not None and picture.ndim == 1 else None)

    def _update_surprisal(self) -> None:
        """Ask for maps of surprise of the pictures that the open panel shows."""
        if self.surprisal.on.get():
            panel = self._panels.get(self.panel.get())
            self.surprisal.set_shown(panel.shown_pictures() if panel is not None else ())

    def _visible_model(self) -> InstalledModel | None:
        """Return the model whose pictures the open panel shows."""
        panel = self._panels.get(self.panel.get(), self.generate)
        return self.generate.visible_model() if panel is self.generate else panel.model.get()

    def _show_engine_message(self, sentence: str) -> None:
        self._death_reason = sentence
        self.messages.show_message(sentence, "failed")

    def _use_computer(self, host: str) -> None:
        """Let another computer generate from now on."""
        self.device.set("")
        self.findings.set(())
        self.engine.use_computer(host)

    def _on_status_changed(self, status: str) -> None:
        self.engine_status.set(status)
        said = self.messages.current.get()
        if status in ("Ready", "Working"):
            if said is not None and said.text == self._death_reason:
                QTimer.singleShot(READING_TIME, self, partial(self.messages.remove_message, said))
            self._death_reason = ""
        if status == "Stopped" and self._death_reason and said is not None and not said.buttons:
            buttons = [("Start it again", self.engine.start)]
            if self.computers.generating.get():
                buttons = [("Connect again", self.engine.start), ("Use this computer", self.computers.return_home)]
            self.messages.show_message(said.text, "failed", *buttons, until=(self.engine_status.changed,))

    def _restore_work(self, artwork: Artwork) -> None:
        self.generate.rewind_actions.restore_work(artwork)
        self.show_panel("generate")

    # ── the end ──────────────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        """Save the state for the last time and wait for running work, but not for files that are being read."""
        self.autosave.stop()
        self.computers.close()
        with decoder.shared_decoder.interrupted():
            synth, panels = self.wave_synth, (self.generate, self.explore, self.complete, self.train)
            for state in (synth, self.sound, self.sound_card, *panels, self.exporter, self.clipboard, self.models):
                state.close()
            self.takes.close(self._records() if self._is_first else None)
        self.autosave.close()

    def _records(self) -> list[Record]:
        """Return all records that may name takes."""
        return [record for panel in self._panels.values() for record in panel.records()]


def _keep_engine() -> None:
    """Do nothing: an engine that also generates continues after a training."""


def _keep_one_on(overlay: SurprisalMaps | UncertaintyMaps, other: bool) -> None:
    """Switch an overlay off if the other one is on."""
    overlay.set_on(overlay.on.get() and not other)
