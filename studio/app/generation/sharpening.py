"""Holds how much the user sharpens what is drawn: by guidance and top-p."""

from typing import Annotated

import msgspec
from msgspec import Meta
from PySide6.QtCore import QObject

from studio.app.core.observable import Field, Record, State, Value, within
from studio.app.core.undo import ChangeStep
from studio.library.models import InstalledModel
from studio.library.work import Work, density_note
from studio.wire.messages import MAX_GUIDANCE


class Sharpening(msgspec.Struct, frozen=True, kw_only=True):
    """Holds guidance and top-p, which commands and recipes have by the same names. The defaults change nothing."""

    guidance: Annotated[float, Meta(ge=0.0, le=MAX_GUIDANCE)] = 0.0
    top_p: Annotated[float, Meta(ge=0.0, le=1.0)] = 1.0

    @classmethod
    def of_work(cls, work: Work) -> "Sharpening":
        return cls(guidance=work.guidance, top_p=work.top_p)

    @property
    def density_note(self) -> str:
        """Return what the user must know about the bits of such pictures; empty if nothing is sharpened."""
        return density_note(self.guidance, self.top_p)

    def to_record(self) -> Record:
        return msgspec.structs.asdict(self)


class SharpeningInput(State):
    """Holds the sliders for guidance and top-p. `change` sets them as steps of undo."""

    def __init__(self, change: ChangeStep, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._change = change
        self.guidance: Value[float] = Value(0.0, self)
        self.top_p: Value[float] = Value(1.0, self)
        self.has_guidance: Value[bool] = Value(False, self)
        """Whether the chosen model can sharpen towards a class. A mixture of two models cannot."""
        self.has_top_p: Value[bool] = Value(False, self)
        """Whether the chosen model draws pixel by pixel."""
        self.fields = (
            Field("guidance", self.guidance.get, lambda stored: self.guidance.set(within(stored, 0.0, MAX_GUIDANCE))),
            Field("top_p", self.top_p.get, lambda stored: self.top_p.set(within(stored, 0.0, 1.0))),
        )

    def set_model(self, trained: InstalledModel | None, is_mixed: bool) -> None:
        self.has_guidance.set(trained is not None and trained.card.has_guidance and not is_mixed)
        self.has_top_p.set(trained is not None and trained.card.can_inpaint)

    def set_guidance(self, guidance: float, gesture: str | None = "guidance") -> None:
        self._change("guidance", gesture, guidance=guidance)

    def set_top_p(self, top_p: float, gesture: str | None = "top-p") -> None:
        self._change("top-p", gesture, top_p=top_p)

    def chosen(self) -> Sharpening:
        """Return the sharpening for a run that begins now, as far as the chosen model can."""
        return Sharpening(
            guidance=self.guidance.get() if self.has_guidance.get() else 0.0,
            top_p=self.top_p.get() if self.has_top_p.get() else 1.0,
        )
