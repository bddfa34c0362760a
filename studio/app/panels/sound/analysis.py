"""Asks the engine for the bits of each visible sample, and for the best ends of a loop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PySide6.QtCore import QObject

from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, State, Value
from studio.app.core.request import Request
from studio.app.panels.sound.player import SoundPlayer
from studio.library.models import InstalledModel
from studio.wire.messages import (
    CONTEXT_SAMPLES,
    AnyCommand,
    AnyEvent,
    BitsChunk,
    ComputeBits,
    Failed,
    FindLoop,
    LoopFound,
)


class LoopFinder(State):
    """Moves the ends of the player's loop to where the model finds the join likeliest."""

    def __init__(
        self, engine: EngineProtocol, player: SoundPlayer, messages: Messages, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._player = player
        self._messages = messages
        self._request = Request(engine, "join", "single", self)
        self._request.answered.connect(self._use_answer)
        self._request.failed.connect(self._show_failure)
        for signal in (self._request.stopped, self._request.lost, player.loop.changed):
            signal.connect(self._clear_status)
        self.busy: Value[bool] = self._request.running
        self.status_text: Value[str] = Value("", self)
        """The bits of the join: `The join costs 3.4 bits, least of 400 tried`; empty before a search."""
        self._on_found: Callable[[tuple[float, float]], object] = lambda loop: None

    def find_loop(
        self, model: str, seed: int, label: int | None, on_found: Callable[[tuple[float, float]], object]
    ) -> None:
        """Look for the best join near the ends of the loop; `then` receives the loop that has it."""
        player = self._player
        loop = self._player.loop.get()
        if loop is None or self.busy.get():
            return
        self._on_found = on_found
        self.status_text.set("Looking for the best join…")
        begin, end = (round(seconds * player.rate) for seconds in loop)
        end = min(end, len(player.samples))
        sound = player.samples.copy()
        self._request.ask(
            lambda job: FindLoop(
                job=job, model=model, sound=sound, begin=begin, end=end, seed=seed, label=label, control="join"
            )
        )

    def _use_answer(self, event: AnyEvent) -> None:
        if not isinstance(event, LoopFound):
            self.status_text.set("")
            return
        self._on_found((event.begin / self._player.rate, event.end / self._player.rate))
        least = "least" if event.join_bits < event.join_bits_before else "the least"
        self.status_text.set(f"The join costs {event.join_bits:.1f} bits, {least} of {event.tried_count:,} tried")

    def _show_failure(self, event: Failed) -> None:
        self.status_text.set("")
        text = f"{event.reason} The loop stays as it is. {event.hint}".strip()
        self._messages.show_message(text, "failed", until=(self.busy.changed, self._player.loop.changed))

    def _clear_status(self) -> None:
        """Clear the figures after a change of the loop, or after an answer failed to come."""
        self._request.cancel()
        self.status_text.set("")


MARGIN_SHARE = 0.1
"""Share of the visible stretch that is also priced on each side, so that a short scroll shows no gap."""

MAX_SECONDS = 600.0
"""Maximum length of one request in seconds: hours of samples would not fit into one message."""

UPDATE_INTERVAL = 1.0
"""Length in seconds of the end of a sound by which the engine decides its class."""

SampleRange = tuple[int, int]
"""The numbers of a stretch's first sample and of the one after its last."""


@dataclass(frozen=True)
class _PricingJob:
    """Holds an engine job that computes the bits of the samples from `first` up to before `end`.

    If `first` equals `end`, the job only decides the class.
    """

    offset: int
    """The number of the first sample that was sent."""
    first: int
    end: int
    next: int
    """The first sample whose price has not arrived yet."""


class RecordingBits(State):
    """Asks for the prices of the visible stretch only, and never twice for the same samples.

    One job runs at a time. It is stopped when its samples are no longer visible, and the next one waits for its end.
    """

    def __init__(self, engine: EngineProtocol, player: SoundPlayer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._player = player
        self.status_text: Value[str] = Value("", self)
        """A note on which model and class the prices assume: `as Piano alone rates it`."""
        self._model: InstalledModel | None = None
        self._label: int | None = None
        self._mixed = False
        self._missing: list[SampleRange] = []
        """The stretches without a price, in order."""
        self._visible: tuple[float, float] | None = None
        self._asked: _PricingJob
        """The question that was asked last."""
        self.stopped: Value[bool] = Value(False, self)
        """Whether the user stopped the last job, or it failed."""
        self._request = Request(engine, "price", "latest", self)
        self._request.progressed.connect(self._use_part)
        self._request.answered.connect(self._finish)
        for signal in (self._request.stopped, self._request.failed, self._request.lost):
            signal.connect(self._leave_rest)
        engine.status_changed.connect(self._send_next)
        player.leaving.connect(self._reset)
        player.grew.connect(self._drop_removed)

    def set_model(self, trained: InstalledModel, label: int | None, mixed: bool) -> None:
        """Price the player's samples. `mixed`: a second model helped to make them; its prices are not computed."""
        self._reset()
        self._model = trained
        self._label = label
        self._mixed = mixed
        self._missing = _remove_range([(0, len(self._player.samples))], 0, 0)
        self._update_status()
        self._send_next()

    def set_visible(self, visible: tuple[float, float] | None) -> None:
        """Set the visible seconds; None if no prices are shown. After None, a stopped job may start again."""
        self._visible = visible
        if visible is None:
            self.stopped.set(False)
        self._send_next()

    def on_job_stopped(self, job: str) -> None:
        """Note that the user stopped a job; if it is one of these, no other follows it."""
        if self._request.is_named(job):
            self.stopped.set(True)

    def resume(self) -> None:
        """Ask again for the bits that a stopped job left out."""
        self.stopped.set(False)
        self._send_next()

    def _use_part(self, event: AnyEvent) -> None:
        if isinstance(event, BitsChunk):
            self._store_bits(event)
            self._send_next()

    def _finish(self) -> None:
        question = self._asked
        complete = question.next == question.end if question.first < question.end else self._label is not None
        self.stopped.set(not complete)
        self._send_next()

    def _leave_rest(self) -> None:
        """Stop pricing. If the engine died, pricing may be the cause. The sound plays without prices."""
        self.stopped.set(True)

    def _store_bits(self, event: BitsChunk) -> None:
        """Store more prices, and the class if the engine decided it."""
        if event.label != self._label:
            self._label = event.label
            self._update_status()
        first = self._asked.offset + event.first_sample
        self._asked = replace(self._asked, next=first + len(event.bits))
        # If the sound was cut in the meantime, the samples made since then already have prices.
        end = next((min(b, first + len(event.bits)) for a, b in self._missing if a <= first < b), first)
        if end > first:
            self._missing = _remove_range(self._missing, first, end)
            self._player.set_bits(first, event.bits[: end - first].astype(np.float32))

    def _reset(self) -> None:
        """Forget everything before another sound or model is used."""
        self._request.cancel()
        self._model = None
        self._missing = []
        self.stopped.set(False)
        self.status_text.set("")

    def _drop_removed(self) -> None:
        """Forget missing prices after the end: new samples arrive with their prices."""
        self._missing = _remove_range(self._missing, len(self._player.samples), None)
        self._send_next()

    def _update_status(self) -> None:
        if self._model is not None:
            alone = f"as {self._model.card.title} alone rates it" if self._mixed else ""
            assumed = f"taken for {self._model.card.class_names[self._label]}" if self._label is not None else ""
            self.status_text.set(", ".join(filter(None, [alone, assumed])))

    # ── requests ─────────────────────────────────────────────────────────────────────────────────

    def _send_next(self) -> None:
        """Ask for the prices that are visible and still missing; stop any other question."""
        if self._request.job and not self._is_still_wanted(self._asked, self._wanted_range()):
            self._request.cancel()
        if self._request.ready:
            self._request.ask(self._question)

    def _question(self, job: str) -> AnyCommand | None:
        reach = self._wanted_range()
        model = self._model
        samples = self._player.samples
        if self.stopped.get() or reach is None or model is None:
            return None
        first, end = next(part for part in self._missing if _overlap(part, reach))
        first = max(first, reach[0])
        end = min(end, reach[1], first + round(MAX_SECONDS * self._player.rate))
        offset = max(first - CONTEXT_SAMPLES, 0)
        if model.card.classes and self._label is None:
            first = end = len(samples)
            offset = max(end - round(UPDATE_INTERVAL * self._player.rate), 0)
        self._asked = _PricingJob(offset, first, end, first)
        sound = samples[offset:end].copy()
        return ComputeBits(job=job, model=model.card.name, sound=sound, first_sample=first - offset, label=self._label)

    def _wanted_range(self) -> SampleRange | None:
        """Return the samples to be priced now: the visible ones, then a margin; None if all have prices."""
        if self._visible is None:
            return None
        begin, end = self._visible
        more = MARGIN_SHARE * (end - begin)
        for first, last in ((begin, end), (begin - more, end + more)):
            reach = max(round(first * self._player.rate), 0), round(last * self._player.rate)
            if any(_overlap(part, reach) for part in self._missing):
                return reach
        return None

    def _is_still_wanted(self, question: _PricingJob, reach: SampleRange | None) -> bool:
        """Return whether the next prices of a job are still wanted. A job without any left only has to end."""
        if question.first == question.end:
            return reach is not None
        if question.next == question.end:
            return True
        at = question.next, question.next + 1
        return reach is not None and _overlap(at, reach) and any(_overlap(at, part) for part in self._missing)


def _overlap(one: SampleRange, other: SampleRange) -> bool:
    return max(one[0], other[0]) < min(one[1], other[1])


def _remove_range(stretches: Sequence[SampleRange], first: int, end: int | None) -> list[SampleRange]:
    """Remove the samples from `first` up to before `end` (None: up to the last) from stretches."""
    parts = [part for a, b in stretches for part in ((a, min(b, first)), (b if end is None else max(a, end), b))]
    return [(a, b) for a, b in parts if a < b]
