"""What a sound is made by from moment to moment: the dials as a hand turns them meanwhile, and the record of it."""

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
    """How the model makes the player's sound: from `cut` on, by `heat`, and by what was turned on the way."""

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
        """Second up to which nothing that a hand changes now is heard."""
        return self.cut.get() if self.is_fresh else self._player.live_generation.settled_seconds

    # ── from the beginning ───────────────────────────────────────────────────────────────────────

    def clear_from(self, cut: float = 0.0) -> None:
        """Nothing is made yet from a second on."""
        self.is_fresh, self._edits = True, ()
        self.cut.set(cut)
        self._update_temperature()

    def set_work(self, work: Work) -> None:
        """The player has what a work is the making of."""
        self.is_fresh, self._edits, self._initial = False, work.edits, (work.label, work.mix)
        self.cut.set(min(work.continued_samples / work.sample_rate, self._player.made_seconds))
        self._update_temperature()

    def continue_sound(self) -> None:
        """Have the model make the end of what there is; at first from the cut on."""
        if self.is_fresh:
            first = round(self.cut.get() * self._player.rate)
            if first < len(self._player.samples):
                self._player.live_generation.truncate(first)
            self._reset_edits()
        self.is_fresh = False
        self.changed.emit()
        self._player.start_job(self._make_command())

    def to_work(self, trained: InstalledModel, source: str, ancestors: tuple[str, ...]) -> Work:
        """The making of the sound as far as it is made."""
        curve = self.temperature_curve.get()
        return Work(
            medium="sound",
            sample_rate=self._player.rate,
            model=trained.card.name,
            model_hash=file_hash(trained),
            seed=self._parameters.seed.get(),
            temperature=(heats.temperature_at(curve, self.cut.get()),),
            temperature_curve=curve if len(curve) > 1 else (),
            label=self._initial[0],
            edits=self._edits,
            mix=self._initial[1],
            continued_samples=round(self.cut.get() * self._player.rate),
            source=source,
            ancestors=ancestors,
            created=timestamp(),
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
        """A hand has changed what a record says: what is not heard yet is made by it."""
        if "mix" in record:
            self._restart_job(mixed=True)
        elif "label" in record and self._parameters.label.get() is None:
            self._restart_job(mixed=False)
        kept = ("temperature", "temperature_curve", "label", "share")
        turned = {key: record[key] for key in kept if record.get(key) is not None}
        if turned:
            if "temperature" in turned and "temperature_curve" not in turned:
                self._new_edit.pop("temperature_curve", None)
            self._new_edit |= turned
            self._player.live_generation.submit_edit(self)

    def branch_here(self) -> None:
        """Go on by another seed from the next moment that can still be changed; what is before was there."""
        self._new_edit["seed"] = self._parameters.seed.get()
        self._player.live_generation.submit_edit(self)

    def _restart_job(self, mixed: bool) -> None:
        """Another second model, or the seed's own kind again, which a Steer cannot say: what is not heard yet is made
        from a new beginning."""
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
        self._edits = (*(turn for turn in self._edits if turn.sample < at), SoundEdit(sample=at, share=share))
        self.changed.emit()

    def on_late(self) -> None:
        """As of a Change of Performing: what a hand has changed is to hold from a later moment on."""
        self._new_edit = self._sent_edit | self._new_edit
        self.on_failed()

    def on_failed(self) -> None:
        """It does not hold: the making is as it was."""
        heat, cut, self._initial, self._edits = self._before_edit
        self.temperature_curve.set(heat)
        self.cut.set(cut)
        self.changed.emit()

    def apply_from(self, seconds: float) -> Record:
        """What a hand has changed holds from a moment on; what a Steer says of it."""
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
        if "temperature_curve" in hand:
            self.temperature_curve.set(heats.splice_curves(past, hand["temperature_curve"], first))
        elif "temperature" in hand:
            self.temperature_curve.set(heats.curve_with_step(past, first, self._parameters.temperature.get()))
        at = round(first * self._player.rate)
        label = self._parameters.label.get() if "label" in hand else None
        share = self._parameters.mix.share.get() if "share" in hand and self._parameters.mix.name.get() else None
        more = (SoundEdit(sample=at, label=label, share=share),) if label is not None or share is not None else ()
        self._edits = (*(turn for turn in self._edits if turn.sample < at), *more)
        curve = heats.curve_array(self.temperature_curve.get(), self._player.live_generation.begin_seconds)
        return {"temperature_curve": curve, "label": label, "share": share, "seed": hand.get("seed")}

    def _current_state(self) -> tuple[Points, float, tuple[int | None, ModelMixture | None], tuple[SoundEdit, ...]]:
        return self.temperature_curve.get(), self.cut.get(), self._initial, self._edits

    def _update_temperature(self, _: object = None) -> None:
        """The dial stands at the temperature of the moment from which turning it would hold."""
        if not self._new_edit:
            self._parameters.temperature.set(heats.temperature_at(self.temperature_curve.get(), self.settled_seconds))


def last_settings(work: Work) -> Record:
    """The dials at the end of what a work is the making of, where they are not those of its beginning."""
    curve, turns = work.temperature_curve or ((0.0, work.temperature[0]),), tuple(reversed(work.edits))
    # A turn that says nothing else goes back to the seed's own kind.
    kinds = (turn.label for turn in turns if turn.label is not None or turn.share is None)
    said: Record = {
        "temperature": curve[-1][1],
        "temperature_curve": [list(point) for point in curve],
        "label": next(kinds, work.label),
    }
    if work.mix is not None:
        said["share"] = next((turn.share for turn in turns if turn.share is not None), work.mix.share)
    return said
