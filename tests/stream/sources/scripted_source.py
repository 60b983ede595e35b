"""A live source that does what a test tells it to, attempt by attempt."""

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np

from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Block
from whoplays.stream.common.clock import ClockKind, GapCause
from whoplays.stream.sources.base import SessionOverError, Source, SourceSpec

SAMPLES = 4410

Step = Callable[["ScriptedSource"], Iterator[Block]]


class ScriptedSource:
    """Plays one step, and after it waits to be stopped."""

    name = "made"
    uri = "made:"
    clock: ClockKind = "arrival"
    disconnect_cause: GapCause = "device_lost"
    warning = ""
    live = True

    def __init__(self, script: list[Step]) -> None:
        self.stopped = threading.Event()
        self._script = script

    def blocks(self) -> Iterator[Block]:
        if not self._script:
            self.stopped.wait()
            return
        yield from self._script.pop(0)(self)

    def stop(self) -> None:
        self.stopped.set()


def live(seconds: float, *, speed: float = 1.0) -> Step:
    """Some sound in real time, or faster."""

    def step(source: ScriptedSource) -> Iterator[Block]:
        for _ in range(round(seconds * 10)):
            if source.stopped.wait(0.1 / speed):
                return
            yield Block(np.full((2, SAMPLES), 0.1, np.float32), time.monotonic_ns())

    return step


def sound(seconds: float) -> Step:
    """Some sound, ten times as fast as real time."""
    return live(seconds, speed=10.0)


def gap(seconds: float) -> Step:
    """A loss within a session."""

    def step(source: ScriptedSource) -> Iterator[Block]:
        zeros = np.zeros((2, round(seconds * 44_100)), np.float32)
        yield Block(zeros, time.monotonic_ns(), lost="network")

    return step


def no_audio(source: ScriptedSource) -> Iterator[Block]:
    """No sound until the source is stopped."""
    source.stopped.wait()
    yield from ()


def fails(source: ScriptedSource) -> Iterator[Block]:
    yield from ()
    raise SourceError("the cable was pulled")


def restarts(source: ScriptedSource) -> Iterator[Block]:
    yield from ()
    raise SessionOverError("the sender began anew")


def then(*script: Step) -> Step:
    def step(source: ScriptedSource) -> Iterator[Block]:
        for one in script:
            yield from one(source)

    return step


def scripted_spec(*attempts: list[Step], absent: int = 0) -> SourceSpec:
    """A source whose every scripted_spec plays the next script; at first it cannot be spec `absent` times."""
    left, missing = list(attempts), [None] * absent

    def open_next() -> Source:
        if missing:
            missing.pop()
            raise SourceError("there is no such device")
        return ScriptedSource(left.pop(0) if left else [])

    return SourceSpec("made", "made:", open_next, live=True, reconnects=True)
