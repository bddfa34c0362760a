"""Train a model: the loop, from top to bottom, and the run that it belongs to."""

import atexit
import contextlib
import copy
import math
import sys
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from studio import zoo
from studio.density.model import Model
from studio.engine.device import release_memory, used_memory
from studio.engine.errors import is_out_of_memory
from studio.engine.events import Pause
from studio.engine.levels import TrainingExamples
from studio.engine.training import checkpoint, evaluation, gradients
from studio.engine.training.batches import batch_of_step, cuts_of_step, first_examples, variation_of
from studio.engine.training.clock import TrainingClock
from studio.engine.training.config import BadTrainingConfig, TrainingConfig, TrainingPlan, config_to_dict
from studio.engine.training.distributed import Team, present_team
from studio.engine.training.recordings import TrainingRecordings
from studio.engine.training.run_log import RunLog
from studio.engine.training.start_weights import load_start_weights
from studio.engine.training.waiting import keep_trying
from studio.library import earlier_keys, runs, storage


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
    parts: int = 1
    """In how many parts a batch is computed, because memory is short."""


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


Moment = ProgressReport | Pause | str | None
"""What a training yields after a step: a report, a rest, a sentence for the user, or nothing."""


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
        self._saved_step = 0
        self.ends_early = False
        """Whether the next step is the last one."""
        self.is_consistent = True
        """Whether model, average and optimiser belong to the same step. While they are updated, they do not."""
        self.notices = list[str]()
        """Sentences for the user since the last report."""
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
        gradients.restore_random_state(tensors, self.device)
        self.progress = RunProgress(**state["progress"])
        self._saved_step = self.progress.step
        saved_steps = [entry.step for entry in checkpoint.list_checkpoints(self.folder) if not entry.best]
        if self.team.is_first and max(saved_steps, default=0) > self.progress.step:
            self.notices.append(
                f"The last save was damaged. The one before is used, so it continues from step {self.progress.step:,}."
            )
        return True

    def save_checkpoint(self, *, best: bool = False) -> None:
        """Save everything as a checkpoint; `best` saves the average alone, as the best so far.

        Only the first process of a team saves. Raises storage.NotSaved, and checkpoint.NotFiniteWeights.
        """
        if self.team.is_first:
            self.check_folder()
            checkpoint.add_checkpoint(self.folder, *self.contents(best=best), best=best)
        if not best:
            self._saved_step = self.progress.step

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
            tensors |= gradients.random_state(self.device)
        return tensors, state

    def close(self) -> None:
        """Save what was learned since the last checkpoint; delete a run that has learned nothing.

        Raises storage.NotSaved.
        """
        if self.progress.step == 0:
            self.discard()
        elif self.progress.step != self._saved_step and self.is_consistent and not self.team.is_broken:
            with contextlib.suppress(checkpoint.NotFiniteWeights):
                self.save_checkpoint()

    def close_at_exit(self) -> None:
        """Close the run before the program ends, if nobody has ended its training."""
        with contextlib.suppress(OSError):
            self.close()

    def check_folder(self) -> None:
        """Raise storage.NotSaved if the run's folder is not there, for example because its disk was removed.

        Then an empty folder may be in its place, which must not be mistaken for it.
        """
        if not (self.folder / "study.json").exists():
            raise storage.NotSaved(self.folder, "missing", f'The folder of "{self.folder.name}" is not there.')

    def discard(self) -> None:
        """Delete a run that has learned nothing, so that its name is free."""
        if not self.team.is_first:
            return
        for entry in checkpoint.list_checkpoints(self.folder):
            storage.delete_file(self.folder / "checkpoints" / entry.file)
        storage.delete_file(self.folder / "checkpoints" / "manifest.json")
        storage.remove_if_empty(self.folder / "checkpoints")
        for name in ("study.json", runs.LOG_FILE):
            storage.delete_file(self.folder / name)
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


def train_run(
    run: TrainingRun,
    learn: TrainingExamples | TrainingRecordings,
    held_out: TrainingExamples | TrainingRecordings,
    *,
    bf16: bool,
) -> Generator[Moment, None, None]:
    """Train on `learn` until the plan's last step and evaluate on `held_out`.

    `held_out` must not be the test artworks. Yields after each step on a batch, so that other jobs get their turn: a
    ProgressReport every few seconds, None otherwise. The last is a ProgressReport after the last step: the plan's, the
    one after `run.ends_early` was set, or the one at which the plan's patience ended. While the disk takes no files, it
    waits: it yields a sentence for the user, then Pauses. Closing the generator saves first; a run that has not learned
    anything leaves nothing on the disk. Raises TrainingDiverged, gradients.NotEnoughMemory, or storage.NotSaved at the
    start if the run's folder cannot be written.
    """
    plan = run.config.plan
    clock = TrainingClock(run.progress.seconds)
    log = RunLog(run.folder, run.check_folder)
    is_last = False
    atexit.register(run.close_at_exit)
    try:
        if run.team.is_first:
            _prepare_run(run, learn)
            log.forget_after(run.progress.step)
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
            run.notices += [notice] if notice else []

            # Evaluate the averaged weights now and then, and keep the best.
            measured = None
            is_last = is_last or progress.step == plan.steps
            if progress.step % plan.evaluate_every == 0 or is_last:
                measured = yield from _measure_held_out(run, learn, held_out, clock)
                if not is_last and 0 < plan.patience <= progress.figures_since_best:
                    is_last = True
                    run.notices.append(_early_stop_text(progress))
            run.team.end_step()

            # Describe the progress now and then, and save.
            report = None
            if measured is not None or run.notices or clock.is_report_due:
                report = _report_progress(run, learn, clock, log, measured, is_last=is_last)
            if clock.is_save_due(plan.save_every_seconds) or is_last:
                yield from _save_patiently(run, clock)
                is_last = is_last and run.progress is progress  # a new object if weights were not finite
                clock.note_save()
            clock.pause()
            yield report
            clock.resume()
    finally:
        clock.close()
        atexit.unregister(run.close_at_exit)
        if not sys.is_finalizing():  # then nothing can be imported any more, and it is closed already
            if not is_last:
                run.team.end(run.device)
            run.close()


def _save_patiently(
    run: TrainingRun, clock: TrainingClock, *, best: bool = False
) -> Generator[str | Pause, None, None]:
    """Save a checkpoint. While the disk refuses, wait; if weights are not finite, roll back instead.

    A team cannot roll back, because its processes save at moments of the first one's clock. It raises TrainingDiverged.
    """
    try:
        for waiting in keep_trying(lambda: run.save_checkpoint(best=best)):
            with clock.wait():
                yield waiting
    except checkpoint.NotFiniteWeights:
        if run.team.size > 1:
            raise TrainingDiverged("the weights were not finite. The best checkpoint is kept") from None
        run.roll_back()
        run.notices.append("The weights were not finite. Training continues from the last save at half the rate.")


def _report_progress(
    run: TrainingRun,
    learn: TrainingExamples | TrainingRecordings,
    clock: TrainingClock,
    log: RunLog,
    measured: float | None,
    *,
    is_last: bool,
) -> ProgressReport:
    """Add a point to the run's curve and a line to its log, and describe its progress."""
    progress, plan = run.progress, run.config.plan
    progress.loss_curve.append((progress.step, progress.loss, measured))
    steps = clock.note_report()
    seconds_each = plan.cut_samples / run.config.sample_rate if isinstance(learn, TrainingRecordings) else 1
    learned = steps * plan.batch * seconds_each
    left = 0.0 if is_last else clock.seconds_left(plan.steps - progress.step)
    line = runs.LogLine(
        time=round(time.time(), 3),
        step=progress.step,
        seconds=round(progress.seconds, 3),
        training_bits=progress.loss,
        held_out_bits=measured,
        learning_rate=learning_rate_at(progress.step - 1, plan, progress.rate_scale),
        rate=learned,
        memory=used_memory(run.device),
        notices=tuple(run.notices),
    )
    if run.team.is_first:
        log.add(line)
    notice = " ".join(run.notices)
    run.notices.clear()
    unsaved = clock.seconds_unsaved
    return ProgressReport(progress.step, progress.loss, measured, learned, left, notice, progress.seconds, unsaved)


def _prepare_run(run: TrainingRun, learn: TrainingExamples | TrainingRecordings) -> None:
    """Put a run on the disk and initialise what depends on data: one pass in float32 before the first step."""
    storage.create_folder(run.folder / "checkpoints")
    storage.delete_leftovers(run.folder / "checkpoints")
    storage.delete_leftovers(run.folder)
    storage.write_file(run.folder / "study.json", msgspec.json.format(msgspec.json.encode(run.config)))
    if run.resumed:
        return
    if isinstance(learn, TrainingExamples) and not run.has_start_weights:
        gradients.with_smaller_batches(
            lambda count: _initialise(run, learn.select(slice(count))), run.model.initialisation_count, run.device
        )
    few = first_examples(learn, run.config.plan, run.model, gradients.MEASURED_EXAMPLES).to(run.device)
    if run.team.size == 1:
        run.progress.parts = gradients.parts_that_fit(run.model, few, run.config.plan.batch)
    if run.progress.parts > 1:
        run.notices.append(gradients.parts_text("Memory is short", run.progress.parts))
    run.save_checkpoint()


@torch.no_grad()
def _initialise(run: TrainingRun, examples: TrainingExamples) -> None:
    """Initialise the layers that start from data, in the model and its average."""
    first = examples.to(run.device)
    run.model.train()
    run.model.log_prob(first.x, first.c)
    run.average.load_state_dict(run.model.state_dict())


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
    loss, notice = _compute_gradients(run, batch, bf16=bf16)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), plan.max_gradient_norm)
    if math.isfinite(loss) and math.isfinite(norm.item()):
        run.is_consistent = False
        run.optimiser.step()
        progress.failures_in_a_row = 0
        progress.loss = loss
        _update_average(run.average, model, min(plan.average_decay, (1 + progress.step) / (10 + progress.step)))
        run.is_consistent = True
        return notice
    _restore_buffers(run)
    progress.failures_in_a_row += 1
    if progress.failures_in_a_row < 3:
        return f"Step {progress.step} gave no finite loss and was skipped. Nothing was lost."
    run.roll_back()
    return "Three steps failed in a row. Training continues from the last save at half the rate."


def _compute_gradients(run: TrainingRun, batch: TrainingExamples, *, bf16: bool) -> tuple[float, str]:
    """Compute the gradients of a batch; return its loss, and a sentence if memory ran out.

    Each time that it runs out, the batch is divided into twice as many parts. A team divides it among its processes
    only. Raises gradients.NotEnoughMemory.
    """
    if run.team.size > 1:
        return run.team.backward(run.model, batch, bf16=bf16), ""
    progress = run.progress
    random = gradients.random_state(run.device)
    notice = ""
    while True:
        try:
            return gradients.compute_gradients(run.model, batch, progress.parts, bf16=bf16), notice
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Outside the `except` block, whose traceback still holds the tensors.
        if progress.parts >= len(batch):
            raise gradients.NotEnoughMemory
        progress.parts = min(2 * progress.parts, len(batch))
        notice = gradients.parts_text("Memory ran out", progress.parts)
        run.model.zero_grad(set_to_none=True)
        _restore_buffers(run)
        gradients.restore_random_state(random, run.device)
        release_memory(run.device)


@torch.no_grad()
def _restore_buffers(run: TrainingRun) -> None:
    """Undo what a failed step did to the model's statistics and counters: the average has those of the last step."""
    for buffer, kept in zip(run.model.buffers(), run.average.buffers(), strict=True):
        buffer.copy_(kept)


@torch.no_grad()
def _update_average(average: Model, model: Model, decay: float) -> None:
    """Update the average of the weights: average ← decay · average + (1 - decay) · model.

    Only parameters are averaged; other state is copied.
    """
    for mine, theirs in zip(average.parameters(), model.parameters(), strict=True):
        mine.lerp_(theirs, 1 - decay)
    for buffer, other in zip(average.buffers(), model.buffers(), strict=True):
        buffer.copy_(other)


def _measure_held_out(
    run: TrainingRun,
    learn: TrainingExamples | TrainingRecordings,
    held_out: TrainingExamples | TrainingRecordings,
    clock: TrainingClock,
) -> Generator[str | Pause, None, float | None]:
    """Measure the average's bits per dimension on held-out data, and save the best average.

    Returns None if they are not finite.
    """
    measured = run.team.share_number(lambda: _measure(run, learn, held_out))
    progress = run.progress
    progress.figures_since_best += 1
    if measured < progress.best_held_out:
        progress.best_held_out = measured
        progress.figures_since_best = 0
        yield from _save_patiently(run, clock, best=True)
    return measured if math.isfinite(measured) else None


def keep_if_best(
    run: TrainingRun, learn: TrainingExamples | TrainingRecordings, held_out: TrainingExamples | TrainingRecordings
) -> None:
    """Save the average of a run that is not at work as its best model, if it is the best. Raises storage.NotSaved."""
    measured = _measure(run, learn, held_out)
    if measured < run.progress.best_held_out:
        run.progress.best_held_out = measured
        run.save_checkpoint(best=True)


def _measure(
    run: TrainingRun, learn: TrainingExamples | TrainingRecordings, held_out: TrainingExamples | TrainingRecordings
) -> float:
    """Return the average's bits per dimension on held-out data, in as little memory as there is."""
    if isinstance(learn, TrainingExamples):
        known = learn.select(slice(1024)).to(run.device)
        gradients.with_smaller_batches(
            lambda size: evaluation.update_batch_norm(run.average, known, batch=size), 64, run.device
        )
    unseen = held_out.to(run.device)
    return gradients.with_smaller_batches(
        lambda size: evaluation.bits_per_dimension(run.average, unseen, batch=size), 32, run.device
    )


def _early_stop_text(progress: RunProgress) -> str:
    """Return the sentence for a run that stops by itself. A resumed run has its whole patience again."""
    count = progress.figures_since_best
    progress.figures_since_best = 0
    return f"It stopped by itself: it got no better at unseen artworks in {count} figures. The best model is kept."
