"""One session of one stream: an unbroken count of samples, written by the source's thread, read by the engine's."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.common.clock import GapCause
from whoplays.stream.pipeline.clock import Clock, LiveClock, ScheduleClock
from whoplays.stream.pipeline.options import StreamOptions
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.results import Prediction, ResultBuilder
from whoplays.stream.pipeline.ring import RingBuffer
from whoplays.stream.pipeline.windower import Skipped, Windower, WindowRef
from whoplays.stream.pubsub.messages import Event, Gap, Message, MessageSequencer
from whoplays.stream.sources.base import Source

MAX_UNREAD_GAPS: Final = 1000
RING_SAMPLES: Final = 4 * WINDOW_SAMPLES


class GapSpan(NamedTuple):
    """Samples `start` to `end`, half open, that stand for what was lost."""

    start: int
    end: int
    cause: GapCause


class GapTracker:
    """The gaps of one session in their order, for one writer and one reader."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._unread: list[GapSpan] = []
        self._read: Final = deque[GapSpan]()

    def add(self, start: int, end: int, cause: GapCause) -> None:
        """Note a gap. One that continues the one before lengthens it, until the reader has drained that."""
        with self._lock:
            last = self._unread[-1] if self._unread else None
            # A reader that is so far behind has lost by now what lies between the gaps as well.
            if last and ((last.end, last.cause) == (start, cause) or len(self._unread) == MAX_UNREAD_GAPS):
                self._unread[-1] = GapSpan(last.start, end, last.cause)
            else:
                self._unread.append(GapSpan(start, end, cause))

    def drain(self) -> list[GapSpan]:
        """The gaps added since the last call."""
        if not self._unread:
            return []
        with self._lock:
            added, self._unread = self._unread, []
        self._read.extend(added)
        return added

    def overlap(self, start: int, end: int) -> int:
        """How many of the samples `start` to `end` lie in gaps; for the reader, who never asks backwards."""
        while self._read and self._read[0].end <= start:
            self._read.popleft()
        with self._lock:
            gaps = (*self._read, *self._unread)
        return sum(max(0, min(gap.end, end) - max(gap.start, start)) for gap in gaps)


class Session:
    """From one opening of a source, or from its sender's restart, to its loss.

    Args:
        options: how the stream is processed.
        recognizer: whose labels and hysteresis count.
        name: of the source, for people.
        uri: of the source, without any secret.
        new_ring: makes the session's ring buffer.
    """

    def __init__(
        self, options: StreamOptions, recognizer: Recognizer, name: str, uri: str, new_ring: Callable[[], RingBuffer]
    ) -> None:
        self.name = name
        self.uri = uri
        self.live = True
        self.sequencer: Final = MessageSequencer(options.stream)
        self.ring: Final = new_ring()
        self.windower: Final = Windower(self.ring, WINDOW_SAMPLES, options.hop_samples)
        self.results: Final = ResultBuilder(self.sequencer, recognizer, options.thresholds, options.silence_dbfs)
        self.clock: Clock = LiveClock(SAMPLE_RATE_HZ)
        self.started_at_ns = 0
        """Monotonic time of the first sample; 0 before there is one."""
        self.last_block_at_ns = 0
        """Monotonic time at which the newest block came; at first, at which the source was opened."""
        self.source: Source | None = None
        """The one that is open; None if none is."""
        self.problem = ""
        """Why no audio comes, or none any more, in one line."""
        self.lost_samples = 0
        """Samples in gaps."""
        self.gap_count = 0
        self._gaps: Final = GapTracker()
        self._disconnect_cause: GapCause = "device_lost"
        self._disconnected_samples = 0
        self._gaps_to = 0
        self._accounted_to_ns = 0
        self._max_lag_ns: Final = round(options.max_lag_s * 1e9)

    @property
    def ready(self) -> int:
        """How many complete windows wait to be taken."""
        return self.windower.ready

    @property
    def drained(self) -> bool:
        """Whether nothing more will be written and every window was taken."""
        return self.ring.closed and not self.ready

    @property
    def elapsed_samples(self) -> int:
        """Where the session is now: samples written or in gaps, and after its end those that would have been."""
        # A gap is told of before its zeros are written.
        return max(self.ring.written, self._gaps_to) + self._disconnected_samples

    def connect(self, source: Source) -> None:
        """Note the source that will be read; before its first block."""
        self.name, self.uri, self.live = source.name, source.uri, source.live
        self._disconnect_cause = source.disconnect_cause
        exact = source.clock == "file" or not source.live
        self.clock = (ScheduleClock if exact else LiveClock)(SAMPLE_RATE_HZ)
        self.results.clock_kind = source.clock
        self.last_block_at_ns = time.monotonic_ns()
        # Last: an open source whose newest block is old would be taken for one that has stalled.
        self.source = source

    def write(self, block: Block) -> bool:
        """Append a block; False once the ring is closed."""
        start, samples = self.ring.written, block.audio.shape[1]
        if not self.started_at_ns and samples:
            # Before: a source that has started is restarted sooner.
            self.last_block_at_ns = time.monotonic_ns()
            self.started_at_ns = block.captured_at_ns - samples * 1_000_000_000 // SAMPLE_RATE_HZ
        if block.lost:
            self._gaps.add(start, start + samples, block.lost)
        self.clock.observe(start + samples, block.captured_at_ns)
        written = self.ring.write(block.audio, wait=not self.live)
        self.last_block_at_ns = time.monotonic_ns()
        return written

    def take(self, row: Audio) -> WindowRef | Skipped | None:
        """Copy the next window into a row; skip those before it that are too old.

        Args:
            row: `[channels, samples]` float32.
        """
        if self.live and self.ready > 1:
            closed_ns = self.clock.captured_at_ns(self.windower.next_end)
            if time.monotonic_ns() - closed_ns > self._max_lag_ns and (skipped := self.windower.skip()):
                return skipped
        taken = self.windower.take(row)
        if not isinstance(taken, WindowRef):
            return taken
        lost_samples = self._gaps.overlap(taken.start, taken.end)
        return WindowRef(taken.start, taken.end, self.clock.captured_at_ns(taken.end), lost_samples)

    def messages(self, result: Prediction | Skipped) -> Iterator[Message]:
        """What there is to publish about a window, or about samples of which there was none."""
        if isinstance(result, Skipped):
            known = self._gaps.overlap(result.start, result.end)
            yield self._gap(result.start, result.end, "overload", result.end - result.start - known)
        else:
            yield from self.results.build(result, self.ready)

    def gaps(self) -> Iterator[Gap]:
        """A `gap` for each loss that the source has reported since."""
        for gap in self._gaps.drain():
            self._gaps_to = gap.end
            yield self._gap(gap.start, gap.end, gap.cause, gap.end - gap.start)

    def disconnected_until(self, now_ns: int) -> Iterator[Gap]:
        """A `gap` from where the session, which is closed, has been accounted for up to now."""
        before_ns = self._accounted_to_ns or self.clock.newest_at_ns
        samples = (now_ns - before_ns) * SAMPLE_RATE_HZ // 1_000_000_000
        if samples <= 0:
            return
        self._accounted_to_ns = before_ns + samples * 1_000_000_000 // SAMPLE_RATE_HZ
        start = self.elapsed_samples
        self._disconnected_samples += samples
        yield self._gap(start, start + samples, self._disconnect_cause, samples)

    def finish(self) -> Iterator[Event]:
        """An `event` for each label that still plays."""
        return self.results.finish()

    def _gap(self, start: int, end: int, cause: GapCause, newly_lost: int) -> Gap:
        self.lost_samples += newly_lost
        self.gap_count += 1
        return Gap(**self.sequencer.head(Gap), start=start, end=end, cause=cause)
