"""A picture that is brought in: the crop preview on the stage, and in the inspector what the model will see of it."""

from functools import partial
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.app.files.crop_view import CropView
from studio.app.panels.complete.canvas import Canvas
from studio.app.panels.explore.state import Explore
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Column, ElidedLabel, Label, SegmentedControl, make_row
from studio.app.widgets.picture import PictureView
from studio.app.widgets.theme import Theme

_CROPS = (("crop", "Crop"), ("fit", "Fit"), ("pad", "Pad"))


class Bringing(Column):
    """While a picture is brought in: how it is cut, and what the model will see of it."""

    def __init__(self, look: Theme, state: Explore | Canvas) -> None:
        super().__init__(look)
        self._state = state
        self.how = SegmentedControl(
            look, "How to cut", _CROPS, tooltip="Cut a frame out of it, squeeze it, or add margins"
        )
        self.name = ElidedLabel("", "name")
        self.seen = PictureView(look, "What the model will see")
        self.note = Label("Drag the frame to choose the part; drag its corner to size it.", "note", wrap=True)
        self.add_section("Bring in a picture", first=True)
        self.add_widgets(self.name, self.how, self.note)
        self.add_section("As the model will see it")
        self.add_widgets(self.seen)
        self.add_stretch()
        self.seen.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        bind(self, state.photo, self._show_photo, self.how.chosen, state.set_crop)

    def _show_photo(self, photo: Any) -> None:
        if photo is not None:
            self.name.show_text(photo.picture.name)
            self.how.show_choice(photo.how)
            self.note.setVisible(photo.how == "crop")
            self.seen.setFixedHeight(self._theme.scaled(224))
            self.seen.show_picture(photo.seen)


class CropPage(QWidget):
    """The crop frame over the whole picture, and its name and size."""

    def __init__(self, look: Theme, state: Explore | Canvas) -> None:
        super().__init__()
        self.view = CropView(look)
        self.words = ElidedLabel("", "soft", Qt.TextElideMode.ElideRight)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 12)
        column.addWidget(self.view, 1)
        column.addWidget(make_row(self.words, margins=(24, 0, 24, 0)))
        bind(self, state.photo, self._show_photo, self.view.cropped, partial(state.set_crop, "crop"))

    def _show_photo(self, photo: Any) -> None:
        self.view.show_photo(photo)
        if photo is not None:
            height, width = photo.picture.array.shape[:2]
            notes = "".join(f" · {note}" for note in photo.picture.notes)
            self.words.show_text(f"{photo.picture.name} · {width:,} × {height:,}{notes}")
