"""Holds the picture to be completed, and opens pictures from files, takes and works."""

import contextlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, Signal

from studio.app.core.artwork import Artwork
from studio.app.core.background import BackgroundTask
from studio.app.core.messages import MessageButton, Messages
from studio.app.core.observable import EngineProtocol, Field, Record, State, Value, of_type
from studio.app.core.undo import ChangeStep, UndoHistory
from studio.app.files.importing import Importing, little_range_text
from studio.app.files.opening import OpenedFile
from studio.app.generation.parameters import Parameters
from studio.app.model_browser.model_list import ModelList
from studio.app.panels.complete import mask as masks
from studio.app.panels.complete.brush import BrushTools
from studio.app.takes.selection import TakeSelection
from studio.library import storage
from studio.library.fitting import FittedPicture, fit_to_card
from studio.library.models import InstalledModel
from studio.library.storage import NotSaved
from studio.media import decoder, export
from studio.media.pictures.image import FileRefused, OpenedPicture, fit_to_shape, open_picture, read_bytes
from studio.media.sounds.single_cycle import OpenedWave
from studio.wire.messages import MAX_CANVAS_SIDE, Array


class OriginalsCache(State):
    """Keeps original pictures by key. A picture that could not be written stays in memory."""

    def __init__(self, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._messages = messages
        self._folder = storage.home_folder("data") / "originals"
        self._pictures: dict[str, Array] = {}

    def add_picture(self, picture: Array) -> str:
        """Keep a picture (height, width, 1 or 3) uint8. Return its key, which ends with its number of channels."""
        data = export.encode_png_bytes(picture)
        key = f"{storage.hash_bytes(data)}-{picture.shape[2]}"
        self._pictures[key] = np.array(picture)
        try:
            storage.write_file(self._folder / f"{key}.png", data)
        except NotSaved as fault:
            self._messages.show_message(fault.message, "failed")
        return key

    def get_picture(self, key: str) -> Array | None:
        if key not in self._pictures:
            channels = key.rpartition("-")[2]
            if channels not in ("1", "3") or not key.replace("-", "").isalnum():
                return None
            path = self._folder / f"{key}.png"
            try:
                if storage.hash_bytes(read_bytes(path, path.name)) != key.rpartition("-")[0]:
                    return None
                array = open_picture(path).array  # in this process, because every byte is as it was written
            except FileRefused:
                return None
            self._pictures[key] = np.ascontiguousarray(array[..., : int(channels)])
        return self._pictures[key]

    def close(self, used: Iterable[str]) -> None:
        """Move pictures that no key names to the bin."""
        known = {f"{key}.png" for key in used}
        for path in self._folder.glob("*.png"):
            if path.name not in known:
                with contextlib.suppress(NotSaved):  # it stays where it is, which loses nothing
                    storage.move_to_bin(path)


NO_MODEL_TEXT = "No model here can keep a part of a picture. Add one that draws pixel by pixel, such as a PixelCNN++."


class Canvas(State):
    """Holds the picture with its brush. `change` sets fields as steps of undo; `choose` chooses another model."""

    picture_opened = Signal()
    """A picture was brought here: the panel should show."""

    def __init__(
        self,
        engine: EngineProtocol,
        models: ModelList,
        messages: Messages,
        parameters: Parameters,
        selection: TakeSelection,
        history: UndoHistory,
        change: ChangeStep,
        choose_model: Callable[[str], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._models = models
        self._messages = messages
        self._model = parameters.model
        self._selection = selection
        self._change = change
        self._choose_model = choose_model
        self.picture: Value[Array | None] = Value(None, self)
        """The picture to be completed, (height, width, channels) uint8 in the model's shape."""
        self.source: Value[str] = Value("", self)
        """The name of the picture."""
        self.colour_note: Value[str] = Value("", self)
        """How many pixels took another colour of the model's palette when it was opened; empty if none did."""
        self.picture_key = ""
        """The key by which the picture is kept; empty without a picture."""
        self.brush = BrushTools(change, history.begin_gesture, history.end_gesture, self)
        self.kept_after_hole: Value[bool] = Value(False, self)
        """Whether kept pixels follow the hole, by which completions can be ranked."""
        self.brush.mask.changed.connect(lambda mask: self.kept_after_hole.set(masks.has_kept_after_hole(mask)))
        self.originals = OriginalsCache(messages, self)
        self.importing = Importing(engine, messages, parameters.model, parameters.label, self)
        self.importing.opened.connect(self._on_opened)
        self._reading = BackgroundTask(self)
        self.fields = (
            Field("picture", lambda: self.picture_key, self._lay_picture),
            Field.of("source", self.source, str),
            Field.of("colour_note", self.colour_note, str),
            *self.brush.fields,
        )

    def open_file(self, path: Path) -> None:
        """Open a file. If it does not have the model's size, show the crop preview."""
        if self._model.get() is None:
            self._messages.show_message(
                NO_MODEL_TEXT + " Your file is untouched.", "warn", until=(self._model.changed,)
            )
            return
        self.importing.open_file(path)

    def open_mask(self, path: Path) -> None:
        """Use the white part of a picture as the hole; it must be as large as the picture on the canvas."""

        def read(found: OpenedPicture | Exception) -> None:
            if isinstance(found, ValueError):  # its text is a sentence for the user
                self._messages.show_message(str(found), "failed")
            elif isinstance(found, Exception):
                raise found
            else:
                self._on_mask_read(found)

        self._reading.run(lambda: decoder.open_picture(path), read)

    def _on_mask_read(self, found: OpenedPicture) -> None:
        (height, width), (tall, wide) = found.array.shape[:2], self.brush.picture_shape
        if (height, width) == (tall, wide) and self.picture.get() is not None:
            self._change("open mask", mask=masks.pack_layer(fit_to_shape(found.array, (1, tall, wide))[..., 0] >= 128))
            return
        self._messages.show_message(
            f'The mask "{found.name}" has {width} × {height} pixels, the picture {wide} × {tall}. The hole stays '
            "as it was. Save the mask in the size of the picture.",
            "warn",
            until=(self.picture.changed, self.brush.mask.changed),
        )

    def use_preview(self) -> None:
        """Complete the picture of the crop preview."""
        photo = self.importing.preview.get()
        if photo is not None:
            self.importing.cancel_preview()
            self._set_picture(photo.model_input, photo.picture.name, note=photo.note)

    def open_work(self, artwork: Artwork, any_model: bool = False) -> None:
        """Complete a picture of this program with the model that made it.

        If that model cannot keep a part, offer another one; `any_model` chooses that one at once.
        """
        work = artwork.work
        trained = self._models.find_or_report_maker(work)
        own = self._model.get()
        if trained is not None and trained.card.can_inpaint:
            self._choose_model(trained.card.name)
        elif not any_model or own is None:
            other: tuple[MessageButton, ...] = ()
            if own is not None:
                other = (("Choose a model that can", lambda: self.open_work(artwork, any_model=True)),)
            if trained is not None:
                self._messages.show_message(
                    cannot_keep_text(trained), "warn", *other, until=(self._model.changed, self.picture.changed)
                )
            return
        self._set_picture(artwork.array, work.source or f"seed {work.seed}")

    def choose_take(self, index: int) -> None:
        """Complete a take, with the model that made it if that model can."""
        take = self._selection.takes.get()[index]
        if take.work.medium == "sound":
            self._messages.show_message("This take is a wave, and only pictures can be completed.", "warn")
            return
        own = self._models.find_maker(take.work)
        if own is not None and own.card.can_inpaint:
            self._choose_model(own.card.name)
        self._set_picture(take.array, take.work.source or f"seed {take.work.seed}", take.name)

    def _on_opened(self, opened: OpenedFile) -> None:
        trained = self._model.get()
        picture = opened.picture
        if trained is None:
            return
        if isinstance(picture, OpenedWave):
            self._messages.show_message(
                f'"{picture.name}" is a wave, and only pictures can be completed. It is untouched.', "warn"
            )
            return
        if trained.card.shown_shape[0] == 1 and (np.ptp(picture.array[..., :3], -1) > 0).any():
            self._messages.show_message(
                f'"{picture.name}" was turned to grey, because "{trained.card.title}" draws in grey. '
                "Your file is untouched."
            )
        if not _takes_size(picture.array, trained) and not _fits_model(picture, trained):
            self.importing.show_preview(picture)
            self.picture_opened.emit()
            return
        self._set_picture(picture.array, picture.name)
        if picture.narrow_range_note:
            stretch = partial(self._on_stretched, picture)
            self._messages.show_message(
                little_range_text(picture), "warn", ("Stretch", stretch), until=(self.picture.changed,)
            )

    def _on_stretched(self, picture: OpenedPicture) -> None:
        """Replace the picture on the canvas by its stretched version. Mask and temperature map stay."""
        trained = self._model.get()
        if trained is not None:
            fitted = _fit(picture.with_arrays_exchanged().array, trained)
            key = self.originals.add_picture(fitted.array)
            self._change(f"stretch {picture.name}", picture=key, colour_note=fitted.note)

    @property
    def canvas_size(self) -> tuple[int, int] | None:
        """Return (height, width) of the picture if it does not have the model's own size."""
        picture = self.picture.get()
        trained = self._model.get()
        if picture is None or trained is None or picture.shape[:2] == trained.card.picture_size:
            return None
        height, width = picture.shape[:2]
        return height, width

    def grow_picture(self, height: int, width: int) -> None:
        """Add room below and at the right of the picture, and mark it as the hole."""
        picture = self.picture.get()
        if picture is None:
            return
        rows, columns, channels = picture.shape
        if height < rows or width < columns or (height, width) == (rows, columns):
            self._messages.show_message(
                f"The picture has {columns} × {rows} pixels already. It is kept. Choose a larger size to grow it.",
                "warn",
                until=(self.picture.changed,),
            )
            return
        grown = np.zeros((height, width, channels), np.uint8)
        grown[:rows, :columns] = picture
        mask = np.ones((height, width), bool)
        mask[:rows, :columns] = False
        key = self.originals.add_picture(grown)
        self._change(f"grow to {width} × {height}", picture=key, mask=masks.pack_layer(mask), temperature_map="")

    def _set_picture(self, picture: Array, name: str, take: str | None = None, note: str = "") -> None:
        """Lay a picture on the canvas. `note` says what its colours became before it was handed in."""
        trained = self._model.get()
        if trained is not None:
            fitted = _fit(picture, trained)
            key = self.originals.add_picture(fitted.array)
            self._change(
                f"open {name}", picture=key, source=name, colour_note=note or fitted.note, mask="", temperature_map="",
                current=take,
            )  # fmt: skip
            self.picture_opened.emit()

    # ── plain data: undo, restart ────────────────────────────────────────────────────────────────

    def fitted_record(self, trained: InstalledModel) -> Record:
        """Return picture, mask and temperature map in the shape of another model."""
        picture = self.picture.get()
        size = trained.card.picture_size
        if picture is None or size is None:
            return {}
        fitted = _fit(picture, trained)
        mask, temperature = (
            masks.resize_layer(layer.get(), fitted.array.shape[:2])
            for layer in (self.brush.mask, self.brush.temperature_map)
        )
        return {
            "picture": self.originals.add_picture(fitted.array),
            "colour_note": fitted.note,
            "mask": masks.pack_layer(mask),
            "temperature_map": masks.pack_layer(temperature),
        }

    def _lay_picture(self, key: str) -> None:
        """Show a picture by its key; none if its file is gone."""
        picture = self.originals.get_picture(of_type(str, key))
        self.picture_key = key if picture is not None else ""
        self.picture.set(picture)
        self.brush.fit(picture.shape[:2] if picture is not None else (1, 1))

    def close(self) -> None:
        """Wait for background work."""
        self.importing.close()
        self._reading.wait()


def cannot_keep_text(trained: InstalledModel) -> str:
    return f'"{trained.card.title}" makes the whole picture at once. It cannot keep a part.'


def _fit(picture: Array, trained: InstalledModel) -> FittedPicture:
    """Fit a picture to a model.

    A model without borders takes it as it is, and its pixels stay: only the model sees them in its own levels.
    """
    if not _takes_size(picture, trained):
        return fit_to_card(picture, trained.card)
    height, width = picture.shape[:2]
    return FittedPicture(fit_to_shape(picture, (trained.card.shown_shape[0], height, width)), "")


def _takes_size(picture: Array, trained: InstalledModel) -> bool:
    """Return whether a model can complete a picture in the size that it has."""
    return trained.card.draws_any_size and max(picture.shape[:2]) <= MAX_CANVAS_SIDE


def _fits_model(picture: OpenedPicture, trained: InstalledModel) -> bool:
    """Return whether a picture has the model's size, or was enlarged from it by whole blocks."""
    height, width = picture.array.shape[:2]
    rows, columns = trained.card.picture_size or (height + 1, width + 1)
    times = height // rows
    if (height, width) != (rows * times, columns * times):
        return False
    small = picture.array[::times, ::times]
    return np.array_equal(small.repeat(times, axis=0).repeat(times, axis=1), picture.array)
