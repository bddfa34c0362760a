"""Open mutated pictures, sounds, works, models and manifests, and count faults.

Run: python -m tests.benchmarks.mutated [NUMBER] [SEED]

Each file is a good one with a few changes: bytes, lengths, parts cut out, doubled or moved. It is opened as the window,
the terminal and training open it. It may be opened, or refused in a sentence. All else counts as a fault. A hang is
more than 5 s of processor time, since the computer may be busy.
"""

import io
import json
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import soundfile
import torch
from PIL import Image, PngImagePlugin

from studio import zoo
from studio.app.core.autosave import SettingsFile
from studio.app.files import opening
from studio.app.files.opening import read_file
from studio.app.takes import store as shelf
from studio.engine.generation import sampling
from studio.engine.training import checkpoint
from studio.library import models, work
from studio.library.model_file import BadModel
from studio.library.storage import hash_bytes, write_file
from studio.library.work import StoredArray, Work
from studio.media import dataset, decoder
from studio.media.pictures.enlarging import Enlargement
from studio.media.pictures.image import FileRefused
from studio.media.sounds import audio_dataset
from tests.app.fake_model import make_card, write_model

SLOW = 5.0
"""Seconds of processor time after which a file counts as one that hangs."""
RATE = 8000
RAW = re.compile(
    r"Traceback|Errno|\w+Error\b|\w+Exception\b|0x[0-9a-f]{4}|<class|object at|NoneType|numpy|msgspec|struct\."
    r"|libsnd|\bPIL\b"
)
"""Words that only a programmer understands."""

Open = Callable[[Path], object]


@dataclass
class Good:
    """Describes a file that opens without a fault before it is mutated."""

    sort: str
    name: str
    data: bytes
    ways: tuple[Open, ...]
    """The functions by which it is opened; each gets its path."""


@dataclass
class Found:
    """Counts what became of all files."""

    files: int = 0
    opened: Counter[str] = field(default_factory=Counter)
    """By sort of file."""
    refused: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)
    """Files that ended their reader's process. The window and training continue."""
    hangs: list[str] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    """Exceptions that no reader should raise, and sentences that are none."""
    slowest: tuple[float, str] = (0.0, "")
    """Seconds of processor time, and the file that took it."""
    peak: int = 0
    """The most bytes of a child that waits for a file. Of ended ones, getrusage may say what their parent had."""

    @property
    def faults(self) -> list[str]:
        return [*self.crashes, *self.hangs, *self.raw]


# ── good files ───────────────────────────────────────────────────────────────────────────────────


def good_files() -> list[Good]:
    """Return the files that are mutated."""
    return [*_pictures(), *_sounds(), *_works(), *_models(), *_manifests()]


def _pictures() -> list[Good]:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:60, :80]
    scene = np.stack([3 * x, 4 * y, x + y], -1).astype(np.uint8) ^ rng.integers(0, 8, (60, 80, 3), np.uint8)
    rgb = Image.fromarray(scene)
    alpha = rgb.copy()
    alpha.putalpha(Image.fromarray((x * 3).astype(np.uint8)))
    profile = b"\0" * 200
    exif = Image.Exif()
    exif[0x0112] = 6
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "made by a phone " * 20, zip=True)
    deep = Image.fromarray((x * 800).astype(np.uint16))
    made: list[tuple[str, Image.Image, str, dict[str, object]]] = [
        ("rgb.png", rgb, "PNG", {"pnginfo": texts}),
        ("palette.png", rgb.convert("P"), "PNG", {"transparency": 3}),
        ("alpha.png", alpha, "PNG", {"exif": exif}),
        ("deep.png", deep, "PNG", {}),
        ("bits.png", rgb.convert("1"), "PNG", {"icc_profile": profile}),
        ("plain.jpg", rgb, "JPEG", {"exif": exif}),
        ("progressive.jpg", rgb, "JPEG", {"progressive": True, "optimize": True}),
        ("cmyk.jpg", rgb.convert("CMYK"), "JPEG", {"icc_profile": profile}),
        ("grey.jpg", rgb.convert("L"), "JPEG", {"subsampling": 0}),
        ("lossy.webp", rgb, "WEBP", {}),
        ("lossless.webp", alpha, "WEBP", {"lossless": True, "exif": exif}),
        ("moving.webp", rgb, "WEBP", {"save_all": True, "append_images": [alpha.convert("RGB")]}),
        ("plain.tif", rgb, "TIFF", {"exif": exif}),
        ("lzw.tif", rgb, "TIFF", {"compression": "tiff_lzw"}),
        ("deflate.tif", deep, "TIFF", {"compression": "tiff_adobe_deflate"}),
        ("jpeg.tif", rgb, "TIFF", {"compression": "jpeg"}),
        ("fax.tif", rgb.convert("1"), "TIFF", {"compression": "group4"}),
        ("lab.tif", rgb.convert("LAB"), "TIFF", {}),
        ("float.tif", Image.fromarray((x / 80).astype(np.float32)), "TIFF", {}),
        ("plain.bmp", rgb, "BMP", {}),
        ("palette.bmp", rgb.convert("P"), "BMP", {}),
        ("plain.gif", rgb.convert("P"), "GIF", {}),
        ("moving.gif", rgb.convert("P"), "GIF", {"save_all": True, "append_images": [deep.convert("P")]}),
    ]
    found = []
    for name, image, form, options in made:
        buffer = io.BytesIO()
        image.save(buffer, form, **options)
        found.append(Good("picture", name, buffer.getvalue(), (read_file,)))
    return found


def _sounds() -> list[Good]:
    wave = 0.4 * np.sin(np.arange(RATE) / 9) * np.sin(np.arange(RATE) / 900)
    two = np.stack([wave, wave[::-1]], 1)
    forms = [
        ("pcm16.wav", "WAV", "PCM_16", wave),
        ("pcm24.wav", "WAV", "PCM_24", two),
        ("float.wav", "WAV", "FLOAT", wave),
        ("alaw.wav", "WAV", "ALAW", wave),
        ("adpcm.wav", "WAV", "IMA_ADPCM", wave),
        ("extensible.wav", "WAVEX", "PCM_16", two),
        ("long.rf64", "RF64", "PCM_16", wave),
        ("plain.flac", "FLAC", "PCM_16", wave),
        ("deep.flac", "FLAC", "PCM_24", two),
        ("vorbis.ogg", "OGG", "VORBIS", two),
        ("opus.opus", "OGG", "OPUS", wave),
        ("plain.mp3", "MP3", "MPEG_LAYER_III", two),
        ("plain.aiff", "AIFF", "PCM_16", wave),
        ("float.aifc", "AIFF", "FLOAT", two),
        ("plain.caf", "CAF", "PCM_16", wave),
    ]
    found = []
    for name, form, subtype, samples in forms:
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, RATE, format=form, subtype=subtype)
        found.append(Good("sound", name, buffer.getvalue(), (_as_recording, _as_cycle, read_file)))
    for name, samples in (("cycle.wav", 600), ("table.wav", 2048 * 3)):
        buffer = io.BytesIO()
        soundfile.write(buffer, np.sin(np.arange(samples) / 600 * 2 * np.pi) / 2, 44_100, format="WAV")
        found.append(Good("sound", name, buffer.getvalue(), (_as_cycle, read_file)))
    return found


def _as_recording(path: Path) -> object:
    return opening.read_sound(path, 16_000)


def _as_cycle(path: Path) -> object:
    return decoder.open_cycle(path, 256)


def _works() -> list[Good]:
    rng = np.random.default_rng(1)
    latent = StoredArray.from_array(rng.standard_normal((3, 8, 8)).astype(np.float32))
    making = Work(model="rings", model_hash="0" * 32, seed=7, latent=latent, source="rose.png", sliders=(0.5, -1.0))
    sound = Work(
        medium="sound",
        model="waves",
        model_hash="0" * 32,
        seed=3,
        sample_rate=RATE,
        temperature_curve=((0.0, 1.0), (1.0, 0.5)),
    )
    pictures = [rng.integers(0, 256, (8, 8, 3), np.uint8) for _ in range(4)]
    wave = (9000 * np.sin(np.arange(RATE) / 20)).astype(np.int16)
    smooth = Enlargement(8, smooth=True)
    opened = (read_file, shelf.read_take)
    heard = (_as_recording, shelf.read_take)
    return [
        Good("work", "work.png", work.encode_png(pictures[0], making), opened),
        Good("work", "smooth.png", work.encode_png(pictures[0], making, smooth), opened),
        Good("work", "sheet.png", work.encode_sheet(pictures, [making] * 4, 2), opened),
        Good("work", "smooth sheet.png", work.encode_sheet(pictures, [making] * 4, 2, smooth), opened),
        Good("work", "work.wav", work.encode_wav(wave, sound), heard),
        Good("work", "work.flac", work.encode_flac(wave, sound), (_as_recording,)),
        Good("work", "table.wav", work.encode_wavetable(np.stack([wave[:256]] * 4), sound), opened),
    ]


def _models() -> list[Good]:
    ways: tuple[Open, ...] = (
        lambda path: models.find_model(str(path)),
        models.read_model,
        models.read_cover,
        _as_engine,
    )
    with tempfile.TemporaryDirectory() as folder:
        made = [make_card(), make_card("waves", (64,)), make_card("sounds", (2000,), rate=RATE)]
        files = [write_model(Path(folder), each) for each in made]
        files += [_whole_model(Path(folder), each) for each in _recipes()]
        return [Good("model", file.name, file.read_bytes(), ways) for file in files]


def _recipes() -> list[tuple[str, tuple[int, ...], Any]]:
    """Return names, shapes and recipes of small models."""
    return [
        ("realnvp", (3, 8, 8), zoo.realnvp.RealNVP(scales=2, width=8, blocks=1)),
        ("maf", (1, 4, 4), zoo.maf.MAF(layers=2, hidden=(16,))),
        ("pixelcnn", (1, 8, 8), zoo.pixelcnn.PixelCNN(width=8, blocks=1, head=8)),
    ]


def _whole_model(folder: Path, of: tuple[str, tuple[int, ...], Any]) -> Path:
    """Write a model that the engine can load, with random weights."""
    name, shape, recipe = of
    described = msgspec.structs.replace(make_card(name, shape), recipe=msgspec.to_builtins(recipe), levels=256)
    weights = {key: t for key, t in recipe.build(shape, 256).state_dict().items() if t.is_floating_point()}
    path = folder / f"whole-{name}.safetensors"
    directions = torch.zeros(3, *shape)
    cover = torch.zeros(1, *shape[1:], shape[0], dtype=torch.uint8)
    write_file(path, checkpoint.encode_model(described, weights, directions, cover))
    return path


def _as_engine(path: Path) -> object:
    return sampling.ModelCache(torch.device("cpu")).get_model(str(path))


def _manifests() -> list[Good]:
    listed = [{"file": f"step-{n:08d}.safetensors", "size": 10, "hash": hash_bytes(b"x"), "step": n} for n in range(5)]
    index = "split,file,speaker\n" + "".join(f"{side},{n}.wav,a\n" for n in range(3) for side in ("train", "test"))
    settings = {"geometry": "AAAA", "panel": "explore", "explore": {"takes": ["1.png"], "undo": [[1, 2], None]}}
    rng = np.random.default_rng(2)
    pack = io.BytesIO()
    x = rng.integers(0, 256, (20, 8, 8, 3), np.uint8)
    np.savez_compressed(pack, train_x=x, train_y=np.arange(20), label_names=np.array([str(n) for n in range(20)]))
    plain = io.BytesIO()
    np.savez(plain, train_x=x[:10], test_x=x[10:])
    return [
        Good("manifest", "manifest.json", json.dumps(listed).encode(), (_as_run,)),
        Good("manifest", "index.csv", index.encode(), (_as_index,)),
        Good("manifest", "settings.json", json.dumps(settings).encode(), (lambda path: SettingsFile(path).read(),)),
        Good("manifest", "packed.npz", pack.getvalue(), (_as_pack,)),
        Good("manifest", "plain.npz", plain.getvalue(), (_as_pack,)),
    ]


def _as_run(path: Path) -> object:
    run = path.parent / "run"
    (run / "checkpoints").mkdir(parents=True, exist_ok=True)
    (run / "checkpoints" / "manifest.json").write_bytes(path.read_bytes())
    return checkpoint.load_newest(run)


def _as_index(path: Path) -> object:
    folder = path.parent / "pieces"
    for side in ("train", "test"):
        (folder / side).mkdir(parents=True, exist_ok=True)
        for number in range(3):
            soundfile.write(folder / side / f"{number}.wav", np.sin(np.arange(2000) / (number + 9)) / 2, RATE)
    (folder / "index.csv").write_bytes(path.read_bytes())
    return list(audio_dataset.load_recordings_in_steps(folder, RATE, ("speaker",)))


def _as_pack(path: Path) -> object:
    return dataset.load_dataset(path, (3, 4, 4))


# ── mutations ────────────────────────────────────────────────────────────────────────────────────

EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Change a file in one to four places, mostly near its beginning, where headers are."""
    body = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = int(len(body) * chance.random() ** chance.choice((1, 3)))
        count = chance.choice((1, 2, 4, 16, 200))
        match chance.randrange(8):
            case 0:
                body[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                body[at : at + 1] = bytes([body[at] ^ 1 << chance.randrange(8)]) if at < len(body) else b""
            case 2:
                size = chance.choice((1, 2, 4, 8))
                order = chance.choice(("little", "big"))
                body[at : at + size] = (chance.choice(EXTREMES) & (2 ** (8 * size) - 1)).to_bytes(size, order)
            case 3:
                del body[at : at + count]
            case 4:
                body[at:at] = body[at : at + count]
            case 5:
                body[at : at + count] = bytes(count)
            case 6:
                body[at:at] = chance.randbytes(count)
            case _:
                del body[max(at, len(body) // 10) :]
    return bytes(body)


# ── opening ──────────────────────────────────────────────────────────────────────────────────────


def run(number: int, seed: int = 0, progress: Callable[[int, Found], object] = lambda done, found: None) -> Found:
    """Open so many mutated files, each in a random one of its ways."""
    goods = good_files()
    chance = random.Random(seed)
    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        for count in range(number):
            good = goods[count % len(goods)]
            path = Path(folder) / f"{count} {good.name}"
            path.write_bytes(mutated(good.data, chance))
            open_one(chance.choice(good.ways), path, good.sort, found)
            path.unlink(missing_ok=True)
            progress(count + 1, found)
    found.files = number
    return found


def open_one(way: Open, path: Path, sort: str, found: Found) -> None:
    """Open a file and note what became of it."""
    before = _processor_time()
    try:
        way(path)
        found.opened[sort] += 1
    except (FileRefused, BadModel, checkpoint.DamagedRun) as refusal:
        found.refused[sort] += 1
        _judge(str(refusal), path, found)
    except Exception as error:
        found.raw.append(f"{path.name}: {type(error).__name__}: {error}")
    passed = _processor_time() - before
    found.slowest = max(found.slowest, (passed, path.name))
    if passed > SLOW:
        found.hangs.append(f"{path.name}: {passed:.1f} s")
    for process in decoder.shared_decoder.process_ids:
        found.peak = max(found.peak, _peak(process))


def _judge(sentence: str, path: Path, found: Found) -> None:
    if "crashed the program that reads files" in sentence:
        found.crashes.append(f"{path.name}: {sentence}")
    elif "takes too long" in sentence:
        found.hangs.append(f"{path.name}: {sentence}")
    elif RAW.search(sentence) or not sentence.endswith(".") or not re.match('["A-Z]', sentence):
        found.raw.append(f"{path.name}: {sentence}")


def _processor_time() -> float:
    """Return seconds of this process and of the children that wait for files."""
    ticks = 0
    for process in decoder.shared_decoder.process_ids:
        try:
            stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(stat[11]) + int(stat[12])
    return time.process_time() + ticks / 100


def _peak(process: int) -> int:
    """Return the most bytes that a process has had."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def main(number: int = 2000, seed: int = 0) -> int:
    began = time.perf_counter()

    def progress(done: int, found: Found) -> None:
        if done % 100 == 0:
            print(f"{done:,} files, {len(found.faults)} faults", flush=True)

    with tempfile.TemporaryDirectory() as home:  # damaged settings go to the bin there
        os.environ["STUDIO_HOME"] = home
        found = run(number, seed, progress)
    seconds = time.perf_counter() - began
    for sort in sorted(found.opened | found.refused):
        print(f"{sort}: {found.opened[sort]:,} opened, {found.refused[sort]:,} refused")
    slowest, name = found.slowest
    print(f"{found.files:,} files in {seconds:.0f} s; the slowest took {slowest:.1f} s of processor time: {name}")
    counts = f"{len(found.crashes)} crashes, {len(found.hangs)} hangs, {len(found.raw)} raw"
    print(f"{counts}, at most {found.peak / 2**20:,.0f} MB in a child")
    print("\n".join(found.faults))
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
