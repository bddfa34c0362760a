"""Train a model: the loop, from top to bottom, and the run that it belongs to."""

import copy
import math
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from studio import zoo
from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.model import Model
from studio.engine.device import rounding_settings
from studio.engine.levels import TrainingExamples
from studio.engine.training import checkpoint, evaluation
from studio.engine.training.augmentation import NOT_VARIED, Augmentation, SoundVariation, seeded, vary_pictures
from studio.engine.training.config import BadTrainingConfig, TrainingConfig, TrainingPlan, config_to_dict
from studio.engine.training.distributed import Team, present_team
from studio.engine.training.pace import Pace
from studio.engine.training.recordings import TrainingRecordings
from studio.engine.training.start_weights import load_start_weights
from studio.library import earlier_keys, storage

REPORT_SECONDS = 2.0
"""Seconds between two reports of a run, unless it was just measured."""


@dataclass
class RunProgress:
    """Holds the progress of a run; all of it is saved with every checkpoint."""

    step: int = 0
    loss: float = 0.0
    """Bits per dimension of the last batch that had a finite loss."""
    best_held_out: float = math.inf
    rate_scale: float = 1.0
    failures_in_a_row: int = 0
    rollbacks: int = 0
    seconds: float = 0.0
    data_fingerprint: str = ""
    """The hash of the training data."""
    loss_curve: list[tuple[int, float, float | None]] = field(default_factory=list)
    """For each point: the step, the training bits per dimension, and the held-out ones if they were measured."""
    figures_since_best: int = 0
    """The number of held-out figures that were measured since the best one."""


class TrainingDiverged(RuntimeError):
    """Reports that the loss was not finite after three rollbacks. The best checkpoint is kept."""


@dataclass(frozen=True)
class ProgressReport:
    """Holds the progress of a run at one moment."""

    step: int
    loss: float
    held_out: float | None
    rate: float
    seconds_left: float
    notice: str = ""
    seconds: float = 0.0
    """Seconds of training so far."""
    unsaved_seconds: float = 0.0
    """Seconds since the last checkpoint."""


class TrainingClock:
    """Counts the steps and seconds of a training, without the time in which other jobs work.

    Arguments
        earlier: seconds of training in earlier sessions
    """

    def __init__(self, earlier: float) -> None:
        self._earlier = earlier
        self._saved = self._reported = self._resumed = time.monotonic()
        self._worked = 0.0
        """Seconds of this session until it paused last."""
        self._steps = 0
        self._pace = Pace()

    def count_step(self) -> float:
        """Count a step, and return the seconds of training in all sessions."""
        self._steps += 1
        return self._earlier + self._worked + time.monotonic() - self._resumed

    @property
    def is_report_due(self) -> bool:
        """Return whether the first step was just taken, or some seconds passed without a report."""
        return self._steps == 1 or time.monotonic() - self._reported > REPORT_SECONDS

    def note_report(self) -> float:
        """Note that the progress is reported, and return the steps in a second of this session."""
        self._reported = time.monotonic()
        self._pace.add_mark(self._steps, self._reported)
        return self._steps / max(self._worked + self._reported - self._resumed, 1e-9)

    def seconds_left(self, steps: int) -> float:
        """Return the seconds that so many more steps take; 0 if that is not known yet."""
        return self._pace.seconds_for(steps)

    @property
    def seconds_unsaved(self) -> float:
        """Return the seconds since the last checkpoint."""
        return time.monotonic() - self._saved

    def note_save(self) -> None:
        """Note that a checkpoint was saved."""
        self._saved = time.monotonic()

    def pause(self) -> None:
        """Stop the clock while other jobs work."""
        self._worked += time.monotonic() - self._resumed

    def resume(self) -> None:
        """Start the clock again."""
        self._resumed = time.monotonic()


class TrainingRun:
    """Holds a run's model, average, optimiser and progress. If its folder exists, it is resumed from there."""

    def __init__(
        self,
        config: TrainingConfig,
        folder: Path,
        device: torch.device,
        start_weights: Mapping[str, Tensor] | None = None,
        *,
        resumes: bool = True,
    ) -> None:
        """Build the model of a config, and resume its run from its folder if there is one.

        Arguments
            start_weights: the weights of a trained model, with which a new run begins
            resumes: whether the folder is looked into
        """
        self.config = config
        self.folder = folder
        self.device = device
        self.team: Team = present_team() if resumes else Team()
        torch.manual_seed(config.plan.seed)
        try:
            self.model = config.recipe.build(config.shape, config.levels).to(device)
        except ValueError as error:
            raise BadTrainingConfig(f"{error}.") from None
        self.has_start_weights = start_weights is not None
        if start_weights is not None:
            load_start_weights(self.model, start_weights)
        zoo.channels_last(self.model)
        self.average: Model = copy.deepcopy(self.model).eval()
        plan = config.plan
        self.optimiser = torch.optim.AdamW(self.model.parameters(), plan.learning_rate, weight_decay=plan.weight_decay)
        self.progress = RunProgress()
        self.ends_early = False
        """Whether the next step is the last one."""
        self.resumed = resumes and self.team.is_first and self.restore(checkpoint.load_newest(folder))

    def restore(self, found: tuple[dict[str, Tensor], dict[str, Any]] | None) -> bool:
        """Take over a checkpoint. Return whether there is one. Raises BadTrainingConfig if it has other settings."""
        if found is None:
            return False
        tensors, stored = found
        state = earlier_keys.CHECKPOINT.to_present(stored)
        saved = msgspec.convert(state["config"]["recipe"], zoo.Recipe)
        old = state["config"]
        new = self.config
        begun = (saved, tuple(old["shape"]), old.get("levels", 256), old.get("sample_rate", 0))
        if begun != (new.recipe, new.shape, new.levels, new.sample_rate):
            raise BadTrainingConfig(
                f'"{self.folder.name}" was started with other settings and was left unchanged. '
                "Use the same settings, or another name"
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
        self.progress = RunProgress(**state["progress"])
        return True

    def save_checkpoint(self, *, best: bool = False) -> None:
        """Save everything as a checkpoint; `best` saves the average alone, as the best so far.

        Only the first process of a team saves.
        """
        if self.team.is_first:
            checkpoint.add_checkpoint(self.folder, *self.contents(best=best), best=best)

    def contents(self, *, best: bool = False) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the tensors and the values of a checkpoint."""
        state = {
            "config": config_to_dict(self.config),
            "progress": vars(self.progress),
            "step": self.progress.step,
        }
        tensors = {f"average.{k}": t for k, t in self.average.state_dict().items()}
        if not best:
            tensors |= {f"model.{k}": t for k, t in self.model.state_dict().items()}
            for index, moments in self.optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser.{index}.{name}": t for name, t in moments.items()}
            tensors["random"] = torch.get_rng_state()
        return tensors, state

    def discard(self) -> None:
        """Delete a run that has learned nothing, so that its name is free."""
        if not self.team.is_first:
            return
        for entry in checkpoint.list_checkpoints(self.folder):
            storage.delete_file(self.folder / "checkpoints" / entry.file)
        storage.delete_file(self.folder / "checkpoints" / "manifest.json")
        storage.remove_if_empty(self.folder / "checkpoints")
        storage.delete_file(self.folder / "study.json")
        storage.remove_if_empty(self.folder)

    def roll_back(self) -> None:
        """Return to the newest good checkpoint with half the rate. Raises TrainingDiverged after the third time."""
        rollbacks = self.progress.rollbacks + 1
        scale = self.progress.rate_scale / 2
        if rollbacks > 3:
            raise TrainingDiverged("the loss was not finite after three rollbacks. The best checkpoint is kept")
        if not self.restore(self.team.share_checkpoint(lambda: checkpoint.load_newest(self.folder))):
            raise TrainingDiverged("the loss was not finite before the first checkpoint. Try a lower learning rate")
        self.progress.rollbacks = rollbacks
        self.progress.rate_scale = scale
        self.progress.failures_in_a_row = 0


def batch_of_step(
    examples: TrainingExamples, step: int, plan: TrainingPlan, levels: int = 256, how: Augmentation = NOT_VARIED
) -> TrainingExamples:
    """Return the batch of a step, augmented as `how` says.

    Every epoch is a permutation of its own, so a resumed run continues in order. If mirrored, a picture is flipped left
    to right, and a cycle of sound backwards and upside down, so that it still begins where it rises through zero.
    """
    each = max(len(examples) // plan.batch, 1)
    epoch, place = divmod(step, each)
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(plan.seed * 1_000_003 + epoch))
    part = examples.select(order[place * plan.batch : (place + 1) * plan.batch])
    x = part.x
    if plan.mirror:
        x = mirror_some(x, levels, torch.rand(len(part)) < 0.5)
    if x.dim() == 4:
        x = vary_pictures(x, how, levels, seeded(plan.seed, step))
    return part if x is part.x else TrainingExamples(x, part.c)


def mirror_some(x: Tensor, levels: int, mirrored: Tensor) -> Tensor:
    """Return pictures or cycles in levels, those where `mirrored` (n,) is true mirrored."""
    other = x.flip(-1) if x.dim() == 4 else levels - 1 - x.flip(-1).roll(1, -1)
    return torch.where(mirrored.view(-1, *[1] * (x.dim() - 1)), other, x)


def cuts_of_step(
    sounds: TrainingRecordings, step: int, plan: TrainingPlan, model: Model, variation: SoundVariation | None = None
) -> TrainingExamples:
    """Return the cuts of a step, for a model of recordings, varied if `variation` says so."""
    if not isinstance(model, AutoregressiveSound):
        raise BadTrainingConfig("Only a WaveNet learns from recordings. Choose it, or single cycles of sound.")
    return sounds.cuts_of_step(
        step, plan.batch, plan.cut_samples, model.receptive_field, model.silence_level, plan.seed, variation
    )


def learning_rate_at(step: int, plan: TrainingPlan, scale: float) -> float:
    """Return the learning rate: linear warm-up, then half a cosine down to `final_rate` of the rate."""
    warm = min(1.0, (step + 1) / max(plan.warm_up, 1))
    fall = 0.5 * (1 + math.cos(math.pi * min(step / plan.steps, 1.0)))
    return plan.learning_rate * scale * warm * (plan.final_rate + (1 - plan.final_rate) * fall)


def next_batch(run: TrainingRun, learn: TrainingExamples | TrainingRecordings) -> TrainingExamples:
    """Return the batch of the run's next step, on its device."""
    step = run.progress.step
    plan = run.config.plan
    if isinstance(learn, TrainingRecordings):
        return cuts_of_step(learn, step, plan, run.model, variation_of(run.config)).to(run.device)
    return batch_of_step(learn, step, plan, run.config.levels, run.config.augmentation).to(run.device)


def variation_of(config: TrainingConfig) -> SoundVariation | None:
    """Return how the recordings of a config are varied; None if they are not."""
    how = config.augmentation
    return SoundVariation(how, config.sample_rate, config.levels) if how.varies_sounds else None


def train_run(
    run: TrainingRun,
    learn: TrainingExamples | TrainingRecordings,
    held_out: TrainingExamples | TrainingRecordings,
    *,
    bf16: bool,
) -> Generator[ProgressReport | None, None, None]:
    """Train on `learn` until the plan's last step and evaluate on `held_out`.

    `held_out` must not be the test artworks. Yields after each step on a batch, so that other jobs get their turn: a
    ProgressReport every few seconds, None otherwise. The last is a ProgressReport after the last step: the plan's, the
    one after `run.ends_early` was set, or the one at which the plan's patience ended. Closing the generator saves
    first; a run that has not learned anything leaves nothing on the disk. Raises TrainingDiverged, or storage.NotSaved
    at the start if the run's folder cannot be written.
    """
    plan = run.config.plan
    clock = TrainingClock(run.progress.seconds)
    kept = run.progress.step
    is_last = False
    try:
        if run.team.is_first:
            _prepare_run(run, learn)
        run.team.connect_run(run)
        is_last = run.progress.step == plan.steps
        if is_last:  # it was stopped after its last step
            yield ProgressReport(plan.steps, run.progress.loss, None, 0.0, 0.0, "", run.progress.seconds)
        while not is_last:
            # Take one step on one batch.
            is_last = run.team.begin_step(run.device, ends_early=run.ends_early)
            notice = train_step(run, next_batch(run, learn), bf16=bf16)
            progress = run.progress  # a new object if the step rolled back
            progress.step += 1
            progress.seconds = clock.count_step()

            # Evaluate the averaged weights now and then, and keep the best.
            measured = None
            is_last = is_last or progress.step == plan.steps
            if progress.step % plan.evaluate_every == 0 or is_last:
                measured = measure_held_out(run, learn, held_out)
                if not is_last and 0 < plan.patience <= progress.figures_since_best:
                    is_last = True
                    notice = _early_stop_text(progress)
            run.team.end_step()

            # Describe the progress now and then, and save.
            report = None
            if measured is not None or notice or clock.is_report_due:
                report = _report_progress(run, learn, clock, measured, notice, is_last=is_last)
            if clock.seconds_unsaved > plan.save_every_seconds or is_last:
                run.save_checkpoint()
                clock.note_save()
                kept = progress.step
            clock.pause()
            yield report
            clock.resume()
    finally:
        if not is_last:
            run.team.end(run.device)
        if run.progress.step == 0:
            run.discard()
        elif run.progress.step != kept and not run.team.is_broken:
            run.save_checkpoint()


def _report_progress(
    run: TrainingRun,
    learn: TrainingExamples | TrainingRecordings,
    clock: TrainingClock,
    measured: float | None,
    notice: str,
    *,
    is_last: bool,
) -> ProgressReport:
    """Add a point to the run's curve, and describe its progress."""
    progress, plan = run.progress, run.config.plan
    progress.loss_curve.append((progress.step, progress.loss, measured))
    steps = clock.note_report()
    seconds_each = plan.cut_samples / run.config.sample_rate if isinstance(learn, TrainingRecordings) else 1
    learned = steps * plan.batch * seconds_each
    left = 0.0 if is_last else clock.seconds_left(plan.steps - progress.step)
    unsaved = clock.seconds_unsaved
    return ProgressReport(progress.step, progress.loss, measured, learned, left, notice, progress.seconds, unsaved)


def _prepare_run(run: TrainingRun, learn: TrainingExamples | TrainingRecordings) -> None:
    """Put a run on the disk and initialise what depends on data: one pass in float32 before the first step."""
    storage.create_folder(run.folder / "checkpoints")
    storage.write_file(run.folder / "study.json", msgspec.json.format(msgspec.json.encode(run.config)))
    if run.resumed:
        return
    if isinstance(learn, TrainingExamples) and not run.has_start_weights:
        first = learn.select(slice(run.model.initialisation_count)).to(run.device)
        with torch.no_grad():
            run.model.train()
            run.model.log_prob(first.x, first.c)
            run.average.load_state_dict(run.model.state_dict())
    run.save_checkpoint()


def train_step(run: TrainingRun, batch: TrainingExamples, *, bf16: bool) -> str:
    """Update model and average by one batch.

    A loss or gradient that is not finite changes nothing and is reported; three in a row roll back.
    """
    plan = run.config.plan
    model = run.model
    progress = run.progress
    for group in run.optimiser.param_groups:
        group["lr"] = learning_rate_at(progress.step, plan, progress.rate_scale)
    model.train()
    run.optimiser.zero_grad(set_to_none=True)
    with rounding_settings():
        loss = run.team.backward(model, batch, bf16=bf16)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), plan.max_gradient_norm)
    if math.isfinite(loss) and math.isfinite(norm.item()):
        run.optimiser.step()
        progress.failures_in_a_row = 0
        progress.loss = loss
        _update_average(run.average, model, min(plan.average_decay, (1 + progress.step) / (10 + progress.step)))
        return ""
    progress.failures_in_a_row += 1
    if progress.failures_in_a_row < 3:
        return f"Step {progress.step} gave no finite loss and was skipped. Nothing was lost."
    run.roll_back()
    return "Three steps failed in a row. Training continues from the last save at half the rate."


@torch.no_grad()
def _update_average(average: Model, model: Model, decay: float) -> None:
    """Update the average of the weights: average ← decay · average + (1 - decay) · model.

    Only parameters are averaged; other state is copied.
    """
    for mine, theirs in zip(average.parameters(), model.parameters(), strict=True):
        mine.lerp_(theirs, 1 - decay)
    for buffer, other in zip(average.buffers(), model.buffers(), strict=True):
        buffer.copy_(other)


def measure_held_out(
    run: TrainingRun, learn: TrainingExamples | TrainingRecordings, held_out: TrainingExamples | TrainingRecordings
) -> float | None:
    """Measure the average's bits per dimension on held-out data, and save the best average.

    Returns None if they are not finite.
    """

    def measure() -> float:
        if isinstance(learn, TrainingExamples):
            evaluation.update_batch_norm(run.average, learn.select(slice(1024)).to(run.device))
        return evaluation.bits_per_dimension(run.average, held_out.to(run.device))

    measured = run.team.share_number(measure)
    run.progress.figures_since_best += 1
    if measured < run.progress.best_held_out:
        run.progress.best_held_out = measured
        run.progress.figures_since_best = 0
        run.save_checkpoint(best=True)
    return measured if math.isfinite(measured) else None


def _early_stop_text(progress: RunProgress) -> str:
    """Return the sentence for a run that stops by itself. A resumed run has its whole patience again."""
    count = progress.figures_since_best
    progress.figures_since_best = 0
    return f"It stopped by itself: it got no better at unseen artworks in {count} figures. The best model is kept."
