"""Run an engine process without torch, for tests: the name of the model says what its job does."""

import math
import os
import signal
import sys
import time
from collections.abc import Iterator

import numpy as np

from studio.engine.__main__ import run_engine
from studio.wire.messages import AnyCommand, AnyEvent, Notice, PicturesPreview, Ready, Train

PICTURE = np.full((1, 2, 2, 3), 7, np.uint8)


def start(command: AnyCommand) -> Iterator[AnyEvent | None]:
    """Start a batch of short steps, and what can fail in one."""
    todo, total = (command.source, 1) if isinstance(command, Train) else (command.model, len(command.seeds))
    for done in range(1, total + 1):
        match todo:
            case "batch":
                time.sleep(0.005)
            case "long step":
                yield Notice(job=command.job, text="begun")
                time.sleep(60)
            case "raise":
                raise RuntimeError("the paint is dry")
            case "print":
                print("a stray word")
                sys.stdout.flush()
                os.write(1, b"\x05\x00\x00\x00stray")
                print("for the log", file=sys.stderr, flush=True)
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "leave":
                os._exit(0)
        yield PicturesPreview(job=command.job, first=0, pictures=PICTURE, done=done, total=total)


if __name__ == "__main__":
    if "--broken" in sys.argv:
        raise SystemExit(run_engine(lambda outbox: __import__("a_library_that_is_not_there")))
    silence_seconds = 0.5 if "--silence" in sys.argv else math.inf
    raise SystemExit(run_engine(lambda outbox: (start, Ready(device="Paper"), lambda: None), silence_seconds))
