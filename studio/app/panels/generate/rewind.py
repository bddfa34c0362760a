"""Continues a picture from one of its rows, as another take."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from msgspec.structs import replace as other
from PySide6.QtCore import QObject, Signal

from studio.app.core import colours
from studio.app.core.artwork import Artwork
from studio.app.core.jobs import JobList
from studio.app.core.messages import Messages, Severity
from studio.app.core.observable import EngineProtocol, Record, State, Value
from studio.app.core.request import Request
from studio.app.core.text import FIGURE_SPACE, timestamp
from studio.app.generation.sharpening import Sharpening
from studio.app.maps.uncertainty import UncertaintyMaps
from studio.library.models import InstalledModel
from studio.library.work import FixedPixel, ModelMixture, RedrawnFromRow, Work
from studio.wire.messages import AnyCommand, AnyEvent, Array, Failed, Inpaint, PicturesPreview, Sample


@dataclass(frozen=True, eq=False)
class RewindBase:
    """Holds the picture on the stage in its model's shape, with everything needed to make it again."""

    artwork: Artwork
    trained: InstalledModel
    caption: str
    """The place of the picture: `take 000002.png`, `cell 4114`."""
    rows_drawn: int | None = None
    """Number of drawn rows if the picture was stopped before its end."""

    @property
    def rows(self) -> int:
        return int(self.artwork.array.shape[0])

    @property
    def last_row(self) -> int:
        """Return how many rows can be kept."""
        return self.rows if self.rows_drawn is None else self.rows_drawn


@dataclass(frozen=True)
class Marker:
    """Holds how many rows are kept. If it is armed, the user has moved it, and the rows below are dimmed."""

    row: int
    fixed_pixels: tuple[FixedPixel, ...] = ()
    armed: bool = False

    @property
    def pixels_below(self) -> tuple[FixedPixel, ...]:
        """Return the imposed pixels below the marker."""
        return tuple(pixel for pixel in self.fixed_pixels if pixel.row >= self.row)

    def to_record(self) -> Record:
        imposed = [[pixel.row, pixel.column, list(pixel.colour)] for pixel in self.fixed_pixels]
        return {"row": self.row, "fixed_pixels": imposed, "armed": self.armed}

    @classmethod
    def from_record(cls, plain: Record) -> "Marker":
        imposed = tuple(
            FixedPixel(int(r), int(c), tuple(int(v) for v in colour)) for r, c, colour in plain["fixed_pixels"]
        )
        return cls(int(plain["row"]), imposed, bool(plain["armed"]))


@dataclass(frozen=True, eq=False)
class RewoundPicture:
    """Holds a continued picture: kept and drawn rows above `row`, the old picture below."""

    artwork: Artwork
    row: int
    start: int
    """The row from which it was continued."""
    base: RewindBase
    running: bool = True


def default_marker(base: RewindBase) -> Marker:
    """Return the marker before the user moves it: at the end, or at the row of the last continuation."""
    rewound = base.artwork.work.redrawn
    return (
        Marker(min(rewound.row, base.last_row), rewound.fixed_pixels) if rewound is not None else Marker(base.last_row)
    )


class Rewind(State):
    """Holds the picture that can be continued, its marker, and the continued picture."""

    finished = Signal(object, object)
    """The continued picture as an Artwork, and the RewindBase that it came from."""

    def __init__(
        self,
        engine: EngineProtocol,
        messages: Messages,
        queue: JobList,
        uncertainty: UncertaintyMaps,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._messages = messages
        self._queue = queue
        self._uncertainty = uncertainty
        self._request = Request(engine, "rewind", "single", self)
        self._request.progressed.connect(self._update_picture)
        self._request.answered.connect(self._finish)
        self._request.stopped.connect(self._show_stop)
        self._request.failed.connect(self._show_failure)
        self._request.lost.connect(self._show_loss)
        engine.status_changed.connect(self._update_derived)
        self.base: Value[RewindBase | None] = Value(None, self)
        """None if nothing on the stage can be continued."""
        self.marker: Value[Marker | None] = Value(None, self)
        self.rewound: Value[RewoundPicture | None] = Value(None, self)
        self.status_text: Value[str] = Value("", self)
        """The progress, `Row 19 of 32, about 2 s left`; or a sentence about Continue."""
        self.working: Value[bool] = Value(False, self)
        """Whether a picture is being continued."""
        self._finished: Array | None = None
        uncertainty.on.changed.connect(self._steer_uncertainty)

    def set_base(self, base: RewindBase | None) -> None:
        """Set the picture on the stage, or None; the same picture keeps its marker."""
        before = self.base.get()
        self_base = base if base is not None and base.trained.card.draws_by_rows else None
        if before is not None and self_base is not None and before.caption == self_base.caption:
            return
        forming = self.rewound.get()
        if forming is not None and not forming.running:
            self.rewound.set(None)
        self.base.set(self_base)
        self.marker.set(default_marker(self_base) if self_base is not None else None)
        self._update_derived()

    def set_marker(self, mark: Marker) -> None:
        """Set the marker, as a step of undo does."""
        base = self.base.get()
        forming = self.rewound.get()
        if base is not None:
            self.marker.set(replace(mark, row=min(max(mark.row, 0), base.last_row)))
            if forming is not None and not forming.running:
                self.rewound.set(None)
            self._update_derived()

    def marker_with_pixel(self, row: int, column: int, colour: Sequence[int] | None) -> Marker | None:
        """Return the marker with a pixel imposed, or released if `colour` is None.

        It is None if there is no such pixel.
        """
        base = self.base.get()
        marker = self.marker.get()
        if (
            base is None
            or marker is None
            or not (marker.row <= row < base.rows and 0 <= column < base.artwork.array.shape[1])
        ):
            return None
        rest = tuple(pixel for pixel in marker.fixed_pixels if (pixel.row, pixel.column) != (row, column))
        if colour is not None:
            card = base.trained.card
            near = colours.nearest_model_colour(colour, card.levels, card.palette)
            rest = (*rest, FixedPixel(row, column, near))
        return Marker(marker.row, tuple(sorted(rest, key=lambda pixel: (pixel.row, pixel.column))), armed=True)

    def work_of(
        self, seed: int, temperature: float, label: int | None, mix: ModelMixture | None, sharpening: Sharpening
    ) -> Work | None:
        """Return the recipe of the continued picture; None if all rows are kept."""
        base = self.base.get()
        marker = self.marker.get()
        if base is None or marker is None or marker.row >= base.rows:
            return None
        rewound = RedrawnFromRow(row=marker.row, fixed_pixels=marker.pixels_below)
        return Work(
            model=base.trained.card.name,
            model_hash=base.trained.file_hash_if_found,
            seed=seed,
            temperature=(temperature,),
            label=label,
            palette=base.trained.card.palette,
            **sharpening.to_record(),
            mix=mix,
            canvas_size=base.artwork.work.canvas_size,
            redrawn=rewound,
            created=timestamp(),
        )

    def is_already_drawn(self, work: Work) -> bool:
        """Return whether this recipe would only draw the picture on the stage again."""
        base = self.base.get()
        if base is None or work.redrawn is None or base.rows_drawn is not None:
            return False
        made = base.artwork.work
        was = made.redrawn or RedrawnFromRow(row=0)
        changed_while_drawn = other(made, guidance=0.0, top_p=1.0).has_live_settings
        if made.latent is not None or any(made.sliders) or changed_while_drawn:  # it was not made by a seed alone
            return False
        was_made, will_be = (
            (
                each.model_hash,
                each.seed,
                each.temperature,
                each.label,
                each.mix,
                each.seamless,
                Sharpening.of_work(each),
            )
            for each in (made, work)
        )
        return (
            was_made == will_be
            and work.redrawn.row >= was.row
            and not set(work.redrawn.fixed_pixels) - set(was.fixed_pixels)
        )

    def draw_rest(self, work: Work) -> None:
        """Continue the picture on the stage by this recipe."""
        base = self.base.get()
        if base is not None and not self.is_running:
            self._send_job(base, work)

    def retry_rest(self) -> None:
        """Draw the rest of a stopped or lost picture."""
        forming = self.rewound.get()
        if forming is not None and not self.is_running:
            self._send_job(forming.base, forming.artwork.work)

    def stop_drawing(self) -> None:
        """Stop now; the drawn rows stay on the stage."""
        self._request.stop()

    @property
    def is_running(self) -> bool:
        return self.working.get()

    def _send_job(self, base: RewindBase, work: Work) -> None:
        rewound = work.redrawn
        assert rewound is not None, "a making that keeps nothing is another picture"
        self._finished = None
        picture = rewound.impose_on(base.artwork.array)
        free = rewound.drawn_mask(*base.artwork.array.shape[:2])
        self.rewound.set(RewoundPicture(Artwork(picture, work), rewound.row, rewound.row, base))
        shared: Record = {
            "model": base.trained.card.name,
            "seeds": (work.seed,),
            "temperature": work.temperature,
            "temperature_map": work.temperature_map.to_array() if work.temperature_map is not None else None,
            "label": work.label,
            "report_entropy": self._uncertainty.on.get(),
            **Sharpening.of_work(work).to_record(),
        }
        if work.mix is not None:
            shares = work.mix.share_map
            shared |= {"second_model": work.mix.model, "share": work.mix.share}
            shared["share_map"] = shares.to_array() if shares is not None else None

        def question(job: str) -> AnyCommand:
            self._queue.add_job(job, f"{base.trained.card.title}: continued from row {rewound.row}", 1)
            self.working.set(True)
            if free.all():
                return Sample(job=job, canvas_size=work.canvas_size, **shared)
            return Inpaint(job=job, picture=picture, mask=free, **shared)

        self._request.ask(question)
        self._update_derived()

    def _steer_uncertainty(self, on: bool) -> None:
        """Record the uncertainty of the pixels from now on, or stop recording."""
        self._request.steer(report_entropy=on)

    # ── engine events ────────────────────────────────────────────────────────────────────────────

    def _finish(self) -> None:
        forming = self._end_drawing()
        if self._finished is not None:
            self.rewound.set(None)
            self.finished.emit(replace(forming.artwork, array=self._finished), forming.base)
        self._end()

    def _show_stop(self) -> None:
        forming = self._end_drawing()
        text = f"Stopped at row {forming.row} of {forming.base.rows}. What is drawn is still on the stage."
        self._offer_rest(text, "Continue", "info")

    def _show_failure(self, event: Failed) -> None:
        self._end_drawing()
        self._offer_rest(f"{event.reason} {event.hint}", "Try again")

    def _show_loss(self, why: str) -> None:
        forming = self._end_drawing()
        text = f"{why} The continued picture was lost at row {forming.row}. The original is kept."
        self._offer_rest(text, "Draw it again")

    def _offer_rest(self, text: str, button: str, severity: Severity = "failed") -> None:
        """Offer to draw the rest of a picture whose drawing ended early."""
        self._messages.show_message(text.strip(), severity, (button, self.retry_rest), until=(self.rewound.changed,))
        self._end()

    def _end(self) -> None:
        self.working.set(False)
        self._update_derived()

    def _update_picture(self, event: AnyEvent) -> None:
        forming = self.rewound.get()
        if forming is None or not isinstance(event, PicturesPreview):
            return
        work = forming.artwork.work
        if event.labels is not None:  # the seed's own class, if none was asked for
            work = other(work, label=event.labels[0])
        row = max(forming.row, min(event.done, forming.base.rows))
        picture = np.concatenate([event.pictures[0][:row], forming.artwork.array[row:]])
        self._uncertainty.add_pictures(event.job, [picture], event.entropy, event.done == event.total)
        self.rewound.set(replace(forming, artwork=Artwork(picture, work), row=row))
        if event.done == event.total:
            self._finished = event.pictures[0].copy()
        self._update_derived()

    def _end_drawing(self) -> RewoundPicture:
        """Mark the continued picture as no longer forming, and return it."""
        forming = self.rewound.get()
        assert forming is not None, "what is at work is forming"
        stopped = replace(forming, running=False)
        self.rewound.set(stopped)
        return stopped

    def _update_derived(self) -> None:
        forming = self.rewound.get()
        base = self.base.get()
        marker = self.marker.get()
        if forming is not None:
            rows = forming.base.rows
            time = self._queue.time_left(self._request.job)
            left = f", {time} left" if time else ""
            place = f"{str(forming.row).rjust(len(str(rows)), FIGURE_SPACE)} of {rows}"
            self.status_text.set(f"Row {place}{left}" if forming.running else f"Stopped at row {forming.row} of {rows}")
        elif base is None or marker is None or marker.row >= base.rows:
            self.status_text.set("")
        else:
            count = len(marker.pixels_below)
            plural = "s" if count > 1 else ""
            also = f", {count} pixel{plural} imposed" if count else ""
            self.status_text.set(f"as a new take from row {marker.row}{also}")
