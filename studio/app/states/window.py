"""The window as a whole: its panels, the engine's state, drops, and how it comes back as it was left."""

import base64
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from studio.app.states import drops
from studio.app.states.complete import Complete
from studio.app.states.doubt import Doubt
from studio.app.states.explore import Explore
from studio.app.states.generate import Generate
from studio.app.states.history import History
from studio.app.states.keeping import Keeping, Settings
from studio.app.states.messages import Messages
from studio.app.states.models import Models
from studio.app.states.queue import Queue
from studio.app.states.sound import NO_MODEL, Sound
from studio.app.states.surprise import Surprise
from studio.app.states.takes import Takes
from studio.app.states.tone import Output, Tone
from studio.app.states.value import Engine, Plain, State, Value
from studio.library.models import Trained
from studio.library.work import Work
from studio.wire.messages import AnyCommand, AnyEvent, Array, Diagnosis, Doctor, Failed, Ready

PANELS = ("generate", "explore", "complete", "sound", "train", "library")
Theme = Literal["system", "light", "dark"]
Contrast = Literal["system", "normal", "high"]
Panel = Generate | Explore | Complete | Sound


class Window(State):
    """The root of all states; its parts are `models`, `messages`, `queue`, `takes`, `tone`, `surprise`, and one for
    each panel."""

    def __init__(self, engine: Engine, settings: Settings, output: Output) -> None:
        super().__init__()
        self.engine = engine
        self._settings = settings
        self.messages = Messages()
        self.models = Models(self.messages)
        self.queue = Queue(engine)
        self.takes = Takes(self.messages)
        self.generate = Generate(engine, self.models, self.messages, self.queue, self.takes)
        self.explore = Explore(engine, self.models, self.messages, self.takes)
        self.complete = Complete(engine, self.models, self.messages, self.queue, self.takes)
        self.sound = Sound(engine, output, self.models, self.messages, self.queue, self.takes)
        self.tone = Tone(output, self.messages)
        self.surprise = Surprise(engine, self.messages)
        self._panels: dict[str, Panel] = {
            "generate": self.generate,
            "explore": self.explore,
            "complete": self.complete,
            "sound": self.sound,
        }
        self._kept: dict[str, State] = {
            "takes": self.takes,
            **self._panels,
            "tone": self.tone,
            "surprise": self.surprise,
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
        self.smooth: Value[bool] = Value(False, self)
        """Whether pictures are blended instead of shown as squares."""
        self.geometry: Value[bytes] = Value(b"", self)
        """QWidget.saveGeometry."""
        self.layout: Value[dict[str, Any]] = Value({}, self)
        """Sizes that views keep: inspector width and the like; plain data."""
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
            self.messages.say(refused, "warn")
        if sentence:
            self.messages.say(sentence, "warn")

    def show_panel(self, name: str) -> None:
        if name in PANELS:
            self.panel.set(name)

    def look(self) -> None:
        """Ask Doctor what this machine has; the answer comes as `findings`."""
        self._doctor += 1
        self.engine.send(Doctor(job=f"doctor-{self._doctor}"))

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
            return
        (self.complete.canvas if self.panel.get() == "complete" else self.explore).open(path)

    def drop(self, paths: Sequence[Path]) -> None:
        """Do it."""
        match kind := drops.kind(paths):
            case _ if self._is_sound(kind):
                self.sound.open(paths[0])
                if len(paths) > 1:
                    name = drops.shown(paths[0].name)
                    self.messages.say(f'Only "{name}" is opened: Sound goes on from one at a time.')
            case "picture" | "wave" | "work":
                here = self.would(paths) == "Open in Complete"
                (self.complete.canvas if here else self.explore).open(paths[0])
                if len(paths) > 1:
                    name, panel = drops.shown(paths[0].name), "Complete" if here else "Explore"
                    self.messages.say(f'Only "{name}" is opened: {panel} shows one at a time.')
            case "model" | "pickle":
                self.models.add(paths[0], self._choose_added)
            case _:
                self.messages.say(drops.words(kind, paths), "warn")

    def _choose_added(self, trained: Trained) -> None:
        """In the panel that it makes something for."""
        if trained.card.rate:
            self.sound.choose_model(trained.card.name)
            self.show_panel("sound")
        else:
            self.generate.choose_model(trained.card.name)

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
        self._show_wave()
        self._show_surprise()
        for state in (self, self.takes, *self._panels.values(), self.tone):
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

    def _hear(self, sentence: str) -> None:
        self._why = sentence
        self.messages.say(sentence, "failed")

    def _heed(self, status: str) -> None:
        self.status.set(status)
        for state in self._asking():
            state.heed(status)
        if status in ("Ready", "Working"):
            self._why = ""
        said = self.messages.current.get()
        if status == "Stopped" and self._why and said is not None and not said.actions:
            self.messages.say(said.text, "failed", ("Start it again", self.engine.start))

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
            "smooth": self.smooth.get(),
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
        self.smooth.set(bool(plain.get("smooth", False)))
        self.layout.set(dict(plain.get("layout", {})))
        self.geometry.set(base64.b64decode(plain.get("geometry", "")))

    def close(self) -> None:
        """Write the state down for the last time, and wait for what is at work."""
        self.keeping.stop()
        for state in (self.tone, self.sound, self.generate, self.explore, self.complete, self.models):
            state.close()
        self.takes.close(self._records())
        self.keeping.close()

    def _records(self) -> list[Plain]:
        """All that leads back to takes."""
        return [record for panel in self._panels.values() for record in panel.records()]


def _give_way(overlay: Surprise | Doubt, other: bool) -> None:
    """An overlay that is on goes off where another one comes on."""
    overlay.switch(overlay.on.get() and not other)
