"""Holds the user's choices of the window's size, text, motion, keys and device."""

from studio.app.core.observable import Field, State, Value, one_of, within

MIN_INSPECTOR_WIDTH = 288
MAX_INSPECTOR_WIDTH = 420
TEXT_SIZES = (100, 125, 150, 175, 200)
"""The sizes of text in percent."""


class Preferences(State):
    """Holds the preferences. All of them are restored at the next start."""

    def __init__(self) -> None:
        super().__init__()
        self.inspector_width: Value[int] = Value(320, self)
        """The width of the inspector in logical pixels at a text size of 100 %."""
        self.tree: Value[bool] = Value(False, self)
        """Whether the strip shows the tree of takes."""
        self.text_size: Value[int] = Value(100, self)
        """One of TEXT_SIZES."""
        self.reduced_motion: Value[bool] = Value(False, self)
        self.single_keys: Value[bool] = Value(True, self)
        """Whether keys such as X work on the stage."""
        self.device: Value[str] = Value("", self)
        """The engine's device from the next start: `cpu`, `cuda`, `mps`; empty lets the engine choose."""
        self.fields = (
            Field("inspector_width", self.inspector_width.get, self.set_inspector_width),
            Field.of("tree", self.tree, bool),
            Field("text_size", self.text_size.get, lambda size: self.text_size.set(one_of(TEXT_SIZES, size))),
            Field.of("reduced_motion", self.reduced_motion, bool),
            Field.of("single_keys", self.single_keys, bool),
            Field.of("device", self.device, str),
        )

    def set_inspector_width(self, width: float) -> None:
        """Set the width, or the nearest one that is possible."""
        self.inspector_width.set(round(within(width, MIN_INSPECTOR_WIDTH, MAX_INSPECTOR_WIDTH)))

    def toggle_tree(self) -> None:
        """Show the tree of takes in place of their strip, or the strip again."""
        self.tree.set(not self.tree.get())
