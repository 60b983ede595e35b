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

Act = Callable[["MadeSource"], Iterator[Block]]


class MadeSource:
    """Plays one act, and after it waits to be stopped."""

    name = "made"
    uri = "made:"
    clock: ClockKind = "arrival"
    disconnect_cause: GapCause = "device_lost"
    warning = ""
    live = True

    def __init__(self, acts: list[Act]) -> None:
        self.stopped = threading.Event()
        self._acts = acts

    def blocks(self) -> Iterator[Block]:
        if not self._acts:
            self.stopped.wait()
            return
        yield from self._acts.pop(0)(self)

    def stop(self) -> None:
        self.stopped.set()


def live(seconds: float, *, speed: float = 1.0) -> Act:
    """Some sound in real time, or faster."""

    def act(source: MadeSource) -> Iterator[Block]:
        for _ in range(round(seconds * 10)):
            if source.stopped.wait(0.1 / speed):
                return
            yield Block(np.full((2, SAMPLES), 0.1, np.float32), time.monotonic_ns())

    return act


def sound(seconds: float) -> Act:
    """Some sound, ten times as fast as real time."""
    return live(seconds, speed=10.0)


def hole(seconds: float) -> Act:
    """A loss within a session."""

    def act(source: MadeSource) -> Iterator[Block]:
        zeros = np.zeros((2, round(seconds * 44_100)), np.float32)
        yield Block(zeros, time.monotonic_ns(), lost="network")

    return act


def nothing(source: MadeSource) -> Iterator[Block]:
    """No sound until the source is stopped."""
    source.stopped.wait()
    yield from ()


def fails(source: MadeSource) -> Iterator[Block]:
    yield from ()
    raise SourceError("the cable was pulled")


def begins_anew(source: MadeSource) -> Iterator[Block]:
    yield from ()
    raise SessionOverError("the sender began anew")


def then(*acts: Act) -> Act:
    def act(source: MadeSource) -> Iterator[Block]:
        for one in acts:
            yield from one(source)

    return act


def opening(*attempts: list[Act], absent: int = 0) -> SourceSpec:
    """A source whose every opening plays the next acts; at first it cannot be opened `absent` times."""
    left, missing = list(attempts), [None] * absent

    def open_next() -> Source:
        if missing:
            missing.pop()
            raise SourceError("there is no such device")
        return MadeSource(left.pop(0) if left else [])

    return SourceSpec("made", "made:", open_next, live=True, reconnects=True)
