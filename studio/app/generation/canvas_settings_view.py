"""Shows the size of the pictures of a model that draws any size."""

from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.app.generation.canvas_settings import MIN_SIDE, CanvasSettings
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Column, Label, NumberField, SegmentedControl
from studio.app.widgets.theme import Theme
from studio.wire.messages import MAX_CANVAS_SIDE

SIDE_STEP = 16
"""Pixels by which an arrow of a field changes a side."""


class CanvasSizeRow(QWidget):
    """Edits width and height."""

    def __init__(self, theme: Theme, canvas: CanvasSettings) -> None:
        super().__init__()
        self.width_field = NumberField("Width", MIN_SIDE, MAX_CANVAS_SIDE, "Set the width of the pictures in pixels")
        self.height_field = NumberField("Height", MIN_SIDE, MAX_CANVAS_SIDE, "Set the height of the pictures in pixels")
        label = Label("Size")
        label.setBuddy(self.width_field)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(theme.scaled(8))
        for part, stretch in ((label, 4), (self.width_field, 3), (Label("×", "soft"), 0), (self.height_field, 3)):
            line.addWidget(part, stretch)
        for field in (self.width_field, self.height_field):
            field.setSingleStep(SIDE_STEP)
        wide = self.width_field
        high = self.height_field
        bind(self, canvas.size, lambda size: wide.setValue(size[1]), wide.valueChanged, canvas.set_width)
        bind(self, canvas.size, lambda size: high.setValue(size[0]), high.valueChanged, canvas.set_height)


class CanvasSection(Column):
    """Shows size and edges of the pictures, while the model draws any size."""

    def __init__(self, theme: Theme, canvas: CanvasSettings) -> None:
        super().__init__(theme)
        self.size_row = CanvasSizeRow(theme, canvas)
        self.edges = SegmentedControl(
            theme,
            "Edges",
            (("plain", "Plain"), ("seamless", "Seamless")),
            tooltip="Let opposite edges continue each other, as tiles need",
        )
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(theme.scaled(8))
        line.addWidget(Label("Edges"), 2)
        line.addWidget(self.edges, 3)
        self.add_widgets(self.size_row, row)
        bind(self, canvas.available, self.setVisible)
        bind(
            self,
            canvas.seamless,
            lambda on: self.edges.show_choice("seamless" if on else "plain"),
            self.edges.chosen,
            lambda choice: canvas.set_seamless(choice == "seamless"),
        )
