"""What a sound is made by from moment to moment: the dials as a hand turns them meanwhile, and the record of it."""

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal

from studio.app.core.observable import Record, State, Value
from studio.app.core.text import timestamp
from studio.app.generation.parameters import Parameters
from studio.app.model_browser.model_list import file_hash
from studio.app.panels.sound import temperature_curve as heats
from studio.app.panels.sound.player import Player
from studio.app.panels.sound.temperature_curve import Points
from studio.library.models import InstalledModel
from studio.library.work import ModelMixture, SoundEdit, Work
from studio.wire.messages import StreamSound


class Making(State):
    """How the model makes the player's sound: from `cut` on, by `heat`, and by what was turned on the way."""

    turned = Signal()
    """What is made from now on is another sound than what was kept."""

    def __init__(self, player: Player, dials: Parameters, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._player, self._dials = player, dials
        self.cut: Value[float] = Value(0.0, self)
        """Second from which the model goes on; what is before was there. 0 where it makes all of it."""
        self.heat: Value[Points] = Value(((0.0, 1.0),), self)
        """The temperature over time: (second, temperature) in order, joined by straight lines; two of one second are a
        step. What is made already keeps what it was made by."""
        self.fresh = True
        """Whether nothing was made yet from the cut on: what lies behind it goes away with Play."""
        self._first: tuple[int | None, ModelMixture | None] = (None, None)
        """Kind and mix that what is made began with."""
        self._turns: tuple[SoundEdit, ...] = ()
        self._hand: Record = {}
        """What a hand has changed and the engine was not told yet."""
        self._held: Record = {}
        """What it was told last."""
        self._was = self._all()
        """The making as it was before."""
        for change in (player.grew, player.making.changed, self.heat.changed):
            change.connect(self._follow)

    @property
    def settled(self) -> float:
        """Second up to which nothing that a hand changes now is heard."""
        return self.cut.get() if self.fresh else self._player.performing.settled

    # ── from the beginning ───────────────────────────────────────────────────────────────────────

    def clear(self, cut: float = 0.0) -> None:
        """Nothing is made yet from a second on."""
        self.fresh, self._turns = True, ()
        self.cut.set(cut)
        self._follow()

    def show(self, work: Work) -> None:
        """The player has what a work is the making of."""
        self.fresh, self._turns, self._first = False, work.turns, (work.label, work.mix)
        self.cut.set(min(work.heard / work.rate, self._player.made))
        self._follow()

    def go_on(self) -> None:
        """Have the model make the end of what there is; at first from the cut on."""
        if self.fresh:
            first = round(self.cut.get() * self._player.rate)
            if first < len(self._player.samples):
                self._player.performing.cut(first)
            self._begin()
        self.fresh = False
        self.turned.emit()
        self._player.make(self._asked())

    def work(self, trained: InstalledModel, source: str, came_from: tuple[str, ...]) -> Work:
        """The making of the sound as far as it is made."""
        curve = self.heat.get()
        return Work(
            kind="sound",
            rate=self._player.rate,
            model=trained.card.name,
            model_hash=file_hash(trained),
            seed=self._dials.seed.get(),
            temperature=(heats.at(curve, self.cut.get()),),
            curve=curve if len(curve) > 1 else (),
            label=self._first[0],
            turns=self._turns,
            mix=self._first[1],
            heard=round(self.cut.get() * self._player.rate),
            source=source,
            came_from=came_from,
            made=timestamp(),
        )

    def _begin(self) -> None:
        self._first, self._turns = (self._dials.label.get(), self._dials.mix.chosen_mix()), ()

    def _asked(self) -> StreamSound:
        trained, dials, begin = self._dials.model.get(), self._dials, self._player.made
        assert trained is not None, "Play asks for one"
        return StreamSound(
            job="perform",
            model=trained.card.name,
            seed=dials.seed.get(),
            temperature=heats.at(self.heat.get(), begin),
            temperature_curve=heats.array(self.heat.get(), begin),
            label=dials.label.get(),
            second_model=dials.mix.name.get(),
            share=dials.mix.share.get(),
        )

    # ── on the way ───────────────────────────────────────────────────────────────────────────────

    def turn(self, record: Record) -> None:
        """A hand has changed what a record says: what is not heard yet is made by it."""
        if "mix" in record:
            self._make_anew(mixed=True)
        elif "label" in record and self._dials.label.get() is None:
            self._make_anew(mixed=False)
        kept = ("temperature", "heat", "label", "share")
        turned = {key: record[key] for key in kept if record.get(key) is not None}
        if turned:
            if "temperature" in turned and "heat" not in turned:
                self._hand.pop("heat", None)
            self._hand |= turned
            self._player.performing.turn(self)

    def branch(self) -> None:
        """Go on by another seed from the next moment that can still be changed; what is before was there."""
        self._hand["seed"] = self._dials.seed.get()
        self._player.performing.turn(self)

    def _make_anew(self, mixed: bool) -> None:
        """Another second model, or the seed's own kind again, which a Steer cannot say: what is not heard yet is made
        from a new beginning."""
        player, mix, (label, first) = self._player, self._dials.mix.chosen_mix(), self._first
        if self.fresh:
            return
        making = player.making.get()
        at = player.performing.next_to_change if making else len(player.samples)
        if making:
            player.performing.cut(at)
            player.make(self._asked())
        if mix is not None and (first is None or first.model != mix.model):
            self._first = label, replace(mix, share=0.0)
        share = (mix.share if mix is not None else 0.0) if mixed else None
        self._turns = (*(turn for turn in self._turns if turn.at < at), SoundEdit(at=at, share=share))
        self.turned.emit()

    def miss(self) -> None:
        """As of a Change of Performing: what a hand has changed is to hold from a later moment on."""
        self._hand = self._held | self._hand
        self.fail()

    def fail(self) -> None:
        """It does not hold: the making is as it was."""
        heat, cut, self._first, self._turns = self._was
        self.heat.set(heat)
        self.cut.set(cut)
        self.turned.emit()

    def hold(self, seconds: float) -> Record:
        """What a hand has changed holds from a moment on; what a Steer says of it."""
        hand, self._hand = self._hand, {}
        self._held, self._was = hand, self._all()
        self.turned.emit()
        if "seed" in hand:
            self.cut.set(seconds)
            self._begin()
        first = self.cut.get() if self.fresh else seconds
        past = self.heat.get()
        if first <= self.cut.get() and "seed" not in hand:
            past = tuple(point for point in past if point[0] > first)
        if "heat" in hand:
            self.heat.set(heats.spliced(past, hand["heat"], first))
        elif "temperature" in hand:
            self.heat.set(heats.stepped(past, first, self._dials.temperature.get()))
        at = round(first * self._player.rate)
        label = self._dials.label.get() if "label" in hand else None
        share = self._dials.mix.share.get() if "share" in hand and self._dials.mix.name.get() else None
        more = (SoundEdit(at=at, label=label, share=share),) if label is not None or share is not None else ()
        self._turns = (*(turn for turn in self._turns if turn.at < at), *more)
        curve = heats.array(self.heat.get(), self._player.performing.begin)
        return {"temperature_curve": curve, "label": label, "share": share, "seed": hand.get("seed")}

    def _all(self) -> tuple[Points, float, tuple[int | None, ModelMixture | None], tuple[SoundEdit, ...]]:
        return self.heat.get(), self.cut.get(), self._first, self._turns

    def _follow(self, _: object = None) -> None:
        """The dial stands at the temperature of the moment from which turning it would hold."""
        if not self._hand:
            self._dials.temperature.set(heats.at(self.heat.get(), self.settled))


def settings(work: Work) -> Record:
    """The dials at the end of what a work is the making of, where they are not those of its beginning."""
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
