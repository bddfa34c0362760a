"""The dials of what is to be made: number, kind, seed, temperature, and a second model."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from studio.app.states.dials import Dials, safe_temperatures
from studio.app.states.history import History
from studio.app.states.mixing import titles
from studio.app.states.sliders import SLIDER_MAX_TEMPERATURE
from studio.app.views.bind import bind
from studio.app.views.controls import Choice, Label, Number, row
from studio.app.views.latent_slider import LatentSlider
from studio.app.views.pages import Column
from studio.app.views.seed_field import SeedField
from studio.app.views.theme import Look


class Kind(Choice):
    """The classes of a model, or one sort of them, where it has any; `chose` carries an index, None for any."""

    chose = Signal(object)

    def __init__(self, look: Look, any_kind: str = "Any") -> None:
        super().__init__(look, "Kind")
        self._any = any_kind
        self.activated.connect(lambda place: self.chose.emit(self.itemData(place)))

    def show_model(self, trained: Any, label: int | None) -> None:
        self.show_kinds(trained.card.kinds if trained is not None else (), trained)
        self.show_label(label)

    def show_kinds(self, kinds: Sequence[str], trained: Any) -> None:
        self.clear()
        for place, name in enumerate((self._any, *kinds)):
            self.addItem(name, place - 1 if place else None)
        self.explain(f"Which class of {made_by(trained)} to ask for")
        self.setVisible(bool(kinds))

    def show_label(self, label: int | None) -> None:
        self.setCurrentIndex(0 if label is None else label + 1)


class DialRows(Column):
    """`things` are made, or else what the model makes; of no more than one, nobody asks how many. `below` stands below
    the temperature."""

    def __init__(
        self, look: Look, dials: Dials, history: History, most: int, things: str = "", below: Sequence[QWidget] = ()
    ) -> None:
        super().__init__(look)
        self._dials, self._things = dials, things
        self.number = Number("Number", 1, most)
        self.kind, self.other_kind = Kind(look), Kind(look)
        self.seed = SeedField(look, "New seed", "Roll another seed")
        self.temperature = LatentSlider(
            look, "Temperature", 0.0, SLIDER_MAX_TEMPERATURE, 1.0, help="Lower is calmer and more typical, higher is wilder"
        )
        self.mix = Choice(look, "Mix with")
        self.share = LatentSlider(look, "Share", 0.0, 1.0, 0.5, help="How much the second model decides")
        self._sorts = (Label(""), self.kind), (Label(""), self.other_kind)
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
        fields = ((Label("Number"), self.number), *self._sorts, (Label("Seed"), self.seed))
        for place, (label, field) in enumerate(fields):
            if field is self.number and self.number.maximum() == 1:
                field.setParent(None)
                continue
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
        bind(self, dials.label, self._show_label)
        bind(self, mixing.partners, self._show_partners)
        bind(self, mixing.name, self._show_mix, self.mix.activated, self._choose_mix)
        bind(self, mixing.share, self.share.show_value, self.share.moved, dials.set_share)
        for sort, (_, kind) in enumerate(self._sorts):
            kind.chose.connect(partial(dials.set_kind, sort))
        self.seed.rolled.connect(dials.new_seed)
        self.temperature.homed.connect(dials.home)
        self.share.homed.connect(lambda: dials.set_share(0.5, None))
        for slider, gesture in ((self.temperature, "temperature"), (self.share, "share")):
            slider.grabbed.connect(partial(history.hold, gesture))
            slider.let_go.connect(history.seal)

    def _show_model(self, trained: Any) -> None:
        self.number.explain(f"How many {self._things or made_by(trained) + 's'} to make")
        step = "pixel" if made_by(trained) == "picture" else "sample"
        self.mix.explain(f"Blend in a second model's choices, {step} by {step}")
        sorts = trained.card.sorts if trained is not None else ()
        for place, (label, kind) in enumerate(self._sorts):
            name, kinds = sorts[place] if place < len(sorts) else ("", ())
            label.setText(name)
            label.setVisible(bool(kinds))
            kind.setAccessibleName(name)
            kind.show_kinds(kinds, trained)
        self._show_label(self._dials.label.get())
        if trained is not None:
            self.temperature.show_home(trained.card.temperature)
            self.temperature.show_safe(safe_temperatures(trained.card))

    def _show_label(self, _: object) -> None:
        for (_label, kind), chosen in zip(self._sorts, self._dials.kinds, strict=False):
            kind.show_label(chosen)

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
    """What a model makes: `picture`, `wave` or `sound`."""
    if trained is None or trained.card.kind != "sound":
        return "picture"
    return "sound" if trained.card.rate else "wave"


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
