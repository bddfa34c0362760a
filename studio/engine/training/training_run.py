"""Hold the state of a training, and save it as checkpoints in the run's folder."""

import contextlib
import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from studio import zoo
from studio.density.model import Model
from studio.engine.training import checkpoint, gradients
from studio.engine.training.config import BadTrainingConfig, TrainingConfig, config_to_dict
from studio.engine.training.distributed import ProcessGroup, current_process_group
from studio.engine.training.start_weights import load_start_weights
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
    stream: dict[str, Any] | None = None
    """The place in the shards that it learns from as a stream, if it does: `shard_blocks.StreamPlace`."""


class TrainingDiverged(RuntimeError):
    """Reports that the loss was not finite after three rollbacks. The best checkpoint is kept."""


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
        self.process_group: ProcessGroup = current_process_group() if resumes else ProcessGroup()
        torch.manual_seed(config.plan.seed)
        try:
            model = zoo.build_model(config.recipe, config.shape, config.levels, indexed=config.indexed)
            self.model = model.to(device)
        except ValueError as error:
            raise BadTrainingConfig(f"{error}.") from None
        self.has_start_weights = start_weights is not None
        if start_weights is not None:
            load_start_weights(self.model, start_weights)
        zoo.channels_last(self.model)
        self.average: Model = copy.deepcopy(self.model).eval()
        plan = config.plan
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(),
            plan.learning_rate,
            weight_decay=plan.weight_decay,
            fused=True if device.type == "cpu" else None,  # all of torch's steps in one; others are in one already
        )
        self.progress = RunProgress()
        self._saved_step = 0
        self.ends_early = False
        """Whether the next step is the last one."""
        self.is_consistent = True
        """Whether model, average and optimiser belong to the same step. While they are updated, they do not."""
        self.notices = list[str]()
        """Sentences for the user since the last report."""
        self.resumed = resumes and self.process_group.is_first and self.restore(checkpoint.load_newest(folder))

    def restore(self, found: tuple[dict[str, Tensor], dict[str, Any]] | None) -> bool:
        """Take over a checkpoint. Return whether there is one. Raises BadTrainingConfig if it has other settings."""
        if found is None:
            return False
        tensors, stored = found
        state = earlier_keys.CHECKPOINT.to_present(stored)
        saved = msgspec.convert(state["config"]["recipe"], zoo.Recipe)
        old = state["config"]
        new = self.config
        palette = tuple(map(tuple, old.get("palette", ())))
        begun = (saved, tuple(old["shape"]), old.get("levels", 256), old.get("sample_rate", 0), palette)
        if begun != (new.recipe, new.shape, new.levels, new.sample_rate, new.palette):
            raise BadTrainingConfig(
                f'"{self.folder.name}" was started with other settings and was left unchanged. '
                "Use the same settings, or another name"
            )
        for prefix, model in (("model.", self.model), ("average.", self.average)):
            model.load_state_dict({k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)})
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": self._moments(tensors)})
        gradients.restore_random_state(tensors, self.device)
        self.progress = RunProgress(**state["progress"])
        self._saved_step = self.progress.step
        saved_steps = [entry.step for entry in checkpoint.list_checkpoints(self.folder) if not entry.best]
        if self.process_group.is_first and max(saved_steps, default=0) > self.progress.step:
            self.notices.append(
                f"The last save was damaged. The one before is used, so it continues from step {self.progress.step:,}."
            )
        return True

    def _moments(self, tensors: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
        """Return the optimiser's state of each parameter from the tensors of a checkpoint.

        Each moment gets the layout of its parameter: the optimiser reads both in the order of their memory.
        """
        parameters = list(self.model.parameters())
        moments: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            if key.startswith("optimiser."):
                _, index, name = key.split(".")
                like = parameters[int(index)].detach()
                if tensor.shape == like.shape:
                    tensor = torch.empty_like(like).copy_(tensor)
                moments.setdefault(int(index), {})[name] = tensor
        return moments

    def save_checkpoint(self, *, best: bool = False) -> None:
        """Save everything as a checkpoint; `best` saves the average alone, as the best so far.

        Only the first of several processes saves. Raises storage.NotSaved, and checkpoint.NotFiniteWeights.
        """
        if self.process_group.is_first:
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
            return
        is_complete = self.is_consistent and not self.process_group.has_unfinished_step
        if is_complete and self.progress.step != self._saved_step:
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
        if not self.process_group.is_first:
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
        if not self.restore(self.process_group.broadcast_checkpoint(lambda: checkpoint.load_newest(self.folder))):
            raise TrainingDiverged("the loss was not finite before the first checkpoint. Try a lower learning rate")
        self.progress.rollbacks = rollbacks
        self.progress.rate_scale = scale
        self.progress.failures_in_a_row = 0
