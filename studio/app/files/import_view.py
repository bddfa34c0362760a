"""Shows an imported picture: the crop on the stage, the model's input in the inspector."""

from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.app.files.crop_view import CropView
from studio.app.files.importing import CropPreview, Importing
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Column, ElidedLabel, Label, SegmentedControl, make_row
from studio.app.widgets.picture import PictureView
from studio.app.widgets.theme import Theme

_CROPS = (("crop", "Crop"), ("fit", "Fit"), ("pad", "Pad"))


class ImportSection(Column):
    """Shows the crop of an imported picture, and the model's input."""

    def __init__(self, theme: Theme, importing: Importing) -> None:
        super().__init__(theme)
        self.fit_field = SegmentedControl(
            theme, "How to cut", _CROPS, tooltip="Cut a frame out of it, squeeze it, or add margins"
        )
        self.name = ElidedLabel("", "name")
        self.seen = PictureView(theme, "What the model will see")
        self.note = Label("Drag the frame to choose the part. Drag its corner to size it.", "note", wrap=True)
        self.add_section("Bring in a picture", first=True)
        self.add_widgets(self.name, self.fit_field, self.note)
        self.add_section("As the model will see it")
        self.colours = Label("", "note", wrap=True)
        self.add_widgets(self.seen, self.colours)
        self.add_stretch()
        self.seen.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        bind(self, importing.preview, self._show_preview, self.fit_field.chosen, importing.set_crop)

    def _show_preview(self, preview: CropPreview | None) -> None:
        if preview is not None:
            self.name.show_text(preview.picture.name)
            self.fit_field.show_choice(preview.mode)
            self.note.setVisible(preview.mode == "crop")
            self.seen.setFixedHeight(self._theme.scaled(224))
            self.seen.show_picture(preview.model_input)
            self.colours.setText(f"{preview.note}." if preview.note else "")
            self.colours.setVisible(bool(preview.note))


class CropPage(QWidget):
    """Shows the crop frame over the whole picture, with its name and size."""

    def __init__(self, theme: Theme, importing: Importing) -> None:
        super().__init__()
        self.view = CropView(theme)
        self.caption = ElidedLabel("", "soft", Qt.TextElideMode.ElideRight)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 12)
        column.addWidget(self.view, 1)
        column.addWidget(make_row(self.caption, margins=(24, 0, 24, 0)))
        bind(self, importing.preview, self._show_preview, self.view.cropped, partial(importing.set_crop, "crop"))

    def _show_preview(self, preview: CropPreview | None) -> None:
        self.view.show_preview(preview)
        if preview is not None:
            height, width = preview.picture.array.shape[:2]
            notes = "".join(f" · {note}" for note in preview.picture.notes)
            self.caption.show_text(f"{preview.picture.name} · {width:,} × {height:,}{notes}")
