"""Prepares the scenes in which every control is touched: each panel with something on its stage, and the pages."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.desktop.touching import Touching
from tests.desktop.window import COMPILES, DesktopWindow

AT_ONCE, ROW_BY_ROW, WAVES = "Stickers", "Sticker sheet", "Waves"


class Scenes:
    """Prepares scenes. Each method brings the window to a state, and is quick if it is already in that state."""

    def __init__(self, window: DesktopWindow, photo: Path) -> None:
        self.window = window
        self._photo = photo

    @property
    def all(self) -> tuple[Callable[[], object], ...]:
        return (
            self.first_launch, self.grid, self.large, self.explore, self.wave, self.photo, self.complete, self.sound,
            self.help, self.queue, self.engine, self.models, self.finder, self.settings,
        )  # fmt: skip

    def panel(self, title: str) -> None:
        """Open a panel, and close pages, messages and drawers over it."""
        window = self.window
        window.rest()
        window.ask("place", width=window.size[0], height=window.size[1])
        window.ask("enlarge", percent=window.text)
        window.screen.move(*MIDDLE)
        if window.value("panel") != title.lower():
            window.open_panel(title)
        while window.sees("Close this page", "button"):
            window.click("Close this page")
        if window.sees("Close the message", "button"):
            window.click("Close the message")
        self.inspector(True)

    def inspector(self, shown: bool) -> None:
        """Open or close the inspector by its key. Its edge is visible while it is open."""
        if self.window.sees("", "area", "InspectorEdge") != shown:
            self.window.key("ctrl+i")

    def shut(self, scene: Callable[[], object]) -> Callable[[], None]:
        """Return a scene with the inspector closed, because it covers the stage if the text is large."""

        def build() -> None:
            scene()
            self.inspector(False)

        return build

    def model(self, title: str) -> None:
        if not self.window.sees(f"Model, {title}"):
            self.window.choose_model(title)

    def first_launch(self) -> None:
        self.panel("Generate")

    def grid(self) -> None:
        """Show four pictures in Generate."""
        window = self.window
        self.panel("Generate")
        if window.value("generate.enlarged.index") is not None:
            window.key("Escape")
        self.model(AT_ONCE)
        if sum(row["class"] == "GridView" for row in window.parts("row")) != 4:
            window.set_number(4)
            self.make("generate.batch.cells", 4)

    def large(self) -> None:
        """Show one large picture of a model that draws row by row, with its marker."""
        window = self.window
        self.panel("Generate")
        if window.value("generate.enlarged.index") is None or not window.sees("Rewind", "slider"):
            if window.value("generate.enlarged.index") is not None:
                window.key("Escape")
            self.model(ROW_BY_ROW)
            if len(window.value("generate.batch.cells")) > 1 or not window.sees("Uncertainty", "button"):
                window.set_number(1)
                self.make("generate.batch.cells", 1)
            window.click(window.find("", "row", "GridView"), times=2)

    def make(self, cells: str, number: int) -> None:
        self.window.press_main()
        self.window.until(lambda: self.window.finished(cells) == number, "What is made", COMPILES)
        self.window.rest()

    def explore(self) -> None:
        self.start(AT_ONCE)

    def wave(self) -> None:
        """Show a wave with its piano keys in Explore."""
        self.start(WAVES)

    def start(self, model: str) -> None:
        window = self.window
        self.panel("Explore")
        if window.value("explore.importing.preview") is not None:
            window.click("Cancel")
        self.model(model)
        if window.value("explore.render.picture") is None:
            window.click("New start")
        window.wait_for_drawing()

    def photo(self) -> None:
        """Show the preview of a dropped picture in Explore."""
        window = self.window
        self.panel("Explore")
        self.model(AT_ONCE)
        if window.value("explore.importing.preview") is None:
            window.screen.drop(self._photo, MIDDLE)
        window.until(lambda: window.value("explore.importing.preview") is not None, "The preview")
        window.until(lambda: not window.value("explore.importing.busy"), "The end of looking")

    def complete(self) -> None:
        """Show two completions of the lower half of a picture."""
        window = self.window
        self.panel("Complete")
        self.model(ROW_BY_ROW)
        if window.value("complete.canvas.picture") is None:
            if window.value("complete.canvas.importing.preview") is None:
                window.screen.drop(self._photo, MIDDLE)
            window.until(lambda: window.sees("Use this") and window.find("Use this")["enabled"], "The preview")
            window.click("Use this")
            window.until(lambda: window.value("complete.canvas.picture") is not None, "The picture")
        if not any(row["class"] == "ResultsView" for row in window.parts("row")):
            if not any(window.value("complete.canvas.brush.mask")["rows"]):
                window.click("From a row downwards")
                left, top, width, height = window.find("Your picture", "area")["place"]
                window.drag((left + width / 2, top + height * 0.4), (left + width / 2, top + height * 0.5))
            window.set_number(2)
            self.make("complete.batch.cells", 2)

    def sound(self) -> None:
        """Show a second of sound that is not playing."""
        window = self.window
        self.panel("Sound")
        if not window.value("sound.player.samples")["shape"][0]:
            window.click("Play")
            window.until(lambda: window.value("sound.player.made_seconds") > 1.0, "The sound", COMPILES)
        if window.value("sound.player.making"):
            window.key("shift+Escape")
            window.until(lambda: not window.value("sound.player.making"), "The end of making")

    def help(self) -> None:
        self.page("Help")

    def settings(self) -> None:
        self.page("Settings")

    def engine(self) -> None:
        """Open Doctor, with its findings, which move what it said lately."""
        self.page("Engine")
        self.window.until(lambda: self.window.value("findings"), "The findings of Doctor")
        self.window.until(lambda: self.window.value("engine_status") == "Ready", "The end of Doctor")

    def queue(self) -> None:
        self.panel("Generate")
        self.window.key("ctrl+j")

    def page(self, title: str) -> None:
        self.panel("Generate")
        self.window.click(self.window.find(title, "button"))

    def models(self) -> None:
        """Open the list of the model picker."""
        self.panel("Generate")
        self.window.click(self.window.find("Model", "button", "ModelPicker"))
        self.window.until(lambda: self.window.ask("open"), "The list of models")

    def finder(self) -> None:
        """Open the command palette. Its list is the same each time, as the shown model can do the same."""
        self.panel("Generate")
        self.model(AT_ONCE)
        self.window.key("ctrl+k")


MIDDLE = (500, 380)
"""A position on the stage at every size of the window."""
LEAST = 400
"""The fewest parts that must be touched; fewer would mean that some were not found."""


def touch_everything(window: DesktopWindow, drawer: bool = False) -> None:
    """Touch all controls of all scenes. If the inspector is a `drawer`, touch them with and without it."""
    photo = window.home / "photo.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (40, 60, 3), np.uint8)).save(photo)
    scenes = Scenes(window, photo)
    touching = Touching(window)
    window.ask("report")  # leave the first paint of the window out of the measurement
    for scene in scenes.all:
        touching.scene(scene)
        if drawer:
            touching.scene(scenes.shut(scene))
    assert not touching.problems, "\n".join(touching.problems)
    print(f"{touching.touches} touches of {len(touching.touched)} parts")
    assert len(touching.touched) > LEAST, touching.touched
