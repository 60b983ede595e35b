"""One session of one stream: an unbroken count of samples, written by the source's thread, read by the engine's."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.models.spectrogram import HOP_SAMPLES
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.audio.clip import Clipper
from whoplays.stream.audio.level import LevelMeter, measure
from whoplays.stream.common.clock import GapCause, RecentIncreases
from whoplays.stream.pipeline.clock import Clock, LiveClock, ScheduleClock
from whoplays.stream.pipeline.options import StreamOptions
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.results import Invalid, Prediction, ResultBuilder
from whoplays.stream.pipeline.ring import RingBuffer
from whoplays.stream.pipeline.spectrogram import SpectrogramRing
from whoplays.stream.pipeline.windower import Skipped, Windower, WindowRef
from whoplays.stream.pubsub.messages import Gap, Message, MessageSequencer
from whoplays.stream.sources.base import Source

MAX_UNREAD_GAPS: Final = 1000
RING_SAMPLES: Final = 4 * WINDOW_SAMPLES
WORTHWHILE_HOPS: Final = 8
"""Frames are computed so many at a time at least: one alone takes a third as long as ten."""
EARLY_SAMPLES: Final = 4 * HOP_SAMPLES
"""So long before a window closes the engine is woken for its frames."""
WARNINGS: Final = {
    "windows": "the model returns nothing for some windows: they are gaps, cause invalid",
    "invalid": "the audio holds samples that are no numbers (NaN or infinite) or damaged: they are gaps, cause invalid",
    "absurd": "the audio is more than ten times as loud as full scale, and is clipped; check its format and gain",
}


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

    def forget(self, before: int) -> None:
        """Forget the gaps before a sample index, of which the reader asks no more."""
        while self._read and self._read[0].end <= before:
            self._read.popleft()

    def overlap(self, start: int, end: int) -> int:
        """How many of the samples `start` to `end` lie in gaps; for the reader."""
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
        framed = recognizer.takes_spectrograms and options.hop_samples % HOP_SAMPLES == 0
        self.spectrogram: Final = SpectrogramRing(self.ring) if framed else None
        """What windows are taken from; None where they are taken from the ring, as audio."""
        read = self.spectrogram.read if self.spectrogram else None
        self.windower: Final = Windower(self.ring, WINDOW_SAMPLES, options.hop_samples, read)
        self.results: Final = ResultBuilder(self.sequencer, recognizer, options)
        self.clock: Clock = LiveClock(SAMPLE_RATE_HZ)
        self.first = 0
        """The index of the first sample: not 0 if it takes from a source that others took from before."""
        self.source_session = self.sequencer.id
        """Of the source: all sessions with the same one count the same samples."""
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
        self.abandoned = False
        """Whether what is not yet processed never will be."""
        self.meter: Final = LevelMeter()
        self._gaps: Final = GapTracker()
        self._clipper: Final = Clipper()
        self._recent: Final = RecentIncreases()
        self._invalid_windows = 0
        self._invalid_to = 0
        self._covered = 0
        self._disconnect_cause: GapCause = "device_lost"
        self._disconnected_samples = 0
        self._gaps_to = 0
        self._accounted_to_ns = 0
        self._max_lag_ns: Final = round(options.max_lag_s * 1e9)

    @property
    def ready(self) -> int:
        """How many complete windows wait to be taken."""
        return 0 if self.abandoned else self.windower.ready

    @property
    def clipped_samples(self) -> int:
        """Samples that were beyond full scale, and were clipped."""
        return self._clipper.clipped_samples

    def warning(self) -> str:
        """What is wrong with the audio, or was in the last ten seconds, in one line; empty if nothing is."""
        self._recent.update(
            windows=self._invalid_windows,
            invalid=self._clipper.invalid_samples,
            absurd=self._clipper.absurd_samples,
        )
        return next((text for name, text in WARNINGS.items() if name in self._recent.names()), "")

    @property
    def drained(self) -> bool:
        """Whether nothing more will be written and every window was taken."""
        return self.ring.closed and not self.ready

    @property
    def elapsed_samples(self) -> int:
        """How long it lasts: samples written or in gaps, and after its end those that would have been."""
        return self._end - self.first

    @property
    def _end(self) -> int:
        # A gap is reported before its zeros are written.
        return max(self.ring.written, self._gaps_to) + self._disconnected_samples

    def connect(self, source: Source, source_session: str = "", first: int = 0) -> None:
        """Note the source that will be read; before its first block.

        Args:
            source: it.
            source_session: of a source that streams share.
            first: the index of the first sample that will come.
        """
        self.name, self.uri, self.live = source.name, source.uri, source.live
        self.source_session = source_session or self.sequencer.id
        self.first = self._covered = self._invalid_to = first
        if self.spectrogram:
            self.spectrogram.begin_at(first)
        # In this order: no window must seem to be complete.
        self.windower.begin_at(first)
        self.ring.begin_at(first)
        self._disconnect_cause = source.disconnect_cause
        exact = source.clock == "file" or not source.live
        self.clock = (ScheduleClock if exact else LiveClock)(SAMPLE_RATE_HZ)
        self.results.clock_kind = source.clock
        self.last_block_at_ns = time.monotonic_ns()
        # Last: an open source whose newest block is old would be taken for one that has stalled.
        self.source = source

    def abandon(self) -> None:
        """Take and process nothing more: no window will cover what is left."""
        self.abandoned = True
        self.ring.close()

    def write(self, block: Block) -> bool:
        """Append a block; False once the ring is closed."""
        audio, invalid = self._clipper.clip(block.audio)
        start, samples, captured_at_ns = self.ring.written, audio.shape[1], int(block.captured_at_ns)
        if not self.started_at_ns and samples:
            # Before: a source that has started is restarted sooner.
            self.last_block_at_ns = time.monotonic_ns()
            self.started_at_ns = captured_at_ns - samples * 1_000_000_000 // SAMPLE_RATE_HZ
        if block.lost:
            self._gaps.add(start, start + samples, block.lost)
        else:
            self.meter.update(audio)
        if invalid and not block.lost:
            self._gaps.add(start + invalid.start, start + invalid.stop, "invalid")
        self._observe(start + samples, captured_at_ns)
        written = self.ring.write(audio, wait=not self.live)
        self.last_block_at_ns = time.monotonic_ns()
        return written

    def _observe(self, end: int, captured_at_ns: int) -> None:
        clock, kind = self.clock, self.source.clock if self.source else self.results.clock_kind
        if kind != self.results.clock_kind:
            # The source's times are made of something else from now on: they are not on the line of those before.
            clock = LiveClock(SAMPLE_RATE_HZ)
        clock.observe(end, captured_at_ns)
        self.clock, self.results.clock_kind = clock, kind

    def take(self, row: Audio) -> WindowRef | Skipped | None:
        """Copy the next window into a row; skip those before it that are too old.

        Args:
            row: float32 `[channels, samples]`, or `[298, 128]` if there is a spectrogram.
        """
        if self.live and self.ready > 1:
            closed_ns = self.clock.captured_at_ns(self.windower.next_end)
            if time.monotonic_ns() - closed_ns > self._max_lag_ns and (skipped := self.windower.skip()):
                return skipped
        taken = self.windower.take(row)
        if not isinstance(taken, WindowRef):
            return taken
        lost_samples = self._gaps.overlap(taken.start, taken.end)
        level = self.spectrogram.level(taken.start) if self.spectrogram else measure(row)
        return WindowRef(taken.start, taken.end, self.clock.captured_at_ns(taken.end), lost_samples, level)

    def compute_frames(self) -> None:
        """Compute the spectrogram of what has come; just before a window closes, so that little is left then."""
        if not self.spectrogram:
            return
        close = self.windower.next_end
        soon = close - EARLY_SAMPLES <= self.ring.written < close
        if soon or self.spectrogram.waiting >= WORTHWHILE_HOPS:
            self.spectrogram.update()
        self.ring.wake_at = close if self.ring.written >= close - EARLY_SAMPLES else close - EARLY_SAMPLES

    def messages(self, result: Prediction | Invalid | Skipped) -> Iterator[Message]:
        """What there is to publish about a window, or about samples of which there was none."""
        match result:
            case Skipped():
                yield from self._uncovered(result.start, "invalid")
                yield from self._uncovered(result.end, "overload")
            case Invalid(window):
                self._invalid_windows += 1
                self._invalid_to = window.end
                # What follows may be in the next window.
                yield from self._uncovered(window.start + self.windower.hop_samples, "invalid")
            case Prediction():
                yield from self._uncovered(result.window.start, "invalid")
                yield from self.results.build(result, self.ready)
                self._covered = max(self._covered, result.window.end)
        self._gaps.forget(min(self._covered, self.windower.next_end - WINDOW_SAMPLES))

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
        start = self._end
        self._disconnected_samples += samples
        yield self._gap(start, start + samples, self._disconnect_cause, samples)

    def missed_until(self, index: int) -> Iterator[Gap]:
        """A `gap` up to where the source's samples are taken again, after the session was given up."""
        if (start := self._end) < index:
            yield self._gap(start, index, "invalid", index - start)

    def finish(self) -> Iterator[Message]:
        """A `gap` of what no window will cover any more, and an `event` for each label that still plays."""
        yield from self._uncovered(self.ring.written if self.abandoned else self._invalid_to, "invalid")
        yield from self.results.finish()

    def _uncovered(self, to: int, cause: GapCause) -> Iterator[Gap]:
        """A `gap` of the samples up to an index that neither a window nor a gap of another window covers."""
        start = self._covered
        if start < to:
            self._covered = to
            yield self._gap(start, to, cause, to - start - self._gaps.overlap(start, to))

    def _gap(self, start: int, end: int, cause: GapCause, newly_lost: int) -> Gap:
        self.lost_samples += newly_lost
        self.gap_count += 1
        return Gap(**self.sequencer.head(Gap), start=start, end=end, cause=cause)
