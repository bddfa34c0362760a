"""Choose the processor and precision, and measure the free memory."""

import contextlib
import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

DEVICE_TYPES = ("cuda", "mps", "cpu")
"""Device types, the best first."""
MEMORY_SHARE = 0.5
"""The share of free memory that one job may plan with. Estimates are inexact, and other programs need memory, too."""


class NoDevice(ValueError):
    """Reports in a sentence that the requested device is missing."""


@dataclass(frozen=True)
class ComputeDevice:
    """Describes the device that computes. `bf16`: it has units for bfloat16, so autocast to it is faster."""

    torch_device: torch.device
    description: str
    """The device in words, for example `Processor, 2 threads`."""
    threads: int
    """Threads of torch on the processor. They are also set if another device does the work."""
    has_bf16: bool


def choose_device(name: str | None = None) -> ComputeDevice:
    """Choose the requested device, or the best one that works, and set torch's threads.

    `name`: `cpu`, `cuda`, `cuda:1` or `mps`. Raises NoDevice.
    """
    threads = processor_count()
    torch.set_num_threads(threads)
    if name is None:
        name = next(kind for kind in DEVICE_TYPES if _device_works(kind))
    elif not _device_works(name):
        there = ", ".join(kind for kind in DEVICE_TYPES if _device_works(kind))
        raise NoDevice(f'This machine has no device "{name[:40]}" that can be used. It has: {there}.')
    device = torch.device(name)
    if device.type == "cuda":
        # By default torch lets convolutions round their factors to 10 bits there. Then log-probabilities would differ
        # from those of a processor.
        _convolutions().fp32_precision = "ieee"
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return ComputeDevice(device, torch.cuda.get_device_name(device), threads, bf16)
    if device.type == "mps":
        return ComputeDevice(device, "Apple graphics processor", threads, has_bf16=False)
    words = f"Processor, {threads} {'thread' if threads == 1 else 'threads'}"
    return ComputeDevice(device, words, threads, has_bf16=_processor_has_bf16())


def lower_priority() -> None:
    """Let other programs on this computer run first.

    Playing and drawing then do not wait for a training, which still gets a tenth of a processor that another program
    keeps busy. At Linux's idle priority it got nothing: 0.00 steps a second, where it took 0.95 so, and 18 alone. No
    sound had a gap either way (`tests/benchmarks/training_beside.py`).
    """
    if sys.platform == "win32":
        this = ctypes.c_void_p(-1)
        below_normal = 0x4000
        ctypes.windll.kernel32.SetPriorityClass(this, below_normal)
    else:
        os.nice(10)


@contextmanager
def rounding_settings() -> Iterator[None]:
    """Let NVIDIA's cards round factors of float32 products to 10 bits inside this context.

    Their matrix units are then used: precise enough for training, not for finding a latent.
    """
    products = torch.backends.cuda.matmul
    convolutions = _convolutions()
    before = products.fp32_precision, convolutions.fp32_precision
    products.fp32_precision = convolutions.fp32_precision = "tf32"
    try:
        yield
    finally:
        products.fp32_precision, convolutions.fp32_precision = before


def _convolutions() -> Any:
    return torch.backends.cudnn.conv  # type: ignore[attr-defined]  # not in its stubs yet


def _device_works(name: str) -> bool:
    """Return whether a device can really be used.

    A device whose driver is too old is listed, but fails at the first computation.
    """
    try:
        device = torch.device(name)
        return device.type in DEVICE_TYPES and float(torch.ones(1, device=device) + 1) == 2.0
    except (RuntimeError, AssertionError):  # AssertionError: this torch was built without that device
        return False


def _processor_has_bf16() -> bool:
    """Return whether autocast to bfloat16 makes training faster.

    AVX-512's bfloat16 instructions alone do not count: with them, and without AMX, a PixelCNN++ and a MAF trained at
    0.74 to 0.87 of float32's speed.
    """
    has = torch.cpu.get_capabilities()
    return any(bool(has.get(unit)) for unit in ("amx_bf16", "bf16", "arm_bf16"))


def processor_count() -> int:
    """Return how many threads this process may keep busy.

    It is what torch would use, limited by a container's share of processor time.
    """
    return max(1, min(torch.get_num_threads(), _quota(Path("/sys/fs/cgroup/cpu.max"))))


def _quota(file: Path) -> int:
    """Return the processors that a container's time quota allows, rounded up.

    Without this, 64 threads would queue for two processors.
    """
    try:
        quota, period = file.read_text().split()
        return -(-int(quota) // int(period))
    except (OSError, ValueError):  # no container, or `max`: no limit
        return sys.maxsize


def free_memory(device: torch.device) -> int:
    """Return the bytes that can be allocated now without evicting anything else."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    if device.type == "mps":
        return max(0, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return _free_main_memory()


def used_memory(device: torch.device) -> int | None:
    """Return the bytes that this process uses of a device's memory; None if the system does not say.

    On a processor it is main memory that other processes cannot use.
    """
    if device.type == "cuda":
        return torch.cuda.memory_reserved(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    try:
        resident = int(Path("/proc/self/statm").read_text().split()[1])
        return resident * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # not Linux
        return None


def _free_main_memory() -> int:
    if sys.platform == "win32":
        return _windows_memory_free()
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # macOS reports only the total without a further library
        available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return max(0, min(available, _free_container_memory(Path("/sys/fs/cgroup"))))


def _free_container_memory(folder: Path) -> int:
    """Return the bytes that a container's limit leaves.

    Its file cache can be released and counts as free.
    """
    try:
        limit, used = (int((folder / f"memory.{name}").read_text()) for name in ("max", "current"))
        lines = (folder / "memory.stat").read_text().splitlines()
        cache = next((int(line.split()[1]) for line in lines if line.startswith("inactive_file ")), 0)
    except (OSError, ValueError):
        return sys.maxsize
    return limit - used + cache


if sys.platform == "win32":

    class _MemoryStatus(ctypes.Structure):
        _fields_ = [
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "free", "a", "b", "c", "d", "e")),
        ]

    def _windows_memory_free() -> int:
        status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
        ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return int(status.free)


def batch_that_fits(device: ComputeDevice, wanted: int, bytes_each: int) -> int:
    """Return how many of `wanted` fit into memory at a time, at least one.

    Each needs about `bytes_each`.
    """
    return max(1, min(wanted, int(free_memory(device.torch_device) * MEMORY_SHARE) // max(1, bytes_each)))


def release_memory(device: torch.device) -> None:
    """Release memory that torch or the C library keeps for later. Use it after a shortage, before a smaller try.

    Call it outside the `except` block, whose traceback still holds the tensors.
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
    with contextlib.suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def keep_freed_memory() -> bool:
    """Make the C library keep freed memory for the next tensor; return whether it could.

    glibc returns every large block at once, and the kernel clears the next one page by page: a `log_prob` of Glow took
    180 ms instead of 66. Only glibc has this setting; elsewhere nothing is done.
    """
    try:
        c = ctypes.CDLL("libc.so.6")
        mallopt = c.mallopt
    except (OSError, AttributeError):
        return False
    trim_threshold = -1  # M_TRIM_THRESHOLD, M_MMAP_MAX of malloc.h
    mmap_max = -4
    return bool(mallopt(trim_threshold, -1) == 1 and mallopt(mmap_max, 0) == 1)
