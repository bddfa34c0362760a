"""Messages come back unchanged from the pipe, and nothing that arrives can do harm."""

import contextlib
import json
import random
import struct
import typing
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra import numpy as some_numpy

from studio.wire import frames, messages
from studio.wire.frames import BadFrame, FrameSplitter, decode, encode
from studio.wire.messages import AnyCommand, AnyEvent, Message

PICTURES = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
LATENT = np.linspace(-2, 2, 12, dtype=np.float32).reshape(3, 2, 2)

COMMANDS = [
    messages.Sample(job="a", model="m", seeds=(0, 2**53 - 1), temperature=(0.7, 1.0), label=3),
    messages.DecodeLatent(job="b", control="slider", model="ü 日本", seed=7, latent=LATENT, sliders=(-1.5, 0.1)),
    messages.DecodeLatent(job="c", model="m", latent=LATENT.astype(np.float64)),
    messages.Interpolate(
        job="h",
        model="m",
        begin=messages.LatentPoint(seed=1, sliders=(0.5,), label=2),
        end=messages.LatentPoint(latent=LATENT.astype(np.float64)),
        frames=16,
    ),
    messages.DecodeClasses(job="r", model="m", point=messages.LatentPoint(seed=1, latent=LATENT)),
    messages.Encode(job="d", model="m", picture=PICTURES[0]),
    messages.Inpaint(
        job="i", model="m", picture=PICTURES[0], mask=PICTURES[0, ..., 0], seeds=(1, 2), temperature=(0.5,), label=0
    ),
    messages.Sample(
        job="k",
        model="m",
        seeds=(1,),
        temperature_map=LATENT[0],
        second_model="n",
        share=0.25,
        share_map=LATENT[0],
        report_entropy=True,
        guidance=1.5,
        top_p=0.9,
    ),
    messages.Adjust(
        job="l",
        control="heat",
        running_job="k",
        temperature=(0.5,),
        temperature_map=LATENT[0],
        share=0.5,
        report_entropy=True,
    ),
    messages.StreamSound(
        job="p",
        model="m",
        seed=3,
        seconds=2.5,
        label=1,
        sound_to_continue=np.arange(5, dtype=np.int16),
        allowed_seconds=0.5,
    ),
    messages.Adjust(
        job="n",
        running_job="p",
        label=2,
        allowed_seconds=3.5,
        temperature_curve=np.array([[0.0, 1.0], [2.5, 0.5]]),
        from_sample=640,
        seed=5,
    ),
    messages.ComputeBits(job="q", model="m", sound=np.arange(5, dtype=np.int16), first_sample=2, label=1),
    messages.FindLoop(job="o", model="m", sound=np.arange(5, dtype=np.int16), begin=1, end=4, seed=3, label=1),
    messages.Score(job="j", model="m", picture=PICTURES[0], label=1),
    messages.ScanFolder(job="e", source="/pictures", shape=(3, 32, 32), preparation={"fitting": "pad"}, thumbnails=9),
    messages.PreviewExamples(job="e", source="/pictures", config={"shape": [3, 8, 8]}, count=4, seed=2),
    messages.Train(
        job="e", source="/pictures", run_folder="/run", config={"family": "realnvp", "depth": 3, "learning_rate": 1e-3}
    ),
    messages.Evaluate(job="e", model="m", source="/pictures", draws=2, max_artworks=100),
    messages.CompareSamples(job="n", model="m", source="/pictures", seeds=(3, 4), temperature=0.9),
    messages.MakePyramid(job="p", base="b", upsampler="u", source="/pictures", name="large", label="brush"),
    messages.PrepareTraining(
        job="q", source="/pictures", family="glow", preset="tiny", shape=(3, 32, 32), recipe={"depth": 3}
    ),
    messages.SteerTraining(job="r", running_job="e", action="sample"),
    messages.FindFile(job="s", name="rose-2.safetensors", file_hash="0f" * 16),
    messages.StoreFile(
        job="t", name="rose.safetensors", file_hash="0f" * 16, first_byte=9, size=69, data=PICTURES.reshape(-1)[:60]
    ),
    messages.KeepAlive(job="u"),
    messages.PackArtworks(job="v", source="/pictures", config={"family": "glow"}),
    messages.MeasureTraining(job="w", config={"family": "glow"}),
    messages.Stop(job="f"),
    messages.Doctor(job="g"),
]
EVENTS = [
    messages.SoundChunk(job="m", first_sample=9, samples=np.arange(5, dtype=np.int16), bits=LATENT[0, 0], speed=2.4),
    messages.Starting(),
    messages.Ready(device="Processor, 2 threads", families={"realnvp": {"depth": [1, 2]}}, uncompiled_loops=("sound",)),
    messages.CompilingLoops(loops=("pixels", "two sounds")),
    messages.FileFound(job="t", path="/cache/received/0f/rose.safetensors"),
    messages.Heartbeat(steps=12, job="a"),
    messages.PicturesPreview(
        job="a", first=0, pictures=PICTURES, done=1, total=2, log_prob=(-1.25, -3e9), entropy=LATENT
    ),
    messages.PicturesPreview(
        job="a", first=0, pictures=PICTURES, done=2, total=2, temperature=(0.5,), temperature_map=LATENT[0], share=0.5
    ),
    messages.Decoded(job="b", picture=PICTURES[1]),
    messages.Encoded(
        job="d", latent=LATENT, exact=False, differing=1, total=60, largest_difference=2, bits=3.25, is_bound=False
    ),
    messages.Scored(job="j", log_prob=-12.5, bits=LATENT[0], is_bound=True, label=1),
    messages.BitsChunk(job="q", first_sample=2, bits=LATENT[0, 0], label=1),
    messages.LoopFound(job="o", begin=2, end=4, join_bits=3.5, join_bits_before=20.25, tried_count=400),
    messages.FilesExamined(
        job="e",
        files=(
            messages.ExaminedFile(name="b/ä.txt", outcome="skipped", reason="is not a picture"),
            messages.ExaminedFile(name="a.png", outcome="used", key="0f", has_thumbnail=True, width=3, height=2),
            messages.ExaminedFile(name="a.wav", outcome="damaged", key="1e", seconds=1.5, rate=8000, channels=2),
        ),
        thumbnails=PICTURES[:1],
        done=3,
        total=9,
    ),
    messages.FolderExamined(
        job="e",
        medium="pictures",
        files=9,
        used=5,
        damaged=1,
        duplicates=1,
        left_out=1,
        skipped=2,
        held_out=1,
        classes=(("roses", 3), ("tulips", 2)),
        alike=((0, 3), (1, 2, 4)),
        odd=(4,),
        findings=(
            messages.Finding(kind="unusable", weight="warning", count=2, total=9, sentence="2 of 9 cannot be used."),
        ),
        thumbnail_files=(4,),
        thumbnails=PICTURES[:1],
    ),
    messages.ExamplesPreview(job="e", names=("a.png", "b.png"), examples=tuple(PICTURES), original_rates=(8000, 9000)),
    messages.DatasetLoaded(job="e", used=9, skipped=2, duplicates=1),
    messages.TrainingProgress(job="e", step=1, steps=9, loss=3.5, held_out=3.25),
    messages.TrainingWaits(job="e", reason="space", text="The disk is full."),
    messages.TrainingPrepared(job="q", config={"name": "a"}, recipe_schema={"type": "object"}, plan_schema={}),
    messages.TrainingCost(job="q", step_seconds=0.5, memory=9, disk=8, parameters=7, free_memory=6),
    messages.ArtworksPacked(job="v", path="/cache/packed/0f.safetensors", file_hash="0f" * 16, size=9),
    messages.ModelPiece(job="e", file_hash="0f" * 16, first_byte=0, size=60, data=PICTURES.reshape(-1)[:60]),
    messages.TrainingSamples(job="e", step=3, seconds=1.5, artworks=PICTURES),
    messages.ModelWritten(job="e", name="mine", is_final=True),
    messages.SamplesCompared(job="e", step=9, samples=PICTURES, nearest=PICTURES, distances=(0.5, 1.5)),
    messages.EvaluationProgress(job="e", done=9, total=9, figures=(("nats", -1300.5, True),)),
    messages.Diagnosis(job="g", findings=(("Memory", True, "8 GB"),)),
    messages.Notice(job="a", text="Half a batch at a time."),
    messages.Finished(job="a", seconds=0.5),
    messages.Stopped(job="b"),
    messages.Failed(job="", reason="No such model.", hint="Choose another."),
]
ALL = [(message, AnyCommand) for message in COMMANDS] + [(message, AnyEvent) for message in EVENTS]


def same(one: msgspec.Struct, other: msgspec.Struct) -> bool:
    """Compare values: arrays in type, shape and every bit, those inside records as well."""
    fields = one.__struct_fields__
    return type(one) is type(other) and all(same_value(getattr(one, name), getattr(other, name)) for name in fields)


def same_value(a: object, b: object) -> bool:
    """Compare two values of a field."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, msgspec.Struct) and isinstance(b, msgspec.Struct):
        return same(a, b)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(same_value, a, b))
    return a == b


def frame_body(head: dict[str, Any] | bytes, data: bytes = b"") -> bytes:
    """Return a frame as somebody else might write it, without its first four bytes."""
    written = head if isinstance(head, bytes) else json.dumps(head).encode()
    return struct.pack("<I", len(written)) + written + data


def test_every_message_of_the_protocol_is_tried_here() -> None:
    tried = {type(message) for message in COMMANDS + EVENTS}
    assert tried == set(typing.get_args(AnyCommand)) | set(typing.get_args(AnyEvent))


@pytest.mark.parametrize(("message", "types"), ALL, ids=lambda value: getattr(value, "__class__", value).__name__)
def test_a_message_comes_back_as_it_was(message: Message, types: Any) -> None:
    assert same(decode(encode(message)[4:], types), message)


@given(
    some_numpy.arrays(
        some.sampled_from(["u1", "<i2", ">i4", "<i8", "<f2", ">f4", "<f8"]),
        some_numpy.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4),
    )
)
@settings(max_examples=60, deadline=None)
def test_any_array_comes_back_bit_for_bit(array: np.ndarray) -> None:
    given_back = decode(encode(messages.Decoded(job="j", picture=np.asarray(array)))[4:], AnyEvent).picture
    assert given_back.shape == array.shape
    assert given_back.tobytes() == array.astype(array.dtype.newbyteorder("<")).tobytes()


def test_an_array_that_is_not_contiguous_comes_back_as_it_was() -> None:
    turned = PICTURES[0].transpose(1, 0, 2)[::2]
    given_back = decode(encode(messages.Decoded(job="j", picture=turned))[4:], AnyEvent).picture
    np.testing.assert_array_equal(given_back, turned)


def test_an_array_lies_at_an_aligned_address() -> None:
    for job in ("j", "jo", "job", "jobs", "jobs5"):
        latent = decode(encode(messages.DecodeLatent(job=job, model="m", latent=LATENT))[4:], AnyCommand).latent
        assert latent.flags.aligned


def test_numbers_of_numpy_are_sent_as_numbers() -> None:
    sent = messages.Finished(job="j", seconds=typing.cast(float, np.float64(0.5)))
    assert decode(encode(sent)[4:], AnyEvent) == messages.Finished(job="j", seconds=0.5)


# ── the stream ───────────────────────────────────────────────────────────────────────────────────


def test_a_stream_cut_at_any_byte_gives_the_same_messages() -> None:
    stream = b"".join(encode(message) for message in COMMANDS)
    for cut in range(len(stream) + 1):
        splitter = frames.command_splitter()
        splitter.feed(stream[:cut])
        got = list(iter(splitter.next_message, None))
        splitter.feed(stream[cut:])
        got += list(iter(splitter.next_message, None))
        assert len(got) == len(COMMANDS), f"cut at byte {cut}"
        assert all(map(same, COMMANDS, got)), f"cut at byte {cut}"


def test_a_stream_that_comes_byte_by_byte_gives_the_same_messages() -> None:
    splitter = frames.event_splitter()
    got = []
    for byte in b"".join(encode(message) for message in EVENTS):
        splitter.feed(bytes([byte]))
        got += list(iter(splitter.next_message, None))
    assert all(map(same, EVENTS, got))
    assert len(got) == len(EVENTS)


def test_the_frame_after_a_bad_one_is_read() -> None:
    splitter = frames.command_splitter()
    bad = frame_body(b"no JSON")
    splitter.feed(struct.pack("<I", len(bad)) + bad + encode(COMMANDS[0]))
    with pytest.raises(BadFrame) as fault:
        splitter.next_message()
    assert fault.value.can_continue
    assert same(splitter.next_message(), COMMANDS[0])


def test_a_frame_that_claims_to_be_endless_is_refused_at_once() -> None:
    splitter = frames.command_splitter()
    splitter.feed(struct.pack("<I", frames.MAX_FRAME_BYTES + 1))
    with pytest.raises(BadFrame, match="stream is lost") as fault:
        splitter.next_message()
    assert not fault.value.can_continue


def test_a_message_too_large_for_a_frame_is_refused_where_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_FRAME_BYTES", 1000)
    with pytest.raises(BadFrame, match="larger than a frame"):
        encode(messages.Decoded(job="j", picture=np.zeros((20, 20, 3), np.uint8)))


# ── what must not be trusted ─────────────────────────────────────────────────────────────────────

EXPLORE = {"is": "decode_latent", "job": "j", "model": "m", "latent": 0}
HOSTILE = {
    "nothing": b"",
    "half a head's length": b"\0\0",
    "a head longer than the frame": struct.pack("<I", 100) + b"{}",
    "a head of 4 GB": struct.pack("<I", 2**32 - 1) + b"{}",
    "no JSON": frame_body(b"\x80\x05cos\nsystem\n"),
    "not UTF-8": frame_body(b'{"message":{"is":"stop","job":"\xff"}}'),
    "half a surrogate": frame_body(b'{"message":{"is":"stop","job":"\\ud800"}}'),
    "nested deeply": frame_body(b'{"message":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
    "a message that is a number": frame_body({"message": 5}),
    "no message": frame_body({"arrays": []}),
    "an unknown message": frame_body({"message": {"is": "format_disk", "job": "j"}}),
    "an unknown field": frame_body({"message": {"is": "stop", "job": "j", "also": 1}}),
    "no job": frame_body({"message": {"is": "stop"}}),
    "a job without a name": frame_body({"message": {"is": "stop", "job": ""}}),
    "a job of 1 MB": frame_body({"message": {"is": "stop", "job": "j" * 2**20}}),
    "a seed too large": frame_body({"message": {"is": "sample", "job": "j", "model": "m", "seeds": [2**53]}}),
    "an infinite temperature": frame_body(
        b'{"message":{"is":"sample","job":"j","model":"m","seeds":[1],"temperature":[1e999]}}'
    ),
    "no array": frame_body({"message": EXPLORE}),
    "an array by its name": frame_body({"message": {**EXPLORE, "latent": "z"}}),
    "an array number -1": frame_body({"message": {**EXPLORE, "latent": -1}, "arrays": [["|u1", [1]]]}, b"1"),
    "an array of objects": frame_body({"message": EXPLORE, "arrays": [["|O", [1]]]}, b"12345678"),
    "an array longer than the frame": frame_body({"message": EXPLORE, "arrays": [["<f8", [2]]]}, b"12345678"),
    "an array shorter than the frame": frame_body({"message": EXPLORE, "arrays": [["<f4", [1]]]}, b"12345678"),
    "an array of 2**200 numbers": frame_body({"message": EXPLORE, "arrays": [["<f4", [2**25] * 8]]}),
    "an empty array with endless sides": frame_body({"message": EXPLORE, "arrays": [["<f8", [0] + [2**28] * 7]]}),
    "an array of 40 dimensions": frame_body({"message": EXPLORE, "arrays": [["|u1", [1] * 40]]}, b"1"),
    "an array with a negative side": frame_body({"message": EXPLORE, "arrays": [["|u1", [-1, -1]]]}, b"1"),
    "100,000 arrays": frame_body({"message": EXPLORE, "arrays": [["|u1", [0]]] * 100_000}),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_frame_is_refused(body: bytes) -> None:
    with pytest.raises(BadFrame):
        decode(body, AnyCommand)


def test_the_refusal_names_the_field_and_the_job() -> None:
    with pytest.raises(BadFrame, match=r"seeds\[1\]") as fault:
        decode(frame_body({"message": {"is": "sample", "job": "j7", "model": "m", "seeds": [1, -1]}}), AnyCommand)
    assert fault.value.job == "j7"
    with pytest.raises(BadFrame, match=r"^latent: ") as fault:
        decode(frame_body({"message": EXPLORE}), AnyCommand)
    assert fault.value.job == "j"


def test_an_event_is_not_taken_for_a_command() -> None:
    with pytest.raises(BadFrame):
        decode(encode(messages.Finished(job="j"))[4:], AnyCommand)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused_before_it_is_sent(loss: float) -> None:
    with pytest.raises(BadFrame, match="loss"):
        encode(messages.TrainingProgress(job="j", step=1, steps=2, loss=loss))
    with pytest.raises(BadFrame, match="log_prob"):
        encode(messages.PicturesPreview(job="j", first=0, pictures=PICTURES, done=1, total=1, log_prob=(0.0, loss)))


def test_a_message_that_cannot_be_sent_is_refused_by_the_sender() -> None:
    with pytest.raises(BadFrame):
        encode(messages.Notice(job="j", text="\udcff.png"))
    with pytest.raises(BadFrame):
        encode(messages.Decoded(job="j", picture=np.array([object()])))


def test_mutated_frames_raise_nothing_but_bad_frame() -> None:
    dice = random.Random(1)
    bodies = [(encode(message)[4:], types) for message, types in ALL]
    accepted = 0
    for turn in range(4000):
        body, types = bodies[turn % len(bodies)]
        changed = bytearray(body)
        for _ in range(dice.randint(1, 4)):
            place = dice.randrange(len(changed))
            match dice.randrange(4):
                case 0:
                    changed[place] ^= 1 << dice.randrange(8)
                case 1:
                    del changed[place : place + dice.randint(1, 8)]
                    changed += b"\0" * (not changed)
                case 2:
                    changed[place:place] = dice.randbytes(dice.randint(1, 8))
                case _:
                    changed[place : place + 1] = dice.choice((b'"', b"[", b"}", b"9", b"-", b"null", b"1e99"))
        with contextlib.suppress(BadFrame):
            decode(bytes(changed), types)
            accepted += 1
    assert 0 < accepted < 400  # a few are still messages, so the decoder neither accepts nor refuses all


@given(some.lists(some.binary(max_size=60), max_size=6))
@settings(max_examples=150, deadline=None)
def test_a_splitter_fed_with_garbage_raises_nothing_but_bad_frame(pieces: list[bytes]) -> None:
    splitter: FrameSplitter = frames.command_splitter()
    for piece in pieces:
        splitter.feed(piece)
        for _ in range(len(piece) + 2):
            try:
                if splitter.next_message() is None:
                    break
            except BadFrame as fault:
                assert str(fault)
