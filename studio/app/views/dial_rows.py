"""The dials of what is to be made: number, kind, seed, temperature, and a second model."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from studio.app.states.dials import Dials
from studio.app.states.history import History
from studio.app.states.mixing import titles
from studio.app.states.sliders import HOTTEST
from studio.app.views.bind import bind
from studio.app.views.controls import Choice, Label, Number, row
from studio.app.views.latent_slider import LatentSlider
from studio.app.views.pages import Column
from studio.app.views.seed_field import SeedField
from studio.app.views.theme import Look


class Kind(Choice):
    """The classes of a model, there only where it has any; `chose` carries an index, None for any."""

    chose = Signal(object)

    def __init__(self, look: Look, any_kind: str = "Any") -> None:
        super().__init__(look, "Kind")
        self._any = any_kind
        self.activated.connect(lambda place: self.chose.emit(self.itemData(place)))

    def show_model(self, trained: Any, label: int | None) -> None:
        kinds = trained.card.kinds if trained is not None else ()
        self.clear()
        for place, name in enumerate((self._any, *kinds)):
            self.addItem(name, place - 1 if place else None)
        self.explain(f"Which class of {made_by(trained)} to ask for")
        self.setVisible(bool(kinds))
        self.show_label(label)

    def show_label(self, label: int | None) -> None:
        self.setCurrentIndex(0 if label is None else label + 1)


class DialRows(Column):
    """`things` are made, or else what the model makes; `below` stands below the temperature."""

    def __init__(
        self, look: Look, dials: Dials, history: History, most: int, things: str = "", below: Sequence[QWidget] = ()
    ) -> None:
        super().__init__(look)
        self._dials, self._things = dials, things
        self.number = Number("Number", 1, most)
        self.kind = Kind(look)
        self.seed = SeedField(look, "New seed", "Roll another seed")
        self.temperature = LatentSlider(
            look, "Temperature", 0.0, HOTTEST, 1.0, help="Lower is calmer and more typical, higher is wilder"
        )
        self.mix = Choice(look, "Mix with", "Blend in a second model's choices, pixel by pixel")
        self.share = LatentSlider(look, "Share", 0.0, 1.0, 0.5, help="How much the second model decides")
        self._kind_label = Label("Kind")
        self._mix_row = _beside(Label("Mix with"), self.mix)
        self._form()
        dial = QVBoxLayout()
        dial.setSpacing(2)
        dial.addWidget(self.temperature)
        if not below:
            dial.addWidget(row(Label("calm", "note"), 0, Label("wild", "note")))
        self.rows.addLayout(dial)
        self.add(*below, self._mix_row, self.share)
        self._tie(dials, history)

    def _form(self) -> None:
        form = QGridLayout()
        form.setVerticalSpacing(10)
        form.setHorizontalSpacing(12)
        form.setColumnStretch(0, 2)
        form.setColumnStretch(1, 3)
        fields = ((Label("Number"), self.number), (self._kind_label, self.kind), (Label("Seed"), self.seed))
        for place, (label, field) in enumerate(fields):
            label.setMinimumHeight(self._look.px(32))
            label.setBuddy(field)
            form.addWidget(label, place, 0, Qt.AlignmentFlag.AlignTop)
            form.addWidget(field, place, 1)
        self.rows.addLayout(form)

    def _tie(self, dials: Dials, history: History) -> None:
        mixing = dials.mixing
        bind(self, dials.model, self._show_model)
        bind(self, dials.number, self.number.setValue, self.number.valueChanged, dials.set_number)
        bind(self, dials.seed, self.seed.show_seed, self.seed.typed, dials.set_seed)
        bind(self, dials.locked, self.seed.show_locked, self.seed.locked, dials.lock)
        bind(self, dials.error, self.seed.show_error)
        bind(self, dials.temperature, self.temperature.show_value, self.temperature.moved, dials.set_temperature)
        bind(self, dials.label, self.kind.show_label, self.kind.chose, dials.set_label)
        bind(self, mixing.partners, self._show_partners)
        bind(self, mixing.name, self._show_mix, self.mix.activated, self._choose_mix)
        bind(self, mixing.share, self.share.show_value, self.share.moved, dials.set_share)
        self.seed.rolled.connect(dials.new_seed)
        self.temperature.homed.connect(dials.home)
        self.share.homed.connect(lambda: dials.set_share(0.5, None))
        for slider, gesture in ((self.temperature, "temperature"), (self.share, "share")):
            slider.grabbed.connect(partial(history.hold, gesture))
            slider.let_go.connect(history.seal)

    def _show_model(self, trained: Any) -> None:
        self.number.explain(f"How many {self._things or made_by(trained) + 's'} to make")
        self.kind.show_model(trained, self._dials.label.get())
        self._kind_label.setVisible(self.kind.count() > 1)
        if trained is not None:
            self.temperature.show_home(trained.card.temperature)

    def _show_partners(self, partners: Any) -> None:
        self.mix.clear()
        for title, name in titles(partners):
            self.mix.addItem(title, name)
        self._mix_row.setVisible(bool(partners))
        self._show_mix(self._dials.mixing.name.get())

    def _show_mix(self, name: str) -> None:
        self.mix.setCurrentIndex(max(self.mix.findData(name), 0))
        self.share.setVisible(bool(name))

    def _choose_mix(self, place: int) -> None:
        self._dials.set_mix(self.mix.itemData(place))


def made_by(trained: Any) -> str:
    """What a model makes: `wave` or `picture`."""
    return "wave" if trained is not None and trained.card.kind == "sound" else "picture"


def _beside(label: Label, field: QWidget) -> QWidget:
    """A label and its field, in the proportions of the form."""
    box = QWidget()
    line = QHBoxLayout(box)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(12)
    line.addWidget(label, 2)
    line.addWidget(field, 3)
    label.setBuddy(field)
    return box
