"""Sound: hear what a model makes while it makes it, with a hand on it, and go on from any moment of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from PySide6.QtCore import Signal

from studio.app.states import heat as heats
from studio.app.states import seeds
from studio.app.states.heat import Points
from studio.app.states.history import History
from studio.app.states.joining import Joining
from studio.app.states.later import Later
from studio.app.states.messages import Messages
from studio.app.states.mixing import Mixing
from studio.app.states.models import Models, hash_of
from studio.app.states.player import LIVE, Player
from studio.app.states.pricing import Pricing
from studio.app.states.recorded import Recorded, clock, lasting, open_recorded
from studio.app.states.rewind import now
from studio.app.states.saving import Form, Piece, Saving
from studio.app.states.seeds import SeedField
from studio.app.states.shelf import Take
from studio.app.states.strip import Strip
from studio.app.states.takes import Takes
from studio.app.states.tone import Output
from studio.app.states.value import Engine, Plain, State, Value
from studio.library import storage
from studio.library.models import Trained
from studio.library.work import Mix, Turn, Work
from studio.media.recording import at_rate
from studio.wire.messages import AnyCommand, AnyEvent, Perform

NEAR = 0.05
"""Seconds before the end of a sound, from which Play goes on making."""

NO_MODEL = "There is no model of recordings to open a sound with. Your file is untouched. Add a model first."


@dataclass(frozen=True)
class Source:
    """The recording that a sound goes on from."""

    name: str
    words: str
    """`1 min 58 s, used as 16 kHz mono`."""


class Sound(State):
    """The panel Sound. `player` is what is heard and made; this is what it is made by, and where it comes from."""

    came = Signal()
    """Something was opened here; the panel should be shown."""

    def __init__(self, engine: Engine, output: Output, models: Models, messages: Messages, takes: Takes) -> None:
        super().__init__()
        self._models, self._messages, self._takes = models, messages, takes
        self.player = Player(engine, output, messages, self)
        self.joining = Joining(engine, self.player, messages, self)
        """The best join of the player's loop: `busy`, and what it costs in `said`."""
        self.model: Value[Trained | None] = Value(None, self)
        self._field = SeedField(self)
        self.seed: Value[int] = self._field.seed
        self.locked: Value[bool] = self._field.locked
        self.error: Value[str] = self._field.error
        """What is wrong with the seed that was typed, as a sentence; empty when nothing is."""
        self.temperature: Value[float] = Value(1.0, self)
        """0.0 to 4.0: what the dial says. What is made by it begins where it was turned; see `heat`."""
        self.heat: Value[Points] = Value(((0.0, 1.0),), self)
        """The temperature over time: (second, temperature) in order, joined by straight lines; two of one second are a
        step. What is made already keeps what it was made by."""
        self.label: Value[int | None] = Value(None, self)
        """Index into card.classes, None for the seed's own."""
        self.mixing = Mixing(models, self)
        """The second model that decides, too: `partners`, `name`, `share`."""
        self.cut: Value[float] = Value(0.0, self)
        """Second from which the model goes on; what is before was there. 0 where it makes all of it."""
        self.recording: Value[Source | None] = Value(None, self)
        """The file that this sound goes on from."""
        self.strip = Strip(takes, messages, self._step, self)
        self.busy: Value[bool] = Value(False, self)
        """Whether a file is being opened."""
        self.history = History(self._apply, self)
        self._ground: Take | None = None
        """What the sound goes on from, up to the cut; or the take that it is."""
        self._left: Plain = {}
        """What was on the stage before a restart, until the takes are read."""
        self._hand: Plain = {}
        """What a hand has changed and the engine was not told yet."""
        self._fresh = True
        """Whether nothing was made yet since it is on the stage."""
        self._first: tuple[int | None, Mix | None] = (None, None)
        """Kind and mix that what is made began with."""
        self._turns: tuple[Turn, ...] = ()
        self._loaded = "", ""
        """Which recording is there to be cut, and the model that it was brought in for."""
        self._kept: tuple[int, str] | None = None
        """How many samples were kept last as they are now, and as which take."""
        self._pricing = Pricing(engine, self.player, self)
        self._opening = Later(self)
        self._saving = Saving(messages, self)
        takes.loaded.connect(self._come_back)

    @property
    def came_from(self) -> str:
        """Name of the take that it goes on from; empty where it comes from none."""
        return self._ground.name if self._ground is not None and self.cut.get() else ""

    @property
    def fresh(self) -> bool:
        """Whether nothing was made yet from the cut on: what lies behind it goes away with Play."""
        return self._fresh

    @property
    def settled(self) -> float:
        """Second up to which nothing that a hand changes now is heard."""
        return self.cut.get() if self._fresh else self.player.settled

    # ── what can be set ──────────────────────────────────────────────────────────────────────────

    def choose_model(self, name: str) -> None:
        trained = self._models.find(name)
        if trained is not None and trained.card.rate:
            warm = trained.card.temperature
            stage = self._beginning()
            self._step("model", model=name, label=None, mix="", temperature=warm, heat=[[0.0, warm]], stage=stage)

    def set_seed(self, seed: int | str) -> None:
        """Begin another sound with this seed. Text that is no seed leaves the last one and says so in `error`."""
        found = self._field.typed(seed)
        if found is not None and found != self.seed.get():
            self._step("seed", seed=found, stage=self._beginning())

    def new_seed(self) -> None:
        """Begin another sound with another seed; it plays on if it played."""
        playing = self.player.playing.get()
        self.set_seed(seeds.roll(self.seed.get()))
        if playing:
            self.play()

    def lock(self, on: bool) -> None:
        self.locked.set(on)

    def set_temperature(self, temperature: float, gesture: str | None = "temperature") -> None:
        """Heard at once, and up to the next point that was drawn."""
        self._step("temperature", gesture, temperature=min(max(float(temperature), 0.0), heats.HOTTEST))

    def set_heat(self, points: Sequence[Sequence[float]], gesture: str | None = "temperature over time") -> None:
        """Draw the temperature over time; only what is not made yet, or not heard, is made by it."""
        self._step("temperature over time", gesture, heat=[list(point) for point in heats.sane(points)])

    def set_label(self, label: int | None) -> None:
        self._step("kind", label=label)

    def set_mix(self, name: str) -> None:
        """Have a second model decide, too; an empty name for none."""
        self._step("mix", mix=name)

    def set_share(self, share: float, gesture: str | None = "share") -> None:
        self._step("share", gesture, share=share)

    # ── playing ──────────────────────────────────────────────────────────────────────────────────

    def play(self) -> None:
        """Let it be heard, and have it made further where that is its end."""
        trained = self.model.get()
        if trained is None:
            return
        player = self.player
        unmade = self._fresh or player.position >= player.made - NEAR
        if not player.making.get() and not player.looping.get() and unmade:
            if self._fresh and self._ground is not None:
                player.cut(round(self.cut.get() * player.rate))
            if self._fresh:
                self._first, self._turns = (self.label.get(), self.mixing.chosen()), ()
            self._fresh, self._kept = False, None
            player.make(self._asked(trained))
        player.play()

    def pause(self) -> None:
        self.player.pause()

    def toggle(self) -> None:
        """Play, or pause."""
        (self.pause if self.player.playing.get() else self.play)()

    def stop(self) -> None:
        """Stop making and playing; what is made stays."""
        self.player.stop()

    def to_start(self) -> None:
        self.player.seek(0.0)

    def to_newest(self) -> None:
        """Where it is being made."""
        self.player.seek(self.player.made)

    def seek(self, seconds: float) -> None:
        self.player.seek(seconds)

    def record(self, on: bool) -> None:
        """Keep what is heard from now on; or end that, and keep it as a take that can be gone on from."""
        player, trained = self.player, self.model.get()
        if on and trained is not None and not player.recording.get():
            player.record()
        if on or not player.recording.get():
            return
        heard = player.recorded()
        if trained is None or not len(heard):
            self._messages.say("Nothing was heard while it recorded, so there is nothing to keep.")
            return
        above = self._takes.line(self._ground.key) if self._ground is not None else ()
        work = Work(
            kind="sound", rate=player.rate, model=trained.card.name, model_hash=hash_of(trained),
            seed=self.seed.get(), heard=len(heard), source="recorded here", came_from=above, made=now(),
        )  # fmt: skip
        self._step("recording", takes={self._takes.keep(heard, work): True})
        self._messages.say(f"Recorded {lasting(len(heard) / player.rate)} of what was heard. It is among your takes.")

    def set_loop(self, loop: tuple[float, float] | None, gesture: str | None = "loop") -> None:
        """Which seconds are repeated while `player.looping`; None for none."""
        self._step("loop", gesture, loop=list(loop) if loop is not None else None)

    def repeat(self, on: bool) -> None:
        """Repeat the loop, or play on."""
        self.player.set_loop(self.player.loop.get(), on)

    def find_join(self) -> None:
        """Move the loop's ends to where the join costs least."""
        trained = self.model.get()
        if trained is not None:
            wished = (trained.card.name, self.seed.get(), self.label.get())
            self.joining.ask(*wished, lambda loop: self._step("best join", loop=list(loop)))

    def _asked(self, trained: Trained) -> Perform:
        begin = self.player.made
        return Perform(
            job="perform",
            model=trained.card.name,
            seed=self.seed.get(),
            temperature=heats.at(self.heat.get(), begin),
            curve=heats.array(self.heat.get(), begin),
            label=self.label.get(),
            mix=self.mixing.name.get(),
            share=self.mixing.share.get(),
        )

    # ── where it comes from ──────────────────────────────────────────────────────────────────────

    def open(self, path: Path) -> None:
        """Bring in a file: a recording is gone on from, a work of ours is restored."""
        trained = self.model.get()
        if trained is None:
            self._messages.say(NO_MODEL, "warn")
            return
        self.busy.set(True)
        self._opening.run(lambda: open_recorded(path, trained.card.rate), self._opened)

    def set_cut(self, seconds: float, gesture: str | None = "cut") -> None:
        """Where the model goes on from what was there. What was made after it is among the steps that undo knows."""
        if self._ground is not None:
            end = len(self._ground.picture) / self._ground.work.rate
            stage = {"take": self._ground.name, "cut": min(max(seconds, 0.0), end)}
            self._step("cut", gesture, stage=stage)

    def branch(self, seconds: float | None = None) -> None:
        """Go on from a moment of what there is, or from the ear, as another take with another seed."""
        player = self.player
        playing, live = player.playing.get(), seconds is None and player.making.get() and player.ahead < LIVE
        at = player.position if seconds is None else min(max(seconds, 0.0), player.made)
        at = player.next_to_change / player.rate if live else at
        base = self._keep_now()
        if base is None or not at:
            return
        seed = self.seed.get() if self.locked.get() else seeds.roll(self.seed.get())
        stage = {"take": base, "cut": at, "live": live}
        self._step(f"branch at {clock(at)}", seed=seed, takes={base: True}, stage=stage)
        if not live:
            player.seek(at)
        if playing:
            self.play()

    def keep_take(self) -> None:
        """Keep the sound as far as it is made, with its making."""
        name = self._keep_now()
        if name is not None and name not in self._takes.names:
            self._step("keep take", takes={name: True})

    def show_take(self, index: int) -> None:
        """Put a take on the stage, with everything that it was made with."""
        self.restore_take(self.strip.takes.get()[index])

    def restore_take(self, take: Take, name: str = "") -> None:
        trained = self._models.of_work(take.work)
        if trained is not None and trained.card.rate:
            after = {**_settings(take.work, trained), "stage": {"take": take.name, "cut": None}}
            self._step(name or "take", takes={take.name: True} if name else {}, **after)

    def _beginning(self) -> Plain:
        """The stage with nothing made on it yet."""
        if self._ground is None or not self.cut.get():
            return {}
        return {"take": self._ground.name, "cut": self.cut.get()}

    def _opened(self, outcome: Recorded | Exception) -> None:
        self.busy.set(False)
        trained = self.model.get()
        if isinstance(outcome, ValueError):  # Refused: a sentence for people
            self._messages.say(str(outcome), "failed")
        elif isinstance(outcome, Exception):
            raise outcome
        elif trained is not None:
            if outcome.fault:
                self._messages.say(outcome.fault, "warn")
            self._bring(outcome, trained)

    def _bring(self, found: Recorded, trained: Trained) -> None:
        """A work comes back as a take; a recording is laid on the strip, for all that goes on from it."""
        if found.work is not None and self._models.of_work(found.work) is not None:
            like = self._takes.like(found.work)
            name = like.name if like is not None else self._takes.keep(found.samples, found.work)
            take = self._takes.get(name)
            if take is not None:
                self.restore_take(take, "restore the work")
        else:
            work = Work(
                kind="sound", rate=found.rate, model=trained.card.name, model_hash=hash_of(trained), seed=0,
                heard=len(found.samples), source=found.name[:300], made=now(),
            )  # fmt: skip
            name = self._takes.keep(found.samples, work)
            stage = {"take": name, "cut": len(found.samples) / found.rate}
            self._step(f"open {found.name}", takes={name: True}, stage=stage)
            self._messages.say(f'"{found.name}": {"; ".join((found.words, *found.notes))}.')
        self.came.emit()

    def _keep_now(self) -> str | None:
        """The take that is the sound as it is now; its file is written where there is none yet."""
        samples = self.player.samples
        if self._fresh and self._ground is not None:
            return self._ground.name
        trained = self.model.get()
        if trained is None or not len(samples):
            return None
        if self._kept is None or self._kept[0] != len(samples):
            self._kept = (len(samples), self._takes.keep(samples, self._work(trained)))
        return self._kept[1]

    def _work(self, trained: Trained) -> Work:
        ground, curve = self._ground, self.heat.get()
        above = self._takes.line(ground.key) if ground is not None else ()
        return Work(
            kind="sound",
            rate=self.player.rate,
            model=trained.card.name,
            model_hash=hash_of(trained),
            seed=self.seed.get(),
            temperature=(heats.at(curve, self.cut.get()),),
            curve=curve if len(curve) > 1 else (),
            label=self._first[0],
            turns=self._turns,
            mix=self._first[1],
            heard=round(self.cut.get() * self.player.rate),
            source=ground.work.source if ground is not None else "",
            came_from=above,
            made=now(),
        )

    # ── saving ───────────────────────────────────────────────────────────────────────────────────

    def name_of(self, form: Form = Form.WAV) -> str:
        """A file name to suggest; empty while there is nothing to save."""
        piece = self._piece(form)
        return piece.name if piece is not None else ""

    def export(self, path: Path, form: Form = Form.WAV) -> None:
        """Save the sound as far as it is made, with its making inside. Says the outcome."""
        piece = self._piece(form)
        if piece is not None:
            self._saving.one(piece, path)

    def _piece(self, form: Form) -> Piece | None:
        trained, samples = self.model.get(), self.player.samples
        if trained is None or not len(samples):
            return None
        work = self._ground.work if self._fresh and self._ground is not None else self._work(trained)
        name = storage.clean(f"{trained.card.name}-{work.seed}{form.ending}")
        return Piece(samples.copy(), work, name, form)

    # ── the engine ───────────────────────────────────────────────────────────────────────────────

    def heed(self, status: str) -> None:
        """The engine's state in a word."""
        self.player.heed(status)
        self._pricing.heed(status)

    def take(self, event: AnyEvent) -> None:
        self.player.take(event)
        self.joining.take(event)
        self._pricing.take(event)

    def lost(self, commands: Sequence[AnyCommand], why: str) -> None:
        """The engine died with these commands unanswered."""
        self.player.lost(commands, why)
        self.joining.lost(commands)
        self._pricing.lost(commands)

    # ── plain data: undo, restart ────────────────────────────────────────────────────────────────

    def snapshot(self) -> Plain:
        kept = {"take": self._kept[1], "cut": None} if self._kept is not None else self._base()
        return {
            **self._plain(),
            "stage": self._left or kept,
            "locked": self.locked.get(),
            "level": self.player.level.get(),
            "device": self.player.device.get(),
            "history": self.history.snapshot(),
        }

    def restore(self, plain: Plain) -> None:
        self.history.restore(plain.get("history", {}))
        self.locked.set(bool(plain.get("locked", False)))
        self.player.set_level(float(plain.get("level", self.player.level.get())))
        self.player.device.set(str(plain.get("device", "")))
        self._apply({key: plain[key] for key in self._plain() if key in plain})
        self._left = dict(plain.get("stage", {}))

    def settle(self) -> None:
        """Choose the first model of recordings, where none is chosen yet."""
        first = self._models.first(recordings=True)
        if self.model.get() is None and first is not None:
            warm = first.card.temperature
            self._apply({"model": first.card.name, "temperature": warm, "heat": [[0.0, warm]], "stage": {}})
        self.mixing.fit(self.model.get())

    def records(self) -> list[Plain]:
        """All that leads back to takes."""
        records = [*self.history.records(), self.snapshot()]
        stages = [str(record.get("stage", {}).get("take", "")) for record in records]
        return [*records, *({"takes": {name: True}} for name in stages if name)]

    def close(self) -> None:
        """Keep what was made and recorded, let go of the sound card, wait for what is being written."""
        self.record(False)
        self.player.close()
        self._keep_now()
        self._opening.wait()
        self._saving.close()

    def _plain(self) -> Plain:
        trained = self.model.get()
        return {
            "model": trained.card.name if trained is not None else None,
            "seed": self.seed.get(),
            "temperature": self.temperature.get(),
            "heat": [list(point) for point in self.heat.get()],
            "label": self.label.get(),
            "loop": list(self.player.loop.get() or ()) or None,
            **self.mixing.plain(),
        }

    def _base(self) -> Plain:
        """What the sound goes on from."""
        if self._ground is None:
            return {}
        return {"take": self._ground.name, "cut": self.cut.get() if self._fresh else None}

    def _stage(self) -> Plain:
        """What undo brings back: the sound as it is now, whose file is written where there is none yet."""
        name = None if self._fresh else self._keep_now()
        return {"take": name, "cut": None} if name is not None else self._base()

    def _step(self, name: str, gesture: str | None = None, **after: object) -> None:
        now = self._plain()
        if "stage" in after:
            now["stage"] = self._stage()
        also = ({"heat"} if "temperature" in after else set()) | ({"loop"} if "stage" in after else set())
        before = {key: now[key] for key in after.keys() | also if key in now} | self._takes.before(after)
        self._apply(after)
        self.history.do(name, before, after, gesture)

    def _apply(self, record: Plain) -> None:
        """Put the values of a record into the state; a model that is gone changes nothing."""
        if record.get("model") is not None:
            found = self._models.find(str(record["model"]))
            self.model.set(found if found is not None and found.card.rate else self.model.get())
            self.mixing.fit(self.model.get())
        if "seed" in record:
            self._field.put(record["seed"])
        if "label" in record:
            trained, label = self.model.get(), record["label"]
            known = label is not None and trained is not None and 0 <= int(label) < len(trained.card.classes)
            self.label.set(int(label) if known else None)
        if "temperature" in record:
            self.temperature.set(min(max(float(record["temperature"]), 0.0), heats.HOTTEST))
        self.mixing.put(record)
        self._takes.apply(record)
        if "stage" in record:
            self._left = {}
            self._put_stage(record["stage"])
            self.heat.set(heats.sane(record["heat"]) if "heat" in record else self.heat.get())
        if "loop" in record:
            begin, end = record["loop"] or (0.0, 0.0)
            self.player.set_loop((float(begin), float(end)) if end > begin else None)
        if "stage" in record:
            return
        if "mix" in record:
            self._mix_in()
        turned: Plain = {key: record[key] for key in ("temperature", "heat", "label", "share") if key in record}
        if turned:
            self._hand |= turned
            if "heat" not in turned and "temperature" in turned:
                self._hand.pop("heat", None)
            self.player.turn(self._turn)

    def _mix_in(self) -> None:
        """Another second model: what is not heard yet is made anew by it, from a new beginning."""
        trained, player = self.model.get(), self.player
        if trained is not None and player.making.get():
            at, mix, (label, first) = player.next_to_change, self.mixing.chosen(), self._first
            player.cut(at)
            player.make(self._asked(trained))
            if mix is not None and (first is None or first.model != mix.model):
                self._first = label, replace(mix, share=0.0)
            share = mix.share if mix is not None else 0.0
            self._turns = (*(turn for turn in self._turns if turn.at < at), Turn(at=at, share=share))

    def _turn(self, seconds: float) -> Plain:
        """What a hand has changed holds from a moment on."""
        hand, self._hand, self._kept = self._hand, {}, None
        if "seed" in hand:
            self.cut.set(seconds)
            self._first, self._turns = (self.label.get(), self.mixing.chosen()), ()
        first = self.cut.get() if self._fresh else seconds
        past = self.heat.get()
        if first <= self.cut.get() and "seed" not in hand:
            past = tuple(point for point in past if point[0] > first)
        if "heat" in hand:
            self.heat.set(heats.spliced(past, heats.sane(hand["heat"]), first))
        elif "temperature" in hand:
            self.heat.set(heats.stepped(past, first, self.temperature.get()))
        at = round(first * self.player.rate)
        label = self.label.get() if "label" in hand else None
        share = self.mixing.share.get() if "share" in hand and self.mixing.name.get() else None
        more = (Turn(at=at, label=label, share=share),) if label is not None or share is not None else ()
        self._turns = (*(turn for turn in self._turns if turn.at < at), *more)
        curve = heats.array(self.heat.get(), self.player.begin)
        return {"curve": curve, "label": label, "share": share, "seed": hand.get("seed")}

    def _put_stage(self, plain: Plain) -> None:
        """Put a sound on the stage, of which nothing is made yet from the cut on; as it is where there is no cut."""
        trained, take, cut = self.model.get(), self._takes.get(str(plain.get("take", ""))), plain.get("cut")
        here = take is not None and self._kept is not None and self._kept[1] == take.name
        if here and plain.get("live") and self.player.making.get():
            self._ground = take
            self.strip.show(None)
            self._hand["seed"] = self.seed.get()
            self.player.turn(self._turn)
            return
        if take is None or trained is None:
            self._clear(trained)
        elif cut is None:
            self._put_whole(take, trained)
        else:
            self._put_cut(take, trained, float(cut), here)
        own = take is not None and _there_before(take)
        self.strip.show(take.name if take is not None and (cut is None or own) else None)
        name = take.work.source if take is not None else ""
        words = f"{lasting(self.player.made)}, used as {self.player.rate / 1000:g} kHz mono" if own else ""
        self.recording.set(Source(name, words) if name else None)

    def _clear(self, trained: Trained | None) -> None:
        """Nothing is there."""
        self.record(False)
        self._ground, self._turns, self._kept, self._fresh = None, (), None, True
        self._loaded = "", ""
        self.cut.set(0.0)
        self.player.load(trained.card.rate if trained is not None else self.player.rate, np.zeros(0, np.int16))

    def _put_whole(self, take: Take, trained: Trained) -> None:
        """A take as it was made."""
        self.record(False)
        work = take.work
        self.player.load(trained.card.rate, at_rate(take.picture, work.rate, trained.card.rate))
        self._ground, self._fresh = take, False
        self._kept = len(self.player.samples), take.name
        self._turns, self._first = work.turns, (work.label, work.mix)
        self.cut.set(min(work.heard / work.rate, self.player.made))
        self._pricing.ask(trained.card.name, self.label.get(), self.player.made)

    def _put_cut(self, take: Take, trained: Trained, cut: float, here: bool) -> None:
        """A take that is to be gone on from; of a recording all is there still, to choose the cut on. `here`: the take
        is what the player holds."""
        own, rate = _there_before(take), trained.card.rate
        same = own and self._fresh and self._loaded == (take.name, trained.card.name)
        if not same and (own or not here):
            self.record(False)
            self.player.load(rate, at_rate(take.picture, take.work.rate, rate))
        if not own:
            self.player.cut(round(cut * rate))
        self._ground, self._turns, self._kept, self._fresh = take, (), None, True
        self._loaded = (take.name, trained.card.name)
        self.cut.set(min(cut, len(take.picture) / take.work.rate))
        bits = self.player.bits[: round(self.cut.get() * rate)]
        if not same or (len(bits) and np.isnan(bits[-1])):
            self._pricing.ask(trained.card.name, self.label.get(), self.cut.get())

    def _come_back(self) -> None:
        """What was on the stage before a restart is so again."""
        left, self._left, loop = self._left, {}, self.player.loop.get()
        if left:
            self._put_stage(left)
            self.player.set_loop(loop)


def _there_before(take: Take) -> bool:
    """Whether no model made any of it."""
    return take.work.heard >= len(take.picture)


def _settings(work: Work, trained: Trained) -> Plain:
    """What is set, as a work had it."""
    curve = work.curve or ((0.0, work.temperature[0]),)
    said: Plain = {
        "model": trained.card.name,
        "seed": work.seed,
        "temperature": curve[-1][1],
        "heat": [list(point) for point in curve],
        "label": next((turn.label for turn in reversed(work.turns) if turn.label is not None), work.label),
        "mix": work.mix.model if work.mix is not None else "",
    }
    if work.mix is not None:
        said["share"] = next((turn.share for turn in reversed(work.turns) if turn.share is not None), work.mix.share)
    return said
