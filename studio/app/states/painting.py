"""The hand on a picture that is to be completed: tools that mark a hole, and the brush that paints temperature."""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from PySide6.QtCore import QObject

from studio.app.states import mask as masks
from studio.app.states.mask import Place
from studio.app.states.value import Plain, State, Value
from studio.wire.messages import Array

Tool = Literal["brush", "eraser", "rectangle", "rows", "temperature"]
TOOLS: dict[str, str] = {
    "brush": "brush", "eraser": "eraser", "rectangle": "rectangle", "rows": "row line", "temperature": "temperature",
}  # fmt: skip
"""What a step of undo is called."""
LARGEST_BRUSH = 64
NONE = np.zeros((1, 1), bool)
WILDEST = 2.0
"""Times the temperature: the end of the brush's dial."""


class Painting(State):
    """`step(name, gesture, mask=… | heat=…)` does what can be undone; one gesture is one step."""

    def __init__(
        self,
        step: Callable[..., None],
        hold: Callable[[str], None],
        seal: Callable[[], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._step, self._hold, self._seal = step, hold, seal
        self.mask: Value[Array] = Value(NONE, self)
        """(height, width) bool, True where the picture is to be made anew."""
        self.heat: Value[Array] = Value(np.full((1, 1), masks.EVEN, np.uint8), self)
        """(height, width) uint8, hundredths of what the temperature is multiplied by."""
        self.tool: Value[Tool] = Value("brush", self)
        self.size: Value[int] = Value(5, self)
        """Width of the brush in pixels of the picture, 1 to 64."""
        self.warmth: Value[float] = Value(1.5, self)
        """What the temperature brush paints: 0.0 calm to 2.0 wild, 1.0 takes away."""
        self._held: tuple[Array, Array, Place, Place] | None = None
        """Mask and heat at the press, where that was, and where the hand is."""

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.mask.get().shape
        return height, width

    def choose(self, tool: Tool) -> None:
        self.release()
        self.tool.set(tool)

    def set_size(self, size: int) -> None:
        self.size.set(min(max(size, 1), LARGEST_BRUSH))

    def set_warmth(self, warmth: float) -> None:
        self.warmth.set(min(max(round(float(warmth), 2), 0.0), WILDEST))

    def press(self, at: Place) -> None:
        """A hand begins a gesture, which ends with `release` or `cancel`."""
        self._held = (self.mask.get(), self.heat.get(), at, at)
        self._hold(f"paint {self.tool.get()}")
        self.move(at)

    def move(self, at: Place) -> None:
        if self._held is None:
            return
        mask, heat, first, last = self._held
        self._held = (mask, heat, first, at)
        tool, now = self.tool.get(), self.mask.get()
        if tool == "temperature":
            warmed = self.heat.get().copy()
            warmed[masks.stroke(self.shape, last, at, self.size.get())] = min(round(self.warmth.get() * 100), 200)
            self._put(heat=warmed)
        elif tool == "rectangle":
            self._put(mask=mask | masks.rectangle(self.shape, first, at))
        elif tool == "rows":
            self._put(mask=masks.below(self.shape, min(round(at[1]), self.shape[0])))
        else:
            covered = masks.stroke(self.shape, last, at, self.size.get())
            self._put(mask=now | covered if tool == "brush" else now & ~covered)

    def release(self) -> None:
        """The hand lets go."""
        if self._held is not None:
            self._held = None
            self._seal()

    def cancel(self) -> bool:
        """Put back what was before the gesture; whether there was one."""
        if self._held is None:
            return False
        mask, heat, _, _ = self._held
        if self.tool.get() == "temperature":
            self._put(heat=heat)
        else:
            self._put(mask=mask)
        self.release()
        return True

    def invert(self) -> None:
        """Swap hole and picture."""
        self.release()
        self._step("invert", None, mask=masks.packed(~self.mask.get()))

    def move_row(self, by: int) -> None:
        """The line from which everything is marked, up or down by so many rows."""
        row = masks.row_of(self.mask.get())
        row = min(max((self.shape[0] if row is None else row) + by, 0), self.shape[0])
        self._step("row line", "row line", mask=masks.packed(masks.below(self.shape, row)))

    def snapshot(self) -> Plain:
        """What the hand holds."""
        return {"tool": self.tool.get(), "size": self.size.get(), "warmth": self.warmth.get()}

    def restore(self, plain: Plain) -> None:
        tools: tuple[Tool, ...] = get_args(Tool)
        self.tool.set(next((tool for tool in tools if tool == plain.get("tool")), "brush"))
        self.set_size(int(plain.get("size", self.size.get())))
        self.set_warmth(float(plain.get("warmth", self.warmth.get())))

    def even_out(self) -> None:
        """Take away all that was painted of temperature."""
        self._step("temperature", None, heat="")

    def _put(self, **layer: Array) -> None:
        tool = self.tool.get()
        self._step(TOOLS[tool], f"paint {tool}", **{name: masks.packed(array) for name, array in layer.items()})
