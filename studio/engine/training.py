"""The training loop, read from top to bottom, and what it is told."""

import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
from msgspec import Meta
from torch import Tensor

from studio import zoo
from studio.density.model import Model
from studio.density.sound import AutoregressiveSound
from studio.engine import checkpoint, evaluation
from studio.engine.artworks import Examples
from studio.engine.device import rounding
from studio.engine.recordings import Recordings
from studio.library import storage


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the loop. Every preset of a family may be trained by any plan."""

    steps: Annotated[int, Meta(ge=1, title="Steps")] = 2000
    batch: Annotated[int, Meta(ge=2, le=4096, title="Batch")] = 32
    rate: Annotated[float, Meta(gt=0, le=0.1, title="Learning rate")] = 1e-3
    final_rate: Annotated[float, Meta(ge=0, le=1, title="Final rate", description="Share of the rate at the end")] = (
        0.05
    )
    warm_up: Annotated[int, Meta(ge=0, title="Warm-up steps")] = 100
    clip: Annotated[float, Meta(gt=0, title="Clip", description="Largest norm of the gradient")] = 100.0
    decay: Annotated[float, Meta(ge=0, le=0.1, title="Weight decay")] = 0.0
    average: Annotated[float, Meta(ge=0, lt=1, title="Average", description="Decay of the weights' average")] = 0.999
    cut: Annotated[int, Meta(ge=64, le=2**20, title="Cut", description="Samples of a recording in one example")] = 8192
    flips: Annotated[bool, Meta(title="Mirror", description="Also learn from mirrored artworks")] = False
    evaluate: Annotated[int, Meta(ge=1, title="Evaluate every", description="Steps between held-out figures")] = 250
    save_seconds: Annotated[float, Meta(gt=0, title="Save every", description="Seconds between checkpoints")] = 60.0
    seed: Annotated[int, Meta(ge=0)] = 0


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be learned and how: the recipe of a trained model, as `models/recipes/` keeps them."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")]
    title: str
    makes: str
    """What its pictures show, for example `Emoji`."""
    learned_from: str
    licence: str
    data: str = ""
    """Where the data stood, for people."""
    shape: tuple[Annotated[int, Meta(ge=1, le=65536)], ...]
    """(channels, height, width) of pictures, (samples,) of single cycles of sound, and of recordings where nobody asks
    for another length."""
    levels: Annotated[int, Meta(ge=2, le=65536)] = 256
    """How finely artworks are graded: 32 for pictures of 5 bits, 4096 for sounds of 12; 256 of sounds are μ-law."""
    rate: Annotated[int, Meta(ge=0, le=192_000)] = 0
    """Hz of recordings; 0 of pictures and single cycles."""
    labels: tuple[str, ...] = ()
    """The columns of a pack's index that say the kinds of its recordings, each a sort of kinds."""
    temperature: Annotated[float, Meta(ge=0, le=2)] = 0.8
    recipe: zoo.Recipe
    plan: Plan = Plan()


SOUND_LEVELS = 4096
"""To which a person's own sounds are graded: their noise is 72 dB below them, and densities stay learnable."""


class BadStudy(ValueError):
    """What is to be learned cannot be; a sentence."""


def study_in(data: bytes) -> Study:
    """A study as a file in `models/recipes/` holds it. Raises BadStudy naming the field."""
    try:
        return msgspec.json.decode(data, type=Study)
    except msgspec.MsgspecError as error:
        raise BadStudy(f"The recipe cannot be used: {error}.") from None


RECORDINGS = {"steps": 4000, "batch": 2, "rate": 0.003, "final_rate": 0.02, "warm_up": 200, "clip": 1, "average": 0.998}
"""The plan for a person's own recordings: an hour on one core with the small preset of a WaveNet."""


def study_of(name: str, source: Path, family: str, preset: str, shape: tuple[int, ...], rate: int = 0) -> Study:
    """A study of a person's own artworks with a preset of a family; single cycles in 12 bits, recordings at a `rate` in
    Hz in 8 by μ-law. Raises BadStudy."""
    known = zoo.FAMILIES.get(family)
    if known is None:
        raise BadStudy(f'There is no family "{family}". There are: {", ".join(zoo.FAMILIES)}.')
    if preset not in known.presets:
        raise BadStudy(f'There is no preset "{preset}". There are: {", ".join(known.presets)}.')
    fields = {
        "name": name,
        "title": name.replace("-", " ").capitalize(),
        "makes": f"Like {source.stem}",
        "learned_from": source.name,
        "licence": "your own",
        "data": source.name,
        "shape": shape,
        "levels": SOUND_LEVELS if len(shape) == 1 and not rate else 256,
        "rate": rate,
        "plan": RECORDINGS if rate else {},
        "recipe": msgspec.to_builtins(known.presets[preset]),
    }
    try:
        return msgspec.convert(fields, Study)
    except msgspec.ValidationError as error:
        raise BadStudy(f'The name "{name}" is not usable ({error}): take small letters, digits and hyphens.') from None


def plain(study: Study) -> dict[str, Any]:
    """A study as it travels in a message."""
    fields: dict[str, Any] = msgspec.to_builtins(study)
    return fields


def with_steps(study: Study, steps: int) -> Study:
    """The same study, learned for another number of steps."""
    return msgspec.structs.replace(study, plan=msgspec.structs.replace(study.plan, steps=steps))


@dataclass
class Progress:
    """Where a run stands; all of it is saved with every checkpoint."""

    step: int = 0
    loss: float = 0.0
    """Bits per dimension of the last batch that had a finite loss."""
    best: float = math.inf
    rate_scale: float = 1.0
    bad_in_a_row: int = 0
    rollbacks: int = 0
    seconds: float = 0.0
    curve: list[tuple[int, float, float | None]] = field(default_factory=list)
    """(step, training bits per dimension, held-out bits per dimension where measured)"""


class Diverged(RuntimeError):
    """The loss stayed non-finite after three rollbacks; the best checkpoint is kept."""


@dataclass(frozen=True)
class Moment:
    """One look at a run: after this many steps, with this loss."""

    step: int
    loss: float
    held_out: float | None
    rate: float
    seconds_left: float
    notice: str = ""


class Run:
    """A run's model, average, optimiser and progress, resumed from its folder where there is one."""

    def __init__(self, study: Study, folder: Path, device: torch.device) -> None:
        self.study, self.folder, self.device = study, folder, device
        torch.manual_seed(study.plan.seed)
        try:
            self.model = study.recipe.build(study.shape, study.levels).to(device)
        except ValueError as error:
            raise BadStudy(f"{error}.") from None
        zoo.channels_last(self.model)
        self.average: Model = copy.deepcopy(self.model).eval()
        plan = study.plan
        self.optimiser = torch.optim.AdamW(self.model.parameters(), plan.rate, weight_decay=plan.decay)
        self.progress = Progress()
        self.resumed = self._resume(checkpoint.newest(folder))

    def _resume(self, found: tuple[dict[str, Tensor], dict[str, Any]] | None) -> bool:
        if found is None:
            return False
        tensors, state = found
        saved = msgspec.convert(state["study"]["recipe"], zoo.Recipe)
        begun = (saved, tuple(state["study"]["shape"]), state["study"].get("levels", 256))
        if begun != (self.study.recipe, self.study.shape, self.study.levels):
            raise BadStudy(
                f'"{self.folder.name}" was begun with other settings and was left as it is; '
                "give the same settings, or another name for a new run"
            )
        for prefix, model in (("model.", self.model), ("average.", self.average)):
            model.load_state_dict({k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)})
        moments: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            if key.startswith("optimiser."):
                _, index, name = key.split(".")
                moments.setdefault(int(index), {})[name] = tensor
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": moments})
        torch.set_rng_state(tensors["random"])
        self.progress = Progress(**state["progress"])
        return True

    def save(self, *, best: bool = False) -> None:
        """A checkpoint of everything; `best` saves the average alone, as the best so far."""
        state = {
            "study": plain(self.study),
            "progress": vars(self.progress),
            "step": self.progress.step,
        }
        tensors = {f"average.{k}": t for k, t in self.average.state_dict().items()}
        if not best:
            tensors |= {f"model.{k}": t for k, t in self.model.state_dict().items()}
            for index, moments in self.optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser.{index}.{name}": t for name, t in moments.items()}
            tensors["random"] = torch.get_rng_state()
        checkpoint.keep(self.folder, tensors, state, best=best)

    def roll_back(self) -> None:
        """Back to the newest good checkpoint with half the rate. Raises Diverged after the third time."""
        rollbacks, scale = self.progress.rollbacks + 1, self.progress.rate_scale / 2
        if rollbacks > 3:
            raise Diverged("the loss stayed without a number after three rollbacks; the best checkpoint is kept")
        if not self._resume(checkpoint.newest(self.folder)):
            raise Diverged("the loss had no number before the first checkpoint; try a lower learning rate")
        self.progress.rollbacks, self.progress.rate_scale, self.progress.bad_in_a_row = rollbacks, scale, 0


def batch_at(examples: Examples, step: int, plan: Plan, levels: int = 256) -> Examples:
    """The batch of a step: every epoch is a permutation of its own, so a resumed run goes on in order.

    Mirrored, a picture is turned left to right, and a cycle of sound backwards and upside down, so that it
    still begins where it rises through zero.
    """
    each = max(len(examples) // plan.batch, 1)
    epoch, place = divmod(step, each)
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(plan.seed * 1_000_003 + epoch))
    part = examples.part(order[place * plan.batch : (place + 1) * plan.batch])
    if not plan.flips:
        return part
    mirrored = torch.rand(len(part)) < 0.5
    other = part.x.flip(-1) if part.x.dim() == 4 else levels - 1 - part.x.flip(-1).roll(1, -1)
    x = torch.where(mirrored.view(-1, *[1] * (part.x.dim() - 1)), other, part.x)
    return Examples(x, part.c)


def cuts_at(sounds: Recordings, step: int, plan: Plan, model: Model) -> Examples:
    """The cuts of a step, for a model of recordings."""
    if not isinstance(model, AutoregressiveSound):
        raise BadStudy("Only a WaveNet learns from recordings; take it, or single cycles of sound.")
    return sounds.cuts(step, plan.batch, plan.cut, model.field, model.silence, plan.seed)


def rate_at(step: int, plan: Plan, scale: float) -> float:
    """Linear warm-up, then half a cosine down to `final_rate` of the rate."""
    warm = min(1.0, (step + 1) / max(plan.warm_up, 1))
    fall = 0.5 * (1 + math.cos(math.pi * min(step / plan.steps, 1.0)))
    return plan.rate * scale * warm * (plan.final_rate + (1 - plan.final_rate) * fall)


def train(
    run: Run, learn: Examples | Recordings, held_out: Examples | Recordings, *, bf16: bool
) -> Iterator[Moment | None]:
    """Learns from `learn` until the plan's last step; measured on `held_out`.

    Yields after each step on a batch, so that sound and hands have their turn: a Moment every few seconds, None
    otherwise. Closing the generator saves first. Raises Diverged, or
    storage.NotSaved at the start where the run's folder cannot be written.
    """
    plan, model, average, progress = run.study.plan, run.model, run.average, run.progress
    autocast = torch.autocast(run.device.type, torch.bfloat16, enabled=bf16)
    if not run.resumed:
        storage.folder(run.folder / "checkpoints")
        storage.write(run.folder / "study.json", msgspec.json.format(msgspec.json.encode(run.study)))
        if isinstance(learn, Examples):
            _begin(run, learn.part(slice(run.model.starting)).to(run.device))
        run.save()
    saved = told = began = time.monotonic()
    before, taken = progress.seconds, 0
    try:
        while progress.step < plan.steps:
            # One step on one batch.
            if isinstance(learn, Recordings):
                batch = cuts_at(learn, progress.step, plan, model).to(run.device)
            else:
                batch = batch_at(learn, progress.step, plan, run.study.levels).to(run.device)
            for group in run.optimiser.param_groups:
                group["lr"] = rate_at(progress.step, plan, progress.rate_scale)
            model.train()
            run.optimiser.zero_grad(set_to_none=True)
            with rounding():
                with autocast:
                    loss = batch.loss(model)
                torch.autograd.backward(loss)
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), plan.clip)

            # A loss or gradient without a number moves nothing; three in a row roll back.
            notice = ""
            if math.isfinite(loss.item()) and math.isfinite(norm.item()):
                run.optimiser.step()
                progress.bad_in_a_row, progress.loss = 0, loss.item()
                _follow(average, model, min(plan.average, (1 + progress.step) / (10 + progress.step)))
            else:
                progress.bad_in_a_row += 1
                notice = f"Step {progress.step} gave no finite loss and was skipped. Nothing was lost."
                if progress.bad_in_a_row >= 3:
                    run.roll_back()
                    progress = run.progress
                    notice = "Three steps in a row failed, so it went back to the last save and learns half as fast."
            progress.step += 1
            taken += 1
            progress.seconds = before + time.monotonic() - began

            # Held-out figure of the averaged weights, now and then; the best is kept.
            measured = None
            if progress.step % plan.evaluate == 0 or progress.step == plan.steps:
                if isinstance(learn, Examples):
                    evaluation.settle(average, learn.part(slice(1024)).to(run.device))
                measured = evaluation.bits_per_dimension(average, held_out.to(run.device))
                if measured < progress.best:
                    progress.best = measured
                    run.save(best=True)
                if not math.isfinite(measured):
                    measured = None

            # Save, then tell.
            now = time.monotonic()
            if now - saved > plan.save_seconds or progress.step == plan.steps:
                run.save()
                saved = time.monotonic()
            if measured is not None or notice or now - told > 2 or taken == 1:
                told = now
                rate = taken / max(now - began, 1e-9)
                progress.curve.append((progress.step, progress.loss, measured))
                yield Moment(
                    progress.step,
                    progress.loss,
                    measured,
                    rate * plan.batch * (plan.cut / run.study.rate if isinstance(learn, Recordings) else 1),
                    (plan.steps - progress.step) / rate,
                    notice,
                )
            else:
                yield None
    finally:
        if progress.step < plan.steps and time.monotonic() - saved > 1:
            run.save()


@torch.no_grad()
def _begin(run: Run, examples: Examples) -> None:
    """Lets what starts from data start: one pass in float32, so that the first step finds everything in its place."""
    run.model.train()
    run.model.log_prob(examples.x, examples.c)
    run.average.load_state_dict(run.model.state_dict())


@torch.no_grad()
def _follow(average: Model, model: Model, decay: float) -> None:
    """average ← decay · average + (1 - decay) · model, for what is learned; other state is copied."""
    for mine, theirs in zip(average.parameters(), model.parameters(), strict=True):
        mine.lerp_(theirs, 1 - decay)
    for buffer, other in zip(average.buffers(), model.buffers(), strict=True):
        buffer.copy_(other)
