"""torchaudio can be imported in every environment that the set-up creates. The functions that we use work."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
USE = """
import torch
from studio.engine import audio
torchaudio = audio.import_torchaudio()
assert torchaudio is audio.import_torchaudio()
assert torchaudio.functional.mu_law_encoding(torch.tensor([-1.0, 0.0, 1.0]), 256).tolist() == [0, 128, 255]
assert torchaudio.transforms.MelSpectrogram(16_000, n_fft=256, n_mels=8)(torch.randn(1, 4000)).shape == (1, 8, 32)
print(audio.works())
"""
BROKEN = """
import torch
def load_library(path):
    raise OSError("libcudart.so.13: cannot open shared object file")
torch.ops.load_library = load_library
"""


def used(program: str) -> str:
    """Run code in a new process and return its output."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_torchaudio_is_imported_as_it_is_installed_here() -> None:
    assert used(USE) in ("True", "False")


def test_a_build_for_a_missing_cuda_is_imported_without_it() -> None:
    assert used(BROKEN + USE) == "False"


@pytest.mark.parametrize("whole", [True, False])
def test_doctor_says_how_torchaudio_was_imported(whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.engine import audio, doctor

    monkeypatch.setattr(audio, "works", lambda: whole)
    what, fine, finding = doctor._examine_torchaudio()
    assert (what, fine) == ("torchaudio", True)
    assert finding.startswith("2.11.") and ("without its part for CUDA" in finding) is not whole


def test_doctor_says_what_to_do_if_torchaudio_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.engine import doctor

    for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    what, fine, finding = doctor._examine_torchaudio()
    assert not fine and "run the set-up again" in finding
