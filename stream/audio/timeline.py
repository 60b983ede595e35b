"""From frames at a source's rate to blocks that leave no time out: what was captured, and zeros for what was lost."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.audio.resample import ChannelSelection, Converter
from whoplays.stream.common.clock import GapCause

PIECE_SAMPLES: Final = SAMPLE_RATE_HZ // 2
"""The longest block of zeros."""
SECOND_NS: Final = 1_000_000_000


class Timeline:
    """Places frames one after another, and in place of lost ones zeros that end where their last frame does.

    At other rates than 44.1 kHz, what follows a loss lies up to a sample off; that does not add up.

    Raises:
        SourceError: the rate or the channel count is not one that audio can have, or a chosen channel is not there.
    """

    def __init__(self, rate_hz: int, channels: int, selection: ChannelSelection) -> None:
        self.frames = 0
        """How many have been appended, lost ones included."""
        self._rate_hz: Final = rate_hz
        self._channels: Final = channels
        self._selection: Final = selection
        self._converter = Converter(rate_hz, channels, selection)
        self._samples = 0

    def append(self, frames: Audio, captured_at_ns: int) -> Iterator[Block]:
        """The next frames, `[n, channels]` float32, the last of which was captured at `captured_at_ns`."""
        self.frames += len(frames)
        return self._convert(frames, captured_at_ns)

    def append_gap(self, frames: int, cause: GapCause, captured_at_ns: int) -> Iterator[Block]:
        """So many lost frames, the last of which would have been captured at `captured_at_ns`."""
        yield from self._flush(captured_at_ns - self.duration_ns(frames), max(0, self._missing()))
        # The resampler begins anew behind them: it must not smear audio into them.
        self._converter = Converter(self._rate_hz, self._channels, self._selection)
        self.frames += frames
        yield from self._zeros(cause, captured_at_ns)

    def finish(self, captured_at_ns: int) -> Iterator[Block]:
        """What is left when nothing follows the last frame, which was captured at `captured_at_ns`."""
        yield from self._flush(captured_at_ns)
        # Rounding may have left out a sample.
        yield from self._zeros(None, captured_at_ns)

    def duration_ns(self, frames: int) -> int:
        """How long so many frames last."""
        return frames * SECOND_NS // self._rate_hz

    def _missing(self) -> int:
        """Samples still to come for the frames so far, counted from the beginning, so that rounding never adds up."""
        return self.frames * SAMPLE_RATE_HZ // self._rate_hz - self._samples

    def _flush(self, captured_at_ns: int, limit: int | None = None) -> Iterator[Block]:
        """What the resampler still holds, at most `limit` samples: it may round up."""
        audio = self._converter.convert(np.empty((0, self._channels), np.float32), last=True)[:, :limit]
        if audio.shape[1]:
            yield self._counted(Block(audio, captured_at_ns - self._converter.pending_ns))

    def _zeros(self, cause: GapCause | None, captured_at_ns: int) -> Iterator[Block]:
        """Zeros for as long as there are more frames than samples."""
        missing = self._missing()
        while missing > 0:
            samples = min(missing, PIECE_SAMPLES)
            missing -= samples
            zeros = np.zeros((self._converter.channels, samples), np.float32)
            yield self._counted(Block(zeros, captured_at_ns - missing * SECOND_NS // SAMPLE_RATE_HZ, cause))

    def _convert(self, frames: Audio, captured_at_ns: int) -> Iterator[Block]:
        audio = self._converter.convert(frames)
        if audio.shape[1]:
            yield self._counted(Block(audio, captured_at_ns - self._converter.pending_ns))

    def _counted(self, block: Block) -> Block:
        self._samples += block.audio.shape[1]
        return block
