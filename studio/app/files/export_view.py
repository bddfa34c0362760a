"""Shows in the inspector how pictures are saved and copied."""

from collections.abc import Callable
from typing import Any

from PySide6.QtWidgets import QGridLayout, QWidget

from studio.app.core.observable import Value
from studio.app.files.export_settings import TIMES, ExportSettings
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import ChoiceField, Column, Label, NumberField, SegmentedControl, set_part_visible
from studio.app.widgets.theme import Theme
from studio.media.pictures.enlarging import MAX_SIDE


class ExportSection(Column):
    """Lets the user choose the size of saved pictures, the same in every panel.

    Arguments
        several: whether the panel can save more than one picture at once; `show_several` changes that
        canvas_size: returns (height, width) of pictures that do not have the model's own size; call `update_note`
            after a change
    """

    def __init__(
        self,
        theme: Theme,
        exporting: ExportSettings,
        model: Value[Any],
        several: bool = False,
        canvas_size: Callable[[], tuple[int, int] | None] = lambda: None,
    ) -> None:
        super().__init__(theme)
        self._canvas_size = canvas_size
        self._exporting = exporting
        self._model = model
        self._several = several
        self.times = ChoiceField(theme, "Size", "Choose how large pictures are saved and copied")
        for times in TIMES:
            self.times.addItem(f"{times} ×", times)
        self.times.addItem("In pixels", 0)
        self.pixels = NumberField("Longer side", 1, MAX_SIDE, "Limit the pixels of the longer side")
        self.pixels.setSuffix(" px")
        self.sheet = SegmentedControl(
            theme,
            "Several",
            (("files", "Files"), ("sheet", "One sheet")),
            tooltip="Save single files, or all on one sheet",
        )
        self.note = Label("", "note", wrap=True)
        self._size_note = Label("Longer side")
        self._several_label = Label("Several")
        rows: list[tuple[Label, QWidget]] = [
            (Label("Size"), self.times),
            (self._size_note, self.pixels),
            (self._several_label, self.sheet),
        ]
        form = QGridLayout()
        form.setVerticalSpacing(10)
        form.setHorizontalSpacing(12)
        form.setColumnStretch(0, 2)
        form.setColumnStretch(1, 3)
        for place, (label, field) in enumerate(rows):
            label.setMinimumHeight(theme.scaled(32))
            label.setBuddy(field)
            form.addWidget(label, place, 0)
            form.addWidget(field, place, 1)
        self.add_section("Saved and copied pictures")
        self.rows.addLayout(form)
        self.add_widgets(self.note)
        self.show_several(several)
        bind(self, exporting.times, self._show_times, self.times.activated, self._choose_size)
        bind(self, exporting.pixels, self._show_pixels, self.pixels.valueChanged, exporting.choose_pixels)
        bind(self, exporting.on_sheet, self._show_sheet, self.sheet.chosen, self._choose_sheet)
        bind(self, exporting.smooth, self.update_note)
        bind(self, model, self.update_note)

    def show_several(self, several: bool) -> None:
        """Show whether more than one picture can be saved at once now."""
        self._several = several
        self.sheet.setVisible(several)
        self._several_label.setVisible(several)
        self.update_note(None)

    def _choose_size(self, place: int) -> None:
        self._exporting.choose_times(self.times.itemData(place))

    def _choose_sheet(self, key: str) -> None:
        self._exporting.choose_sheet(key == "sheet")

    def _show_times(self, times: int) -> None:
        self.times.setCurrentIndex(self.times.findData(times))
        self.pixels.setVisible(not times)
        self._size_note.setVisible(not times)
        self.update_note(times)

    def _show_pixels(self, pixels: int) -> None:
        self.pixels.setValue(pixels)
        self.update_note(pixels)

    def _show_sheet(self, on: bool) -> None:
        self.sheet.show_choice("sheet" if on else "files")
        self.update_note(on)

    def update_note(self, _: object) -> None:
        """Show the resulting size; hide the section if the model makes no pictures."""
        trained = self._model.get()
        shape = trained.card.picture_size if trained is not None else None
        set_part_visible(self, shape is not None)
        if shape is not None:
            height, width = self._exporting.chosen_enlargement.enlarged_size(*(self._canvas_size() or shape))
            how = "smooth" if self._exporting.smooth.get() else "crisp"
            each = "each " if self._several and self._exporting.on_sheet.get() else ""
            note = f"{each}{width:,} × {height:,} pixels, {how} as seen, with the recipe inside"
            self.note.setText(note[0].upper() + note[1:])
