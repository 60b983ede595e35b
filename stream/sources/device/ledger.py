"""Blocks of what was captured and, in its place and length, of what was not."""

from collections import deque
from collections.abc import Iterator
from math import ceil
from statistics import median
from typing import Final

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Block
from whoplays.stream.audio.intake import Intake
from whoplays.stream.audio.timeline import Axis
from whoplays.stream.sources.device.capture_queue import Captured

REMEMBERED: Final = 50
"""Calls of which the usual delay is made."""


class Ledger:
    """Makes blocks of what was captured, so that they add up to the time that went by.

    What our own queue missed is known to the frame. A device that overflows only says that it did; how much it lost is
    how much later the next frames were heard than the count of frames says, beyond the usual.

    Args:
        rate_hz: of what is captured.
        channels: of what is captured.
        intake: which channels are taken, and how loud.

    Raises:
        SourceError: the rate or the channel count is not one that audio can have, or a chosen channel is not there.
    """

    def __init__(self, rate_hz: int, channels: int, intake: Intake) -> None:
        self._rate_hz: Final = rate_hz
        self._axis: Final = Axis(rate_hz, channels, intake)
        # An overflow that cannot be measured is still a loss: it must be seen. Two samples at 44.1 kHz, because the
        # resampler's rounding can take one of them.
        self._least_frames: Final = ceil(2 * rate_hz / SAMPLE_RATE_HZ)
        self._delays_ns: Final = deque[int](maxlen=REMEMBERED)

    def blocks(self, captured: Captured) -> Iterator[Block]:
        """What was lost before, and what was captured; times must be those of one clock.

        Raises:
            SourceError: a sample is NaN or infinite.
        """
        lost_frames = self._lost_frames(captured)
        if lost_frames:
            began_ns = captured.heard_ns - self._axis.duration_ns(len(captured.frames))
            yield from self._axis.lost(lost_frames, "overflow", began_ns)
        self._delays_ns.append(self._delay_ns(captured))
        yield from self._axis.heard(captured.frames, captured.heard_ns)

    def _lost_frames(self, captured: Captured) -> int:
        if not captured.overflowed or not self._delays_ns:
            return captured.missed_frames
        late_ns = self._delay_ns(captured) - round(median(self._delays_ns))
        return max(late_ns * self._rate_hz // 1_000_000_000, captured.missed_frames, self._least_frames)

    def _delay_ns(self, captured: Captured) -> int:
        """How much later its last frame was heard than the count of frames up to it says."""
        return captured.heard_ns - self._axis.duration_ns(self._axis.frames + len(captured.frames))
