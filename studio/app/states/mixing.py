"""A second model that decides, too, and dials that a run follows while it draws."""

import itertools
from collections.abc import Sequence

from PySide6.QtCore import QObject

from studio.app.states.models import Models, hash_of
from studio.app.states.value import Engine, Plain, State, Value
from studio.library.models import Trained
from studio.library.work import Mix
from studio.wire.messages import Steer


class Mixing(State):
    """Which model is mixed in, how much it decides, and what a run that draws was last told."""

    def __init__(self, engine: Engine, models: Models, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine, self._models = engine, models
        self.partners: Value[tuple[Trained, ...]] = Value((), self)
        """The models that can be mixed with the one that is chosen."""
        self.name: Value[str] = Value("", self)
        """Of the second model, empty for none."""
        self.share: Value[float] = Value(0.5, self)
        """How much it decides, 0.0 to 1.0."""
        self._told: tuple[float, float] | None = None
        self._steers = itertools.count(1)

    def fit(self, trained: Trained | None) -> None:
        """Another model is chosen, or others are here; a second one that does not fit is left out."""
        cards = self._models.cards.get()
        self.partners.set(tuple(other for other in cards if trained is not None and mixable(trained, other)))
        self.put({"mix": self.name.get()})

    def put(self, record: Plain) -> None:
        """Put the values of a record into the state."""
        if "mix" in record:
            known = {other.card.name for other in self.partners.get()}
            self.name.set(str(record["mix"]) if record["mix"] in known else "")
        if "share" in record:
            self.share.set(min(max(float(record["share"]), 0.0), 1.0))

    def plain(self) -> Plain:
        return {"mix": self.name.get(), "share": self.share.get()}

    def chosen(self) -> Mix | None:
        """What goes into a run that begins now."""
        other = self._models.find(self.name.get()) if self.name.get() else None
        return Mix(model=other.card.name, model_hash=hash_of(other), share=self.share.get()) if other else None

    def began(self, temperature: float, mix: Mix | None) -> None:
        """A run draws by these."""
        self._told = temperature, mix.share if mix is not None else self.share.get()

    def steer(self, job: str, mix: Mix | None, temperature: float) -> None:
        """Have a run follow the dials from its next row on, where a hand has turned them."""
        now = temperature, self.share.get()
        if self._told is None or now == self._told:
            return
        self._told = now
        share = self.share.get() if mix is not None and mix.model == self.name.get() else None
        name = f"steer-{next(self._steers)}"
        self._engine.send(Steer(job=name, hand="steer", running=job, temperature=(temperature,), share=share))


def mixable(one: Trained, other: Trained) -> bool:
    """Whether two models draw pixel by pixel in one size and as many levels."""
    a, b = one.card, other.card
    fits = (a.kind, a.shape, a.levels) == (b.kind, b.shape, b.levels)
    return fits and a.keeps and b.keeps and a.name != b.name


def titles(partners: Sequence[Trained]) -> list[tuple[str, str]]:
    """What a list shows, and what it stands for; the first is none."""
    return [("None", ""), *((other.card.title, other.card.name) for other in partners)]
