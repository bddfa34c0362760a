"""The window as a whole: its panels, the engine's state, drops, and how it comes back as it was left."""

import base64
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from PySide6.QtCore import QTimer

from studio.app.states import drops
from studio.app.states.clipboard import Clipboard
from studio.app.states.complete import Complete
from studio.app.states.doubt import Doubt
from studio.app.states.explore import Explore
from studio.app.states.exporting import Exporting
from studio.app.states.folders import Folders
from studio.app.states.generate import Generate
from studio.app.states.history import History
from studio.app.states.keeping import Keeping, Settings
from studio.app.states.messages import Messages
from studio.app.states.models import Models
from studio.app.states.queue import Queue
from studio.app.states.saving import Saving
from studio.app.states.smoothing import Smoothing
from studio.app.states.sound import NO_MODEL, Sound
from studio.app.states.surprise import Surprise
from studio.app.states.takes import Takes
from studio.app.states.tone import Output, Tone
from studio.app.states.value import Engine, Plain, State, Value
from studio.library import storage
from studio.library.models import Trained
from studio.library.work import Work
from studio.wire.messages import AnyCommand, AnyEvent, Array, Diagnosis, Doctor, Failed, Ready

PANELS = ("generate", "explore", "complete", "sound", "train", "library")
Theme = Literal["system", "light", "dark"]
Contrast = Literal["system", "normal", "high"]
Panel = Generate | Explore | Complete | Sound
TO_READ = 8000
"""Milliseconds that a message is still read which does not hold any more."""
SECOND = (
    "Another window of Latent Studio is open. Takes that you keep here are safe. "
    "Settings and undo of this window are not kept."
)
FAULT = "Something went wrong inside the window. What you did last may not have happened. Your takes are safe."


def window_log() -> Path:
    """The file that keeps what goes wrong in the window."""
    return storage.home("log") / "window.log"


class Window(State):
    """The root of all states; its parts are `models`, `messages`, `queue`, `takes`, `tone`, `surprise`, and one for
    each panel."""

    def __init__(self, engine: Engine, settings: Settings, output: Output, alone: bool = True) -> None:
        """`alone`: no other window has these folders. One that is not alone adds takes, and leaves all else as it is:
        the other window writes down how it was left, and knows what is no longer needed."""
        super().__init__()
        self._alone = alone
        self.engine = engine
        self._settings = settings
        self.messages = Messages()
        self.models = Models(self.messages)
        self.queue = Queue(engine)
        self.takes = Takes(self.messages)
        self.smoothing = Smoothing(self._maker, self)
        self.smooth: Value[bool] = self.smoothing.on
        """Whether pictures are blended instead of shown as squares."""
        self.exporting = Exporting(self.smooth, self)
        self.folders = Folders(self)
        self.clipboard = Clipboard(self.messages, self.exporting, self)
        self.clipboard.pasted.connect(lambda path: self.drop([path]))
        self.saving = Saving(self.messages, self.queue, self.exporting, self.folders, self)
        of = self.messages.of
        self.generate = Generate(engine, self.models, of("generate"), self.queue, self.takes, self.saving)
        self.explore = Explore(engine, self.models, of("explore"), self.takes, self.saving)
        self.complete = Complete(engine, self.models, of("complete"), self.queue, self.takes, self.saving)
        self.sound = Sound(engine, output, self.models, of("sound"), self.queue, self.takes, self.saving)
        self.tone = Tone(output, self.messages)
        self.surprise = Surprise(engine, self.messages)
        self._panels: dict[str, Panel] = {
            "generate": self.generate,
            "explore": self.explore,
            "complete": self.complete,
            "sound": self.sound,
        }
        for grid in (self.generate.grid, self.complete.grid):
            grid.keeps = alone
        self.takes.renames = alone
        self._kept: dict[str, State] = {
            "takes": self.takes,
            "models": self.models,
            **self._panels,
            "tone": self.tone,
            "surprise": self.surprise,
            "exporting": self.exporting,
            "folders": self.folders,
        }
        self.panel: Value[str] = Value("generate", self)
        """One of PANELS."""
        self.status: Value[str] = Value("Starting", self)
        """The engine in a word: `Starting`, `Ready`, `Working`, `Stopped`."""
        self.device: Value[str] = Value("", self)
        """What the engine works on, for people: `Processor, 2 threads`."""
        self.findings: Value[tuple[tuple[str, bool, str], ...]] = Value((), self)
        """What Doctor found: what was looked at, whether it is fine, the finding."""
        self.theme: Value[Theme] = Value("system", self)
        self.contrast: Value[Contrast] = Value("system", self)
        self.geometry: Value[bytes] = Value(b"", self)
        """QWidget.saveGeometry."""
        self.layout: Value[dict[str, Any]] = Value({}, self)
        """Sizes that views keep: inspector width and the like; plain data."""
        self._chosen: dict[str, Trained] = {}
        """The model of pictures, and that of waves, that was chosen last."""
        self._front = self.panel.get()
        self.panel.changed.connect(self._leave_panel)
        self._why = ""
        """What the engine last said of itself."""
        self._doctor = 0
        self.keeping = Keeping(settings, self.messages, self.snapshot, self)

    def begin(self) -> None:
        """Look for models, come back as left, and listen to the engine. Call once, before the window shows."""
        self.models.refresh()
        plain, sentence = self._settings.read()
        # The first version had the takes in Explore.
        plain = {**plain, "takes": plain.get("takes") or plain.get("explore", {})}
        for state, part in ((self, plain), *((state, plain.get(name, {})) for name, state in self._kept.items())):
            try:
                state.restore(part)
            except (TypeError, ValueError, KeyError, AttributeError, IndexError):
                sentence = sentence or (
                    "Part of how the window was left could not be read and starts fresh. Your takes are safe."
                )
        for panel in self._panels.values():
            panel.settle()
        self.takes.load(self._records())
        self._listen()
        for refused in self.models.refused.get():
            self.messages.say(refused, "warn", until=(self.models.refused.changed,))
        if sentence:
            self.messages.say(sentence, "warn")
        if not self._alone:
            self.messages.say(SECOND, "warn")

    def show_panel(self, name: str) -> None:
        if name in PANELS:
            self.panel.set(name)

    def _leave_panel(self, panel: str) -> None:
        left, self._front = self._front, panel
        self.messages.leave(left)

    def look(self) -> None:
        """Ask Doctor what this machine has; the answer comes as `findings`."""
        self._doctor += 1
        self.engine.send(Doctor(job=f"doctor-{self._doctor}"))

    def tell_fault(self) -> None:
        """Say that the window met a fault of its own, and where its log is."""
        self.messages.say(FAULT, "failed", ("Show the log", self.show_log))

    def show_log(self) -> None:
        """Show the folder that holds the window's log."""
        self.messages.reveal.emit(window_log())

    # ── drops ────────────────────────────────────────────────────────────────────────────────────

    def would(self, paths: Sequence[Path]) -> str:
        """What a drop of these files would do: `Open in Explore`, `Restore this work`, `Add this model`, or
        a sentence that says why nothing would happen."""
        kind = drops.kind(paths)
        if self._is_sound(kind) and self.sound.model.get() is None:
            return NO_MODEL
        if self.panel.get() == "complete" and kind in ("picture", "work"):
            return "Open in Complete"
        if kind == "wave" and self._is_sound(kind):
            return "Go on from this sound"
        return drops.words(kind, paths)

    def _is_sound(self, kind: drops.Kind) -> bool:
        """Whether the panel Sound takes it: recordings, and any wave while it is open."""
        return kind in ("recording", "recorded work") or (kind == "wave" and self.panel.get() == "sound")

    def open(self, path: Path) -> None:
        """Bring a file into the panel that is open, where that takes it; else into Explore, and sounds into Sound."""
        kind = drops.kind([path])
        if kind == "unread sound":
            self.messages.say(drops.words(kind, [path]), "warn")
            return
        if self._is_sound(kind):
            self.sound.open(path)
        elif self.panel.get() == "complete":
            self.complete.canvas.open(path)
        else:
            self._fit_explore(kind)
            self.explore.open(path)

    def _fit_explore(self, kind: drops.Kind) -> None:
        """Give Explore a model for a picture or a wave: that of the panel in front, else the one chosen last."""
        makes, now = {"picture": "picture", "wave": "sound"}.get(kind, ""), self.explore.model.get()
        in_use = {name: panel.model.get() for name, panel in self._panels.items()}
        known = (in_use.get(self.panel.get()), self._chosen.get(makes), *in_use.values(), *self.models.cards.get())
        able = [each for each in known if each is not None and each.card.kind == makes and not each.card.rate]
        if able and able[0] != now:
            title = able[0].card.title
            self.explore.choose_model(able[0].card.name)
            if now is not None:
                self.messages.say(f'Explore takes it with "{title}". Undo brings "{now.card.title}" back.')

    def _note_model(self, trained: Trained | None) -> None:
        if trained is not None and not trained.card.rate:
            self._chosen[trained.card.kind] = trained

    def drop(self, paths: Sequence[Path]) -> None:
        """Do it."""
        match kind := drops.kind(paths):
            case _ if self._is_sound(kind):
                self.sound.open(paths[0])
                if len(paths) > 1:
                    name = drops.shown(paths[0].name)
                    self.messages.say(f'Only "{name}" is opened: Sound goes on from one at a time.')
            case "picture" | "wave" | "work":
                here = self.panel.get() == "complete" and kind != "wave"
                if not here:
                    self._fit_explore(kind)
                (self.complete.canvas if here else self.explore).open(paths[0])
                if len(paths) > 1:
                    name, panel = drops.shown(paths[0].name), "Complete" if here else "Explore"
                    self.messages.say(f'Only "{name}" is opened: {panel} shows one at a time.')
            case "model" | "pickle":
                self.models.add(paths[0], self._choose_added)
            case _:
                self.messages.say(drops.words(kind, paths), "warn")

    def _choose_added(self, trained: Trained) -> None:
        """In the panel in front, if that can work with it; else in one that can, which comes to the front."""
        panel = self.panel.get()
        if trained.card.rate:
            panel = "sound"
        elif panel == "sound" or (panel == "complete" and not trained.card.keeps):
            panel = "generate"
        self._panels[panel].choose_model(trained.card.name)
        self.show_panel(panel)

    # ── undo ─────────────────────────────────────────────────────────────────────────────────────

    def history(self) -> History | None:
        """The steps of the panel that is open, None where it has none."""
        panel = self._panels.get(self.panel.get())
        return panel.history if panel is not None else None

    def undo(self) -> None:
        """Take back the last step of the panel that is open."""
        if (history := self.history()) is not None:
            history.undo()

    def redo(self) -> None:
        """Do again what was taken back."""
        if (history := self.history()) is not None:
            history.redo()

    # ── the engine ───────────────────────────────────────────────────────────────────────────────

    def take(self, event: AnyEvent) -> None:
        match event:
            case Ready(device=device):
                self.device.set(device)
            case Diagnosis(findings=findings):
                self.findings.set(findings)
            case Failed(job=job, why=why, hint=hint) if job.startswith("doctor-"):
                self.messages.say(f"{why} {hint}".strip(), "failed")
            case _:
                pass
        for state in (self.queue, *self._asking()):
            state.take(event)

    def _listen(self) -> None:
        self.engine.happened.connect(self.take)
        self.engine.status.connect(self._heed)
        self.engine.said.connect(self._hear)
        self.engine.lost.connect(self._lost)
        for maker in (self.generate, self.complete):
            maker.to_explore.connect(self._open_work)
        for asked in (self.generate.to_complete, self.explore.to_complete):
            asked.connect(self.complete.canvas.open_work)
        self.explore.to_generate.connect(self._restore_work)
        for panel in self._panels.values():
            self.models.cards.changed.connect(panel.settle)
            panel.model.changed.connect(self._note_model)
        self.sound.came.connect(lambda: self.panel.set("sound"))
        self.sound.player.card.opens.connect(self.tone.let_go)  # there is one sound card
        self.tone.opens.connect(self.sound.player.let_go)
        self.explore.came.connect(lambda: self.panel.set("explore"))
        self.complete.canvas.came.connect(lambda: self.panel.set("complete"))
        cells = self.generate
        shown: tuple[Value[Any], ...] = (
            self.panel, self.explore.picture, cells.cells, cells.chosen, cells.closeup.large,
        )  # fmt: skip
        for value in shown:
            value.changed.connect(self._show_wave)
        completions: tuple[Value[Any], ...] = (self.complete.results.cells, self.complete.chosen)
        for doubt in (self.generate.doubt, self.complete.doubt):  # one map at a time
            self.surprise.on.changed.connect(partial(_give_way, doubt))
            doubt.on.changed.connect(partial(_give_way, self.surprise))
        for value in (*shown, *completions, self.explore.drawing, self.surprise.on):
            value.changed.connect(self._show_surprise)
        for value in (*shown, *(panel.model for panel in self._panels.values()), self.models.cards):
            value.changed.connect(self.smoothing.follow)
        self._show_wave()
        self._show_surprise()
        self.smoothing.follow()
        kept = (self, self.takes, self.models, *self._panels.values(), self.tone, self.exporting, self.folders)
        for state in kept:
            for value in state.findChildren(Value):
                value.changed.connect(self.keeping.soon)
        for overlay in (self.surprise, self.generate.doubt, self.complete.doubt):
            overlay.on.changed.connect(self.keeping.soon)  # nothing else is kept of them

    def _show_wave(self) -> None:
        """What the open panel shows is what can be heard."""
        panel = self.panel.get()
        hand = self.generate.in_hand() if panel != "complete" else None
        picture = self.explore.picture.get() if panel == "explore" else hand
        self.tone.show(picture if picture is not None and picture.ndim == 1 else None)

    def _show_surprise(self) -> None:
        """What the open panel shows is what maps are asked for."""
        if self.surprise.on.get():
            shown = {
                "generate": self.generate.shown,
                "explore": self.explore.shown,
                "complete": self.complete.shown,
            }.get(self.panel.get())
            self.surprise.look(shown() if shown is not None else ())

    def _maker(self) -> Trained | None:
        """The model whose pictures the open panel shows."""
        panel = self._panels.get(self.panel.get(), self.generate)
        return self.generate.maker() if panel is self.generate else panel.model.get()

    def _hear(self, sentence: str) -> None:
        self._why = sentence
        self.messages.say(sentence, "failed")

    def _heed(self, status: str) -> None:
        self.status.set(status)
        for state in self._asking():
            state.heed(status)
        said = self.messages.current.get()
        if status in ("Ready", "Working"):
            if said is not None and said.text == self._why:
                QTimer.singleShot(TO_READ, self, partial(self.messages.let_go, said))
            self._why = ""
        if status == "Stopped" and self._why and said is not None and not said.actions:
            self.messages.say(said.text, "failed", ("Start it again", self.engine.start), until=(self.status.changed,))

    def _lost(self, commands: Sequence[AnyCommand]) -> None:
        for state in self._asking():
            state.lost(commands, self._why)

    def _asking(self) -> tuple[Panel | Surprise, ...]:
        """What asks the engine for pictures and sounds."""
        return (*self._panels.values(), self.surprise)

    def _restore_work(self, work: Work, picture: Array) -> None:
        self.generate.branching.restore_work(work, picture)
        self.show_panel("generate")

    def _open_work(self, work: Work, picture: Array) -> None:
        self.explore.restore_work(work, picture)

    # ── kept over a restart ──────────────────────────────────────────────────────────────────────

    def snapshot(self) -> Plain:
        return {
            "panel": self.panel.get(),
            "theme": self.theme.get(),
            "contrast": self.contrast.get(),
            "smoothing": self.smoothing.snapshot(),
            "geometry": base64.b64encode(self.geometry.get()).decode(),
            "layout": self.layout.get(),
            **{name: state.snapshot() for name, state in self._kept.items()},
        }

    def restore(self, plain: Plain) -> None:
        self.show_panel(str(plain.get("panel", "")))
        themes: tuple[Theme, ...] = get_args(Theme)
        self.theme.set(next((theme for theme in themes if theme == plain.get("theme")), "system"))
        contrasts: tuple[Contrast, ...] = get_args(Contrast)
        self.contrast.set(next((contrast for contrast in contrasts if contrast == plain.get("contrast")), "system"))
        self.smoothing.restore(plain.get("smoothing", {}))
        self.layout.set(dict(plain.get("layout", {})))
        self.geometry.set(base64.b64decode(plain.get("geometry", "")))

    def close(self) -> None:
        """Write the state down for the last time, and wait for what is at work."""
        self.keeping.stop()
        for state in (
            self.tone,
            self.sound,
            self.generate,
            self.explore,
            self.complete,
            self.saving,
            self.clipboard,
            self.models,
        ):
            state.close()
        self.takes.close(self._records() if self._alone else None)
        self.keeping.close()

    def _records(self) -> list[Plain]:
        """All that leads back to takes."""
        return [record for panel in self._panels.values() for record in panel.records()]


def _give_way(overlay: Surprise | Doubt, other: bool) -> None:
    """An overlay that is on goes off where another one comes on."""
    overlay.switch(overlay.on.get() and not other)
