"""Sound made while it is heard: sample after sample, a hand on it all the while, and never too far ahead."""

import math
import threading
import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from studio.density.sound import SEGMENT, AutoregressiveSound, PlainPlayer, Player, Prices
from studio.engine.artworks import Misfit, graded, heard
from studio.engine.rest import Rest
from studio.engine.sampling import Loaded, classes_for
from studio.wire import messages as wire

STEP = 0.012
"""Seconds after which the plain player lets others have a look."""
FEW = 8
"""Samples that the plain player makes at once."""
PATIENCE = 0.15
"""Seconds that are waited for the compiled player before the plain one begins."""
POLL = 0.015
"""Seconds between two looks at whether more is wanted."""

Events = Iterator[wire.AnyEvent | Rest | None]


class Performance:
    """One sound on its way."""

    def __init__(self, loaded: Loaded, command: wire.Perform) -> None:
        """Raises Misfit where the model cannot play it."""
        model = loaded.model
        if not isinstance(model, AutoregressiveSound) or model.follows or not loaded.card.rate:
            raise Misfit(f'"{loaded.card.title}" does not make sound that goes on; take a WaveNet')
        self.loaded, self.model, self.rate = loaded, model, loaded.card.rate
        self.command, self.until = command, command.until
        self.temperature, self.label = command.temperature, command.label
        self.c = classes_for(loaded, [command.seed], command.label)
        begin = command.begin if command.begin is not None else np.zeros(0, np.int16)
        if begin.dtype != np.int16 or begin.ndim != 1:
            raise Misfit(f"what it goes on from is {begin.shape} of {begin.dtype}, and sound is (samples,) of int16")
        self.past = graded(begin, model.levels)[None].long()  # (1, T)
        self.noise = _Noise(model, command.seed, len(begin))
        self.player: Player | None = None
        self.compiled = _Compiling(model, self.c)
        self.speed = 0.0

    def turn(self, command: wire.Steer) -> None:
        """Takes a wish in; it holds from the next sample that is made. Raises Misfit, and then nothing has changed."""
        if command.heat is not None or command.share is not None or command.shares is not None:
            raise Misfit("a sound that plays has one temperature and one model")
        if command.temperature is not None and len(command.temperature) != 1:
            raise Misfit("a sound that plays has one temperature")
        if command.label is not None and command.label != self.label:
            self.c = classes_for(self.loaded, [self.command.seed], command.label)
            self.label, self.player = command.label, None
        if command.temperature is not None:
            (self.temperature,) = command.temperature
        if command.until is not None:
            self.until = command.until

    @torch.no_grad()
    def steps(self) -> Events:
        """A piece of sound after another, until all is made."""
        self.compiled.start()
        yield from self.compiled.waited()
        seconds, made = self.command.seconds, 0
        whole = math.inf if seconds is None else round(seconds * self.rate)
        while made < whole:
            allowed = whole if self.until is None else min(whole, self.until * self.rate)
            count = int(min(round(wire.PIECE * self.rate), allowed - made))
            if count <= 0:
                yield Rest(POLL)
                continue
            yield from self._piece(made, count)
            made += count

    def _piece(self, first: int, count: int) -> Events:
        """Samples from number `first` on, in short steps, priced and told."""
        parts, began, worked = [], time.monotonic(), 0.0
        while count:
            swift = self._ready_player()
            few = min(count, count if swift else FEW)
            assert self.player is not None
            x = self.player.play(self.noise.take(few), torch.full((1, few), self.temperature))
            self.past = torch.cat((self.past, x.long()), 1)[:, -self.model.field - 1 :]
            parts.append((x, self.prices.bits(x.long())))
            count -= few
            if count and time.monotonic() - began > STEP:
                worked += time.monotonic() - began
                yield None
                began = time.monotonic()
        worked += time.monotonic() - began
        x, bits = (torch.cat(each, 1)[0] for each in zip(*parts, strict=True))
        now = len(x) / self.rate / max(worked, 1e-6)
        self.speed = self.speed * 0.8 + now * 0.2 if self.speed else now
        yield wire.Sounded(
            job=self.command.job,
            first=first,
            samples=heard(x, self.model.levels),
            bits=bits.float().cpu().numpy(),
            speed=self.speed,
        )

    def _ready_player(self) -> bool:
        """A player and its prices that know the past; whether it is the compiled one where there is one."""
        swift = self.compiled.done
        if self.player is None or (swift and isinstance(self.player, PlainPlayer) and not self.compiled.plain):
            net, conditional = self.model.net, self.model.conditional
            self.player = self.model.player(self.c, 1) if swift else PlainPlayer(net, conditional, self.c, 1)
            self.prices = Prices(self.model, self.c, 1)
            for part in torch.split(self.past, SEGMENT, 1) if self.past.numel() else ():
                self.player.hear(part)
                self.prices.bits(part)
        return swift and not self.compiled.plain


class _Noise:
    """The noise of a seed from a sample on, without an end."""

    def __init__(self, model: AutoregressiveSound, seed: int, first: int) -> None:
        self._blocks = model.noise_blocks(seed)
        self._spare = next(self._blocks)
        for _ in range(first // len(self._spare)):
            self._spare = next(self._blocks)
        self.take(first % len(self._spare))

    def take(self, count: int) -> Tensor:
        """The next `(1, count)`."""
        while len(self._spare) < count:
            self._spare = torch.cat((self._spare, next(self._blocks)))
        taken, self._spare = self._spare[:count], self._spare[count:]
        return taken[None]


class _Compiling(threading.Thread):
    """Has the compiled player compiled, which takes from nothing to many seconds."""

    def __init__(self, model: AutoregressiveSound, c: Tensor | None) -> None:
        super().__init__(daemon=True)
        self._model, self._c = model, c
        self.done = False
        self.plain = True
        """Whether there is none for this model."""

    @torch.no_grad()
    def run(self) -> None:
        player = self._model.player(self._c, 1)
        player.play(torch.zeros(1, 1, dtype=self._model.dtype), torch.ones(1, 1))
        self.plain = isinstance(player, PlainPlayer)
        self.done = True

    def waited(self) -> Iterator[Rest]:
        """Rests until it is done, but not for long."""
        end = time.monotonic() + PATIENCE
        while not self.done and time.monotonic() < end:
            yield Rest(0.002)
