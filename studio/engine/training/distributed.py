"""Train one run in several processes, on one computer or several, as `torchrun` starts them.

Every process draws the batch of a step and takes its own rows, so N processes take the same steps as one:

    L = Σ w_r L_r                    the loss of the batch; L_r is that of the rows of process r, w_r their share
    ∇L = 1/N Σ ∇(N w_r L_r)          DistributedDataParallel averages the gradients of N processes
    m = Σ w_r m_r                    a mean over the batch inside the model, and its variance
    v = Σ w_r (v_r + (m_r - m)²)

Random numbers are drawn for the whole batch from the random state of the first process, so they are those of a single
process, too. Only the first process reads the artworks, writes, measures and reports. All others receive the config,
the artworks and the state of the run from it, and need no files.
"""

import contextlib
import json
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import torch
import torch.distributed as processes
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.overrides import TorchFunctionMode

from studio.density.bijections.linear import BatchNorm
from studio.density.model import Model
from studio.density.variational import Variational
from studio.engine.device import rounding_settings
from studio.engine.followed_signal import FollowedSignal
from studio.engine.levels import TrainingExamples
from studio.engine.training.config import BadTrainingConfig
from studio.engine.training.recordings import TrainingRecordings

if TYPE_CHECKING:
    from torch._C._distributed_c10d import TCPStore

ANSWER_LIMIT = timedelta(hours=2)
"""The time after which a process gives up on one that neither answers nor closes its connection."""
MEETING_LIMIT = timedelta(minutes=5)
"""The time in which all processes must have started."""
_TRY_LIMIT = timedelta(seconds=2)
_PORT_KEY = "studio/port"
CONTINUE, LAST, END = range(3)
"""What the first process says before each step: take one, take the last one, end without another."""
Checkpoint: TypeAlias = tuple[dict[str, Tensor], dict[str, Any]]
"""The tensors and the values of a checkpoint."""
_LOST = ("gloo", "NCCL", "Connection closed", "Connection reset", "Broken pipe", "timed out", "Timed out")
"""Words in the errors of torch.distributed if a process is gone."""


class TeamLost(RuntimeError):
    """Reports that another process of the training is gone, so that no step is possible."""


class TeamEnded(Exception):
    """Reports to the other processes that the first one has ended the training."""


class SharedRun(Protocol):
    """Is a run whose state can be given to another process."""

    @property
    def model(self) -> Model:
        """Return the model that learns."""

    def contents(self) -> Checkpoint:
        """Return the tensors and the values of a checkpoint."""

    def restore(self, found: Checkpoint | None) -> bool:
        """Take over a checkpoint."""


class Team:
    """Connects the processes that train one run. A team of one changes nothing."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank = rank
        self.size = size
        self.is_broken = False
        """Whether a step of the team was begun and not completed. The state of the run is then that of no step."""
        self.whole_rows = 0
        """The rows of the present batch, of all processes together."""
        self._share_of_rows = 1.0
        self._sharing_model: nn.Module | None = None

    @property
    def is_first(self) -> bool:
        """Return whether this process reads, writes and reports."""
        return self.rank == 0

    # ── before the first step ───────────────────────────────────────────────────────────────────

    def share_examples(
        self, config: bytes = b"", learn: TrainingExamples | TrainingRecordings | None = None
    ) -> tuple[bytes, TrainingExamples | TrainingRecordings]:
        """Send the config and the training examples of the first process to all others. Return both."""
        config = self._share_bytes(config)
        tensors = self._share_tensors({} if learn is None else _to_tensors(learn))
        return config, _to_examples(tensors) if learn is None else learn

    def share_checkpoint(self, load: Callable[[], Checkpoint | None]) -> Checkpoint | None:
        """Return what the first process loads: tensors and values, or None."""
        found = load() if self.is_first else None
        if self.size == 1:
            return found
        tensors, values = found or ({}, None)
        values = json.loads(self._share_bytes(json.dumps(values).encode()))
        tensors = self._share_tensors(tensors)
        return None if values is None else (tensors, values)

    def connect_run(self, run: SharedRun) -> None:
        """Give the state of the first process's run to all, and let their models learn from the same batches."""
        if self.size == 1:
            return
        found = self.share_checkpoint(run.contents)
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
                module.forward = partial(_normalise_together, module, self)  # type: ignore[method-assign]
        # The gradient of a 1×1 convolution has two names for the same order in memory. Nothing is slower for it.
        warnings.filterwarnings("ignore", "Grad strides do not match", UserWarning)
        self._sharing_model = DistributedDataParallel(_LossOfBatch(model), forward_sync_buffers=False)

    # ── steps ───────────────────────────────────────────────────────────────────────────────────

    def begin_step(self, device: torch.device, *, ends_early: bool) -> bool:
        """Begin a step with the random state of the first process. Return whether it says that the step is the last.

        Raises TeamEnded in the other processes if there is no further step, and TeamLost.
        """
        if self.size == 1:
            return ends_early
        with self._watch_connection():
            word = self._share_word(LAST if ends_early else CONTINUE, device)
        self.is_broken = True
        return word == LAST

    def end_step(self) -> None:
        """Note that the state of the run is whole again."""
        self.is_broken = False

    def end(self, device: torch.device) -> None:
        """Tell the other processes, which wait for the next step, that there is none."""
        if self.size > 1 and self.is_first and not self.is_broken:
            with contextlib.suppress(TeamLost), self._watch_connection():
                self._share_word(END, device)

    def backward(self, model: Model, batch: TrainingExamples, *, bf16: bool) -> float:
        """Compute the gradient of a batch that several processes share, and return its loss.

        Raises BadTrainingConfig if there is not a row for every process, and TeamLost.
        """
        assert self._sharing_model is not None
        model.zero_grad(set_to_none=True)
        cast = torch.autocast(batch.x.device.type, torch.bfloat16, enabled=bf16)
        rows = self.rows_of(len(batch))
        mine = batch.select(rows)
        self.whole_rows = len(batch)
        self._share_of_rows = len(mine) / len(batch)
        share = mine.weight(model) / batch.weight(model)
        with self._watch_connection(), rounding_settings():
            with cast, _WholeBatchNoise(rows, len(mine), len(batch)):
                loss = share * self._sharing_model(mine)
            torch.autograd.backward(self.size * loss)
            whole = loss.detach().clone()
            processes.all_reduce(whole)
        return float(whole)

    def share_number(self, measure: Callable[[], float]) -> float:
        """Return what the first process measures."""
        if self.size == 1:
            return measure()
        number = torch.tensor(measure() if self.is_first else 0.0, dtype=torch.float64)
        with self._watch_connection():
            processes.broadcast(number, 0)
        return float(number)

    def pool_mean(self, mean: Tensor) -> Tensor:
        """Return the mean over the batch from that over the rows of each process. It can be differentiated."""
        pooled: Tensor = _Sum.apply(mean * self._share_of_rows)  # type: ignore[no-untyped-call]
        return pooled

    def pool_moments(self, mean: Tensor, var: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance over the batch from those over the rows of each process."""
        whole = self.pool_mean(mean)
        return whole, self.pool_mean(var + (mean - whole).square())

    # ── messages ────────────────────────────────────────────────────────────────────────────────

    def rows_of(self, count: int) -> slice:
        """Return the rows of a batch that this process takes."""
        if count < self.size:
            raise BadTrainingConfig(
                f"A batch of {count} cannot be shared by {self.size} processes. Start fewer, or choose a larger batch."
            )
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def _share_word(self, word: int, device: torch.device) -> int:
        """Return the first process's word, and take over its random state."""
        state = torch.cat([torch.tensor([word], dtype=torch.uint8), torch.get_rng_state()])
        if device.type == "cuda":
            state = torch.cat([state, torch.cuda.get_rng_state(device)])
        processes.broadcast(state, 0)
        word = int(state[0])
        if not self.is_first:
            if word == END:
                raise TeamEnded
            count = len(torch.get_rng_state())
            torch.set_rng_state(state[1 : 1 + count].clone())
            if device.type == "cuda":
                torch.cuda.set_rng_state(state[1 + count :].clone(), device)
        return word

    def _share_bytes(self, data: bytes) -> bytes:
        if self.size == 1:
            return data
        with self._watch_connection():
            length = torch.tensor(len(data))
            processes.broadcast(length, 0)
            content = torch.frombuffer(bytearray(data if self.is_first else int(length)), dtype=torch.uint8)
            processes.broadcast(content, 0)
        return content.numpy().tobytes()

    def _share_tensors(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors of the first process, on the processor. All are sent as bytes: gloo knows few types."""
        if self.size == 1:
            return dict(tensors)
        whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        heads = [(name, str(t.dtype).removeprefix("torch."), tuple(t.shape)) for name, t in whole.items()]
        found = {}
        for name, dtype, shape in json.loads(self._share_bytes(json.dumps(heads).encode())):
            tensor = whole[name] if self.is_first else torch.empty(shape, dtype=getattr(torch, dtype))
            if tensor.numel():
                with self._watch_connection():
                    processes.broadcast(tensor.view(-1).view(torch.uint8), 0)
            found[name] = tensor
        return found

    @contextlib.contextmanager
    def _watch_connection(self) -> Iterator[None]:
        """Turn an error of torch.distributed into TeamLost."""
        try:
            yield
        except RuntimeError as error:
            if any(word in str(error) for word in _LOST):
                raise TeamLost("Another process of this training has ended.") from error
            raise


ALONE = Team()
_present = ALONE


def present_team() -> Team:
    """Return the team that this process has joined."""
    return _present


@contextlib.contextmanager
def join_team() -> Iterator[Team]:
    """Join the team that `torchrun` has started, and leave it at the end. Without `torchrun` it is a team of one."""
    global _present
    rank, size = (int(os.environ.get(name, default)) for name, default in (("RANK", "0"), ("WORLD_SIZE", "1")))
    if size == 1:
        yield _present
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    store = _open_store(rank) if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True" else None
    meeting: dict[str, Any] = {} if store is None else {"store": store, "rank": rank, "world_size": size}
    processes.init_process_group(backend, timeout=ANSWER_LIMIT, **meeting)
    try:
        _present = Team(rank, size)
        yield _present
    finally:
        _present = ALONE
        processes.destroy_process_group()


def _open_store(rank: int) -> "TCPStore":
    """Return a store in which the processes of this attempt find each other.

    The store of `torchrun` outlives its processes, so gloo would find the addresses of those that are gone there (seen
    with torch 2.13). It only tells where the first process has opened a store of its own.
    """
    from torch._C._distributed_c10d import TCPStore  # torch.distributed has it too, but not for type checkers

    host = os.environ["MASTER_ADDR"]
    lasting = TCPStore(host, int(os.environ["MASTER_PORT"]), is_master=False, timeout=MEETING_LIMIT)
    if rank == 0:
        store = TCPStore(host, 0, is_master=True, timeout=MEETING_LIMIT, wait_for_workers=False)
        lasting.set(_PORT_KEY, str(store.port))
        return store
    end = time.monotonic() + MEETING_LIMIT.total_seconds()
    while True:
        try:
            store = TCPStore(host, int(lasting.get(_PORT_KEY)), is_master=False, timeout=_TRY_LIMIT)
        except processes.DistError:  # that of an earlier attempt
            if time.monotonic() > end:
                raise
        else:
            store.set_timeout(MEETING_LIMIT)
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
    """Leave it to the first process to end the training in order if the user stops it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


# ── inside a model ───────────────────────────────────────────────────────────────────────────────


class _LossOfBatch(nn.Module):
    """Computes the loss of examples, as the one method that DistributedDataParallel knows."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, examples: TrainingExamples) -> Tensor:
        return examples.loss(self.model)


class _Sum(torch.autograd.Function):
    """Sums a tensor over all processes. Each adds its loss to that of the others, so gradients are summed, too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.detach().clone(memory_format=torch.contiguous_format)
        processes.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        processes.all_reduce(total)
        return total


class _WholeBatchNoise(TorchFunctionMode):
    """Draws the random numbers of the rows of a process as a part of those of the whole batch.

    So every process draws as many numbers as a single one would.
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
        """Return ones like x, laid out alike in memory, for the whole batch."""
        last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last and not x.is_contiguous() else torch.contiguous_format
        return x.new_ones((self._whole, *x.shape[1:])).contiguous(memory_format=layout)


def _normalise_together(norm: nn.BatchNorm2d, team: Team, x: Tensor) -> Tensor:
    """Normalise x `(B, channels, H, W)` as torch's BatchNorm2d would the whole batch."""
    if not norm.training:
        return nn.BatchNorm2d.forward(norm, x)
    wide = x.float()
    var, mean = torch.var_mean(wide, (0, 2, 3), correction=0)
    mean, var = team.pool_moments(mean, var)
    assert norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None
    with torch.no_grad():
        count = team.whole_rows * x[0, 0].numel()
        norm.num_batches_tracked.add_(1)
        rate = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
        norm.running_mean.lerp_(mean, rate)
        norm.running_var.lerp_(var * (count / max(count - 1, 1)), rate)
    z = (wide - mean[:, None, None]) * (var + norm.eps).rsqrt()[:, None, None]
    if norm.affine:
        z = z * norm.weight[:, None, None] + norm.bias[:, None, None]
    return z.to(x.dtype)


# ── training examples as tensors ─────────────────────────────────────────────────────────────────


def _to_tensors(examples: TrainingExamples | TrainingRecordings) -> dict[str, Tensor]:
    """Return examples as tensors by name. Recordings are joined, because many small tensors take long to send."""
    classes = {} if examples.c is None else {"c": examples.c}
    if isinstance(examples, TrainingExamples):
        return {"x": examples.x, **classes}
    lengths = torch.tensor([len(x) for x in examples.x])
    waves = {"waves": torch.cat(examples.waves)} if examples.waves else {}
    return {"sounds": torch.cat(examples.x), "lengths": lengths, **waves, **_signals_to_tensors(examples), **classes}


def _signals_to_tensors(examples: TrainingRecordings) -> dict[str, Tensor]:
    """Return the signals of recordings, and what is followed; nothing if nothing is."""
    if examples.follow is None:
        return {}
    return {
        "follow": torch.tensor([int(number) for number in astuple(examples.follow)]),
        "frames": torch.tensor([signal.shape[1] for signal in examples.signals]),
        "signals": torch.cat(examples.signals, 1),
    }


def _to_examples(tensors: Mapping[str, Tensor]) -> TrainingExamples | TrainingRecordings:
    """Return what became `tensors`."""
    if "x" in tensors:
        return TrainingExamples(tensors["x"], tensors.get("c"))
    lengths = tensors["lengths"].tolist()
    waves = torch.split(tensors["waves"], lengths) if "waves" in tensors else ()
    found = TrainingRecordings(tuple(torch.split(tensors["sounds"], lengths)), tensors.get("c"), tuple(waves))
    if "follow" not in tensors:
        return found
    pitch, loudness, hop, rate, levels = tensors["follow"].tolist()
    signals = torch.split(tensors["signals"], tensors["frames"].tolist(), 1)
    return replace(found, signals=signals, follow=FollowedSignal(bool(pitch), bool(loudness), hop, rate, levels))
