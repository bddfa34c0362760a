"""Places fields below each other, each beside its name."""

from PySide6.QtWidgets import QGridLayout, QWidget

from studio.app.widgets.controls import Label
from studio.app.widgets.theme import Theme


def make_form(theme: Theme, rows: list[tuple[str, QWidget]]) -> QGridLayout:
    """Return fields below each other, each beside its name."""
    form = QGridLayout()
    form.setVerticalSpacing(10)
    form.setHorizontalSpacing(12)
    form.setColumnStretch(0, 2)
    form.setColumnStretch(1, 5)
    for place, (name, field) in enumerate(rows):
        label = Label(name)
        label.setMinimumHeight(theme.scaled(32))
        label.setBuddy(field)
        form.addWidget(label, place, 0)
        form.addWidget(field, place, 1)
    return form
