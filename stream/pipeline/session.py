"""One session of one stream: an unbroken count of samples, from the source's thread to the engine's."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.common.clock import GapCause
from whoplays.stream.pipeline.clock import Clock, LiveClock, ScheduleClock
from whoplays.stream.pipeline.options import StreamOptions
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.results import ResultBuilder
from whoplays.stream.pipeline.ring import RingBuffer
from whoplays.stream.pipeline.windower import Skipped, Span, Windower
from whoplays.stream.pubsub.messages import Gap
from whoplays.stream.pubsub.sequencer import MessageSequencer
from whoplays.stream.sources.base import Source

MOST_UNTOLD: Final = 1000


class GapSpan(NamedTuple):
    """Samples `start` to `end`, half open, that stand for what was lost."""

    start: int
    end: int
    cause: GapCause


class GapTracker:
    """The holes of one session in their order, for one writer and one reader."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._untold: list[GapSpan] = []
        self._told: Final = deque[GapSpan]()

    def add(self, start: int, end: int, cause: GapCause) -> None:
        """Note a hole. One that goes on from the one before makes that longer, until the reader has been told."""
        with self._lock:
            last = self._untold[-1] if self._untold else None
            # A reader that is so far behind has lost by now what lies between the holes as well.
            if last and ((last.end, last.cause) == (start, cause) or len(self._untold) == MOST_UNTOLD):
                self._untold[-1] = GapSpan(last.start, end, last.cause)
            else:
                self._untold.append(GapSpan(start, end, cause))

    def tell(self) -> list[GapSpan]:
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


class Session:
    """What is heard from one opening of a source to its loss. Written by the source's thread, read by the engine's.

    Args:
        options: how the stream is listened to.
        recognizer: what it is listened to with.
        name: what people call the source.
        uri: where it is, without any secret.
        wakeup: rung when a window is complete, or nothing more will come.
    """

    def __init__(
        self, options: StreamOptions, recognizer: Recognizer, name: str, uri: str, wakeup: threading.Event
    ) -> None:
        self.name = name
        self.uri = uri
        self.live = True
        self.disconnect_cause: GapCause = "device_lost"
        self.sequencer: Final = MessageSequencer(options.stream)
        self.ring: Final = RingBuffer(CHANNELS, RING_WINDOWS * WINDOW_SAMPLES, wakeup)
        self.windower: Final = Windower(self.ring, WINDOW_SAMPLES, options.hop_samples)
        self.holes: Final = GapTracker()
        self.judge: Final = ResultBuilder(self.sequencer, recognizer, options.thresholds, options.silence_dbfs)
        self.clock: Clock = LiveClock(SAMPLE_RATE_HZ)
        self.started_at_ns = 0
        """Monotonic time of the first sample; 0 before there is one."""
        self.last_block_at_ns = 0
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
        self._max_lag_ns: Final = round(options.max_lag_s * 1e9)

    def adopt(self, source: Source) -> None:
        """Take the source that will be heard; before its first block."""
        self.name, self.uri, self.live, self.disconnect_cause = (
            source.name,
            source.uri,
            source.live,
            source.disconnect_cause,
        )
        exact = source.clock == "file" or not source.live
        self.clock = (ScheduleClock if exact else LiveClock)(SAMPLE_RATE_HZ)
        self.judge.clock_kind = source.clock
        self.last_block_at_ns = time.monotonic_ns()
        # Last: an open source of which nothing is newer would be taken for one that has long been silent.
        self.source = source

    def write(self, block: Block) -> bool:
        """Take in a block; False once the session is closed."""
        start, samples = self.ring.written, block.audio.shape[1]
        if not self.started_at_ns and samples:
            # Before: nobody has as much patience with a source once it has begun.
            self.last_block_at_ns = time.monotonic_ns()
            self.started_at_ns = block.captured_at_ns - samples * 1_000_000_000 // SAMPLE_RATE_HZ
        if block.lost:
            self.holes.add(start, start + samples, block.lost)
        self.clock.mark(start + samples, block.captured_at_ns)
        written = self.ring.write(block.audio, wait=not self.live)
        self.last_block_at_ns = time.monotonic_ns()
        return written

    def take(self, row: Audio) -> Span | Skipped | None:
        """Copy the next window into a row; give up those before it that have grown too old."""
        if self.live and self.windower.ready > 1:
            closed_ns = self.clock.captured_at_ns(self.windower.next_end)
            if time.monotonic_ns() - closed_ns > self._max_lag_ns and (missed := self.windower.skip()):
                return missed
        return self.windower.take(row)

    def gaps(self) -> Iterator[Gap]:
        """A `gap` for each loss that the source has told of since."""
        for hole in self.holes.tell():
            yield self._gap(hole.start, hole.end, hole.cause, hole.end - hole.start)

    def overload(self, missed: Skipped) -> Gap:
        """A `gap` for samples that were given up before they were judged."""
        known = self.holes.within(missed.start, missed.end)
        return self._gap(missed.start, missed.end, "overload", missed.end - missed.start - known)

    def disconnected_until(self, now_ns: int) -> Iterator[Gap]:
        """A `gap` from where the session, which is closed, has been accounted for up to now."""
        before_ns = self.ended_ns or self.clock.last_block_at_ns
        samples = (now_ns - before_ns) * SAMPLE_RATE_HZ // 1_000_000_000
        if samples <= 0:
            return
        self.ended_ns = before_ns + samples * 1_000_000_000 // SAMPLE_RATE_HZ
        start = self.elapsed_samples
        self._outage_samples += samples
        yield self._gap(start, start + samples, self.disconnect_cause, samples)

    @property
    def elapsed_samples(self) -> int:
        """Where the session is now: samples written, and after its end those that would have been."""
        return self.ring.written + self._outage_samples

    def _gap(self, start: int, end: int, cause: GapCause, more: int) -> Gap:
        self.lost_samples += more
        self.gap_count += 1
        return Gap(**self.sequencer.head(Gap), start=start, end=end, cause=cause)
