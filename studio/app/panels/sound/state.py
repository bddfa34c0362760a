"""Holds the state of Sound: plays a model while it makes sound, and continues from any moment."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal

from studio.app.audio.sound_card import SoundCard
from studio.app.core.artwork import Artwork
from studio.app.core.background import BackgroundTask
from studio.app.core.jobs import JobList
from studio.app.core.messages import Messages
from studio.app.core.observable import REFUSALS, EngineProtocol, Field, Record, Value
from studio.app.core.text import timecode, timestamp
from studio.app.files.exporting import AudioFormat, Exporter
from studio.app.files.opening import OpenedSound, read_sound
from studio.app.generation import parameters
from studio.app.generation.parameters import Parameters, default_record, record_of_work
from studio.app.model_browser.model_list import ModelList
from studio.app.panels.base import PanelState
from studio.app.panels.sound import temperature_curve as heats
from studio.app.panels.sound.analysis import LoopFinder, RecordingBits
from studio.app.panels.sound.followed import FollowedSound
from studio.app.panels.sound.live_generation import LIVE_SPEED
from studio.app.panels.sound.live_settings import LiveSettings, last_settings
from studio.app.panels.sound.player import SoundPlayer
from studio.app.panels.sound.recorder import Recorder
from studio.app.panels.sound.silence import SilenceWatch
from studio.app.panels.sound.source import SoundSource
from studio.app.takes.selection import TakeSelection
from studio.app.takes.store import TakeStore
from studio.library import file_names
from studio.library.models import InstalledModel
from studio.library.work import Work

LOOP_TOLERANCE = 0.05
"""Seconds before the end of a sound from which Play makes more."""
NO_MODEL = "There is no model of recordings to open a sound with. Your file is untouched. Add a model first."


class SoundState(PanelState):
    """Holds the state of the panel Sound.

    `player` plays and makes the sound, `live_settings` holds its settings over time, `source` holds its origin.
    """

    sound_opened = Signal()
    """Something was opened here; the panel should be shown."""

    def __init__(
        self,
        engine: EngineProtocol,
        card: SoundCard,
        models: ModelList,
        messages: Messages,
        jobs: JobList,
        takes: TakeStore,
        exporter: Exporter,
        engine_status: Value[str],
    ) -> None:
        super().__init__()
        self.models = models
        self.engine_status = engine_status
        self._messages = messages
        self._jobs = jobs
        self._takes = takes
        self.parameters = Parameters(models, 1, 1, lambda trained: trained.card.sample_rate > 0, self.change, self)
        """Seed and class begin another sound; the others take effect from the moment of the change."""
        self.model: Value[InstalledModel | None] = self.parameters.model
        self.player = SoundPlayer(engine, card, messages, self)
        self.loop_finder = LoopFinder(engine, self.player, messages, self)
        """Finds the best join of the player's loop."""
        self.followed = FollowedSound(messages, self)
        self.live_settings = LiveSettings(self.player, self.parameters, self.followed, self)
        self.recording_bits = RecordingBits(engine, self.player, self)
        self.selection = TakeSelection(takes, messages, self.change, self)
        self.source = SoundSource(
            takes, self.selection, self.player, self.parameters, self.live_settings, self.recording_bits, self
        )
        self.recorder = Recorder(self.player, self.source, takes, messages, self.change, self)
        self.silence_watch = SilenceWatch(
            self.player, self.live_settings, messages, self.model.get, self._play_new_seed, self
        )
        self.busy: Value[bool] = Value(False, self)
        """Whether a file is being opened."""
        self._listed_job = ""
        """The running job in the queue."""
        self._opening = BackgroundTask(self)
        self._exporter = exporter
        self.followed.opened.changed.connect(self._begin_again)
        self.player.making.changed.connect(self._list_job)
        self.player.ticked.connect(self._list_job)
        jobs.stopped.connect(self.recording_bits.on_job_stopped)
        self._declare(
            *self.parameters.fields,
            *takes.entries,
            Field("source", self.source.to_record, self.source.apply_record, restart=False),
            Field(
                "temperature_curve",
                lambda: [list(point) for point in self.live_settings.temperature_curve.get()],
                self._use_temperature_curve,
            ),
            Field("loop", self._loop_to_record, self._use_loop),
            Field("source", self.source.stored, self.source.restore_later, undo=False),
            Field("level", self.player.level.get, self.player.set_level, undo=False),
            Field.of("device", card.device, str, undo=False),
            Field("latency", card.latency.get, lambda seconds: self.player.set_latency(float(seconds)), undo=False),
        )

    # ── what can be set ──────────────────────────────────────────────────────────────────────────

    def choose_model(self, name: str) -> None:
        trained = self.models.find_or_report(name)
        if trained is not None and trained.card.sample_rate:
            self.change(
                "model",
                **default_record(trained),
                temperature_curve=_constant_curve(trained),
                source=self.source.record_at_beginning(),
            )

    def set_temperature_curve(
        self, points: Sequence[Sequence[float]], gesture: str | None = "temperature over time"
    ) -> None:
        """Set the temperature over time. It changes only samples that are not heard yet."""
        curve = heats.curve_from(heats.valid_points(points), self.live_settings.settled_seconds)
        self.change("temperature over time", gesture, temperature_curve=[list(point) for point in curve])

    # ── playing ──────────────────────────────────────────────────────────────────────────────────

    def play(self) -> None:
        """Play, and make more if playback is at the end."""
        player = self.player
        if self.model.get() is None:
            return
        unmade = self.live_settings.is_fresh or player.position >= player.made_seconds - LOOP_TOLERANCE
        if not player.making.get() and not player.looping.get() and unmade:
            self.live_settings.continue_sound()
        player.play()

    def toggle_playback(self) -> None:
        """Play, or pause."""
        (self.player.pause if self.player.playing.get() else self.play)()

    def _play_new_seed(self) -> None:
        self.parameters.new_seed()
        self.play()

    def set_recording(self, on: bool) -> None:
        """Start to record the output; or end the recording and keep it as a take."""
        trained = self.model.get()
        if on and trained is not None:
            self.recorder.start_recording(trained, self.parameters.seed.get())
        elif not on:
            self.recorder.end_recording()

    def set_loop(self, loop: tuple[float, float] | None, gesture: str | None = "loop") -> None:
        """Set which seconds are repeated while `player.looping`; None for none."""
        self.change("loop", gesture, loop=list(loop) if loop is not None else None)

    def set_looping(self, on: bool) -> None:
        """Repeat the loop, or play on."""
        self.player.set_loop(self.player.loop.get(), on)

    def find_loop(self) -> None:
        """Move the loop's ends to the cheapest join."""
        trained = self.model.get()
        if trained is not None:
            wished = (trained.card.name, self.parameters.seed.get(), self.parameters.label.get())
            self.loop_finder.find_loop(*wished, lambda loop: self.change("best join", loop=list(loop)))

    def _list_job(self, _: object = None) -> None:
        """Show the running job in the queue."""
        player = self.player
        trained = self.model.get()
        source = self.source.recording.get()
        if self._listed_job != player.live_generation.job:
            self._jobs.remove_job(self._listed_job)
            self._listed_job = player.live_generation.job
            if player.live_generation.job and trained is not None:
                on = f", continued from {source.name}" if source is not None else ""
                self._jobs.add_endless_job(player.live_generation.job, f"{trained.card.title}{on}")
        if player.live_generation.job:
            speed = f" · {player.speed.get():.1f} × real time" if player.speed.get() else ""
            self._jobs.set_progress_text(player.live_generation.job, f"{timecode(player.made_seconds)} made{speed}")

    # ── where it comes from ──────────────────────────────────────────────────────────────────────

    def open_file(self, path: Path) -> None:
        """Open a file: continue a recording, or restore a work."""
        trained = self.model.get()
        if trained is None:
            self._messages.show_message(NO_MODEL, "warn", until=(self.model.changed,))
            return
        self.busy.set(True)
        self._opening.run(lambda: read_sound(path, trained.card.sample_rate), self._on_opened)

    def follow_file(self, path: Path) -> None:
        """Let the model follow a recording of the user. Another sound begins, and plays if the old one played."""
        trained = self.model.get()
        if trained is not None:
            self.followed.open_file(path, trained.card.sample_rate)

    def _begin_again(self, _: object) -> None:
        playing = self.player.playing.get()
        if len(self.player.samples):
            self.change("recording to follow", source=self.source.record_at_beginning())
        if playing:
            self.play()

    def close_recording(self) -> None:
        """Close the opened recording and the sound that continued it. Undo brings both back."""
        source = self.source.recording.get()
        trained = self.model.get()
        if source is not None and trained is not None:
            self.change(f"put {source.name} away", source={}, temperature_curve=_constant_curve(trained))

    def set_cut(self, seconds: float, gesture: str | None = "cut") -> None:
        """Set the moment from which the model continues. Undo restores the sound after it."""
        if source := self.source.record_cut_at(seconds):
            self.change("cut", gesture, source=source)

    def branch_at(self, seconds: float | None = None) -> None:
        """Continue from a moment, or from the playhead, as another take with another seed."""
        player = self.player
        seed = self.parameters.seed.get()
        playing = player.playing.get()
        live = seconds is None and playing and player.making.get() and player.seconds_ahead < LIVE_SPEED
        at = player.position if seconds is None else min(max(seconds, 0.0), player.made_seconds)
        at = player.live_generation.next_editable_sample / player.rate if live else at
        left = self.source.to_record()
        base = left.get("take")
        if base is None or not at:
            return
        seed = seed if self.parameters.locked.get() else parameters.roll_seed(seed)
        after: Record = {"seed": seed, "takes": {base: True}, "source": {"take": base, "cut": at, "live": live}}
        # By now new samples may be there: the stage would be kept once more, so it is not asked again.
        before = self._before({"seed": seed, "takes": after["takes"], "loop": None}) | {"source": left}
        self._commit(f"branch at {timecode(at)}", None, before, after)
        if not live:
            player.seek(at)
        if playing:
            self.play()

    def keep_take(self) -> None:
        """Keep the sound made so far, with its recipe."""
        name = self.source.keep_take()
        if name is not None and name not in self._takes.names:
            self.change("keep take", takes={name: True})

    def show_take(self, index: int) -> None:
        """Show a take on the stage, and restore its settings."""
        self.restore_take(self.selection.takes.get()[index])

    def restore_take(self, take: Artwork, name: str = "") -> None:
        trained = self.models.find_or_report_maker(take.work)
        if trained is not None and trained.card.sample_rate:
            after = {
                **record_of_work(take.work, trained),
                **last_settings(take.work),
                "source": {"take": take.name, "cut": None},
            }
            self.change(name or "take", takes={take.name: True} if name else {}, **after)

    def _on_opened(self, outcome: OpenedSound | Exception) -> None:
        self.busy.set(False)
        trained = self.model.get()
        if isinstance(outcome, ValueError):  # its text is a sentence for the user
            self._messages.show_message(str(outcome), "failed", until=(self.busy.changed, self.player.leaving))
        elif isinstance(outcome, Exception):
            raise outcome
        elif trained is not None:
            self._load_opened(outcome, trained)
            if outcome.fault:
                self._messages.show_message(outcome.fault, "warn", until=(self.busy.changed, self.player.leaving))

    def _load_opened(self, found: OpenedSound, trained: InstalledModel) -> None:
        """Show a work as a take; keep a recording as a take, to be continued."""
        if found.work is not None and self.models.find_or_report_maker(found.work) is not None:
            like = self._takes.find_same(found.work)
            name = like.name if like is not None else self._takes.add_take(Artwork(found.samples, found.work))
            take = self._takes.get_take(name)
            if take is not None:
                self.restore_take(take, "restore the work")
        else:
            work = Work(
                medium="sound",
                sample_rate=found.rate,
                model=trained.card.name,
                model_hash=trained.file_hash_if_found,
                seed=0,
                continued_samples=len(found.samples),
                source=found.name[:300],
                created=timestamp(),
            )
            name = self._takes.add_take(Artwork(found.samples, work))
            source = {"take": name, "cut": len(found.samples) / found.rate}
            self.change(
                f"open {found.name}",
                takes={name: True},
                source=source,
                temperature_curve=_constant_curve(trained),
            )
            text = f'"{found.name}": {"; ".join((found.description, *found.notes))}.'
            self._messages.show_message(text, until=(self.busy.changed, self.player.leaving))
        self.sound_opened.emit()

    # ── saving ───────────────────────────────────────────────────────────────────────────────────

    def copy_sound(self) -> None:
        """Copy the sound made so far to the clipboard, and show the outcome."""
        item = self.artwork()
        if item is not None:
            self._messages.copy_requested.emit(item.array, item.work)
        else:
            self._messages.show_message("There is no sound to copy yet. Press Play first.", until=(self.player.grew,))

    def save_sound(self, form: AudioFormat = AudioFormat.WAV) -> None:
        """Ask where to save the sound made so far with its recipe, and save it."""
        item = self.artwork(form)
        if item is not None:
            self._exporter.ask_path(item, form)

    def artwork(self, form: AudioFormat = AudioFormat.WAV) -> Artwork | None:
        """Return the sound made so far with its recipe."""
        trained = self.model.get()
        work = self.source.to_work()
        if trained is None or work is None:
            return None
        name = file_names.clean_name(f"{trained.card.name}-{work.seed}{form.ending}")
        return Artwork(self.player.samples.copy(), work, name)

    # ── plain data: undo, restart ────────────────────────────────────────────────────────────────

    def settle(self) -> None:
        """Choose the first model of recordings if none is chosen yet."""
        first = self.models.first_model(recordings=True)
        if self.model.get() is None and first is not None:
            self._apply({**default_record(first), "temperature_curve": _constant_curve(first), "source": {}})
        self.parameters.mix.set_model(self.model.get())

    def records(self) -> list[Record]:
        """Return every record that may name takes, those on the stage among them."""
        records = super().records()
        sources = [record["source"] for record in records if isinstance(record.get("source"), dict)]
        return [*records, *({"takes": {str(source["take"]): True}} for source in sources if source.get("take"))]

    def close(self) -> None:
        """Keep the sound and the recording, and release the sound card."""
        self.set_recording(False)
        self.player.close()
        self.source.keep_take()
        self._opening.wait()
        self.followed.close()

    def _use_temperature_curve(self, points: Sequence[Sequence[float]]) -> None:
        self.live_settings.temperature_curve.set(heats.valid_points(points))

    def _loop_to_record(self) -> list[float] | None:
        loop = self.player.loop.get()
        return list(loop) if loop is not None else None

    def _use_loop(self, loop: Sequence[float] | None) -> None:
        begin, end = loop or (0.0, 0.0)
        self.player.set_loop((float(begin), float(end)) if end > begin else None)

    def change(self, name: str, gesture: str | None = None, **values: object) -> None:
        """Change fields as in every panel. Another seed begins another sound, and plays it if the old one played."""
        anew = "seed" in values and "source" not in values
        if anew and values["seed"] == self.parameters.seed.get():
            return
        playing = self.player.playing.get()
        if anew:
            values["source"] = self.source.record_at_beginning()
        super().change(name, gesture, **values)
        if anew and playing:
            self.play()

    def _before(self, after: Record) -> Record:
        """Return what undoes a change. Temperatures also change the curve, and another sound ends the loop."""
        also = ["temperature_curve"] if "temperature" in after else []
        also += ["loop"] if "source" in after else []
        before = super()._before({**dict.fromkeys(also), **after})
        if "temperature_curve" in before and "source" not in after:  # the settled part stays, whatever is undone
            curve = heats.curve_from(self.live_settings.temperature_curve.get(), self.live_settings.settled_seconds)
            before["temperature_curve"] = [list(point) for point in curve]
        return before

    def _apply(self, record: Record) -> dict[str, Exception]:
        """Set fields as in every panel. If the sound stays, the model follows from the next possible sample."""
        if "source" in record:
            return super()._apply(record)
        turned = dict(record)
        curve = turned.pop("temperature_curve", None)
        refused = super()._apply(turned)
        if curve is not None:
            try:
                turned["temperature_curve"] = heats.valid_points(curve)
            except REFUSALS as fault:
                refused["temperature_curve"] = fault
        self.live_settings.submit_record(turned)
        return refused


def _constant_curve(trained: InstalledModel) -> list[list[float]]:
    """Return a curve of the model's own temperature."""
    return [[0.0, trained.card.temperature]]
