"""Blocks of what was captured and, in its place and length, of what was not."""

from collections import deque
from collections.abc import Iterator
from statistics import median
from typing import Final

import numpy as np

from models.signal import SAMPLE_RATE_HZ
from stream.convert import Converter
from stream.device.capture_queue import Captured
from stream.intake import Intake
from stream.ring import Audio
from stream.source import Block

REMEMBERED: Final = 50
"""Calls of which the usual delay is made."""
SECOND_NS: Final = 1_000_000_000


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
        self._channels: Final = channels
        self._intake: Final = intake
        self._converter = Converter(rate_hz, channels, intake)
        self._delays_ns: Final = deque[int](maxlen=REMEMBERED)
        self._frames = 0
        self._samples = 0

    def blocks(self, captured: Captured) -> Iterator[Block]:
        """What was lost before, and what was captured; times must be those of one clock.

        Raises:
            SourceError: a sample is NaN or infinite.
        """
        lost_frames = self._lost_frames(captured)
        if lost_frames:
            yield from self._gap(lost_frames, captured.heard_ns - self._duration_ns(len(captured.frames)))
        self._frames += len(captured.frames)
        self._delays_ns.append(captured.heard_ns - self._duration_ns(self._frames))
        yield from self._heard(captured.frames, captured.heard_ns)

    def _lost_frames(self, captured: Captured) -> int:
        if not captured.overflowed or not self._delays_ns:
            return captured.missed_frames
        delay_ns = captured.heard_ns - self._duration_ns(self._frames + len(captured.frames))
        late_ns = delay_ns - round(median(self._delays_ns))
        # An overflow that cannot be measured is still a loss: it must be seen.
        return max(late_ns * self._rate_hz // SECOND_NS, captured.missed_frames, 1)

    def _gap(self, lost_frames: int, end_ns: int) -> Iterator[Block]:
        start_ns = end_ns - self._duration_ns(lost_frames)
        nothing = np.empty((0, self._channels), np.float32)
        yield from self._heard(nothing, start_ns, last=True)
        self._converter = Converter(self._rate_hz, self._channels, self._intake)
        self._frames += lost_frames
        # Counted from the beginning, so that rounding does not add up.
        samples = round(self._frames * SAMPLE_RATE_HZ / self._rate_hz) - self._samples
        for start in range(0, samples, SAMPLE_RATE_HZ):
            size = min(SAMPLE_RATE_HZ, samples - start)
            heard_ns = end_ns - (samples - start - size) * SECOND_NS // SAMPLE_RATE_HZ
            yield self._counted(Block(np.zeros((2, size), np.float32), heard_ns, "overflow"))

    def _heard(self, frames: Audio, heard_ns: int, *, last: bool = False) -> Iterator[Block]:
        audio = self._converter.convert(frames, last=last)
        if audio.shape[1]:
            yield self._counted(Block(audio, heard_ns - self._converter.pending_ns))

    def _counted(self, block: Block) -> Block:
        self._samples += block.audio.shape[1]
        return block

    def _duration_ns(self, frames: int) -> int:
        return frames * SECOND_NS // self._rate_hz
