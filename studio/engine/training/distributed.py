"""Train one run in a group of processes, on one computer or several, as `torchrun` starts them.

Every process draws the batch of a step and takes its own rows, so N processes take the same steps as one:

    L = Σ w_r L_r                    the loss of the batch; L_r is that of the rows of process r, w_r their share
    ∇L = 1/N Σ ∇(N w_r L_r)          DistributedDataParallel averages the gradients of N processes
    m = Σ w_r m_r                    a mean over the batch inside the model, and its variance
    v = Σ w_r (v_r + (m_r - m)²)

Every process draws the random numbers of the whole batch from the random state of the first process, so they are those
of a single process. The first process (rank 0) alone reads the artworks, writes, measures and reports. All others
receive the config, the artworks and the state of the run from it, and need no files. Shards that are read as a stream
are the exception: each process reads some of them (shard_blocks.py).
"""

import contextlib
import json
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.overrides import TorchFunctionMode

from studio.density.bijections.linear import BatchNorm
from studio.density.model import Model
from studio.density.variational import Variational
from studio.engine.device import rounding_settings
from studio.engine.levels import TrainingExamples
from studio.engine.training.config import BadTrainingConfig
from studio.engine.training.example_tensors import to_examples, to_tensors
from studio.engine.training.recordings import TrainingRecordings

if TYPE_CHECKING:
    from torch._C._distributed_c10d import TCPStore

COLLECTIVE_TIMEOUT = timedelta(hours=2)
"""How long a process waits for another that neither answers nor closes its connection."""
RENDEZVOUS_TIMEOUT = timedelta(minutes=5)
"""How long the processes wait for each other at the start."""
_CONNECT_TIMEOUT = timedelta(seconds=2)
_PORT_KEY = "studio/port"
CONTINUE, LAST, END = range(3)
"""The instruction of the first process before each step: take it, take it as the last, or end without it."""
Checkpoint: TypeAlias = tuple[dict[str, Tensor], dict[str, Any]]
"""The tensors and the values of a checkpoint."""
_LOST_PROCESS_TEXTS = ("gloo", "NCCL", "Connection closed", "Connection reset", "Broken pipe", "timed out", "Timed out")
"""Parts of the errors of torch.distributed that mean that a process is gone."""


class ProcessLost(RuntimeError):
    """Reports that another process of the training is gone, so that no step is possible."""


class TrainingEnded(Exception):
    """Reports to the other processes that the first process has ended the training."""


class SharedRun(Protocol):
    """Is a run whose state can be sent to another process."""

    @property
    def model(self) -> Model:
        """Return the model that learns."""

    def contents(self) -> Checkpoint:
        """Return the tensors and the values of a checkpoint."""

    def restore(self, found: Checkpoint | None) -> bool:
        """Take over a checkpoint."""


class ProcessGroup:
    """Connects the processes that train one run. A group of one process changes nothing.

    Arguments
        rank: the number of this process, from 0
        world_size: the number of processes
    """

    def __init__(self, rank: int = 0, world_size: int = 1) -> None:
        self.rank = rank
        self.world_size = world_size
        self.has_unfinished_step = False
        """Whether a step was begun and not completed. Then the run must not be saved."""
        self.global_batch_size = 0
        """The rows of the present batch in all processes together."""
        self._row_share = 1.0
        """The share of these rows that this process has."""
        self._distributed_model: nn.Module | None = None

    @property
    def is_first(self) -> bool:
        """Return whether this process reads, writes and reports."""
        return self.rank == 0

    # ── before the first step ───────────────────────────────────────────────────────────────────

    def broadcast_examples(
        self, config: bytes = b"", learn: TrainingExamples | TrainingRecordings | None = None
    ) -> tuple[bytes, TrainingExamples | TrainingRecordings]:
        """Send the config and the training examples of the first process to all others. Return both."""
        config = self.broadcast_bytes(config)
        tensors = self._broadcast_tensors({} if learn is None else to_tensors(learn))
        return config, to_examples(tensors) if learn is None else learn

    def broadcast_checkpoint(self, load: Callable[[], Checkpoint | None]) -> Checkpoint | None:
        """Return what the first process loads: tensors and values, or None."""
        found = load() if self.is_first else None
        if self.world_size == 1:
            return found
        tensors, values = found or ({}, None)
        values = json.loads(self.broadcast_bytes(json.dumps(values).encode()))
        tensors = self._broadcast_tensors(tensors)
        return None if values is None else (tensors, values)

    def connect_run(self, run: SharedRun) -> None:
        """Send the state of the first process's run to all others, and connect the gradients of their models."""
        if self.world_size == 1:
            return
        found = self.broadcast_checkpoint(run.contents)
        if not self.is_first:
            run.restore(found)
        model = run.model
        for module in model.modules():
            if isinstance(module, BatchNorm):
                module.pool_moments = self.pool_moments
            elif isinstance(module, Variational):
                module.pool_mean = self.pool_mean
            elif isinstance(module, nn.BatchNorm2d):
                # Torch's own SyncBatchNorm works on NVIDIA's cards only.
                module.forward = partial(_normalise_global_batch, module, self)  # type: ignore[method-assign]
        # The gradient of a 1×1 convolution has two names for the same order in memory. Nothing is slower for it.
        warnings.filterwarnings("ignore", "Grad strides do not match", UserWarning)
        self._distributed_model = DistributedDataParallel(_LossOfBatch(model), forward_sync_buffers=False)

    # ── steps ───────────────────────────────────────────────────────────────────────────────────

    def begin_step(self, device: torch.device, *, ends_early: bool) -> bool:
        """Begin a step with the random state of the first process. Return whether the step is the last.

        Raises TrainingEnded in the other processes if there is no further step, and ProcessLost.
        """
        if self.world_size == 1:
            return ends_early
        with self._watch_connection():
            instruction = self._broadcast_instruction(LAST if ends_early else CONTINUE, device)
        self.has_unfinished_step = True
        return instruction == LAST

    def end_step(self) -> None:
        """Note that the step is complete, so that the run may be saved."""
        self.has_unfinished_step = False

    def end(self, device: torch.device) -> None:
        """End the training in the other processes, which wait for the next step."""
        if self.world_size > 1 and self.is_first and not self.has_unfinished_step:
            with contextlib.suppress(ProcessLost), self._watch_connection():
                self._broadcast_instruction(END, device)

    def backward(self, model: Model, batch: TrainingExamples, *, bf16: bool) -> float:
        """Compute the gradient of a batch that several processes share, and return its loss.

        Raises BadTrainingConfig if there is not a row for every process, and ProcessLost.
        """
        assert self._distributed_model is not None
        model.zero_grad(set_to_none=True)
        cast = torch.autocast(batch.x.device.type, torch.bfloat16, enabled=bf16)
        rows = self.rows_of(len(batch))
        mine = batch.select(rows)
        self.global_batch_size = len(batch)
        self._row_share = len(mine) / len(batch)
        share = mine.weight(model) / batch.weight(model)
        with self._watch_connection(), rounding_settings():
            with cast, _GlobalBatchNoise(rows, len(mine), len(batch)):
                loss = share * self._distributed_model(mine)
            torch.autograd.backward(self.world_size * loss)
            whole = loss.detach().clone()
            dist.all_reduce(whole)
        return float(whole)

    def broadcast_number(self, measure: Callable[[], float]) -> float:
        """Return what the first process measures."""
        if self.world_size == 1:
            return measure()
        number = torch.tensor(measure() if self.is_first else 0.0, dtype=torch.float64)
        with self._watch_connection():
            dist.broadcast(number, 0)
        return float(number)

    def pool_mean(self, mean: Tensor) -> Tensor:
        """Return the mean over the batch from that over the rows of each process. It can be differentiated."""
        pooled: Tensor = _AllReduceSum.apply(mean * self._row_share)  # type: ignore[no-untyped-call]
        return pooled

    def pool_moments(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance over the batch from those over the rows of each process."""
        whole = self.pool_mean(mean)
        return whole, self.pool_mean(var + (mean - whole).square())

    # ── messages ────────────────────────────────────────────────────────────────────────────────

    def rows_of(self, count: int) -> slice:
        """Return the rows of a batch that this process takes."""
        if count < self.world_size:
            raise BadTrainingConfig(
                f"A batch of {count} cannot be shared by {self.world_size} processes. "
                "Start fewer, or choose a larger batch."
            )
        return slice(count * self.rank // self.world_size, count * (self.rank + 1) // self.world_size)

    def _broadcast_instruction(self, instruction: int, device: torch.device) -> int:
        """Return the instruction of the first process, and take over its random state."""
        state = torch.cat([torch.tensor([instruction], dtype=torch.uint8), torch.get_rng_state()])
        if device.type == "cuda":
            state = torch.cat([state, torch.cuda.get_rng_state(device)])
        dist.broadcast(state, 0)
        instruction = int(state[0])
        if not self.is_first:
            if instruction == END:
                raise TrainingEnded
            count = len(torch.get_rng_state())
            torch.set_rng_state(state[1 : 1 + count].clone())
            if device.type == "cuda":
                torch.cuda.set_rng_state(state[1 + count :].clone(), device)
        return instruction

    def broadcast_bytes(self, data: bytes, sender: int = 0) -> bytes:
        """Return the bytes of the process with a number; other processes may give anything."""
        if self.world_size == 1:
            return data
        with self._watch_connection():
            length = torch.tensor(len(data))
            dist.broadcast(length, sender)
            content = torch.zeros(int(length), dtype=torch.uint8)
            if self.rank == sender and data:
                content = torch.frombuffer(bytearray(data), dtype=torch.uint8)
            if len(content):
                dist.broadcast(content, sender)
        return content.numpy().tobytes()

    def exchange_bytes(self, data: bytes) -> list[bytes]:
        """Return the bytes of all processes, in their order."""
        return [self.broadcast_bytes(data, sender) for sender in range(self.world_size)]

    def _broadcast_tensors(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors of the first process, on the processor. They are sent as bytes: gloo knows few types."""
        if self.world_size == 1:
            return dict(tensors)
        whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        heads = [(name, str(t.dtype).removeprefix("torch."), tuple(t.shape)) for name, t in whole.items()]
        found = {}
        for name, dtype, shape in json.loads(self.broadcast_bytes(json.dumps(heads).encode())):
            tensor = whole[name] if self.is_first else torch.empty(shape, dtype=getattr(torch, dtype))
            if tensor.numel():
                with self._watch_connection():
                    dist.broadcast(tensor.view(-1).view(torch.uint8), 0)
            found[name] = tensor
        return found

    @contextlib.contextmanager
    def _watch_connection(self) -> Iterator[None]:
        """Turn an error of torch.distributed into ProcessLost."""
        try:
            yield
        except RuntimeError as error:
            if any(text in str(error) for text in _LOST_PROCESS_TEXTS):
                raise ProcessLost("Another process of this training has ended.") from error
            raise


SINGLE_PROCESS = ProcessGroup()
_current = SINGLE_PROCESS


def current_process_group() -> ProcessGroup:
    """Return the process group that this process has joined."""
    return _current


@contextlib.contextmanager
def join_process_group() -> Iterator[ProcessGroup]:
    """Join the processes that `torchrun` has started, and leave them at the end. Without it, join nothing."""
    global _current
    rank, world_size = (int(os.environ.get(name, default)) for name, default in (("RANK", "0"), ("WORLD_SIZE", "1")))
    if world_size == 1:
        yield _current
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    store = _open_store(rank) if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True" else None
    rendezvous: dict[str, Any] = {} if store is None else {"store": store, "rank": rank, "world_size": world_size}
    dist.init_process_group(backend, timeout=COLLECTIVE_TIMEOUT, **rendezvous)
    try:
        _current = ProcessGroup(rank, world_size)
        yield _current
    finally:
        _current = SINGLE_PROCESS
        dist.destroy_process_group()


def _open_store(rank: int) -> "TCPStore":
    """Return a store in which the processes of this attempt find each other.

    The store of `torchrun` outlives its processes. Gloo would find the addresses of earlier processes in it (seen with
    torch 2.13). So it only holds the port of a new store, which the first process opens for each attempt.
    """
    from torch._C._distributed_c10d import TCPStore  # torch.distributed has it too, but not for type checkers

    host = os.environ["MASTER_ADDR"]
    lasting = TCPStore(host, int(os.environ["MASTER_PORT"]), is_master=False, timeout=RENDEZVOUS_TIMEOUT)
    if rank == 0:
        store = TCPStore(host, 0, is_master=True, timeout=RENDEZVOUS_TIMEOUT, wait_for_workers=False)
        lasting.set(_PORT_KEY, str(store.port))
        return store
    end = time.monotonic() + RENDEZVOUS_TIMEOUT.total_seconds()
    while True:
        try:
            store = TCPStore(host, int(lasting.get(_PORT_KEY)), is_master=False, timeout=_CONNECT_TIMEOUT)
        except dist.DistError:  # the port of an earlier attempt
            if time.monotonic() > end:
                raise
        else:
            store.set_timeout(RENDEZVOUS_TIMEOUT)
            return store


def is_restarted() -> bool:
    """Return whether `torchrun` has started this process again after one was lost."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


def device_of_process(name: str | None) -> str | None:
    """Return the device that was requested; of several graphics cards, the one of this process."""
    number = os.environ.get("LOCAL_RANK")
    if number is None or name not in (None, "cuda") or not torch.cuda.is_available():
        return name
    return f"cuda:{int(number) % torch.cuda.device_count()}"


def ignore_stop_signals() -> None:
    """Ignore the signals that stop a training. The first process ends it in order."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


# ── inside a model ───────────────────────────────────────────────────────────────────────────────


class _LossOfBatch(nn.Module):
    """Computes the loss of examples in `forward`, the only method that DistributedDataParallel calls."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, examples: TrainingExamples) -> Tensor:
        return examples.loss(self.model)


class _AllReduceSum(torch.autograd.Function):
    """Sums a tensor over all processes. Each adds its loss to that of the others, so gradients are summed, too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.detach().clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


class _GlobalBatchNoise(TorchFunctionMode):
    """Draws random numbers for the whole batch, and returns those of the rows of this process.

    So every process uses the same random numbers as a single one would.
    """

    def __init__(self, rows: slice, mine: int, whole: int) -> None:
        super().__init__()
        self._rows = rows
        self._mine = mine
        self._whole = whole

    def __torch_function__(
        self, function: Any, types: Any, arguments: Sequence[Any] = (), keywords: dict[str, Any] | None = None
    ) -> Any:
        options = keywords or {}
        if function in (torch.rand, torch.randn):
            size = tuple(arguments) if isinstance(arguments[0], int) else tuple(arguments[0])
            if size[0] == self._mine:
                return function((self._whole, *size[1:]), **options)[self._rows]
        elif function is torch.rand_like and len(arguments[0]) == self._mine:
            return torch.rand_like(self._template(arguments[0]), **options)[self._rows]
        elif function is nn.functional.dropout and len(arguments[0]) == self._mine:
            x = arguments[0]
            kept = function(self._template(x), *arguments[1:], **{**options, "inplace": False})
            return x * kept[self._rows]
        return function(*arguments, **options)

    def _template(self, x: Tensor) -> Tensor:
        """Return ones for the whole batch, in the memory format of x."""
        last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last and not x.is_contiguous() else torch.contiguous_format
        return x.new_ones((self._whole, *x.shape[1:])).contiguous(memory_format=layout)


def _normalise_global_batch(norm: nn.BatchNorm2d, group: ProcessGroup, x: Tensor) -> Tensor:
    """Normalise x `(B, channels, H, W)` by the statistics of the whole batch, as torch's BatchNorm2d does."""
    if not norm.training:
        return nn.BatchNorm2d.forward(norm, x)
    wide = x.float()
    var, mean = torch.var_mean(wide, (0, 2, 3), correction=0)
    mean, var = group.pool_moments(mean, var)
    assert norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None
    with torch.no_grad():
        count = group.global_batch_size * x[0, 0].numel()
        norm.num_batches_tracked.add_(1)
        rate = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
        norm.running_mean.lerp_(mean, rate)
        norm.running_var.lerp_(var * (count / max(count - 1, 1)), rate)
    z = (wide - mean[:, None, None]) * (var + norm.eps).rsqrt()[:, None, None]
    if norm.affine:
        z = z * norm.weight[:, None, None] + norm.bias[:, None, None]
    return z.to(x.dtype)
