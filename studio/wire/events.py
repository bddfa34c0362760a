"""Define the events with which an engine answers."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from studio import __version__
from studio.wire.records import (
    PROTOCOL_VERSION,
    Answer,
    Array,
    Count,
    Event,
    Share,
    Temperature,
    Text,
)
from studio.wire.transfer import ArtworksPacked, FileFound, ModelPiece


class Starting(Event, frozen=True, kw_only=True, tag="starting"):
    """Reports that the process runs and is loading; commands may already be sent."""

    protocol: int = PROTOCOL_VERSION
    version: str = __version__


class Ready(Event, frozen=True, kw_only=True, tag="ready"):
    """Reports that the engine is loaded."""

    device: str
    """The device in words: `Processor, 2 threads`."""
    families: dict[str, Any] = {}
    """The hyperparameters of the zoo's families."""
    uncompiled_loops: tuple[str, ...] = ()
    """The loops that are not compiled yet, as in CompilingLoops."""


class CompilingLoops(Event, frozen=True, kw_only=True, tag="compiling_loops"):
    """Reports which loops are not compiled yet; until then torch is used, which is slower.

    `pixels` draws pictures pixel by pixel; `sound` and `two sounds` play.
    """

    loops: tuple[str, ...]


class Heartbeat(Event, frozen=True, kw_only=True, tag="heartbeat"):
    """Reports twice a second the number of steps since the start, and the running job.

    If `steps` does not grow while a `job` runs, the engine hangs.
    """

    steps: Count
    job: str | None = None


class PicturesPreview(Answer, frozen=True, kw_only=True, tag="pictures_preview"):
    """Carries pictures of a batch, from number `first` on, as far as they are drawn.

    They are finished if done == total.
    """

    first: Count
    pictures: Array
    done: Count
    total: Count
    log_prob: tuple[float, ...] | None = None
    """Log-probability of each picture in nats, once finished."""
    labels: tuple[Count, ...] | None = None
    """The class of each picture, once finished, for a model with classes."""
    following_log_prob: tuple[float, ...] | None = None
    """The log-probability in nats of the kept pixels after the first new one, for a finished Inpaint. Each is given all
    before it. It measures how well a completion fits what follows."""
    temperature: tuple[Temperature, ...] | None = None
    """Once finished, if the job was adjusted: the temperature with which these pictures began."""
    temperature_map: Array | None = None
    """Once finished, if it varied: (height, width) float32, the temperature at which each pixel was drawn. A Sample
    with a `temperature` of 1 and this `temperature_map` makes the same pictures again."""
    share: Share | None = None
    share_map: Array | None = None
    """The same for the share, if two models are mixed. `log_prob` is under the mixture as it was drawn."""
    entropy: Array | None = None
    """If requested: (n, rows drawn, width) float32, the entropy of each pixel in bits just before it was drawn, at its
    temperature: the sum over its colours, each given those before it. NaN for pixels that are kept or that were drawn
    before the request."""


class SoundChunk(Answer, frozen=True, kw_only=True, tag="sound_chunk"):
    """Carries the next chunk of a StreamSound, from sample `first_sample` on."""

    first_sample: Count
    samples: Array
    """The samples of the chunk, (n,) int16."""
    bits: Array
    """(n,) float32: -log2 of the probability of each sample at a temperature of 1, given all before it."""
    speed: float
    """The seconds of sound that were lately generated in a second of work; 0 while the fast loop is being compiled."""


class Decoded(Answer, frozen=True, kw_only=True, tag="decoded"):
    """Carries the result of a DecodeLatent: (height, width, channels) uint8, or (samples,) int16."""

    picture: Array


class Encoded(Answer, frozen=True, kw_only=True, tag="encoded"):
    """Carries the latent of an artwork. Decoding changed `differing` of `total` levels, by at most
    `largest_difference`.

    `exact`: no level changed. `bits`: those of the artwork, given its class if there are classes. `is_bound`: this
    number is an upper bound.
    """

    latent: Array
    label: Count | None = None
    """The class assumed for it, for a model with classes."""
    exact: bool
    differing: Count
    total: Count
    largest_difference: Count
    bits: float
    is_bound: bool


class Scored(Answer, frozen=True, kw_only=True, tag="scored"):
    """Carries the score of an artwork: ln p in nats, and the bits of each place (height, width) or (samples,), float32.

    `is_bound`: ln p is a lower bound. Bits of the artwork as a whole are divided among its places. For a model with
    classes, ln p is given the requested class; if none was requested, it is that of the even mixture of all.
    """

    log_prob: float
    bits: Array
    is_bound: bool
    label: Count | None = None
    """The requested class, or the one under which it is likeliest."""
    log_prob_given_class: float | None = None
    """ln p given that class, for a model with classes."""
    noise: float = 0.0
    """σ of the noise that is counted beside the artwork, for pixels from 0 to 1; 0 for none."""


class BitsChunk(Answer, frozen=True, kw_only=True, tag="bits_chunk"):
    """Carries the next chunk of a ComputeBits: the bits (n,) float32 of its samples from number `first_sample` on."""

    first_sample: Count
    bits: Array
    label: Count | None = None
    """The class assumed for it, for a model with classes."""


class LoopFound(Answer, frozen=True, kw_only=True, tag="loop_found"):
    """Carries the loop with the likeliest join of all that were tried."""

    begin: Count
    end: Count
    join_bits: float
    """How many more bits the first samples of the loop cost after the join than in their own place."""
    join_bits_before: float
    """The same for the loop in the request."""
    tried_count: Count


FileOutcome = Literal["used", "damaged", "duplicate", "left_out", "skipped"]
"""The outcome of a file.

`damaged`: it is used although it is cut off or damaged. `left_out`: it can be read, but is not used. `skipped`: it
cannot be read.
"""


class ExaminedFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reports the outcome of one file of a folder."""

    name: Text
    """The name within the folder."""
    outcome: FileOutcome
    reason: Text = ""
    """The reason, which continues from the name: `is cut off`. It is empty if the file is used and whole."""
    key: Text = ""
    """The hash of its content in hexadecimal, by which it can be excluded; empty if it could not be read."""
    has_thumbnail: bool = False
    """Whether the message holds its thumbnail."""
    width: Count = 0
    height: Count = 0
    """Pixels of a picture in its file, upright."""
    seconds: Annotated[float, Meta(ge=0.0)] = 0.0
    rate: Count = 0
    channels: Count = 0
    """Length, rate in Hz and channels of a recording in its file."""


class FilesExamined(Answer, frozen=True, kw_only=True, tag="files_examined"):
    """Carries the next files of a folder, in order. A file's number is its place among those of all such messages."""

    files: tuple[ExaminedFile, ...]
    thumbnails: Array
    """(k, 64, 64, 3) uint8: thumbnails of the files that have one, in order. A recording shows its spectrogram."""
    done: Count
    total: Count
    """Files that were found so far."""


class Finding(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """States something that the user should know about a folder before training."""

    kind: Literal[
        "unusable",
        "damaged",
        "duplicates",
        "alike",
        "odd",
        "same",
        "too_few",
        "few",
        "classes",
        "excluded",
        "ready",
        "texts",
        "stream",
    ]
    weight: Literal["note", "warning", "stop"]
    """`stop`: a training would refuse the folder."""
    count: Count
    """How many it concerns, of `total`."""
    total: Count
    sentence: Text


class FolderExamined(Answer, frozen=True, kw_only=True, tag="folder_examined"):
    """Sums up a ScanFolder. Files are given by their numbers as in FilesExamined."""

    medium: Literal["pictures", "recordings", "cycles"]
    files: Count
    used: Count
    """How many are used, damaged ones among them."""
    damaged: Count
    duplicates: Count
    left_out: Count
    skipped: Count
    held_out: Count
    """How many of the used ones are never learned from."""
    needed: Count = 1
    """The least artworks that a training accepts."""
    sub_folders: Count = 0
    """How many sub-folders there are, which could be classes."""
    classes: tuple[tuple[Text, Count], ...] = ()
    """Each class and its artworks, if sub-folders are classes."""
    alike: tuple[tuple[Count, ...], ...] = ()
    """Groups of used files that look or sound nearly the same, the first of each as their model."""
    odd: tuple[Count, ...] = ()
    """Used files that differ most from the others, the strangest first."""
    findings: tuple[Finding, ...] = ()
    thumbnail_files: tuple[Count, ...] = ()
    thumbnails: Array
    """Thumbnails as in FilesExamined, of files in `alike` and `odd` that had none there: those of `thumbnail_files`."""


class ExamplesPreview(Answer, frozen=True, kw_only=True, tag="examples_preview"):
    """Carries examples as a model sees them: prepared and in its levels.

    A picture is (height, width, channels) uint8, a sound (samples,) int16: the first 10 seconds of a recording.
    """

    names: tuple[Text, ...]
    """The file of each within the folder; empty if a pack does not name it."""
    examples: tuple[Array, ...]
    variations: tuple[Array, ...] = ()
    """Variations of each example by its augmentations, as (k, height, width, channels) or (k, samples).

    Those of a recording are cuts, as a training takes them."""
    sample_rate: Count = 0
    """Hz of recordings; 0 of pictures and single cycles."""
    palette: Annotated[tuple[tuple[Count, Count, Count], ...], Meta(max_length=64)] = ()
    """The colours in which pictures are learned; empty if their levels are degrees of brightness."""
    originals: tuple[Array, ...] = ()
    """The file of each example as it is; large pictures are made smaller."""
    original_rates: tuple[Count, ...] = ()
    """Hz of each of the originals, if they are recordings."""


class DatasetLoaded(Answer, frozen=True, kw_only=True, tag="dataset_loaded"):
    """Reports how many files are used for training, are not used, or were duplicates."""

    used: Count
    skipped: Count
    """Files that cannot be read, and files that are left out."""
    duplicates: Count


class TrainingProgress(Answer, frozen=True, kw_only=True, tag="training_progress"):
    """Reports the progress of a training. Losses are in bits per dimension; `held_out` is set if just measured."""

    step: Count
    steps: Count
    loss: float
    held_out: float | None = None
    rate: float = 0.0
    """Pictures, or seconds of sound, processed in a second."""
    seconds_left: float = 0.0
    seconds: float = 0.0
    """Seconds of training so far, in all sessions of the run."""
    unsaved_seconds: float = 0.0
    """Seconds since the last checkpoint."""


WaitReason = Literal["", "space", "folder", "access"]
"""Why a training waits: the disk is full, its folder is gone, or its folder cannot be written. Empty: it does not."""


class TrainingWaits(Answer, frozen=True, kw_only=True, tag="training_waits"):
    """Reports that a training waits until its files can be saved, or with an empty reason that it continues."""

    reason: WaitReason
    text: Text
    """The same in sentences for the user."""


class TrainingPrepared(Answer, frozen=True, kw_only=True, tag="training_prepared"):
    """Carries the config of a training that can be started, and the ranges of its fields."""

    config: dict[str, Any]
    """As Train takes it, with a name that the sender replaces."""
    recipe_schema: dict[str, Any]
    plan_schema: dict[str, Any]
    """JSON schemas of `recipe` and `plan` in the config."""


class TrainingCost(Answer, frozen=True, kw_only=True, tag="training_cost"):
    """Reports the cost of a training on this computer, measured by trial steps on random artworks."""

    step_seconds: float
    """Seconds of one step; 0 if there is not enough memory to try one."""
    memory: Count
    """Bytes for weights, optimiser and gradients."""
    disk: Count
    """Bytes of its checkpoints and its model."""
    parameters: Count
    free_memory: Count


class TrainingSamples(Answer, frozen=True, kw_only=True, tag="training_samples"):
    """Carries samples of a running training, drawn from the requested seeds."""

    step: Count
    seconds: float
    """Seconds of training until then."""
    artworks: Array
    """(n, height, width, channels) uint8, or (n, samples) int16; n is 0 if there was too little memory."""


class SamplesCompared(Answer, frozen=True, kw_only=True, tag="samples_compared"):
    """Carries samples of a model, each with the training artwork that is nearest to it."""

    step: Count
    """How many steps the model has learned for."""
    samples: Array
    """(n, height, width, channels) uint8, or (n, samples) int16."""
    nearest: Array
    """As `samples`."""
    distances: tuple[float, ...]
    """The distance of both, in shares of the usual distance of held-out artworks to training artworks."""


class ModelWritten(Answer, frozen=True, kw_only=True, tag="model_written"):
    """Reports that a training wrote its model among the trained models: `is_final` if the training has ended."""

    name: Text
    is_final: bool


class EvaluationProgress(Answer, frozen=True, kw_only=True, tag="evaluation_progress"):
    """Reports how many artworks were measured, and at the end the figures."""

    done: Count
    total: Count
    figures: tuple[tuple[Text, float, bool], ...] = ()
    """Each figure: its name, its value, and whether it is exact."""
    spread: tuple[float, ...] = ()
    """The distribution of bits as on the card, if requested."""
    distances: tuple[float, float] | None = None
    """The Fréchet distances to held-out recordings: that of drawn ones, and that of training recordings. None for other
    models, before the end, and if the recordings are too short."""


class Diagnosis(Answer, frozen=True, kw_only=True, tag="diagnosis"):
    """Carries the findings of Doctor."""

    findings: tuple[tuple[str, bool, str], ...]
    """For each thing examined: its name, whether it is fine, and the finding."""


class Notice(Answer, frozen=True, kw_only=True, tag="notice"):
    """Carries a message for the user while the job continues."""

    text: Text


class Finished(Answer, frozen=True, kw_only=True, tag="finished"):
    """Reports that the job is done."""

    seconds: float = 0.0


class Stopped(Answer, frozen=True, kw_only=True, tag="stopped"):
    """Reports that the job was stopped or replaced. A newer job with the same `control` replaces it."""


class Failed(Event, frozen=True, kw_only=True, tag="failed"):
    """Reports that the job failed: what happened, and what to do. `job` is empty if it is unknown."""

    job: Annotated[str, Meta(max_length=64)]
    reason: Text
    hint: Text = ""
    can_force: bool = False
    """Whether the same command with `force` would continue."""


AnyEvent = (
    Starting
    | Ready
    | CompilingLoops
    | Heartbeat
    | PicturesPreview
    | SoundChunk
    | Decoded
    | Encoded
    | Scored
    | BitsChunk
    | LoopFound
    | FilesExamined
    | FolderExamined
    | ExamplesPreview
    | DatasetLoaded
    | TrainingProgress
    | TrainingWaits
    | TrainingPrepared
    | TrainingCost
    | TrainingSamples
    | SamplesCompared
    | ModelWritten
    | EvaluationProgress
    | FileFound
    | ArtworksPacked
    | ModelPiece
    | Diagnosis
    | Notice
    | Finished
    | Stopped
    | Failed
)
Ending = Finished | Stopped | Failed
