"""The hand on a picture that is to be completed: tools that mark a hole, and the brush that paints temperature."""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from PySide6.QtCore import QObject

from studio.app.core.observable import Field, State, Value, of_type, one_of, within
from studio.app.core.undo import ChangeStep
from studio.app.panels.complete import mask as masks
from studio.app.panels.complete.mask import Place, Shape
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
    """The mask and the temperature map on a picture. One gesture of the hand is one step of undo."""

    def __init__(
        self,
        change: ChangeStep,
        hold: Callable[[str], None],
        seal: Callable[[], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._change, self._hold, self._seal = change, hold, seal
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
        self.fields = (
            Field("mask", lambda: masks.packed(self.mask.get()), self._use_mask),
            Field("heat", lambda: masks.packed(self.heat.get()), self._use_heat),
            Field("tool", self.tool.get, self._use_tool, undo=False),
            Field("size", self.size.get, lambda size: self.set_size(int(size)), undo=False),
            Field("warmth", self.warmth.get, self.set_warmth, undo=False),
        )

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
        self.warmth.set(round(within(warmth, 0.0, WILDEST), 2))

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
        self._change("invert", mask=masks.packed(~self.mask.get()))

    def move_row(self, by: int) -> None:
        """The line from which everything is marked, up or down by so many rows."""
        row = masks.row_of(self.mask.get())
        row = min(max((self.shape[0] if row is None else row) + by, 0), self.shape[0])
        self._change("row line", "row line", mask=masks.packed(masks.below(self.shape, row)))

    def even_out(self) -> None:
        """Take away all that was painted of temperature."""
        self._change("temperature", heat="")

    # ── plain data: undo, restart ────────────────────────────────────────────────────────────────

    def fit(self, shape: Shape) -> None:
        """Another picture is painted on. If its size is another one, nothing is painted there yet."""
        if shape != self.shape:
            self.mask.set(np.zeros(shape, bool))
            self.heat.set(np.full(shape, masks.EVEN, np.uint8))

    def _use_mask(self, text: str) -> None:
        self.mask.set(masks.unpacked_mask(of_type(str, text), self.shape))

    def _use_heat(self, text: str) -> None:
        self.heat.set(masks.unpacked_heat(of_type(str, text), self.shape))

    def _use_tool(self, name: str) -> None:
        tools: tuple[Tool, ...] = get_args(Tool)
        self.tool.set(one_of(tools, name))

    def _put(self, **layer: Array) -> None:
        tool = self.tool.get()
        self._change(TOOLS[tool], f"paint {tool}", **{name: masks.packed(array) for name, array in layer.items()})
