"""Holds how pictures are saved and copied.

The settings are the size, and whether several pictures become one sheet.
"""

from PySide6.QtCore import QObject

from studio.app.core.observable import Field, State, Value
from studio.media.pictures.enlarging import MAX_SIDE, Enlargement

TIMES = (1, 4, 8, 16)
"""Factors by which a saved picture can be larger."""


class ExportSettings(State):
    """Holds the user's choices for saving and copying pictures, the same in every panel."""

    def __init__(self, smooth: Value[bool], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.smooth = smooth
        """Whether the window shows pictures smooth."""
        self.times: Value[int] = Value(8, self)
        """One of TIMES; 0 if the size is given in pixels."""
        self.pixels: Value[int] = Value(512, self)
        """The most pixels of the longer side, if `times` is 0."""
        self.on_sheet: Value[bool] = Value(False, self)
        """Whether several pictures are saved in one file."""
        self.fields = (
            Field("times", self.times.get, self.choose_times),
            Field("pixels", self.pixels.get, lambda pixels: self.choose_pixels(int(pixels))),
            Field.of("on_sheet", self.on_sheet, bool),
        )

    @property
    def chosen_enlargement(self) -> Enlargement:
        """Return the size chosen now, smooth if the window shows pictures smooth."""
        times = self.times.get()
        return Enlargement(times or 1, 0 if times else self.pixels.get(), self.smooth.get())

    def choose_times(self, times: int) -> None:
        """Choose one of TIMES, or 0 for a size in pixels."""
        if times in (*TIMES, 0):
            self.times.set(times)

    def choose_pixels(self, pixels: int) -> None:
        self.pixels.set(min(max(pixels, 1), MAX_SIDE))

    def choose_sheet(self, on: bool) -> None:
        self.on_sheet.set(on)
