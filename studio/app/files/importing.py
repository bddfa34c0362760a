"""Import a picture or a wave of the user: open it, show how a picture is cropped, and encode it."""

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
from studio.library.fitting import FittedPicture, fit_to_card
from studio.library.models import InstalledModel
from studio.media.pictures.image import Box, FileRefused, OpenedPicture
from studio.media.sounds import single_cycle
from studio.media.sounds.single_cycle import OpenedWave
from studio.wire.messages import AnyEvent, Array, Encode, Encoded, Failed

FitMode = Literal["crop", "fit", "pad"]


@dataclass(frozen=True, eq=False)
class CropPreview:
    """Holds a picture with its crop and the model's input, or a wave, which is never cropped."""

    picture: OpenedPicture | OpenedWave
    mode: FitMode
    box: Box | None
    """The crop (left, top, right, bottom) as fractions of the picture; None: `how` determines it."""
    model_input: Array
    """The artwork in the model's shape: (height, width, channels) uint8, or (samples,) int16."""
    note: str = ""
    """How many pixels took another colour of the model's palette; empty if none did."""
    is_own_work: bool = False
    """Whether the chosen model made the picture, so that nothing had to be cropped."""


class Importing(State):
    """Turns a file into a latent. Other threads decode and scale it, and the engine encodes it."""

    opened = Signal(object)
    """Emitted with an `OpenedFile`: the picture or wave in a file, and its recipe if it has one."""
    encoded = Signal(object, object, object)
    """Emitted with the engine's `Encoded`, the `CropPreview` that was encoded, and the model."""
    _preview_left = Signal()
    """Emitted when the preview closes or another file is opened."""

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
        """The name of the picture that is being encoded; empty if none is."""
        self._asked: tuple[CropPreview, InstalledModel]
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
        samples = trained.card.shape[0] if trained is not None and trained.card.medium == "sound" else None
        self._preview_left.emit()
        self.busy.set(True)
        self._opening.run(lambda: read_file(path, samples), self._on_opened)

    def show_preview(self, picture: OpenedPicture) -> None:
        """Show the preview of a picture that was opened, and offer to stretch one that uses little of its range."""
        self.set_preview(picture)
        self._offer_stretch(picture)

    def _offer_stretch(self, picture: OpenedPicture) -> None:
        if picture.narrow_range_note:
            self._messages.show_message(
                little_range_text(picture), "warn", ("Stretch", self._stretch), until=(self._preview_left,)
            )

    def _stretch(self) -> None:
        """Spread the values of the picture in the preview from black to white."""
        photo = self.preview.get()
        if photo is not None and isinstance(photo.picture, OpenedPicture) and photo.picture.narrow_range_note:
            self.set_preview(photo.picture.with_arrays_exchanged(), photo.mode, photo.box)
            said = f'"{photo.picture.name}" is stretched. Your file is untouched.'
            self._messages.show_message(said, "warn", ("Undo", self._undo_stretch), until=(self._preview_left,))

    def _undo_stretch(self) -> None:
        photo = self.preview.get()
        if photo is not None and isinstance(photo.picture, OpenedPicture) and not photo.picture.narrow_range_note:
            self.set_preview(photo.picture.with_arrays_exchanged(), photo.mode, photo.box)
            self._offer_stretch(photo.picture.with_arrays_exchanged())

    def set_preview(self, picture: OpenedPicture, how: FitMode = "crop", box: Box | None = None) -> None:
        """Show the preview of a picture with this crop."""
        trained = self._model.get()
        if trained is None or len(trained.card.shape) != 3:
            return

        def fitted(seen: FittedPicture | Exception) -> None:
            if isinstance(seen, Exception):
                raise seen
            self.preview.set(CropPreview(picture, how, box, seen.array, seen.note))

        # 64 megapixels take a while to scale down, and the crop is dragged.
        self._fitting.run(lambda: fit_to_card(picture.array, trained.card, how, box), fitted)

    def set_crop(self, how: FitMode, box: Box | None = None) -> None:
        """Cut the picture in the preview in another way."""
        photo = self.preview.get()
        if photo is not None and isinstance(photo.picture, OpenedPicture):
            self.set_preview(photo.picture, how, box)

    def encode_preview(self) -> None:
        """Let the engine encode the picture in the preview."""
        photo = self.preview.get()
        if photo is not None:
            self._encode(photo)

    def encode_picture(self, picture: Array, name: str) -> None:
        """Let the engine encode a picture that its model made. It needs no preview."""
        self._cancel_encoding()
        self._encode(CropPreview(OpenedPicture(picture, name, ()), "fit", None, picture, is_own_work=True))

    def encode_wave(self, wave: OpenedWave) -> None:
        """Let the engine encode a wave, scaled and shifted like the training waves. It needs no preview."""
        trained = self._model.get()
        if trained is None:
            return
        try:
            seen = single_cycle.cycle_from_wave(wave.array, trained.card.shape[0], wave.name)
        except FileRefused as refusal:
            self._offer_again(str(refusal))
            return
        self._cancel_encoding()
        like = "" if np.array_equal(seen, wave.array) else "at the usual loudness, from its first rise through zero"
        self._encode(CropPreview(replace(wave, notes=(*wave.notes, *filter(None, [like]))), "fit", None, seen))

    def _cancel_encoding(self) -> None:
        """Cancel the encoding."""
        if self._request.running.get():
            self._request.cancel()
            self._end_encoding()

    def _encode(self, photo: CropPreview) -> None:
        trained = self._model.get()
        if trained is None or self._request.running.get():
            return
        self._asked = (photo, trained)
        self.busy.set(True)
        self.waiting.set(photo.picture.name)
        name = trained.card.name
        label = self._label.get()
        self._request.ask(
            lambda job: Encode(job=job, control="photo", model=name, picture=photo.model_input, label=label)
        )

    def cancel_preview(self) -> bool:
        """Leave the preview. Return whether it was open."""
        was_open = self.preview.get() is not None
        self._opening.discard()
        self._fitting.discard()
        self._request.cancel()
        self._end_encoding()
        self.preview.set(None)
        self._preview_left.emit()
        return was_open

    def reset_preview(self) -> None:
        """Start the preview again, for another model."""
        photo = self.preview.get()
        if photo is not None and isinstance(photo.picture, OpenedPicture):
            self.cancel_preview()
            self.set_preview(photo.picture, photo.mode, photo.box)
            self._offer_stretch(photo.picture)

    def _use_answer(self, event: AnyEvent) -> None:
        photo, trained = self._asked
        self._end_encoding()
        if isinstance(event, Encoded):
            self.preview.set(None)
            self._preview_left.emit()
            self.encoded.emit(event, photo, trained)

    def _show_failure(self, event: Failed) -> None:
        photo, _ = self._asked
        self._end_encoding()
        self._offer_again(f"{event.reason} {event.hint}", ("Try again", lambda: self._encode(photo)))

    def _show_loss(self, why: str) -> None:
        """Keep the preview and offer to use it again, because the engine died during encoding."""
        photo, _ = self._asked
        self._end_encoding()
        what = "wave" if isinstance(photo.picture, OpenedWave) else "picture"
        said = f"{why} Your {what} is still here and was not used yet."
        self._offer_again(said, ("Use it", lambda: self._encode(photo)))

    def close(self) -> None:
        """Wait for the threads that decode or scale a file."""
        self._opening.wait()
        self._fitting.wait()

    def _on_opened(self, outcome: OpenedFile | Exception) -> None:
        self.busy.set(self._request.running.get())
        if isinstance(outcome, OpenedFile):
            self.opened.emit(outcome)
        elif isinstance(outcome, ValueError):  # Refused: a sentence for people
            self._offer_again(str(outcome))
        else:
            raise outcome

    def _offer_again(self, said: str, *again: MessageButton) -> None:
        """Show a message until another file is opened, or this one is used or closed."""
        self._messages.show_message(said.strip(), "failed", *again, until=(self.busy.changed, self.preview.changed))

    def _end_encoding(self) -> None:
        self.busy.set(False)
        self.waiting.set("")


def little_range_text(picture: OpenedPicture) -> str:
    """Return the message for a picture that uses little of its range."""
    return f'"{picture.name}" {picture.narrow_range_note.removeprefix("it ")}. Stretch it to see more.'
