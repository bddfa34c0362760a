"""Draw pictures in groups, with a preview and a score of each group.

Live controls can change the drawing meanwhile.
"""

import math
import time
from collections.abc import Callable, Iterator

from torch import Tensor

from studio.density.autoregressive import PixelEntropies
from studio.engine import errors
from studio.engine.device import ComputeDevice, batch_that_fits, release_memory
from studio.engine.events import EventSteps
from studio.engine.generation import sampling
from studio.engine.generation.live_controls import LiveControls
from studio.wire import messages as wire

GROUP_SIZE = 8
"""The number of pictures that are drawn together.

With 16, the previews of a slider that was dragged meanwhile came 58 ms late in the 95th percentile; with 8 it is 44 ms
(tests/benchmarks/dragging.py).
"""
GROUP_PIXELS = 2**18
"""The most pixels of a group, such as four canvases of 256 × 256, so that its steps and previews stay small."""
_PREVIEW_SECONDS = 1 / 30
"""Seconds between two previews."""

DrawSteps = Callable[[tuple[int, ...], Tensor, PixelEntropies], Iterator[tuple[wire.Array, int, int] | None]]
"""Draws pictures of seeds at temperatures, and fills in entropies.

It yields the pictures so far, the steps done, and the number of steps; or None between two of these.
"""
PriceSteps = Callable[[wire.Array, tuple[int, ...]], Iterator[tuple[list[float], list[float] | None] | None]]
"""Computes the log-probabilities of finished pictures and their seeds.

It yields None after each step, then ln p of each picture in nats, and ln p of what follows the drawn part of each.
"""


class PictureJob:
    """Draws the pictures of a command on one device."""

    def __init__(
        self,
        command: wire.DrawPictures,
        device: ComputeDevice,
        loaded: sampling.LoadedModel,
        *,
        draw: DrawSteps,
        score: PriceSteps,
    ) -> None:
        """Raises DoesNotFit if the model cannot run the command."""
        self.command = command
        self.device = device
        self.loaded = loaded
        self._draw = draw
        self._score = score
        self._live_controls = LiveControls(loaded, command)

    def adjust(self, command: wire.Adjust) -> None:
        """Accept an edit. Raises DoesNotFit, and then nothing has changed."""
        self._live_controls.adjust(command)

    def steps(self) -> EventSteps:
        """Draw group by group. If memory runs out, draw smaller groups."""
        first = 0
        wanted = max(1, min(GROUP_SIZE, GROUP_PIXELS // math.prod(self.loaded.model.shape[-2:])))
        group = batch_that_fits(self.device, wanted, self.loaded.bytes_each)
        while first < len(self.command.seeds):
            seeds = self.command.seeds[first : first + group]
            try:
                yield from self._draw_group(seeds, first)
                first += len(seeds)
                continue
            except (RuntimeError, MemoryError) as error:
                if group == 1 or not errors.is_out_of_memory(error):
                    raise
            group //= 2
            release_memory(self.device.torch_device)
            yield wire.Notice(
                job=self.command.job,
                text=f"Memory ran out, so it makes {group} pictures at a time. Nothing was lost.",
            )

    def _draw_group(self, seeds: tuple[int, ...], first: int) -> EventSteps:
        shown = time.monotonic()
        controls = self._live_controls
        pictures = None
        rows = 0
        for drawn in self._draw(seeds, controls.begin_group(), controls.record_entropies(len(seeds))):
            if drawn is None:
                yield None
                continue
            pictures, done, rows = drawn
            if done == rows or time.monotonic() - shown > _PREVIEW_SECONDS:
                shown = time.monotonic()
                yield wire.PicturesPreview(
                    job=self.command.job,
                    first=first,
                    pictures=pictures,
                    done=done,
                    total=rows + 1,  # the last step computes the bits
                    entropy=controls.entropy_of_rows(done),
                )
            else:
                yield None
            controls.apply_below(done)
        assert pictures is not None, "a model yields at least one step"
        for log_probs in self._score(pictures, seeds):
            yield None if log_probs is None else self._finished_preview(pictures, seeds, first, rows, *log_probs)

    def _finished_preview(
        self,
        pictures: wire.Array,
        seeds: tuple[int, ...],
        first: int,
        rows: int,
        whole: list[float],
        following: list[float] | None,
    ) -> wire.PicturesPreview:
        """Return the preview of a finished group, with its log-probabilities and settings."""
        named = self.loaded.parts[0] if self.loaded.parts is not None else self.loaded
        c = sampling.classes_for(named, seeds, self.command.label)
        return wire.PicturesPreview(
            job=self.command.job,
            first=first,
            pictures=pictures,
            done=rows + 1,
            total=rows + 1,
            log_prob=tuple(whole),
            labels=tuple(int(kind) for kind in c) if c is not None else None,
            following_log_prob=tuple(following) if following is not None else None,
            entropy=self._live_controls.entropy_of_rows(rows),
            **self._live_controls.settings_as_drawn(),
        )
