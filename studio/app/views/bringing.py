"""The inspector while a picture is brought in: how it is cut, and what the model will see of it."""

from typing import Any

from PySide6.QtCore import Qt

from studio.app.states.complete import Complete
from studio.app.states.explore import Explore
from studio.app.views.bind import bind
from studio.app.views.controls import Elided, Label, Segments
from studio.app.views.pages import Column
from studio.app.views.picture import PictureView
from studio.app.views.theme import Look

_CROPS = (("crop", "Crop"), ("fit", "Fit"), ("pad", "Pad"))


class Bringing(Column):
    """While a picture is brought in: how it is cut, and what the model will see of it."""

    def __init__(self, look: Look, state: Explore | Complete) -> None:
        super().__init__(look)
        self._state = state
        self.how = Segments(look, "How to cut", _CROPS, help="Cut a frame out of it, squeeze it, or add margins")
        self.name = Elided("", "name")
        self.seen = PictureView(look, "What the model will see")
        self.note = Label("Drag the frame to choose the part; drag its corner to size it.", "note", wrap=True)
        self.section("Bring in a picture", first=True)
        self.add(self.name, self.how, self.note)
        self.section("As the model will see it")
        self.add(self.seen)
        self.end()
        self.seen.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        bind(self, state.photo, self._show_photo, self.how.chosen, state.set_crop)

    def _show_photo(self, photo: Any) -> None:
        if photo is not None:
            self.name.show_text(photo.picture.name)
            self.how.show_choice(photo.how)
            self.note.setVisible(photo.how == "crop")
            self.seen.setFixedHeight(self._look.px(224))
            self.seen.show_picture(photo.seen)
