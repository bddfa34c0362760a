"""Decides whether pictures are shown smooth or crisp. The model's card decides unless the user chose."""

from collections.abc import Callable, Mapping

from studio.app.core.observable import State, Value
from studio.library.models import InstalledModel


class Smoothing(State):
    """Holds whether pictures are shown smooth. `maker` returns the model whose pictures are visible."""

    def __init__(self, maker: Callable[[], InstalledModel | None], parent: State) -> None:
        super().__init__(parent)
        self._maker = maker
        self.smooth: Value[bool] = Value(False, self)
        """Whether the visible pictures are blended instead of shown as squares."""
        self.choices: Value[Mapping[str, bool]] = Value({}, self)
        """The user's choice for each model, by its name."""

    def choose_smooth(self, on: bool) -> None:
        """Show pictures of the visible model smooth or crisp from now on."""
        trained = self._maker()
        if trained is not None:
            self.choices.set({**self.choices.get(), trained.card.name: on})
        self.smooth.set(on)

    def follow_model(self) -> None:
        """Use the choice of the model whose pictures are now visible."""
        trained = self._maker()
        default = trained.card.smooth if trained is not None else False
        name = trained.card.name if trained is not None else ""
        self.smooth.set(self.choices.get().get(name, default))

    def restore_choices(self, choices: Mapping[str, bool]) -> None:
        self.choices.set({name: bool(on) for name, on in choices.items()})
