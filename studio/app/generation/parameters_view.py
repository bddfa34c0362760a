"""Shows the parameters of a run: number, class, seed, temperature, and a second model."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from studio.app.core.guard import guarded
from studio.app.core.text import group_digits
from studio.app.core.undo import UndoHistory
from studio.app.generation.parameters import SLIDER_MAX_TEMPERATURE, Parameters, partner_titles, safe_temperatures
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import (
    Button,
    ChoiceField,
    Column,
    Label,
    NumberField,
    make_row,
    set_style,
    set_tooltip,
)
from studio.app.widgets.theme import Theme
from studio.app.widgets.value_slider import ValueSlider
from studio.library.models import InstalledModel
from studio.wire.messages import MAX_GUIDANCE


class SeedField(QWidget):
    """Edits a seed.

    Signals: `seed_typed` the typed text, `lock_changed` whether the seed is locked, `roll_requested` nothing.
    """

    seed_typed = Signal(str)
    lock_changed = Signal(bool)
    roll_requested = Signal()

    def __init__(self, theme: Theme, roll: str, roll_help: str, prefix: str = "") -> None:
        super().__init__()
        self._theme = theme
        self._prefix = prefix
        self._seed = 0
        self._box = QFrame()
        self._box.setProperty("role", "field")
        self.field = QLineEdit()
        self.field.setProperty("role", "bare")
        self.field.setAccessibleName("Seed")
        set_tooltip(self.field, "Set the number that decides the picture")
        self.lock = Button(theme, "", "small", "unlock", "Lock seed", "Keep this seed for the next run", "L")
        self.lock.setCheckable(True)
        self.dice = Button(theme, "", "square", "dice", roll, roll_help, "R")
        self.error = Label("", "danger", wrap=True)
        self.error.hide()
        inside = QHBoxLayout(self._box)
        inside.setContentsMargins(7, 0, 2, 0)
        inside.setSpacing(2)
        inside.addWidget(self.field, 1)
        inside.addWidget(self.lock)
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(self._box, 1)
        line.addWidget(self.dice)
        self.line = line
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(line)
        column.addWidget(self.error)
        self.setFocusProxy(self.field)
        self.field.editingFinished.connect(self._emit_typed)
        self.field.installEventFilter(self)
        self.lock.clicked.connect(self.lock_changed)
        self.dice.clicked.connect(self.roll_requested)
        theme.changed.connect(self._resize)
        self._resize()

    def show_seed(self, seed: int) -> None:
        self._seed = seed
        if not (self.field.hasFocus() and self.field.isModified()):
            self._show_text()

    def show_locked(self, locked: bool) -> None:
        self.lock.setChecked(locked)
        self.lock.set_icon("lock" if locked else "unlock")

    def show_error(self, sentence: str) -> None:
        self.error.setText(sentence)
        self.error.setVisible(bool(sentence))
        set_style(self._box, wrong=bool(sentence))
        self.field.setAccessibleDescription(sentence)

    def _show_text(self) -> None:
        self.field.setText(f"{self._prefix}{group_digits(self._seed)}")

    def _emit_typed(self) -> None:
        if self.field.isModified():
            self.field.setModified(False)
            self.seed_typed.emit(self.field.text().removeprefix(self._prefix))
            if not self.error.text():
                self._show_text()

    def _resize(self) -> None:
        self._box.setFixedHeight(self._theme.scaled(32))

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Restore the seed on Esc. Select it on a click, so that typing replaces it."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Escape:
            self.field.setModified(False)
            self._show_text()
            self.show_error("")
            return True
        return False


class ClassField(ChoiceField):
    """Lists the classes of a model, or one group of them. `class_chosen` carries an index, None for any."""

    class_chosen = Signal(object)

    def __init__(self, theme: Theme, any_class: str = "Any") -> None:
        super().__init__(theme, "Class")
        self._any_class = any_class
        self.activated.connect(lambda place: self.class_chosen.emit(self.itemData(place)))

    def show_model(self, trained: InstalledModel | None, label: int | None) -> None:
        self.show_classes(trained.card.class_names if trained is not None else (), trained)
        self.show_label(label)

    def show_classes(self, classes: Sequence[str], trained: InstalledModel | None) -> None:
        self.clear()
        for place, name in enumerate((self._any_class, *classes)):
            self.addItem(name, place - 1 if place else None)
        self.set_tooltip(f"Choose the class of each {output_noun(trained)}")
        self.setVisible(bool(classes))

    def show_label(self, label: int | None) -> None:
        self.setCurrentIndex(0 if label is None else label + 1)


class ParametersForm(Column):
    """Shows all parameters of a run.

    Arguments
        max_number: with 1, the number is not shown
        noun: the word for the artworks; empty for the model's own
        below: widgets below the temperature
    """

    def __init__(
        self,
        theme: Theme,
        parameters: Parameters,
        history: UndoHistory,
        max_number: int,
        noun: str = "",
        below: Sequence[QWidget] = (),
    ) -> None:
        super().__init__(theme)
        self._parameters = parameters
        self._noun = noun
        self.number = NumberField("Number", 1, max_number)
        self.class_field = ClassField(theme)
        self.second_class_field = ClassField(theme)
        self.seed = SeedField(theme, "New seed", "Roll another seed")
        self.temperature = ValueSlider(
            theme,
            "Temperature",
            0.0,
            SLIDER_MAX_TEMPERATURE,
            1.0,
            tooltip="Set how bold the model is. Lower is calmer, higher is wilder",
        )
        self.guidance = ValueSlider(
            theme,
            "Guidance",
            0.0,
            MAX_GUIDANCE,
            tooltip="Draw what is typical of the class. 0 draws as the model learned",
        )
        self.top_p = ValueSlider(
            theme, "Top-p", 0.0, 1.0, 1.0, tooltip="Draw only the likeliest levels of each pixel. At 1 it draws all"
        )
        self.mix = ChoiceField(theme, "Mix with")
        self.share = ValueSlider(theme, "Share", 0.0, 1.0, 0.5, tooltip="Set how much the second model decides")
        self._class_fields = (Label(""), self.class_field), (Label(""), self.second_class_field)
        self._mix_row = _form_row(Label("Mix with"), self.mix)
        self._build()
        dial = QVBoxLayout()
        dial.setSpacing(2)
        dial.addWidget(self.temperature)
        if not below:
            dial.addWidget(make_row(Label("calm", "note"), 0, Label("wild", "note")))
        self.rows.addLayout(dial)
        self.add_widgets(*below, self.guidance, self.top_p, self._mix_row, self.share)
        self._connect(parameters, history)

    def _build(self) -> None:
        form = QGridLayout()
        form.setVerticalSpacing(10)
        form.setHorizontalSpacing(12)
        form.setColumnStretch(0, 2)
        form.setColumnStretch(1, 3)
        fields = ((Label("Number"), self.number), *self._class_fields, (Label("Seed"), self.seed))
        for place, (label, field) in enumerate(fields):
            if field is self.number and self.number.maximum() == 1:
                field.setParent(None)
                continue
            label.setMinimumHeight(self._theme.scaled(32))
            label.setBuddy(field)
            form.addWidget(label, place, 0, Qt.AlignmentFlag.AlignTop)
            form.addWidget(field, place, 1)
        self.rows.addLayout(form)

    def _connect(self, parameters: Parameters, history: UndoHistory) -> None:
        mixing = parameters.mix
        bind(self, parameters.model, self._show_model)
        bind(self, parameters.number, self.number.setValue, self.number.valueChanged, parameters.set_number)
        bind(self, parameters.seed, self.seed.show_seed, self.seed.seed_typed, parameters.set_seed)
        bind(self, parameters.locked, self.seed.show_locked, self.seed.lock_changed, parameters.lock_seed)
        bind(self, parameters.error, self.seed.show_error)
        bind(
            self,
            parameters.temperature,
            self.temperature.show_value,
            self.temperature.moved,
            parameters.set_temperature,
        )
        sharpening = parameters.sharpening
        bind(self, sharpening.guidance, self.guidance.show_value, self.guidance.moved, sharpening.set_guidance)
        bind(self, sharpening.top_p, self.top_p.show_value, self.top_p.moved, sharpening.set_top_p)
        bind(self, sharpening.has_guidance, self.guidance.setVisible)
        bind(self, sharpening.has_top_p, self.top_p.setVisible)
        bind(self, parameters.label, self._show_label)
        bind(self, mixing.partners, self._show_partners)
        bind(self, mixing.name, self._show_mix, self.mix.activated, self._choose_mix)
        bind(self, mixing.share, self.share.show_value, self.share.moved, parameters.set_share)
        for sort, (_, kind) in enumerate(self._class_fields):
            kind.class_chosen.connect(partial(parameters.set_class, sort))
        self.seed.roll_requested.connect(parameters.new_seed)
        self.temperature.home_requested.connect(parameters.reset_temperature)
        self.share.home_requested.connect(lambda: parameters.set_share(0.5, None))
        self.guidance.home_requested.connect(lambda: sharpening.set_guidance(0.0, None))
        self.top_p.home_requested.connect(lambda: sharpening.set_top_p(1.0, None))
        sliders = {
            "temperature": self.temperature,
            "guidance": self.guidance,
            "top-p": self.top_p,
            "share": self.share,
        }
        for gesture, slider in sliders.items():
            slider.grabbed.connect(partial(history.begin_gesture, gesture))
            slider.released.connect(history.end_gesture)

    def _show_model(self, trained: InstalledModel | None) -> None:
        self.number.set_tooltip(f"Set how many {self._noun or output_noun(trained) + 's'} to make")
        step = "pixel" if output_noun(trained) == "picture" else "sample"
        self.mix.set_tooltip(f"Blend in a second model's choices, {step} by {step}")
        sorts = trained.card.class_groups if trained is not None else ()
        for place, (label, kind) in enumerate(self._class_fields):
            name, kinds = sorts[place] if place < len(sorts) else ("", ())
            label.setText(name)
            label.setVisible(bool(kinds))
            kind.setAccessibleName(name)
            kind.show_classes(kinds, trained)
        self._show_label(self._parameters.label.get())
        if trained is not None:
            self.temperature.show_home(trained.card.temperature)
            self.temperature.show_safe(safe_temperatures(trained.card))

    def _show_label(self, _: object) -> None:
        for (_label, kind), chosen in zip(self._class_fields, self._parameters.class_choices, strict=False):
            kind.show_label(chosen)

    def _show_partners(self, partners: Any) -> None:
        self.mix.clear()
        for title, name in partner_titles(partners):
            self.mix.addItem(title, name)
        self._mix_row.setVisible(bool(partners))
        self._show_mix(self._parameters.mix.name.get())

    def _show_mix(self, name: str) -> None:
        self.mix.setCurrentIndex(max(self.mix.findData(name), 0))
        self.share.setVisible(bool(name))

    def _choose_mix(self, place: int) -> None:
        self._parameters.set_mix(self.mix.itemData(place))


def output_noun(trained: InstalledModel | None) -> str:
    """Return the word for a model's artworks: `picture`, `wave` or `sound`."""
    if trained is None or trained.card.medium != "sound":
        return "picture"
    return "sound" if trained.card.sample_rate else "wave"


def _form_row(label: Label, field: QWidget) -> QWidget:
    """Return a row with a label and its field, in the proportions of the form."""
    box = QWidget()
    line = QHBoxLayout(box)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(12)
    line.addWidget(label, 2)
    line.addWidget(field, 3)
    label.setBuddy(field)
    return box
