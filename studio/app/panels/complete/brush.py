"""Holds the tools that mark a hole in a picture, and the brush that paints temperature."""

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
"""The name of the undo step of each tool."""
LARGEST_BRUSH = 64
NO_MASK = np.zeros((1, 1), bool)
MAX_FACTOR = 2.0
"""The largest factor of the temperature that the brush paints."""


class BrushTools(State):
    """Holds the mask and the temperature map of a picture. One gesture is one step of undo."""

    def __init__(
        self,
        change: ChangeStep,
        begin_gesture: Callable[[str], None],
        end_gesture: Callable[[], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._change = change
        self._begin_gesture = begin_gesture
        self._end_gesture = end_gesture
        self.mask: Value[Array] = Value(NO_MASK, self)
        """(height, width) bool, True for pixels to be drawn again."""
        self.temperature_map: Value[Array] = Value(np.full((1, 1), masks.NEUTRAL, np.uint8), self)
        """(height, width) uint8, hundredths of the factor of the temperature."""
        self.tool: Value[Tool] = Value("brush", self)
        self.size: Value[int] = Value(5, self)
        """Width of the brush in pixels of the picture, 1 to 64."""
        self.temperature_factor: Value[float] = Value(1.5, self)
        """The factor that the brush paints: 0.0 is calm, 2.0 is wild, 1.0 clears."""
        self._held: tuple[Array, Array, Place, Place] | None = None
        """Mask and heat at the press, where that was, and where the hand is."""
        self.fields = (
            Field("mask", lambda: masks.pack_layer(self.mask.get()), self._use_mask),
            Field("temperature_map", lambda: masks.pack_layer(self.temperature_map.get()), self._use_temperature_map),
            Field("tool", self.tool.get, self._use_tool, undo=False),
            Field("size", self.size.get, lambda size: self.set_size(int(size)), undo=False),
            Field("temperature_factor", self.temperature_factor.get, self.set_temperature_factor, undo=False),
        )

    @property
    def picture_shape(self) -> tuple[int, int]:
        height, width = self.mask.get().shape
        return height, width

    def choose_tool(self, tool: Tool) -> None:
        self.end_stroke()
        self.tool.set(tool)

    def set_size(self, size: int) -> None:
        self.size.set(min(max(size, 1), LARGEST_BRUSH))

    def set_temperature_factor(self, warmth: float) -> None:
        self.temperature_factor.set(round(within(warmth, 0.0, MAX_FACTOR), 2))

    def start_stroke(self, at: Place) -> None:
        """Begin a gesture, which ends with `end_stroke` or `cancel_stroke`."""
        self._held = (self.mask.get(), self.temperature_map.get(), at, at)
        self._begin_gesture(f"paint {self.tool.get()}")
        self.continue_stroke(at)

    def continue_stroke(self, at: Place) -> None:
        if self._held is None:
            return
        mask, temperature, first, last = self._held
        self._held = (mask, temperature, first, at)
        tool = self.tool.get()
        now = self.mask.get()
        if tool == "temperature":
            warmed = self.temperature_map.get().copy()
            warmed[masks.stroke_mask(self.picture_shape, last, at, self.size.get())] = min(
                round(self.temperature_factor.get() * 100), 200
            )
            self._change_layer(temperature_map=warmed)
        elif tool == "rectangle":
            self._change_layer(mask=mask | masks.rectangle_mask(self.picture_shape, first, at))
        elif tool == "rows":
            self._change_layer(mask=masks.mask_below(self.picture_shape, min(round(at[1]), self.picture_shape[0])))
        else:
            covered = masks.stroke_mask(self.picture_shape, last, at, self.size.get())
            self._change_layer(mask=now | covered if tool == "brush" else now & ~covered)

    def end_stroke(self) -> None:
        """End the gesture."""
        if self._held is not None:
            self._held = None
            self._end_gesture()

    def cancel_stroke(self) -> bool:
        """Undo the open gesture; return whether there was one."""
        if self._held is None:
            return False
        mask, temperature, _, _ = self._held
        if self.tool.get() == "temperature":
            self._change_layer(temperature_map=temperature)
        else:
            self._change_layer(mask=mask)
        self.end_stroke()
        return True

    def invert_mask(self) -> None:
        """Swap hole and picture."""
        self.end_stroke()
        self._change("invert", mask=masks.pack_layer(~self.mask.get()))

    def move_row(self, by: int) -> None:
        """Move the line below which everything is marked, by a number of rows."""
        row = masks.first_row(self.mask.get())
        row = min(max((self.picture_shape[0] if row is None else row) + by, 0), self.picture_shape[0])
        self._change("row line", "row line", mask=masks.pack_layer(masks.mask_below(self.picture_shape, row)))

    def clear_temperature_map(self) -> None:
        """Clear the painted temperature."""
        self._change("temperature", temperature_map="")

    # ── plain data: undo, restart ────────────────────────────────────────────────────────────────

    def fit(self, shape: Shape) -> None:
        """Use another picture. If its size differs, clear mask and temperature map."""
        if shape != self.picture_shape:
            self.mask.set(np.zeros(shape, bool))
            self.temperature_map.set(np.full(shape, masks.NEUTRAL, np.uint8))

    def _use_mask(self, text: str) -> None:
        self.mask.set(masks.unpack_mask(of_type(str, text), self.picture_shape))

    def _use_temperature_map(self, text: str) -> None:
        self.temperature_map.set(masks.unpack_temperature_map(of_type(str, text), self.picture_shape))

    def _use_tool(self, name: str) -> None:
        tools: tuple[Tool, ...] = get_args(Tool)
        self.tool.set(one_of(tools, name))

    def _change_layer(self, **layer: Array) -> None:
        tool = self.tool.get()
        self._change(TOOLS[tool], f"paint {tool}", **{name: masks.pack_layer(array) for name, array in layer.items()})
