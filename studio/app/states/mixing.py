"""A second model that decides, too."""

from collections.abc import Sequence

from PySide6.QtCore import QObject

from studio.app.states.models import Models, hash_of
from studio.app.states.value import Field, State, Value, within
from studio.library.models import Trained
from studio.library.work import Mix


class Mixing(State):
    """Which model is mixed in, and how much it decides."""

    def __init__(self, models: Models, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._models = models
        self.partners: Value[tuple[Trained, ...]] = Value((), self)
        """The models that can be mixed with the one that is chosen."""
        self.name: Value[str] = Value("", self)
        """Of the second model, empty for none."""
        self.share: Value[float] = Value(0.5, self)
        """How much it decides, 0.0 to 1.0."""
        self.fields = (
            Field("mix", self.name.get, self._choose),
            Field("share", self.share.get, lambda share: self.share.set(within(share, 0.0, 1.0))),
        )

    def fit(self, trained: Trained | None) -> None:
        """Another model is chosen, or others are here; a second one that does not fit is left out."""
        cards = self._models.cards.get()
        self.partners.set(tuple(other for other in cards if trained is not None and mixable(trained, other)))
        self._choose(self.name.get())

    def _choose(self, name: str) -> None:
        """Mix a model in; none if it is not among the partners."""
        known = {other.card.name for other in self.partners.get()}
        self.name.set(name if name in known else "")

    def chosen(self) -> Mix | None:
        """What goes into a run that begins now."""
        other = self._models.find(self.name.get()) if self.name.get() else None
        return Mix(model=other.card.name, model_hash=hash_of(other), share=self.share.get()) if other else None


def mixable(one: Trained, other: Trained) -> bool:
    """Whether two models draw pixel by pixel in one size and as many levels, or sample by sample at one rate."""
    a, b = one.card, other.card
    if a.rate or b.rate:
        return (a.rate, a.levels) == (b.rate, b.levels) and a.name != b.name
    fits = (a.kind, a.shape, a.levels) == (b.kind, b.shape, b.levels)
    return fits and a.keeps and b.keeps and a.name != b.name


def titles(partners: Sequence[Trained]) -> list[tuple[str, str]]:
    """What a list shows, and what it stands for; the first is none."""
    return [("None", ""), *((other.card.title, other.card.name) for other in partners)]
