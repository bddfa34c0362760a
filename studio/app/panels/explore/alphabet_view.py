"""Shows the alphabet on the stage: a picture of each class on one sheet."""

import numpy as np
from PySide6.QtCore import Signal

from studio.app.widgets.controls import Label
from studio.app.widgets.picture import CaptionedPicture
from studio.app.widgets.theme import Theme
from studio.media.export import SHEET_GAP, arrange_sheet, sheet_columns
from studio.wire.messages import Array

CAPTION = "{count} classes of one latent. Click one to see it alone."


class AlphabetPage(CaptionedPicture):
    """Shows the pictures of all classes in rows. `class_clicked` carries the number of a class."""

    class_clicked = Signal(int)

    def __init__(self, theme: Theme) -> None:
        self.caption = Label("", "soft")
        super().__init__(theme, "Alphabet", self.caption)
        self._pictures: tuple[Array, ...] = ()
        self.view.pixel_clicked.connect(self._choose_at)
        theme.changed.connect(lambda: self.show_pictures(self._pictures))

    def show_pictures(self, pictures: tuple[Array, ...]) -> None:
        """Show pictures (height, width, channels) uint8 of one size."""
        self._pictures = pictures
        self.caption.setText(CAPTION.format(count=len(pictures)))
        between = self._theme.colour("window").lightness()
        columns = sheet_columns(len(pictures))
        self.view.show_picture(arrange_sheet(np.stack(pictures), columns, over=between) if pictures else None)
        self.view.setAccessibleDescription(self.caption.text())
        self.update_layout()

    def _choose_at(self, row: int, column: int) -> None:
        height, width = self._pictures[0].shape[:2]
        down, inside_row = divmod(row - SHEET_GAP, height + SHEET_GAP)
        across, inside_column = divmod(column - SHEET_GAP, width + SHEET_GAP)
        label = down * sheet_columns(len(self._pictures)) + across
        if down >= 0 and across >= 0 and inside_row < height and inside_column < width and label < len(self._pictures):
            self.class_clicked.emit(label)
