"""Shows maps over pictures: the bits of each pixel, or its uncertainty before it was drawn."""

import numpy as np
from PySide6.QtCore import QObject

from studio.app.maps.surprisal import SurprisalMap, SurprisalMaps
from studio.app.maps.uncertainty import UncertaintyMaps
from studio.app.widgets.picture import PictureView
from studio.media.pictures.surprisal_map import ColourScale
from studio.wire.messages import Array

RELIEF_STRENGTH = 0.2
"""How strongly the picture shows through a map of shares, which has no outlines of its own; 0 to 1."""


def surprisal_picture(map: SurprisalMap | None, scale: ColourScale | None) -> Array | None:
    """Return the map to show over a picture, with a faint relief if it holds shares; None if there is no map."""
    if map is None or scale is None:
        return None
    if not map.bound:
        return scale.colour_map(map.bits)
    light = map.picture.astype(np.float32).mean(2, keepdims=True)
    relief = RELIEF_STRENGTH * (light - light.mean())
    found: Array = (scale.colour_map(map.bits) + relief).clip(0, 255).astype(np.uint8)
    return found


def uncertainty_picture(picture: Array, entropy: Array | None, scale: ColourScale | None) -> Array | None:
    """Return a picture in the colours of its uncertainty; None if nothing is known.

    Pixels without a value in `entropy` (rows drawn, width) keep their own colour.
    """
    if entropy is None or scale is None or not np.isfinite(entropy).any():
        return None
    seen = np.broadcast_to(picture, (*picture.shape[:2], 3)).copy()
    known = np.isfinite(entropy)
    seen[: len(entropy)][known] = scale.colour_map(entropy)[known]
    return seen


class MapOverlay(QObject):
    """Draws the map over a picture on a stage, while the overlay is on.

    Arguments
        keeps_entropy: whether the last map stays until the next one arrives, for pictures that change during a drag
        uncertainty: the maps that can be shown instead, for models that draw pixel by pixel
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
        found = self._surprisal.map_of(self._picture)
        if found is not None or not self._keeps_entropy or not self._surprisal.on.get():
            self._map = found
        fits = self._map is not None and self._picture is not None and self._map.bits.shape == self._picture.shape[:2]
        seen = surprisal_picture(self._map if fits else None, self._surprisal.scale.get())
        if self._uncertainty is not None and self._uncertainty.on.get() and self._picture is not None:
            seen = uncertainty_picture(
                self._picture, self._uncertainty.map_of(self._picture), self._uncertainty.scale.get()
            )
        self._view.show_picture(self._picture, seen)
        self._set_hovered(self._view.hovered_pixel)

    def _set_hovered(self, pixel: tuple[int, int] | None) -> None:
        for map in (self._surprisal, self._uncertainty):
            if map is not None:
                map.set_hovered(None if pixel is None else self._picture, *(pixel or (0, 0)))
