"""Make pictures and sounds from seeds."""

import argparse
import math
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec

from studio.cli import arguments, command, live_playback
from studio.library import models, storage
from studio.library.card import Card
from studio.library.work import Work, encode_png, encode_sheet, encode_wav, reduced_size_text
from studio.media import export
from studio.media.pictures.enlarging import Enlargement
from studio.media.sounds import waveform
from studio.wire import messages as wire

SHEET_TIMES = 4
"""The factor by which pictures on a sheet are enlarged, unless another size is given."""


def add(commands: command.Commands) -> None:
    """Add `studio sample`."""
    sub = command.add_command(commands, "sample", run, "make pictures or sounds, one for each seed")
    sub.add_argument("model", metavar="MODEL", help="a name from `studio models`, or a .safetensors file")
    sub.add_argument("-n", type=command.positive, default=1, help="how many (1)")
    arguments.add_drawing(sub, seed="of the first picture; the next count up (random)", label="each seed draws its own")
    arguments.add_mix(sub)
    arguments.add_sharpening(sub)
    sub.add_argument(
        "--size",
        type=command.read_canvas_size,
        metavar="WxH",
        help="width and height of the pictures in pixels, for a model without borders (the model's own)",
    )
    sub.add_argument(
        "--seamless", action="store_true", help="opposite edges continue each other, so copies can be laid side by side"
    )
    sub.add_argument("--seconds", type=command.seconds, help="length of recordings (the model's own)")
    sub.add_argument(
        "--follow",
        type=command.read_path,
        metavar="FILE",
        help="a recording whose pitch or loudness is followed, by a model that does so; it also gives the length",
    )
    sub.add_argument("--play", action="store_true", help="play recordings while they are made")
    sub.add_argument(
        "--out",
        type=command.read_path,
        metavar="DIR",
        help="the folder for PNGs or WAVs; with --play it may be left out",
    )
    sub.add_argument(
        "--sheet", action="store_true", help="also save all pictures, or drawings of all waves, on one sheet"
    )
    arguments.add_size(sub)


def run(args: argparse.Namespace) -> int:
    trained = models.find_model(args.model)
    seeds = arguments.seeds_of(args)
    temperature = arguments.temperature_of(args, trained.card)
    label = arguments.class_of(trained.card, args.label)
    size = arguments.enlargement_of(args, trained.card)
    _check(args, trained.card)
    if trained.card.sample_rate:
        return _sample_recordings(args, trained, seeds, temperature, label)
    folder = storage.create_folder(args.out)
    mix = arguments.mixed_model_of(args)
    ask = wire.Sample(
        job="sample",
        model=args.model,
        seeds=seeds,
        temperature=temperature,
        label=label,
        second_model=args.mix or "",
        share=args.share,
        canvas_size=args.size,
        seamless=args.seamless,
        guidance=args.guidance,
        top_p=args.top_p,
    )
    kept = ResultSaver(args, folder, size)
    try:
        for event in command.run_command(args, ask):
            if not isinstance(event, wire.PicturesPreview):
                continue
            if event.done < event.total:
                command.show_progress(arguments.progress_text(event, args.n, args.size[0] if args.size else 0))
            if event.done == event.total - 1:  # the group is drawn, but its bits are not computed yet
                had = len(kept.results)  # if computing the bits ran out of memory, the group is drawn again in parts
                for seed, picture in zip(seeds[had:], event.pictures[had - event.first :], strict=False):
                    work = arguments.make_work(trained, seed, temperature, label)
                    canvas = {"canvas_size": args.size, "seamless": args.seamless}
                    sharpened = {"guidance": args.guidance, "top_p": args.top_p}
                    kept.add_result(picture, msgspec.structs.replace(work, mix=mix, **canvas, **sharpened))
                kept.save_soon()
            elif event.done == event.total:
                kept.add_prices(event.log_prob or ())
    finally:
        kept.save_rest()
    if args.sheet:
        path = folder / f"{trained.card.name}-{seeds[0]}-sheet.png"
        storage.write_file(path, _encode_sheet(args, trained, kept))
        command.print_result(args, {"file": str(path), "seed": seeds[0], "sheet": True}, str(path))
    return 0


def _check(args: argparse.Namespace, card: Card) -> None:
    """Raise WrongUse if options do not suit a model, or no folder is given."""
    sound = card.medium == "sound"
    if card.sample_rate and args.sheet:
        raise command.WrongUse(f'"{card.title}" makes recordings, which have no sheet. Leave --sheet out.')
    if not card.sample_rate and args.seconds is not None:
        raise command.WrongUse(f'"{card.title}" makes no recordings. Leave --seconds out.')
    if args.follow is not None and not card.followed_text:
        raise command.WrongUse(f'"{card.title}" follows no recording. Leave --follow out.')
    if not card.sample_rate and args.play:
        unheard = "single cycles, which the window plays as notes" if sound else "pictures, which have no sound"
        raise command.WrongUse(f'"{card.title}" makes {unheard}. Leave --play out.')
    if args.size is not None:
        arguments.check_draws_any_size(card)
    elif args.seamless:
        raise command.WrongUse("A seamless picture needs a size. Add --size WxH, as 256x256.")
    arguments.check_sharpening(args, card)
    if args.out is None and not args.play:
        raise command.WrongUse(command.NO_OUT_HINT)


class ResultSaver:
    """Holds the results, and saves them in batches while the next ones are made.

    The first batch is saved at once, the others in another thread, one every second: batches are written much faster.
    The line of a picture is printed when it is on the disk and its bits are known.
    """

    def __init__(self, args: argparse.Namespace, folder: Path, size: Enlargement) -> None:
        self._args = args
        self._folder = folder
        self._size = size
        self.results: list[wire.Array] = []
        self.works: list[Work] = []
        self._log_probs: list[float] = []
        self._saved = 0
        """The number of results that were saved, are being saved, or could not be saved."""
        self._placed: list[tuple[Path, Work]] = []
        self._printed = 0
        self._last = -math.inf
        self._thread = ThreadPoolExecutor(1)
        self._saving: Future[None] | None = None

    def add_result(self, made: wire.Array, work: Work) -> None:
        self.results.append(made)
        self.works.append(work)

    def add_prices(self, log_probs: Sequence[float]) -> None:
        """Add the log-probabilities of the next results, and print the lines that are complete."""
        self._log_probs += log_probs
        self._print_lines(min(len(self._placed), len(self._log_probs)))

    def save_soon(self) -> None:
        """Begin to save the new results, at most once a second.

        Only one save runs at a time. Wait only for the first save. Raises storage.NotSaved if an earlier save failed.
        """
        if self._saving is not None and not self._saving.done():
            return
        self._wait()
        if time.monotonic() - self._last >= 1.0:
            first = not self._saved
            self._begin()
            if first:
                self._wait()

    def save_rest(self) -> None:
        """Save the rest, and print where each result is. Some may have no bits yet.

        Raises storage.NotSaved; the results before the failed one are saved.
        """
        try:
            self._wait()
            self._begin()
            self._wait()
        finally:
            self._thread.shutdown()
            self._print_lines(len(self._placed))

    def _begin(self) -> None:
        new = slice(self._saved, len(self.results))
        self._saved = len(self.results)
        self._last = time.monotonic()
        self._saving = self._thread.submit(self._save, self.results[new], self.works[new])

    def _wait(self) -> None:
        """Wait until no save runs, and print the lines that are complete. Raises storage.NotSaved."""
        saving = self._saving
        self._saving = None
        try:
            if saving is not None:
                saving.result()
        finally:
            self._print_lines(min(len(self._placed), len(self._log_probs)))

    def _save(self, made: Sequence[wire.Array], works: Sequence[Work]) -> None:
        """Save a batch, in the thread that saves. Raises storage.NotSaved; those before the failed one are saved."""
        paths = [self._folder / f"{work.model}-{work.seed}{work.file_suffix}" for work in works]
        files = [self._encode_result(each, work) for each, work in zip(made, works, strict=True)]
        placed = len(paths)
        try:
            storage.write_files(list(zip(paths, files, strict=True)))
        except storage.NotSaved as fault:
            placed = [path.absolute() for path in paths].index(fault.path)
            raise
        finally:
            self._placed += list(zip(paths, works, strict=True))[:placed]

    def _print_lines(self, end: int) -> None:
        for number in range(self._printed, end):
            path, work = self._placed[number]
            log_prob = self._log_probs[number] if number < len(self._log_probs) else None
            command.print_result(self._args, {"file": str(path), "seed": work.seed, "log_prob": log_prob}, str(path))
        self._printed = max(self._printed, end)

    def _encode_result(self, made: wire.Array, work: Work) -> bytes:
        return encode_wav(made, work) if work.medium == "sound" else encode_png(made, work, self._size)


def _encode_sheet(args: argparse.Namespace, trained: models.InstalledModel, kept: ResultSaver) -> bytes:
    """Return a PNG with pictures and their recipes, or with drawings of waves.

    It has about as many rows as columns.
    """
    columns = export.sheet_columns(len(kept.results))
    if trained.card.medium == "sound":
        drawn = [waveform.draw_cycle(cycle) for cycle in kept.results]
        return export.encode_png_bytes(export.arrange_sheet(drawn, columns, over=waveform.MIDDLE))
    size = arguments.enlargement_of(args, trained.card, SHEET_TIMES)
    if smaller := reduced_size_text(size, columns, kept.results):
        command.print_message(smaller)
    return encode_sheet(kept.results, kept.works, columns, size)


def _sample_recordings(
    args: argparse.Namespace,
    trained: models.InstalledModel,
    seeds: Sequence[int],
    temperature: tuple[float],
    label: int | None,
) -> int:
    """Generate recordings one by one. Together they would not be faster, and would be heard later."""
    card = trained.card
    folder = storage.create_folder(args.out) if args.out else None
    mix = arguments.mixed_model_of(args)
    followed = arguments.open_artwork(args.follow, card) if args.follow is not None else None
    usual = card.shape[0] if followed is None else len(followed)
    seconds = args.seconds if args.seconds is not None else usual / card.sample_rate
    with live_playback.LivePlayback(card.sample_rate, seconds, len(seeds), args.play) as ear:
        if ear.failed and folder is None:
            live_playback.print_nothing_made("DIR")
            return 1
        jobs = command.make_jobs(args)
        for seed in seeds:
            ask = wire.StreamSound(
                job="sample",
                model=args.model,
                seed=seed,
                seconds=seconds,
                temperature=temperature[0],
                label=label,
                followed_sound=followed,
                second_model=args.mix or "",
                share=args.share,
            )
            ear.start_recording(f'"{card.title}", seed {seed}')
            made = ear.stream_sound(jobs, ask)
            work = msgspec.structs.replace(arguments.make_work(trained, seed, temperature, label), mix=mix)
            live_playback.save_recording(args, folder / f"{card.name}-{seed}.wav" if folder else None, made, work)
        ear.wait_until_heard()
        return 1 if ear.failed else 0
