"""List the parts of this computer, line by line, for `studio doctor` and the window's Doctor."""

import importlib.metadata
import platform
import shutil
import sys

from studio import __version__, kernels
from studio.engine import audio
from studio.engine.device import ComputeDevice, free_memory
from studio.engine.errors import strip_control_characters
from studio.engine.precompile import loops_for_device
from studio.library import models, storage
from studio.media.sounds import speaker

Finding = tuple[str, bool, str]
"""A finding: the name of what was examined, whether it is fine, and the result in words."""

LIBRARIES = (
    "torch",
    "numpy",
    "numba",
    "PySide6-Essentials",
    "pillow",
    "soundfile",
    "sounddevice",
    "safetensors",
    "msgspec",
)
MIN_FREE_BYTES = 2 * 10**9
"""Bytes free below which a training run may not fit."""


def examine_computer(device: ComputeDevice) -> tuple[Finding, ...]:
    """Examine the devices, sound, libraries, models and disk space."""
    return (
        ("Latent Studio", True, f"{__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}"),
        ("Device", True, f"{device.description}{', with bfloat16 units' if device.has_bf16 else ''}"),
        ("Memory", free_memory(device.torch_device) > 10**9, f"{free_memory(device.torch_device) / 1e9:.1f} GB free"),
        _examine_sound(),
        *(_examine_library(name) for name in LIBRARIES),
        _examine_torchaudio(),
        _examine_models(),
        _examine_loops(device),
        _examine_disk(),
    )


def _examine_sound() -> Finding:
    try:
        outputs = speaker.outputs()
    except speaker.NoSoundOutput as error:
        return "Sound", False, str(error)
    return "Sound", bool(outputs), ", ".join(outputs) or "no device that can play; pictures and export work without it"


def _examine_library(name: str) -> Finding:
    try:
        return name, True, importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return name, False, f"not installed in {sys.prefix}; run the set-up again"


def _examine_torchaudio() -> Finding:
    """Import torchaudio. Its version alone does not tell whether it works with this torch."""
    try:
        version = audio.import_torchaudio().__version__
    except ImportError as error:
        return "torchaudio", False, f"cannot be imported ({strip_control_characters(str(error))}); run the set-up again"
    return "torchaudio", True, version if audio.works() else f"{version}, without its part for CUDA"


def _examine_models() -> Finding:
    found, refused = models.list_models()
    words = ", ".join(t.card.name for t in found) or "none"
    return "Models", bool(found) and not refused, " ".join([words, *refused])


def _examine_loops(device: ComputeDevice) -> Finding:
    every = loops_for_device(device.torch_device.type)
    missing = kernels.missing_loops()
    done = sum(loop not in missing for loop in every)
    when = "while the window has nothing to do" if kernels.is_own_folder() else "when they are needed"
    state = "all compiled" if done == len(every) else f"{done} of {len(every)} compiled, the others {when}"
    return "Loops", True, f"{state}, in {kernels.cache_folder()}"


def _examine_disk() -> Finding:
    folder = storage.home_folder("data")
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    return "Space", free > MIN_FREE_BYTES, f"{free / 1e9:.1f} GB free for {folder}"
