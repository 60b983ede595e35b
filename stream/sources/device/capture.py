"""From PortAudio's callback to blocks that leave no time out, in the child process of a device."""

import queue
import time
from collections import deque
from collections.abc import Callable, Iterator
from math import ceil
from statistics import median
from typing import Any, Final, NamedTuple, TypeVar

from whoplays.models.errors import SourceError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.audio.timeline import Timeline
from whoplays.stream.sources.device.adc_clock import AdcClock

POLL_S: Final = 0.2
QUIET_S: Final = 5.0
"""How long an input may deliver nothing, not even silence, before it is taken to be gone."""

Taken = TypeVar("Taken")


class Captured(NamedTuple):
    """What came in one call."""

    frames: Audio
    """`[n, channels]` float32 in [-1, 1]."""
    captured_at_ns: int
    """When the last of them was captured, on the monotonic clock."""
    overflowed: bool
    """Whether the device lost frames just before, because it was not read in time."""
    missed_frames: int
    """Frames that came just before and found the queue full."""


class CaptureQueue:
    """A bounded queue between a callback that must never wait, and one reader.

    Args:
        max_frames: how many it holds; what comes when it is full is missed, and counted.
    """

    def __init__(self, max_frames: int) -> None:
        self._max_frames: Final = max_frames
        self._queue: Final = queue.SimpleQueue[Captured]()
        # Each is written by one side only, so neither needs a lock.
        self._put_frames = 0
        self._taken_frames = 0
        self._missed_frames = 0
        self._overflowed = False

    def put(self, frames: Audio, captured_at_ns: int, *, overflowed: bool) -> None:
        """Copy what came; for the callback."""
        self._overflowed |= overflowed
        # Once it was full, half of it must be free again: better one long gap than many short ones.
        max_frames = self._max_frames // 2 if self._missed_frames else self._max_frames
        if self._put_frames - self._taken_frames + len(frames) > max_frames:
            self._missed_frames += len(frames)
            return
        self._put_frames += len(frames)
        self._queue.put(Captured(frames.copy(), captured_at_ns, self._overflowed, self._missed_frames))
        self._missed_frames, self._overflowed = 0, False

    def take(self, timeout_s: float) -> Captured | None:
        """What came next; None if nothing did in that time."""
        try:
            captured = self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None
        self._taken_frames += len(captured.frames)
        return captured


class Callback:
    """Copies what came, and when, into a queue; nothing else, because PortAudio waits for it."""

    def __init__(self, clock: AdcClock, queue: CaptureQueue) -> None:
        self._clock: Final = clock
        self._queue: Final = queue

    def __call__(self, frames: Audio, count: int, times: Any, status: Any) -> None:
        """Take `[count, channels]` float32, PortAudio's times of them, and its flags."""
        captured_at_ns = self._clock.captured_at_ns(
            count, time.monotonic_ns(), times.inputBufferAdcTime, times.currentTime
        )
        self._queue.put(frames, captured_at_ns, overflowed=status.input_overflow)


USUAL_CALLS: Final = 50
"""Of so many calls the usual delay is made."""


class GapAwareCapture:
    """Makes blocks of what was captured, so that they add up to the time that went by.

    What our own queue missed is known to the frame. A device that overflows only reports that it did; how much it lost
    is how much later the next frames were captured than the count of frames says, beyond the usual.

    Raises:
        SourceError: the rate or the channel count is not one that audio can have, or a chosen channel is not there.
    """

    def __init__(self, rate_hz: int, channels: int, selection: ChannelSelection) -> None:
        self._rate_hz: Final = rate_hz
        self._timeline: Final = Timeline(rate_hz, channels, selection)
        # An overflow that cannot be measured is still a loss. Two samples at 44.1 kHz, because the resampler's rounding
        # can take one of them.
        self._min_frames: Final = ceil(2 * rate_hz / SAMPLE_RATE_HZ)
        self._delays_ns: Final = deque[int](maxlen=USUAL_CALLS)

    def blocks(self, captured: Captured) -> Iterator[Block]:
        """What was lost before, and what was captured; times must be those of one clock."""
        lost_frames = self._lost_frames(captured)
        if lost_frames:
            started_at_ns = captured.captured_at_ns - self._timeline.duration_ns(len(captured.frames))
            yield from self._timeline.append_gap(lost_frames, "overflow", started_at_ns)
        self._delays_ns.append(self._delay_ns(captured))
        yield from self._timeline.append(captured.frames, captured.captured_at_ns)

    def _lost_frames(self, captured: Captured) -> int:
        if not captured.overflowed or not self._delays_ns:
            return captured.missed_frames
        late_ns = self._delay_ns(captured) - round(median(self._delays_ns))
        return max(late_ns * self._rate_hz // 1_000_000_000, captured.missed_frames, self._min_frames)

    def _delay_ns(self, captured: Captured) -> int:
        """How much later its last frame was captured than the count of frames up to it says."""
        return captured.captured_at_ns - self._timeline.duration_ns(self._timeline.frames + len(captured.frames))


def until_quiet(take: Callable[[float], Taken | None], name: str, quiet_s: float = QUIET_S) -> Iterator[Taken]:
    """What an input called `name` delivers; `take` waits for it so many seconds at most.

    Raises:
        SourceError: it has delivered nothing for too long; or what `take` raises.
    """
    empty_polls = 0
    # Not by the clock: it goes on while this process stands still.
    while empty_polls * POLL_S < quiet_s:
        taken = take(POLL_S)
        empty_polls = 0 if taken else empty_polls + 1
        if taken:
            yield taken
    raise SourceError(f"{name} has delivered nothing for {quiet_s:.0f} s; check whether it is connected")
