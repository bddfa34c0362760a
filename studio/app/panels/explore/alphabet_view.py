"""Shows the alphabet on the stage: a picture of each class on one sheet."""

from PySide6.QtCore import Signal

from studio.app.panels.explore.alphabet import Alphabet
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Label
from studio.app.widgets.picture import CaptionedPicture
from studio.app.widgets.theme import Theme
from studio.wire.messages import Array


class AlphabetPage(CaptionedPicture):
    """Shows the pictures of all classes in rows. `class_clicked` carries the number of a class."""

    class_clicked = Signal(int)

    def __init__(self, theme: Theme, alphabet: Alphabet) -> None:
        self.caption = Label("", "soft")
        super().__init__(theme, "Alphabet", self.caption)
        self._alphabet = alphabet
        bind(self, alphabet.sheet, self._show_sheet)
        self.view.pixel_clicked.connect(self._choose_at)

    def _show_sheet(self, sheet: Array | None) -> None:
        count = len(self._alphabet.pictures.get())
        self.caption.setText(f"{count} classes of one latent. Click one to see it alone.")
        self.view.show_picture(sheet)
        self.view.setAccessibleDescription(self.caption.text())
        self.update_layout()

    def _choose_at(self, row: int, column: int) -> None:
        label = self._alphabet.label_at(row, column)
        if label is not None:
            self.class_clicked.emit(label)
