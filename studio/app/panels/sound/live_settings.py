"""Holds the settings of a sound over time, as the user changes them during playback."""

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal

from studio.app.core.observable import Record, State, Value
from studio.app.core.text import timestamp
from studio.app.generation.parameters import Parameters
from studio.app.model_browser.model_list import file_hash
from studio.app.panels.sound import temperature_curve as heats
from studio.app.panels.sound.player import SoundPlayer
from studio.app.panels.sound.temperature_curve import Points
from studio.library.models import InstalledModel
from studio.library.work import ModelMixture, SoundEdit, Work
from studio.wire.messages import StreamSound


class LiveSettings(State):
    """Holds how the model makes the player's sound: from `cut` on, by the temperature curve, with changes on the
    way."""

    changed = Signal()
    """What is made from now on is another sound than what was kept."""

    def __init__(self, player: SoundPlayer, parameters: Parameters, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._player, self._parameters = player, parameters
        self.cut: Value[float] = Value(0.0, self)
        """Second from which the model goes on; what is before was there. 0 where it makes all of it."""
        self.temperature_curve: Value[Points] = Value(((0.0, 1.0),), self)
        """The temperature over time: (second, temperature) in order, joined by straight lines; two of one second are a
        step. What is made already keeps what it was made by."""
        self.is_fresh = True
        """Whether nothing was made yet from the cut on: what lies behind it goes away with Play."""
        self._initial: tuple[int | None, ModelMixture | None] = (None, None)
        """Kind and mix that what is made began with."""
        self._edits: tuple[SoundEdit, ...] = ()
        self._new_edit: Record = {}
        """What a hand has changed and the engine was not told yet."""
        self._sent_edit: Record = {}
        """What it was told last."""
        self._before_edit = self._current_state()
        """The making as it was before."""
        for change in (player.grew, player.making.changed, self.temperature_curve.changed):
            change.connect(self._update_temperature)

    @property
    def settled_seconds(self) -> float:
        """Return the second up to which no change of the user's is heard."""
        return self.cut.get() if self.is_fresh else self._player.live_generation.settled_seconds

    # ── from the beginning ───────────────────────────────────────────────────────────────────────

    def clear_from(self, cut: float = 0.0) -> None:
        """Begin again: nothing is made from a second on."""
        self.is_fresh, self._edits = True, ()
        self.cut.set(cut)
        self._update_temperature()

    def set_work(self, work: Work) -> None:
        """Set the recipe of what the player has."""
        self.is_fresh, self._edits, self._initial = False, work.turns, (work.label, work.mix)
        self.cut.set(min(work.heard / work.rate, self._player.made_seconds))
        self._update_temperature()

    def continue_sound(self) -> None:
        """Have the model continue from the present end; at first from the cut on."""
        if self.is_fresh:
            first = round(self.cut.get() * self._player.rate)
            if first < len(self._player.samples):
                self._player.live_generation.truncate(first)
            self._reset_edits()
        self.is_fresh = False
        self.changed.emit()
        self._player.start_job(self._make_command())

    def to_work(self, trained: InstalledModel, source: str, came_from: tuple[str, ...]) -> Work:
        """Return the recipe of the sound made so far."""
        curve = self.temperature_curve.get()
        return Work(
            kind="sound",
            rate=self._player.rate,
            model=trained.card.name,
            model_hash=file_hash(trained),
            seed=self._parameters.seed.get(),
            temperature=(heats.temperature_at(curve, self.cut.get()),),
            curve=curve if len(curve) > 1 else (),
            label=self._initial[0],
            turns=self._edits,
            mix=self._initial[1],
            heard=round(self.cut.get() * self._player.rate),
            source=source,
            came_from=came_from,
            made=timestamp(),
        )

    def _reset_edits(self) -> None:
        self._initial, self._edits = (self._parameters.label.get(), self._parameters.mix.chosen_mix()), ()

    def _make_command(self) -> StreamSound:
        trained, dials, begin = self._parameters.model.get(), self._parameters, self._player.made_seconds
        assert trained is not None, "Play asks for one"
        return StreamSound(
            job="perform",
            model=trained.card.name,
            seed=dials.seed.get(),
            temperature=heats.temperature_at(self.temperature_curve.get(), begin),
            temperature_curve=heats.curve_array(self.temperature_curve.get(), begin),
            label=dials.label.get(),
            second_model=dials.mix.name.get(),
            share=dials.mix.share.get(),
        )

    # ── on the way ───────────────────────────────────────────────────────────────────────────────

    def submit_record(self, record: Record) -> None:
        """Make what is not heard yet by the changed fields of a record."""
        if "mix" in record:
            self._restart_job(mixed=True)
        elif "label" in record and self._parameters.label.get() is None:
            self._restart_job(mixed=False)
        kept = ("temperature", "heat", "label", "share")
        turned = {key: record[key] for key in kept if record.get(key) is not None}
        if turned:
            if "temperature" in turned and "heat" not in turned:
                self._new_edit.pop("heat", None)
            self._new_edit |= turned
            self._player.live_generation.submit_edit(self)

    def branch_here(self) -> None:
        """Continue with another seed from the next sample that can change; what is before stays."""
        self._new_edit["seed"] = self._parameters.seed.get()
        self._player.live_generation.submit_edit(self)

    def _restart_job(self, mixed: bool) -> None:
        """Start a new job for what is not heard yet, because Adjust cannot change the second model or unset the
        class."""
        player, mix, (label, first) = self._player, self._parameters.mix.chosen_mix(), self._initial
        if self.is_fresh:
            return
        making = player.making.get()
        at = player.live_generation.next_editable_sample if making else len(player.samples)
        if making:
            player.live_generation.truncate(at)
            player.start_job(self._make_command())
        if mix is not None and (first is None or first.model != mix.model):
            self._initial = label, replace(mix, share=0.0)
        share = (mix.share if mix is not None else 0.0) if mixed else None
        self._edits = (*(turn for turn in self._edits if turn.at < at), SoundEdit(at=at, share=share))
        self.changed.emit()

    def on_late(self) -> None:
        """Return to the settings before the edit, which will take effect from a later moment on."""
        self._new_edit = self._sent_edit | self._new_edit
        self.on_failed()

    def on_failed(self) -> None:
        """Return to the settings before the edit."""
        heat, cut, self._initial, self._edits = self._before_edit
        self.temperature_curve.set(heat)
        self.cut.set(cut)
        self.changed.emit()

    def apply_from(self, seconds: float) -> Record:
        """Let the edit take effect from a moment on; return what Adjust says of it."""
        hand, self._new_edit = self._new_edit, {}
        self._sent_edit, self._before_edit = hand, self._current_state()
        self.changed.emit()
        if "seed" in hand:
            self.cut.set(seconds)
            self._reset_edits()
        first = self.cut.get() if self.is_fresh else seconds
        past = self.temperature_curve.get()
        if first <= self.cut.get() and "seed" not in hand:
            past = tuple(point for point in past if point[0] > first)
        if "heat" in hand:
            self.temperature_curve.set(heats.splice_curves(past, hand["heat"], first))
        elif "temperature" in hand:
            self.temperature_curve.set(heats.curve_with_step(past, first, self._parameters.temperature.get()))
        at = round(first * self._player.rate)
        label = self._parameters.label.get() if "label" in hand else None
        share = self._parameters.mix.share.get() if "share" in hand and self._parameters.mix.name.get() else None
        more = (SoundEdit(at=at, label=label, share=share),) if label is not None or share is not None else ()
        self._edits = (*(turn for turn in self._edits if turn.at < at), *more)
        curve = heats.curve_array(self.temperature_curve.get(), self._player.live_generation.begin_seconds)
        return {"temperature_curve": curve, "label": label, "share": share, "seed": hand.get("seed")}

    def _current_state(self) -> tuple[Points, float, tuple[int | None, ModelMixture | None], tuple[SoundEdit, ...]]:
        return self.temperature_curve.get(), self.cut.get(), self._initial, self._edits

    def _update_temperature(self, _: object = None) -> None:
        """Show the temperature of the moment from which a change would take effect."""
        if not self._new_edit:
            self._parameters.temperature.set(heats.temperature_at(self.temperature_curve.get(), self.settled_seconds))


def last_settings(work: Work) -> Record:
    """Return the settings at the end of a work, if they differ from those at its beginning."""
    curve, turns = work.curve or ((0.0, work.temperature[0]),), tuple(reversed(work.turns))
    # A turn that says nothing else goes back to the seed's own kind.
    kinds = (turn.label for turn in turns if turn.label is not None or turn.share is None)
    said: Record = {
        "temperature": curve[-1][1],
        "heat": [list(point) for point in curve],
        "label": next(kinds, work.label),
    }
    if work.mix is not None:
        said["share"] = next((turn.share for turn in turns if turn.share is not None), work.mix.share)
    return said
