"""One session of one stream: an unbroken count of samples, from the source's thread to the engine's."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.audio.block import Audio, Block, Cause
from whoplays.stream.pipeline.clock import Clock, LiveClock, ScheduleClock
from whoplays.stream.pipeline.options import Habits
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.results import Judge
from whoplays.stream.pipeline.ring import RingBuffer
from whoplays.stream.pipeline.windower import Missed, Span, Windower
from whoplays.stream.pubsub.messages import Gap
from whoplays.stream.pubsub.sequencer import Session
from whoplays.stream.sources.base import Source

MOST_UNTOLD: Final = 1000


class Hole(NamedTuple):
    """Samples `start` to `end`, half open, that stand for what was lost."""

    start: int
    end: int
    cause: Cause


class Holes:
    """The holes of one session in their order, for one writer and one reader."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._untold: list[Hole] = []
        self._told: Final = deque[Hole]()

    def add(self, start: int, end: int, cause: Cause) -> None:
        """Note a hole. One that goes on from the one before makes that longer, until the reader has been told."""
        with self._lock:
            last = self._untold[-1] if self._untold else None
            # A reader that is so far behind has lost by now what lies between the holes as well.
            if last and ((last.end, last.cause) == (start, cause) or len(self._untold) == MOST_UNTOLD):
                self._untold[-1] = Hole(last.start, end, last.cause)
            else:
                self._untold.append(Hole(start, end, cause))

    def tell(self) -> list[Hole]:
        """The holes that the reader has not been told yet."""
        if not self._untold:
            return []
        with self._lock:
            told, self._untold = self._untold, []
        self._told.extend(told)
        return told

    def within(self, start: int, end: int) -> int:
        """How many of the samples `start` to `end` lie in holes; for the reader, who never asks backwards."""
        while self._told and self._told[0].end <= start:
            self._told.popleft()
        with self._lock:
            holes = (*self._told, *self._untold)
        return sum(max(0, min(hole.end, end) - max(hole.start, start)) for hole in holes)


RING_WINDOWS: Final = 4


class Hearing:
    """What is heard from one opening of a source to its loss. Written by the source's thread, read by the engine's.

    Args:
        habits: how the stream is listened to.
        recognizer: what it is listened to with.
        name: what people call the source.
        uri: where it is, without any secret.
        bell: rung when a window is complete, or nothing more will come.
    """

    def __init__(self, habits: Habits, recognizer: Recognizer, name: str, uri: str, bell: threading.Event) -> None:
        self.name = name
        self.uri = uri
        self.live = True
        self.outage: Cause = "device_lost"
        self.session: Final = Session(habits.stream)
        self.ring: Final = RingBuffer(CHANNELS, RING_WINDOWS * WINDOW_SAMPLES, bell)
        self.windower: Final = Windower(self.ring, WINDOW_SAMPLES, habits.hop_samples)
        self.holes: Final = Holes()
        self.judge: Final = Judge(self.session, recognizer, habits.thresholds, habits.silence_dbfs)
        self.clock: Clock = LiveClock(SAMPLE_RATE_HZ)
        self.began_ns = 0
        """Monotonic time of the first sample; 0 before there is one."""
        self.newest_ns = 0
        """Monotonic time at which the newest block came; at first, at which the source was opened."""
        self.source: Source | None = None
        """The one that is open; None if none is."""
        self.trouble = ""
        """Why nothing is heard, or nothing more, in one line."""
        self.ended_ns = 0
        """Monotonic time up to which samples and gaps account for everything; 0 while the session goes on."""
        self.lost_samples = 0
        """Samples in gaps."""
        self.gap_count = 0
        self._outage_samples = 0
        self._max_lag_ns: Final = round(habits.max_lag_s * 1e9)

    def adopt(self, source: Source) -> None:
        """Take the source that will be heard; before its first block."""
        self.name, self.uri, self.live, self.outage = source.name, source.uri, source.live, source.outage
        exact = source.clock == "file" or not source.live
        self.clock = (ScheduleClock if exact else LiveClock)(SAMPLE_RATE_HZ)
        self.judge.clock_kind = source.clock
        self.newest_ns = time.monotonic_ns()
        # Last: an open source of which nothing is newer would be taken for one that has long been silent.
        self.source = source

    def write(self, block: Block) -> bool:
        """Take in a block; False once the hearing is closed."""
        start, samples = self.ring.written, block.audio.shape[1]
        if not self.began_ns and samples:
            # Before: nobody has as much patience with a source once it has begun.
            self.newest_ns = time.monotonic_ns()
            self.began_ns = block.heard_ns - samples * 1_000_000_000 // SAMPLE_RATE_HZ
        if block.lost:
            self.holes.add(start, start + samples, block.lost)
        self.clock.mark(start + samples, block.heard_ns)
        written = self.ring.write(block.audio, wait=not self.live)
        self.newest_ns = time.monotonic_ns()
        return written

    def take(self, row: Audio) -> Span | Missed | None:
        """Copy the next window into a row; give up those before it that have grown too old."""
        if self.live and self.windower.ready > 1:
            closed_ns = self.clock.heard_ns(self.windower.next_end)
            if time.monotonic_ns() - closed_ns > self._max_lag_ns and (missed := self.windower.skip()):
                return missed
        return self.windower.take(row)

    def gaps(self) -> Iterator[Gap]:
        """A `gap` for each loss that the source has told of since."""
        for hole in self.holes.tell():
            yield self._gap(hole.start, hole.end, hole.cause, hole.end - hole.start)

    def overload(self, missed: Missed) -> Gap:
        """A `gap` for samples that were given up before they were judged."""
        known = self.holes.within(missed.start, missed.end)
        return self._gap(missed.start, missed.end, "overload", missed.end - missed.start - known)

    def outage_until(self, now_ns: int) -> Iterator[Gap]:
        """A `gap` from where the session, which is closed, has been accounted for up to now."""
        before_ns = self.ended_ns or self.clock.newest_ns
        samples = (now_ns - before_ns) * SAMPLE_RATE_HZ // 1_000_000_000
        if samples <= 0:
            return
        self.ended_ns = before_ns + samples * 1_000_000_000 // SAMPLE_RATE_HZ
        start = self.elapsed_samples
        self._outage_samples += samples
        yield self._gap(start, start + samples, self.outage, samples)

    @property
    def elapsed_samples(self) -> int:
        """Where the session is now: samples written, and after its end those that would have been."""
        return self.ring.written + self._outage_samples

    def _gap(self, start: int, end: int, cause: Cause, more: int) -> Gap:
        self.lost_samples += more
        self.gap_count += 1
        return Gap(**self.session.head(Gap), start=start, end=end, cause=cause)
