"""How pictures leave the window: how large, crisp or smooth as they are seen, each in a file or all on a sheet."""

from PySide6.QtCore import QObject

from studio.app.states.value import Plain, State, Value
from studio.media.enlarging import LARGEST, Enlargement, blended

__all__ = ["LARGEST", "TIMES", "Exporting", "blended"]
TIMES = (1, 4, 8, 16)
"""How many times as large a picture can be saved."""


class Exporting(State):
    """What the artist chose for saving and copying pictures. It holds in every panel."""

    def __init__(self, smooth: Value[bool], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.smooth = smooth
        """Whether pictures are seen blended."""
        self.times: Value[int] = Value(8, self)
        """One of TIMES; 0 if the size is given in pixels."""
        self.pixels: Value[int] = Value(512, self)
        """How long the longer side is at most, if `times` is 0."""
        self.on_sheet: Value[bool] = Value(False, self)
        """Whether several pictures go into one file."""

    @property
    def enlargement(self) -> Enlargement:
        """As chosen now; blended if pictures are seen so."""
        times = self.times.get()
        return Enlargement(times or 1, 0 if times else self.pixels.get(), self.smooth.get())

    def choose_times(self, times: int) -> None:
        """One of TIMES, or 0 for a size in pixels."""
        if times in (*TIMES, 0):
            self.times.set(times)

    def choose_pixels(self, pixels: int) -> None:
        self.pixels.set(min(max(pixels, 1), LARGEST))

    def choose_sheet(self, on: bool) -> None:
        self.on_sheet.set(on)

    def snapshot(self) -> Plain:
        return {"times": self.times.get(), "pixels": self.pixels.get(), "sheet": self.on_sheet.get()}

    def restore(self, plain: Plain) -> None:
        self.choose_times(int(plain.get("times", self.times.get())))
        self.choose_pixels(int(plain.get("pixels", self.pixels.get())))
        self.choose_sheet(bool(plain.get("sheet", False)))
