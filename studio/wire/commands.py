"""Define the commands that the window and the terminal send to an engine."""

from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct

from studio.wire.records import (
    URGENCY_ADDITION,
    URGENCY_ADJUST,
    URGENCY_CONTROL,
    URGENCY_PLAYBACK,
    URGENCY_QUEUED,
    Array,
    CanvasSide,
    Command,
    Count,
    Guidance,
    JobId,
    ModelName,
    Seed,
    Share,
    SliderValue,
    Temperature,
    Text,
)
from studio.wire.transfer import FindFile, KeepAlive, MeasureTraining, PackArtworks, StoreFile


class DrawPictures(Command, frozen=True, kw_only=True):
    """Make pictures."""

    model: ModelName
    seeds: Annotated[tuple[Seed, ...], Meta(min_length=1, max_length=4096)]
    temperature: tuple[Temperature, ...] = (1.0,)
    """One number, or one for each scale of the model, from coarse to fine."""
    temperature_map: Array | None = None
    """(height, width) float32, 0 to 4: the factor of the temperature at each pixel, for a model that draws pixel by
    pixel. The product is at most 4."""
    label: Count | None = None
    second_model: Annotated[str, Meta(max_length=200)] = ""
    """A second model of the same shape and levels; both must draw pixel by pixel. Empty for none."""
    share: Share = 0.5
    """The share of the second model, from 0 to 1."""
    share_map: Array | None = None
    """(height, width) float32, 0 to 1: the factor of the share at each pixel."""
    report_entropy: bool = False
    """Whether to report the entropy of each pixel before it was drawn, if the model draws pixel by pixel."""
    guidance: Guidance = 0.0
    """How much to sharpen towards the class, for a model that learned with its class dropped; 0 for not at all."""
    top_p: Share = 1.0
    """The least probability of the levels that a pixel is drawn from, the likeliest first; 1 for all levels.

    Bits are computed by the model itself, without guidance and top-p."""


class Sample(DrawPictures, frozen=True, kw_only=True, tag="sample"):
    """Draw one picture for each seed. Answers: PicturesPreview …, then one ending."""

    canvas_size: tuple[CanvasSide, CanvasSide] | None = None
    """(height, width) of the pictures, for a model without borders; None for the model's own size."""
    seamless: bool = False
    """Whether the right edge of a canvas continues at its left edge, and the lower edge at the upper one."""


class Inpaint(DrawPictures, frozen=True, kw_only=True, tag="inpaint"):
    """Replace a part of a picture for each seed and keep the rest. Answers: as for Sample.

    `following` is set if a pixel that is kept comes after the first one that is drawn.
    """

    picture: Array
    """(height, width, channels) uint8, in the model's own shape; in any size for a model without borders."""
    mask: Array
    """(height, width) uint8: above 0 in the part that is replaced."""


class DecodeLatent(Command, frozen=True, kw_only=True, tag="decode_latent"):
    """Decode one picture from a latent and sliders. Answers: Decoded, then one ending.

    z = temperature · start + Σ slider · direction. The start is the noise of `seed`, or `latent` if a picture was
    opened.
    """

    urgency: ClassVar[int] = URGENCY_CONTROL
    model: ModelName
    seed: Seed = 0
    latent: Array | None = None
    sliders: Annotated[tuple[SliderValue, ...], Meta(max_length=64)] = ()
    temperature: tuple[Temperature, ...] = (1.0,)
    label: Count | None = None


class LatentPoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Describes an end of a path, with the fields of DecodeLatent but without the model."""

    seed: Seed = 0
    latent: Array | None = None
    sliders: Annotated[tuple[SliderValue, ...], Meta(max_length=64)] = ()
    temperature: tuple[Temperature, ...] = (1.0,)
    label: Count | None = None


class Interpolate(Command, frozen=True, kw_only=True, tag="interpolate"):
    """Make artworks along the way between two latents, including both ends. Answers: PicturesPreview …, then one
    ending."""

    model: ModelName
    begin: LatentPoint
    end: LatentPoint
    frames: Annotated[int, Meta(ge=2, le=256)] = 64


class DecodeClasses(Command, frozen=True, kw_only=True, tag="decode_classes"):
    """Decode one latent in every class of a model. Answers: PicturesPreview …, then one ending.

    The artworks are in the order of the classes. The class of `point` does not matter.
    """

    urgency: ClassVar[int] = URGENCY_CONTROL
    model: ModelName
    point: LatentPoint


class Encode(Command, frozen=True, kw_only=True, tag="encode"):
    """Compute the latent of an artwork and whether decoding restores it. Answers: Encoded, then one ending."""

    model: ModelName
    picture: Array
    """(height, width, channels) uint8, or (samples,) int16, in the model's own shape."""
    label: Count | None = None


class Adjust(Command, frozen=True, kw_only=True, tag="adjust"):
    """Change the settings of a running Sample, Inpaint or StreamSound. Answers: one ending.

    A Sample or Inpaint changes from its next row of pixels on, a StreamSound from its next sample on, and a model that
    makes whole pictures with its next group. Fields that are None stay unchanged. A waiting job changes when it begins;
    a job that has ended is ignored. If the model cannot change, this command fails and the job continues.
    """

    urgency: ClassVar[int] = URGENCY_ADJUST
    running_job: JobId
    """The job to change; `job` identifies this command itself."""
    temperature: tuple[Temperature, ...] | None = None
    temperature_map: Array | None = None
    """The map as in DrawPictures; all ones to give every pixel the same temperature again."""
    share: Share | None = None
    share_map: Array | None = None
    report_entropy: bool | None = None
    """Whether to report the entropy, as in DrawPictures, of the pixels drawn from now on."""
    label: Count | None = None
    """The class, for a StreamSound."""
    allowed_seconds: Annotated[float, Meta(ge=0.0)] | None = None
    """The seconds of sound that may be generated, as in StreamSound."""
    temperature_curve: Array | None = None
    """The curve as in StreamSound; it replaces the temperature or the earlier curve."""
    seed: Seed | None = None
    """Another seed for a StreamSound; its noise continues at the same sample."""
    from_sample: Count | None = None
    """The first sample of a StreamSound that is replaced. The samples sent after the end of this command begin there.
    """
    replaces_late_edit: bool = False
    """Whether the previous change of a StreamSound came too late. It is then undone, even if this command fails."""


class Score(Command, frozen=True, kw_only=True, tag="score"):
    """Compute the bits of an artwork under a model, in all and at each place. Answers: Scored, then one ending."""

    urgency: ClassVar[int] = URGENCY_ADDITION
    model: ModelName
    picture: Array
    """The picture as in Encode; in any size for a model without borders."""
    label: Count | None = None


class ComputeBits(Command, frozen=True, kw_only=True, tag="compute_bits"):
    """Compute the bits of each sample of a stretch of a recording. Answers: BitsChunk …, then one ending.

    The time it takes depends on the length of the stretch, not on its position in the recording.
    """

    urgency: ClassVar[int] = URGENCY_QUEUED
    model: ModelName
    """A model of recordings."""
    sound: Array
    """(samples,) int16 at the model's rate: the stretch, and up to CONTEXT_SAMPLES samples before it."""
    first_sample: Count = 0
    """The first sample of the stretch. If it equals the length of the sound, only the class is reported."""
    label: Count | None = None
    """The class; None for the one under which the last second of the sound is likeliest."""


class FindLoop(Command, frozen=True, kw_only=True, tag="find_loop"):
    """Look near the ends of a loop for the likeliest join. Answers: LoopFound, then one ending."""

    model: ModelName
    """A model of recordings."""
    sound: Array
    """(samples,) int16 at the model's rate."""
    begin: Count
    """The first sample that is repeated."""
    end: Count
    """The sample after the last one that is repeated."""
    seed: Seed = 0
    """The seed of the sound, which draws the class if no label is given."""
    label: Count | None = None


class StreamSound(Command, frozen=True, kw_only=True, tag="stream_sound"):
    """Generate one sound chunk by chunk while it plays and can be edited. Answers: SoundChunk …, then one ending.

    A seed always makes the same sound, except for changes by Adjust. Samples are counted from the first one that is
    generated.
    """

    urgency: ClassVar[int] = URGENCY_PLAYBACK
    model: ModelName
    """A model of recordings."""
    seed: Seed
    seconds: Annotated[float, Meta(gt=0.0, le=86_400.0)] | None = None
    """The length in seconds; None: until the job is stopped."""
    temperature: Temperature = 1.0
    temperature_curve: Array | None = None
    """(points, 2) float64 in place of the temperature: seconds of the sound, never falling, and the temperature there,
    0 to 4. It is linear between two points; two points at the same second are a step."""
    label: Count | None = None
    sound_to_continue: Array | None = None
    """(samples,) int16 at the model's rate: the sound to continue; these samples are not sent back."""
    followed_sound: Array | None = None
    """(samples,) int16 at the model's rate: a sound whose pitch or loudness the model follows, again and again. Without
    it, such a model follows a recording that it learned from."""
    allowed_seconds: Annotated[float, Meta(ge=0.0)] | None = None
    """The seconds of sound that may be generated until an Adjust allows more; None: no limit."""
    second_model: Annotated[str, Meta(max_length=200)] = ""
    """A second model of the same rate and levels, empty for none. One of the two is drawn at random for each sample."""
    share: Share = 0.5
    """The probability with which the second model draws a sample."""


class ScanFolder(Command, frozen=True, kw_only=True, tag="scan_folder"):
    """Examine a folder or a pack before training. Answers: FilesExamined …, FolderExamined, then one ending."""

    source: Text
    shape: Annotated[tuple[Annotated[int, Meta(ge=1, le=65_536)], ...], Meta(max_length=3)] = ()
    """The shape of the training artworks, as in a training config."""
    sample_rate: Annotated[int, Meta(ge=0, le=192_000)] = 0
    """Hz of recordings; 0 of pictures and single cycles. If there are both a shape and a rate, or neither, the engine
    chooses one for what most of the files are."""
    preparation: dict[str, Any] = {}
    """How files become artworks: `studio.media.preparation.Preparation` by `msgspec.to_builtins`."""
    thumbnails: Annotated[int, Meta(ge=0, le=10_000)] = 500
    """The number of thumbnails sent with the first files. Those of similar and odd files are sent at the end."""


class PreviewExamples(Command, frozen=True, kw_only=True, tag="preview_examples"):
    """Prepare examples exactly as a training sees them. Answers: ExamplesPreview, then one ending."""

    urgency: ClassVar[int] = URGENCY_ADDITION
    source: Text
    config: dict[str, Any]
    """The training config, as in Train."""
    count: Annotated[int, Meta(ge=1, le=16)] = 12
    variations: Annotated[int, Meta(ge=0, le=16)] = 0
    """The number of variations of each example, by its augmentations."""
    originals: bool = False
    """Whether the files are sent as they are, too."""
    seed: Seed = 0
    """Chooses the artworks and their augmentations."""


class Train(Command, frozen=True, kw_only=True, tag="train"):
    """Train a model on a folder or a pack.

    Answers: FilesExamined …, DatasetLoaded, TrainingProgress …, TrainingSamples …, SamplesCompared …, ModelWritten …,
    then one ending.
    """

    urgency: ClassVar[int] = URGENCY_QUEUED
    source: Text
    run_folder: Text
    """The folder of the run: recipe, curve, checkpoints; an existing one is resumed."""
    output_folder: Text = ""
    """The folder for the trained model; empty: the user's own models."""
    config: dict[str, Any]
    """The training config: `studio.engine.training.config.TrainingConfig` by `msgspec.to_builtins`."""
    force: bool = False
    """Whether an existing run may continue with other artworks than it began with."""
    only_export: bool = False
    """Whether the best model of an existing run is written without another step."""
    start_model: Annotated[str, Meta(max_length=200)] = ""
    """The trained model with whose weights a new run begins; empty for none."""
    sample_seeds: Annotated[tuple[Seed, ...], Meta(max_length=16)] = ()
    """Seeds whose artworks are drawn now and then; empty for none. The first are kept in the run's folder.

    All are compared with the training artworks."""
    samples_at_end: bool = False
    """Whether they are drawn only once, after the last step."""
    is_remote: bool = False
    """Whether the window runs on another computer. The source is then a file of packed artworks, the run's folder is
    named by its name alone, and the model is sent back as ModelPiece …, ModelWritten."""


class PrepareTraining(Command, frozen=True, kw_only=True, tag="prepare_training"):
    """Return the config of a training, then measure its cost here by a few trial steps.

    Answers: TrainingPrepared, TrainingCost, then one ending.
    """

    urgency: ClassVar[int] = URGENCY_ADDITION
    source: Text
    family: Annotated[str, Meta(max_length=64)]
    preset: Annotated[str, Meta(max_length=64)]
    shape: tuple[Annotated[int, Meta(ge=1, le=65536)], ...]
    """(channels, height, width) of pictures, (samples,) of sounds."""
    sample_rate: Annotated[int, Meta(ge=0, le=192_000)] = 0
    """Hz of recordings; 0 of pictures and single cycles."""
    palette_size: Annotated[int, Meta(ge=0, le=64)] = 0
    """The number of indexed colours of pictures; 0 for grey or full colour, as in `shape`."""
    start_model: Annotated[str, Meta(max_length=200)] = ""
    """A trained model to start from. It replaces family, preset, shape, rate and palette."""
    recipe: dict[str, Any] = {}
    """Hyperparameters that differ from the preset."""
    plan: dict[str, Any] = {}
    """Settings of the loop that differ from the usual ones."""
    preparation: dict[str, Any] = {}
    """How files become artworks: `studio.media.preparation.Preparation` by `msgspec.to_builtins`."""
    augmentation: dict[str, Any] = {}
    """How artworks are varied: `studio.engine.training.augmentation.Augmentation` by `msgspec.to_builtins`."""
    measures: bool = True
    """Whether the cost is measured by this engine; otherwise another one is asked by MeasureTraining."""


class SteerTraining(Command, frozen=True, kw_only=True, tag="steer_training"):
    """Ask something of a running Train. It happens after the present step. Answers: one ending."""

    urgency: ClassVar[int] = URGENCY_ADJUST
    running_job: JobId
    """The training; `job` identifies this command itself."""
    action: Literal["sample", "publish", "finish"]
    """Draw its samples now; write its newest weights as a model; take a last step and export the best model."""


class Evaluate(Command, frozen=True, kw_only=True, tag="evaluate"):
    """Evaluate a model on the test artworks of a folder or a pack. Answers: EvaluationProgress …, then one ending."""

    urgency: ClassVar[int] = URGENCY_QUEUED
    model: ModelName
    source: Text
    draws: Annotated[int, Meta(ge=1, le=1024)] = 4
    """The number of draws of a flow's dequantisation noise."""
    max_artworks: Annotated[int, Meta(ge=1)] | None = None
    """The most artworks to measure, the first of the test set; None: all."""
    report_spread: bool = False
    """Whether to report the distribution of the test artworks' bits instead of the figures."""


class CompareSamples(Command, frozen=True, kw_only=True, tag="compare_samples"):
    """Find the training artwork nearest to each sample of a model. Answers: SamplesCompared, then one ending."""

    urgency: ClassVar[int] = URGENCY_QUEUED
    model: ModelName
    source: Text
    """The folder or pack that it learned from."""
    seeds: Annotated[tuple[Seed, ...], Meta(min_length=1, max_length=4096)]
    temperature: Temperature


class MakePyramid(Command, frozen=True, kw_only=True, tag="make_pyramid"):
    """Make a pyramid of a trained model and an upsampler.

    Answers: EvaluationProgress …, ModelWritten, then one ending.
    """

    urgency: ClassVar[int] = URGENCY_QUEUED
    base: ModelName
    upsampler: ModelName
    source: Text
    """A folder or a pack with pictures of the pyramid's size, of which those held out are measured."""
    name: Text
    title: Text = ""
    """Empty: the base's."""
    label: Text = ""
    """The class of the data whose pictures are measured; empty for all."""
    output_folder: Text = ""
    """The folder for the pyramid; empty: the user's own models."""


class Stop(Command, frozen=True, kw_only=True, tag="stop"):
    """End the job `job`, waiting or running. It takes effect between two steps."""

    urgency: ClassVar[int] = URGENCY_PLAYBACK


class Doctor(Command, frozen=True, kw_only=True, tag="doctor"):
    """Examine the engine's computer. Answers: Diagnosis, then one ending."""


AnyCommand = (
    Sample
    | DecodeLatent
    | Interpolate
    | DecodeClasses
    | Encode
    | Inpaint
    | Adjust
    | ComputeBits
    | FindLoop
    | StreamSound
    | Score
    | ScanFolder
    | PreviewExamples
    | Train
    | PrepareTraining
    | SteerTraining
    | Evaluate
    | CompareSamples
    | MakePyramid
    | FindFile
    | StoreFile
    | PackArtworks
    | MeasureTraining
    | KeepAlive
    | Stop
    | Doctor
)
