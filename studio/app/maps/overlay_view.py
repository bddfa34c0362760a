"""Maps over pictures: what each pixel cost, or how open it was before it was drawn."""

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QObject

from studio.app.maps.surprisal import ColourScale, Map, Surprise
from studio.app.maps.uncertainty import Doubt
from studio.app.panels.complete.results_view import CompletionsView
from studio.app.panels.generate.grid_view import GridView
from studio.app.widgets.binding import bind
from studio.app.widgets.picture import PictureView
from studio.wire.messages import Array

RELIEF = 0.2
"""Of a picture's light and shade that is left on a map of shares, which has no outlines of its own."""


def over(map: Map | None, scale: ColourScale | None) -> Array | None:
    """What is to be seen in place of a picture: its map, of shares in faint relief; None where there is no map."""
    if map is None or scale is None:
        return None
    if not map.bound:
        return scale.colour_map(map.bits)
    light = map.picture.astype(np.float32).mean(2, keepdims=True)
    relief = RELIEF * (light - light.mean())
    found: Array = (scale.colour_map(map.bits) + relief).clip(0, 255).astype(np.uint8)
    return found


def lit(picture: Array, doubt: Array | None, scale: ColourScale | None) -> Array | None:
    """What is to be seen in place of a picture: the colours of its bits (rows drawn, width), and its own where a pixel
    has none; None where nothing is known."""
    if doubt is None or scale is None or not np.isfinite(doubt).any():
        return None
    seen = np.broadcast_to(picture, (*picture.shape[:2], 3)).copy()
    known = np.isfinite(doubt)
    seen[: len(doubt)][known] = scale.colour_map(doubt)[known]
    return seen


class Overlay(QObject):
    """A picture on a stage, with its map over it while the overlay is on.

    With `keeps` the last map stays until the new one is there: for a picture that moves under a hand. Where pictures
    are drawn pixel by pixel, their `doubt` may lie over them instead.
    """

    def __init__(self, view: PictureView, surprise: Surprise, keeps: bool = False, doubt: Doubt | None = None) -> None:
        super().__init__(view)
        self._view, self._surprise, self._keeps, self._doubt = view, surprise, keeps, doubt
        self._picture: Array | None = None
        self._map: Map | None = None
        view.pixel_hovered.connect(self._point)
        surprise.on.changed.connect(self._again)
        surprise.scale.changed.connect(self._again)
        surprise.came.connect(self._meet)
        if doubt is not None:
            doubt.on.changed.connect(self._again)
            doubt.scale.changed.connect(self._again)

    def show(self, picture: Array | None) -> None:
        self._picture = picture
        self._again()

    def _meet(self, map: Map) -> None:
        if map.picture is self._picture:
            self._again()

    def _again(self) -> None:
        found = self._surprise.of(self._picture)
        if found is not None or not self._keeps or not self._surprise.on.get():
            self._map = found
        fits = self._map is not None and self._picture is not None and self._map.bits.shape == self._picture.shape[:2]
        seen = over(self._map if fits else None, self._surprise.scale.get())
        if self._doubt is not None and self._doubt.on.get() and self._picture is not None:
            seen = lit(self._picture, self._doubt.of(self._picture), self._doubt.scale.get())
        self._view.show_picture(self._picture, seen)
        self._point(self._view.hovered_pixel)

    def _point(self, pixel: tuple[int, int] | None) -> None:
        for map in (self._surprise, self._doubt):
            if map is not None:
                map.point(None if pixel is None else self._picture, *(pixel or (0, 0)))


class GridOverlay(QObject):
    """The same over all pictures of a grid; `picture` gives the one of a number."""

    def __init__(
        self,
        grid: GridView | CompletionsView,
        surprise: Surprise,
        doubt: Doubt,
        picture: Callable[[int], Array | None],
    ) -> None:
        super().__init__(grid)
        self._grid, self._surprise, self._doubt, self._picture = grid, surprise, doubt, picture
        for map in (surprise, doubt):
            bind(self, map.on, self._again)
            bind(self, map.scale, self._again)
        surprise.came.connect(self._meet)
        grid.pointed.connect(self._point)

    def _meet(self, map: Map) -> None:
        self._grid.show_again(map.picture)

    def _again(self, _: object) -> None:
        surprise, doubt = self._surprise, self._doubt
        if doubt.on.get():
            self._grid.show_over(lambda picture: lit(picture, doubt.of(picture), doubt.scale.get()))
        else:
            self._grid.show_over(lambda picture: over(surprise.of(picture), surprise.scale.get()))

    def _point(self, pixel: tuple[int, int, int] | None) -> None:
        cell, *at = pixel if pixel is not None else (0, 0, 0)
        for map in (self._surprise, self._doubt):
            map.point(self._picture(cell) if pixel is not None else None, *at)
