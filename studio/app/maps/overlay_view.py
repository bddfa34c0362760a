"""Draws maps over pictures: the surprisal of each pixel, or its uncertainty."""

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QObject

from studio.app.maps.surprisal import ColourScale, SurprisalMap, SurprisalMaps
from studio.app.maps.uncertainty import UncertaintyMaps
from studio.app.panels.complete.results_view import ResultsView
from studio.app.panels.generate.grid_view import GridView
from studio.app.widgets.binding import bind
from studio.app.widgets.picture import PictureView
from studio.wire.messages import Array

RELIEF_STRENGTH = 0.2
"""The share of a picture's light and shade that shows through a map of shares. Such a map has no outlines itself."""


def surprisal_picture(map: SurprisalMap | None, scale: ColourScale | None) -> Array | None:
    """Return the map of a picture as colours; None if there is no map.

    The picture shows through a map of shares as a faint relief.
    """
    if map is None or scale is None:
        return None
    if not map.bound:
        return scale.colour_map(map.bits)
    lightness = map.picture.astype(np.float32).mean(2, keepdims=True)
    relief = RELIEF_STRENGTH * (lightness - lightness.mean())
    colours: Array = (scale.colour_map(map.bits) + relief).clip(0, 255).astype(np.uint8)
    return colours


def uncertainty_picture(picture: Array, entropy: Array | None, scale: ColourScale | None) -> Array | None:
    """Return a picture under the colours of its entropy; None if nothing is known.

    `entropy` is (rows drawn, width) in bits. Pixels without a value keep their own colour.
    """
    if entropy is None or scale is None or not np.isfinite(entropy).any():
        return None
    colours = np.broadcast_to(picture, (*picture.shape[:2], 3)).copy()
    known = np.isfinite(entropy)
    colours[: len(entropy)][known] = scale.colour_map(entropy)[known]
    return colours


class MapOverlay(QObject):
    """Shows a picture on a stage, under its map while the overlay is on.

    With `keeps_entropy` the last map stays until the new one arrives, for a picture that follows a control. If pictures
    are drawn pixel by pixel, the map of `uncertainty` may be shown instead.
    """

    def __init__(
        self,
        view: PictureView,
        surprisal: SurprisalMaps,
        keeps_entropy: bool = False,
        uncertainty: UncertaintyMaps | None = None,
    ) -> None:
        super().__init__(view)
        self._view = view
        self._surprisal = surprisal
        self._keeps_entropy = keeps_entropy
        self._uncertainty = uncertainty
        self._picture: Array | None = None
        self._map: SurprisalMap | None = None
        view.pixel_hovered.connect(self._set_hovered)
        surprisal.on.changed.connect(self._update)
        surprisal.scale.changed.connect(self._update)
        surprisal.map_arrived.connect(self._on_map)
        if uncertainty is not None:
            uncertainty.on.changed.connect(self._update)
            uncertainty.scale.changed.connect(self._update)

    def show_picture(self, picture: Array | None) -> None:
        self._picture = picture
        self._update()

    def _on_map(self, map: SurprisalMap) -> None:
        if map.picture is self._picture:
            self._update()

    def _update(self) -> None:
        new_map = self._surprisal.map_of(self._picture)
        if new_map is not None or not self._keeps_entropy or not self._surprisal.on.get():
            self._map = new_map
        fits = self._map is not None and self._picture is not None and self._map.bits.shape == self._picture.shape[:2]
        overlay = surprisal_picture(self._map if fits else None, self._surprisal.scale.get())
        if self._uncertainty is not None and self._uncertainty.on.get() and self._picture is not None:
            overlay = uncertainty_picture(
                self._picture, self._uncertainty.map_of(self._picture), self._uncertainty.scale.get()
            )
        self._view.show_picture(self._picture, overlay)
        self._set_hovered(self._view.hovered_pixel)

    def _set_hovered(self, pixel: tuple[int, int] | None) -> None:
        for map in (self._surprisal, self._uncertainty):
            if map is not None:
                map.set_hovered(None if pixel is None else self._picture, *(pixel or (0, 0)))


class GridMapOverlay(QObject):
    """Shows maps over all pictures of a grid. `picture` returns the picture of a cell."""

    def __init__(
        self,
        grid: GridView | ResultsView,
        surprisal: SurprisalMaps,
        uncertainty: UncertaintyMaps,
        picture: Callable[[int], Array | None],
    ) -> None:
        super().__init__(grid)
        self._grid = grid
        self._surprisal = surprisal
        self._uncertainty = uncertainty
        self._picture = picture
        for map in (surprisal, uncertainty):
            bind(self, map.on, self._update)
            bind(self, map.scale, self._update)
        surprisal.map_arrived.connect(self._on_map)
        grid.pixel_hovered.connect(self._set_hovered)

    def _on_map(self, map: SurprisalMap) -> None:
        self._grid.redraw_picture(map.picture)

    def _update(self, _: object) -> None:
        surprisal = self._surprisal
        uncertainty = self._uncertainty
        if uncertainty.on.get():
            self._grid.show_overlay(
                lambda picture: uncertainty_picture(picture, uncertainty.map_of(picture), uncertainty.scale.get())
            )
        else:
            self._grid.show_overlay(lambda picture: surprisal_picture(surprisal.map_of(picture), surprisal.scale.get()))

    def _set_hovered(self, pixel: tuple[int, int, int] | None) -> None:
        cell, *at = pixel if pixel is not None else (0, 0, 0)
        for map in (self._surprisal, self._uncertainty):
            map.set_hovered(self._picture(cell) if pixel is not None else None, *at)
