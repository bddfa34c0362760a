"""Train a model: the loop, from top to bottom."""

import atexit
import math
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass

import msgspec
import torch

from studio.density.model import Model
from studio.engine.device import release_memory, used_memory
from studio.engine.errors import is_out_of_memory
from studio.engine.events import Pause
from studio.engine.levels import TrainingExamples
from studio.engine.training import checkpoint, evaluation, gradients
from studio.engine.training.batches import batch_of_step, cuts_of_step, first_examples, variation_of
from studio.engine.training.clock import TrainingClock
from studio.engine.training.config import TrainingPlan
from studio.engine.training.recordings import TrainingRecordings
from studio.engine.training.run_log import RunLog
from studio.engine.training.shard_blocks import ShardBlocks
from studio.engine.training.training_run import RunProgress, TrainingDiverged, TrainingRun
from studio.engine.training.waiting import WaitReport, keep_trying
from studio.library import runs, storage


@dataclass(frozen=True)
class ProgressReport:
    """Holds the progress of a run after a step."""

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


StepResult = ProgressReport | WaitReport | Pause | None
"""What a training yields after a step: its progress, why it waits, a Pause, or nothing."""


def learning_rate_at(step: int, plan: TrainingPlan, scale: float) -> float:
    """Return the learning rate: linear warm-up, then half a cosine down to `final_rate` of the rate."""
    warm = min(1.0, (step + 1) / max(plan.warm_up, 1))
    fall = 0.5 * (1 + math.cos(math.pi * min(step / plan.steps, 1.0)))
    return plan.learning_rate * scale * warm * (plan.final_rate + (1 - plan.final_rate) * fall)


def next_batch(
    run: TrainingRun, learn: TrainingExamples | TrainingRecordings, stream: ShardBlocks | None = None
) -> TrainingExamples:
    """Return the batch of the run's next step, on its device."""
    step = run.progress.step
    plan = run.config.plan
    if stream is not None:
        return stream.batch(step).to(run.device)
    if isinstance(learn, TrainingRecordings):
        return cuts_of_step(learn, step, plan, run.model, variation_of(run.config)).to(run.device)
    return batch_of_step(learn, step, plan, run.config.levels, run.config.augmentation).to(run.device)


def train_run(
    run: TrainingRun,
    learn: TrainingExamples | TrainingRecordings,
    held_out: TrainingExamples | TrainingRecordings,
    *,
    bf16: bool,
    stream: ShardBlocks | None = None,
) -> Generator[StepResult, None, None]:
    """Train on `learn` until the plan's last step and evaluate on `held_out`.

    `held_out` must not be the test artworks. Yields after each step on a batch, so that other jobs get their turn: a
    ProgressReport every few seconds, None otherwise. The last is a ProgressReport after the last step: the plan's, the
    one after `run.ends_early` was set, or the one at which the plan's patience ended. While the disk takes no files, it
    waits: it yields a WaitReport, then Pauses. Closing the generator saves first; a run that has not learned
    anything leaves nothing on the disk. Raises TrainingDiverged, gradients.NotEnoughMemory, or storage.NotSaved at the
    start if the run's folder cannot be written.

    Arguments
        stream: gives the batches instead of `learn`, which then holds some of its artworks. It is closed at the end
    """
    plan = run.config.plan
    clock = TrainingClock(run.progress.seconds)
    log = RunLog(run.folder, run.check_folder)
    is_last = False
    atexit.register(run.close_at_exit)
    try:
        if run.process_group.is_first:
            _prepare_run(run, learn)
            log.forget_after(run.progress.step)
        run.process_group.connect_run(run)
        is_last = run.progress.step == plan.steps
        if is_last:  # it was stopped after its last step
            yield ProgressReport(plan.steps, run.progress.loss, None, 0.0, 0.0, "", run.progress.seconds)
        while not is_last:
            # Take one step on one batch.
            is_last = run.process_group.begin_step(run.device, ends_early=run.ends_early)
            if stream is not None:
                yield from _wait_for_batch(run, stream, clock)
            notice = train_step(run, next_batch(run, learn, stream), bf16=bf16)
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
            run.process_group.end_step()

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
        if stream is not None:
            stream.close()
        clock.close()
        atexit.unregister(run.close_at_exit)
        if not sys.is_finalizing():  # then nothing can be imported any more, and it is closed already
            if not is_last:
                run.process_group.end(run.device)
            run.close()


def _wait_for_batch(run: TrainingRun, stream: ShardBlocks, clock: TrainingClock) -> Generator[StepResult, None, None]:
    """Wait until the batch of the next step is read. Raises FileRefused if it never will be."""
    progress = run.progress
    steps = stream.make_ready(progress.stream, progress.step)
    while True:
        try:
            waiting = next(steps)
        except StopIteration as end:
            progress.stream = end.value
            return
        if isinstance(waiting, str):
            run.notices.append(waiting)
            continue
        if not stream.is_waiting:
            yield waiting
            continue
        with clock.wait():
            yield waiting
        if run.ends_early:
            raise stream.refuse_missing()


def _save_patiently(
    run: TrainingRun, clock: TrainingClock, *, best: bool = False
) -> Generator[WaitReport | Pause, None, None]:
    """Save a checkpoint. While the disk refuses, wait; if weights are not finite, roll back instead.

    Several processes cannot roll back, because only the first one saves. Then it raises TrainingDiverged.
    """
    try:
        for waiting in keep_trying(lambda: run.save_checkpoint(best=best)):
            with clock.wait():
                yield waiting
    except checkpoint.NotFiniteWeights:
        if run.process_group.world_size > 1:
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
    if run.process_group.is_first:
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
    if run.process_group.world_size == 1:
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

    Each time that it runs out, the batch is divided into twice as many parts. Several processes do not divide their
    rows further. Raises gradients.NotEnoughMemory.
    """
    if run.process_group.world_size > 1:
        return run.process_group.backward(run.model, batch, bf16=bf16), ""
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
) -> Generator[WaitReport | Pause, None, float | None]:
    """Measure the average's bits per dimension on held-out data, and save the best average.

    Returns None if they are not finite.
    """
    measured = run.process_group.broadcast_number(lambda: _measure(run, learn, held_out))
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
    """Save the average of an idle run as its best model, if it is the best. Raises storage.NotSaved."""
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
    return f"It stopped by itself: {count} held-out figures in a row were no better. The best model is kept."
