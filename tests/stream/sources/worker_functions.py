"""What the children of `test_worker.py` do."""

import os
import signal
import sys
import time
from typing import NoReturn

import numpy as np

from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Block
from whoplays.stream.sources.base import SessionOverError
from whoplays.stream.sources.worker import Send


def count(send: Send, blocks: int, samples: int) -> None:
    """Blocks that hold a ramp over all of them; one that was lost at the end."""
    for block in range(blocks):
        ramp = np.arange(block * samples, (block + 1) * samples, dtype=np.float32)
        send(Block(np.stack([ramp, -ramp]), time.monotonic_ns()))
    send(Block(np.zeros((2, samples), np.float32), time.monotonic_ns(), "overflow"))


def fail(send: Send, message: str) -> NoReturn:
    raise SourceError(message)


def end_session(send: Send) -> NoReturn:
    count(send, 1, 10)
    raise SessionOverError("the sender began anew")


def crash(send: Send, noise: int) -> NoReturn:
    count(send, 1, 10)
    sys.stderr.write("noise\n" * noise)
    raise RuntimeError("lost http://me:secret@hall.example/live?token=abc")


def kill(send: Send) -> None:
    count(send, 1, 10)
    os.kill(os.getpid(), signal.SIGKILL)


def close_stderr(send: Send) -> None:
    """Well before the child ends."""
    os.write(2, b"last words\n")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    for _ in range(5):
        time.sleep(0.02)
        count(send, 1, 10)
    os.kill(os.getpid(), signal.SIGKILL)


def hang(send: Send) -> None:
    count(send, 1, 10)
    while True:
        time.sleep(60)


def flood(send: Send) -> NoReturn:
    block = np.zeros((2, 44_100), np.float32)
    while True:
        send(Block(block, time.monotonic_ns()))


def add(send: Send, one: float, other: float) -> dict[str, float]:
    return {"sum": one + other}


def take_memory(send: Send) -> None:
    """More than any recording needs."""
    len(bytearray(2 << 30))
