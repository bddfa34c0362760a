"""Imports a picture or a wave of the user: opens, crops and encodes it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from PySide6.QtCore import QObject, Signal

from studio.app.core.background import BackgroundTask
from studio.app.core.messages import MessageButton, Messages
from studio.app.core.observable import EngineProtocol, State, Value
from studio.app.core.request import Request
from studio.app.files.opening import OpenedFile, read_file
from studio.library.models import InstalledModel
from studio.media.pictures.image import Box, FileRefused, OpenedPicture, fit_to_shape
from studio.media.sounds import single_cycle
from studio.media.sounds.single_cycle import OpenedWave
from studio.wire.messages import AnyEvent, Array, Encode, Encoded, Failed

FitMode = Literal["crop", "fit", "pad"]


@dataclass(frozen=True, eq=False)
class CropPreview:
    """Holds an imported picture, how it is cut, and what the model will see.

    It may also be a wave, which is not cut.
    """

    picture: OpenedPicture | OpenedWave
    mode: FitMode
    box: Box | None
    """(left, top, right, bottom) as fractions of the picture; None leaves it to `mode`."""
    model_input: Array
    """(height, width, channels) uint8, or (samples,) int16, in the model's shape."""
    is_own_work: bool = False
    """Whether the chosen model made it, so that nothing had to be cut."""


class Importing(State):
    """Turns a file into a latent. Another thread decodes and scales it, and the engine encodes it."""

    opened = Signal(object)
    """An OpenedFile: the picture or wave of a file, with its recipe, if any."""
    encoded = Signal(object, object, object)
    """The engine's `Encoded`, its CropPreview, and the model that encoded it."""
    _preview_left = Signal()
    """The preview closed, or another file is opened."""

    def __init__(
        self,
        engine: EngineProtocol,
        messages: Messages,
        model: Value[InstalledModel | None],
        label: Value[int | None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._messages = messages
        self._model = model
        self._label = label
        self.preview: Value[CropPreview | None] = Value(None, self)
        self.busy: Value[bool] = Value(False, self)
        self.waiting: Value[str] = Value("", self)
        """The name of the picture that is being encoded."""
        self._encoding: tuple[CropPreview, InstalledModel]
        """The preview that was encoded last, and its model."""
        self._request = Request(engine, "encode", "single", self)
        self._request.answered.connect(self._use_answer)
        self._request.stopped.connect(self._end_encoding)
        self._request.failed.connect(self._show_failure)
        self._request.lost.connect(self._show_loss)
        self._opening = BackgroundTask(self)
        self._fitting = BackgroundTask(self)

    def open_file(self, path: Path) -> None:
        trained = self._model.get()
        samples = trained.card.shape[0] if trained is not None and trained.card.kind == "sound" else None
        self._preview_left.emit()
        self.busy.set(True)
        self._opening.run(lambda: read_file(path, samples), self._on_opened)

    def show_preview(self, picture: OpenedPicture) -> None:
        """Show the preview of an opened picture.

        Offer to stretch it if it uses little of its range.
        """
        self.set_preview(picture)
        self._offer_stretch(picture)

    def _offer_stretch(self, picture: OpenedPicture) -> None:
        if picture.has_narrow_range:
            self._messages.show_message(
                little_range_text(picture), "warn", ("Stretch", self._stretch), until=(self._preview_left,)
            )

    def _stretch(self) -> None:
        """Spread the values of the picture in the preview from black to white."""
        preview = self.preview.get()
        if preview is not None and isinstance(preview.picture, OpenedPicture) and preview.picture.has_narrow_range:
            self.set_preview(preview.picture.with_arrays_exchanged(), preview.mode, preview.box)
            text = f'"{preview.picture.name}" is stretched. Your file is untouched.'
            self._messages.show_message(text, "warn", ("Undo", self._undo_stretch), until=(self._preview_left,))

    def _undo_stretch(self) -> None:
        preview = self.preview.get()
        if preview is not None and isinstance(preview.picture, OpenedPicture) and not preview.picture.has_narrow_range:
            self.set_preview(preview.picture.with_arrays_exchanged(), preview.mode, preview.box)
            self._offer_stretch(preview.picture.with_arrays_exchanged())

    def set_preview(self, picture: OpenedPicture, mode: FitMode = "crop", box: Box | None = None) -> None:
        """Show the preview of a picture, cut in the given way."""
        trained = self._model.get()
        if trained is None or len(trained.card.shape) != 3:
            return
        channels, height, width = trained.card.shape

        def show_fitted(model_input: Array | Exception) -> None:
            if isinstance(model_input, Exception):
                raise model_input
            self.preview.set(CropPreview(picture, mode, box, model_input))

        # A picture of 64 megapixels takes a while to scale, and the crop is dragged.
        self._fitting.run(lambda: fit_to_shape(picture.array, (channels, height, width), mode, box), show_fitted)

    def set_crop(self, mode: FitMode, box: Box | None) -> None:
        """Cut the picture in the preview in another way."""
        preview = self.preview.get()
        if preview is not None and isinstance(preview.picture, OpenedPicture):
            self.set_preview(preview.picture, mode, box)

    def encode_preview(self) -> None:
        """Have the engine encode what the preview shows."""
        preview = self.preview.get()
        if preview is not None:
            self._encode(preview)

    def encode_picture(self, picture: Array, name: str) -> None:
        """Have the engine encode a picture that its model made. It needs no preview."""
        self._cancel_encoding()
        self._encode(CropPreview(OpenedPicture(picture, name, ()), "fit", None, picture, is_own_work=True))

    def encode_wave(self, wave: OpenedWave) -> None:
        """Have the engine encode a wave, in the shape that models of waves learn. It needs no preview."""
        trained = self._model.get()
        if trained is None:
            return
        try:
            cycle = single_cycle.cycle_from_wave(wave.array, trained.card.shape[0], wave.name)
        except FileRefused as refusal:
            self._offer_again(str(refusal))
            return
        self._cancel_encoding()
        note = "" if np.array_equal(cycle, wave.array) else "as loud as the others, from where it rises through silence"
        self._encode(CropPreview(replace(wave, notes=(*wave.notes, *filter(None, [note]))), "fit", None, cycle))

    def _cancel_encoding(self) -> None:
        """Stop encoding, because its result is no longer needed."""
        if self._request.running.get():
            self._request.cancel()
            self._end_encoding()

    def _encode(self, preview: CropPreview) -> None:
        trained = self._model.get()
        if trained is None or self._request.running.get():
            return
        self._encoding = (preview, trained)
        self.busy.set(True)
        self.waiting.set(preview.picture.name)
        name = trained.card.name
        label = self._label.get()
        self._request.ask(
            lambda job: Encode(job=job, control="photo", model=name, picture=preview.model_input, label=label)
        )

    def cancel_preview(self) -> None:
        """Close the preview."""
        self._opening.discard()
        self._fitting.discard()
        self._request.cancel()
        self._end_encoding()
        self.preview.set(None)
        self._preview_left.emit()

    def reset_preview(self) -> None:
        """Begin the preview again for another model."""
        preview = self.preview.get()
        if preview is not None and isinstance(preview.picture, OpenedPicture):
            self.cancel_preview()
            self.set_preview(preview.picture, preview.mode, preview.box)
            self._offer_stretch(preview.picture)

    def _use_answer(self, event: AnyEvent) -> None:
        preview, trained = self._encoding
        self._end_encoding()
        if isinstance(event, Encoded):
            self.preview.set(None)
            self._preview_left.emit()
            self.encoded.emit(event, preview, trained)

    def _show_failure(self, event: Failed) -> None:
        preview, _ = self._encoding
        self._end_encoding()
        self._offer_again(f"{event.reason} {event.hint}", ("Try again", lambda: self._encode(preview)))

    def _show_loss(self, why: str) -> None:
        """Keep the preview after the engine died, and offer to encode it again."""
        preview, _ = self._encoding
        self._end_encoding()
        noun = "wave" if isinstance(preview.picture, OpenedWave) else "picture"
        text = f"{why} Your {noun} is still here and was not used yet."
        self._offer_again(text, ("Use it", lambda: self._encode(preview)))

    def close(self) -> None:
        """Wait for running work."""
        self._opening.wait()
        self._fitting.wait()

    def _on_opened(self, outcome: OpenedFile | Exception) -> None:
        self.busy.set(self._request.running.get())
        if isinstance(outcome, OpenedFile):
            self.opened.emit(outcome)
        elif isinstance(outcome, ValueError):  # FileRefused, whose text is a sentence for the user
            self._offer_again(str(outcome))
        else:
            raise outcome

    def _offer_again(self, text: str, *again: MessageButton) -> None:
        """Show a message until another file is opened, or this one is used or closed."""
        self._messages.show_message(text.strip(), "failed", *again, until=(self.busy.changed, self.preview.changed))

    def _end_encoding(self) -> None:
        self.busy.set(False)
        self.waiting.set("")


def little_range_text(picture: OpenedPicture) -> str:
    """Return the message for a picture that uses little of its range."""
    return f'"{picture.name}" {picture.has_narrow_range.removeprefix("it ")}. Stretch it to see more.'
