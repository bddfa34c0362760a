"""Draws the latent on the stage in every class: the alphabet of one style, live while a slider moves."""

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject

from studio.app.core.artwork import Artwork
from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, State, Value
from studio.app.core.request import Request
from studio.app.files.exporting import Exporter
from studio.app.panels.explore.rendering import RenderInput
from studio.library import file_names
from studio.media.export import SHEET_GAP, arrange_sheet, sheet_columns
from studio.wire.messages import AnyCommand, AnyEvent, Array, DecodeClasses, Failed, LatentPoint, PicturesPreview

BETWEEN = 64
"""The grey between the pictures, which differs from both themes' grounds and from white letters on black."""


class Alphabet(State):
    """Holds a picture of each class. While it is shown, the newest input replaces the pictures one after another."""

    def __init__(
        self, engine: EngineProtocol, messages: Messages, exporter: Exporter, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._messages = messages
        self._exporter = exporter
        self.shown: Value[bool] = Value(False, self)
        """Whether the alphabet is on the stage."""
        self.pictures: Value[tuple[Array, ...]] = Value((), self)
        """(height, width, channels) uint8 of each class; empty until all are drawn once."""
        self.sheet: Value[Array | None] = Value(None, self)
        """All pictures in rows, (height, width, channels) uint8; None until all are drawn once."""
        self.pictures.changed.connect(self._arrange)
        self._wanted: RenderInput | None = None
        """The newest input, which may still wait."""
        self._asked: RenderInput | None = None
        """The input of the open request."""
        self._drawn: RenderInput | None = None
        """The input of the pictures, if they are all of the same."""
        self._begun: dict[int, Array] = {}
        """The pictures of the open request that have arrived."""
        self._request = Request(engine, "alphabet", "latest", self)
        self._request.progressed.connect(self._add_pictures)
        self._request.answered.connect(self._finish)
        self._request.failed.connect(self._show_failure)
        self._request.lost.connect(self._show_loss)
        self.busy: Value[bool] = self._request.running

    def show(self, scene: RenderInput) -> None:
        """Put the alphabet of an input on the stage. Its model has one."""
        self.shown.set(True)
        self.request_pictures(scene)

    def hide(self) -> None:
        """Put the single picture back on the stage."""
        self.shown.set(False)
        self._request.cancel()

    def request_pictures(self, scene: RenderInput | None) -> None:
        """Request the alphabet of a newer input, if it is shown. A model without one hides it."""
        if not self.shown.get():
            return
        if scene is None or not scene.trained.card.has_alphabet:
            self.hide()
            return
        if self._wanted is not None and scene.trained != self._wanted.trained:
            self.pictures.set(())
        self._wanted = scene
        self._request.ask(self._question)

    def label_at(self, row: int, column: int) -> int | None:
        """Return the class at a pixel of the sheet; None between the pictures."""
        pictures = self.pictures.get()
        if not pictures:
            return None
        height, width = pictures[0].shape[:2]
        down, inside_row = divmod(row - SHEET_GAP, height + SHEET_GAP)
        across, inside_column = divmod(column - SHEET_GAP, width + SHEET_GAP)
        label = down * sheet_columns(len(pictures)) + across
        is_inside = min(down, across) >= 0 and inside_row < height and inside_column < width
        return label if is_inside and label < len(pictures) else None

    def export(self) -> None:
        """Ask where to save the alphabet, as single pictures or on one sheet, each with its recipe."""
        artworks = self.artworks()
        if artworks:
            self._exporter.ask_folder(artworks)
        else:
            self._messages.show_message("The alphabet is not finished yet. Wait a moment, then export it.")

    def artworks(self) -> tuple[Artwork, ...]:
        """Return each picture with its recipe; none while they are of different inputs."""
        scene = self._drawn
        if scene is None:
            return ()
        stem = Path(scene.file_name()).stem
        return tuple(
            Artwork(
                picture,
                replace(scene, label=label).to_work(),
                # With a number, because some systems hold "a" and "A" for the same name.
                file_names.clean_name(f"{stem}-{label:02}-{scene.trained.card.class_names[label]}.png"),
            )
            for label, picture in enumerate(self.pictures.get())
        )

    def _arrange(self, pictures: tuple[Array, ...]) -> None:
        columns = sheet_columns(len(pictures))
        self.sheet.set(arrange_sheet(pictures, columns, over=BETWEEN) if pictures else None)

    # ── the engine ───────────────────────────────────────────────────────────────────────────────

    def _question(self, job: str) -> AnyCommand | None:
        self._asked = scene = self._wanted
        self._begun = {}
        if scene is None:
            return None
        point = LatentPoint(
            seed=scene.seed,
            latent=scene.start.latent.to_array() if scene.start is not None else None,
            sliders=scene.sliders,
            temperature=scene.temperatures,
        )
        return DecodeClasses(job=job, model=scene.trained.card.name, point=point)

    def _add_pictures(self, event: AnyEvent) -> None:
        if not isinstance(event, PicturesPreview) or self._asked is None:
            return
        self._begun |= dict(enumerate(event.pictures, event.first))
        count = len(self._asked.trained.card.classes)
        known = {**dict(enumerate(self.pictures.get())), **self._begun}
        if len(known) == count:
            self._drawn = self._asked if len(self._begun) == count else None
            self.pictures.set(tuple(known[label] for label in range(count)))

    def _finish(self, _: AnyEvent) -> None:
        self._request.send_next()

    def _show_failure(self, event: Failed) -> None:
        self._offer_again(f"{event.reason} {event.hint}")

    def _show_loss(self, why: str) -> None:
        self._offer_again(f"{why} The alphabet may be older than the sliders.")

    def _offer_again(self, why: str) -> None:
        """Show a message until the alphabet is requested again."""
        self._messages.show_message(why.strip(), "failed", ("Draw it again", self._retry), until=(self.busy.changed,))

    def _retry(self) -> None:
        self._request.start_engine()
        self.request_pictures(self._wanted)
