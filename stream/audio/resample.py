"""From any rate and channel count to what models hear: stereo at 44.1 kHz."""

import math
from collections.abc import Iterator
from typing import Annotated, Final

import msgspec
import numpy as np
import soxr
from msgspec import Meta

from whoplays.models.errors import OptionError, SourceError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Audio
from whoplays.stream.common.constraints import expected, require_fields

MOST_CHANNELS: Final = 64
Channels = Annotated[
    tuple[Annotated[int, Meta(ge=1, le=MOST_CHANNELS)], ...],
    Meta(max_length=2, extra={"expected": f"one or two numbers between 1 and {MOST_CHANNELS}"}),
]
"""Which one (doubled) or two of a source's channels, counted from 1; the first two if there are none."""
Gain = Annotated[float, Meta(ge=-60, le=60, extra={"unit": "dB"})]


class ChannelSelection(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken of a source.

    Raises:
        OptionError: a channel or the gain is out of range.
    """

    channels: Channels = ()
    gain_db: Gain = 0.0

    def __post_init__(self) -> None:
        require_fields(self)

    @property
    def gain(self) -> float:
        """The gain as a factor."""
        return math.pow(10.0, self.gain_db / 20.0)


def read_channels(text: str) -> tuple[int, ...]:
    """Channels as people write them, such as `3,4`.

    Raises:
        OptionError: they are no numbers, or out of range.
    """
    try:
        return msgspec.convert(text.split(","), Channels, strict=False)
    except msgspec.ValidationError as error:
        raise OptionError(f"channels must be {expected(Channels)}, such as 3,4; got {text!r}") from error


RATES_HZ: Final = range(1_000, 1_000_001)
"""The rates that audio can have."""
WHOLE: Final = ChannelSelection()
_LARGEST: Final = np.float32(1e9)
"""What a resampler computes with; what is larger is as far beyond what models take."""


class Converter:
    """Makes stereo at 44 100 Hz of audio at any rate, block by block.

    One channel is doubled; of more than two the first two are taken, unless others are chosen. Resampling is soxr's;
    it removes its own delay, so that output sample n lies at time n / 44 100 s of the input (it comes out later, but
    not displaced).

    Args:
        rate_hz: of what comes in.
        channels: of what comes in.
        selection: which channels are taken, and how loud.

    Raises:
        SourceError: the rate or the channel count is not one that audio can have, or a chosen channel is not there.
    """

    def __init__(self, rate_hz: int, channels: int, selection: ChannelSelection = WHOLE) -> None:
        if rate_hz not in RATES_HZ:
            lowest, highest = RATES_HZ[0], RATES_HZ[-1]
            raise SourceError(f"cannot listen at {rate_hz} Hz; give a rate from {lowest} to {highest} Hz")
        if channels < 1:
            raise SourceError(f"cannot listen to {channels} channels; give 1 or more")
        if max(selection.channels, default=1) > channels:
            raise SourceError(f"channel {max(selection.channels)} not found; there are {channels}")
        taken = selection.channels or tuple(range(1, min(channels, 2) + 1))
        # The same one twice if there is only one.
        self._taken: Final = [taken[0] - 1, taken[-1] - 1]
        self._gain: Final = np.float32(selection.gain)
        self._as_it_is: Final = self._taken == list(range(channels)) and selection.gain == 1.0
        self._rate_hz: Final = rate_hz
        self._resampler = None if rate_hz == SAMPLE_RATE_HZ else soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 2)
        self._frames_in = 0
        self._samples_out = 0
        self._invalid: list[tuple[int, int]] = []

    @property
    def pending_ns(self) -> int:
        """How much audio went in and has not come out yet."""
        fed_ns = self._frames_in * 1_000_000_000 // self._rate_hz
        return fed_ns - self._samples_out * 1_000_000_000 // SAMPLE_RATE_HZ

    def convert(self, frames: Audio, *, last: bool = False) -> Audio:
        """Convert the next frames.

        Args:
            frames: `[n, channels]` float32, nominally in [-1, 1].
            last: nothing follows; what is pending comes out.

        Returns:
            `[2, m]` float32; m varies and can be 0. Where a frame held no number (NaN or infinity), NaN, and nowhere
            else.
        """
        stereo = frames if self._as_it_is else frames[:, self._taken] * self._gain
        if self._resampler is not None:
            stereo = self._resampler.resample_chunk(np.ascontiguousarray(self._bounded(stereo)), last=last)
            stereo = self._marked(stereo)
        self._frames_in += len(frames)
        self._samples_out += len(stereo)
        return stereo.T

    def _bounded(self, stereo: Audio) -> Audio:
        """What a resampler can take: one NaN would stay in it. Where it was is marked in what comes out."""
        if stereo.size == 0 or (stereo.max() <= _LARGEST and stereo.min() >= -_LARGEST):  # False for NaN as well
            return stereo
        invalid = np.flatnonzero(~np.isfinite(stereo).all(axis=1))
        if invalid.size:
            first, last = (self._frames_in + int(invalid[k]) for k in (0, -1))
            starts, ends = first * SAMPLE_RATE_HZ // self._rate_hz, -(-(last + 1) * SAMPLE_RATE_HZ // self._rate_hz)
            self._invalid.append((starts, ends))
        return np.clip(np.nan_to_num(stereo, nan=0.0), -_LARGEST, _LARGEST)

    def _marked(self, stereo: Audio) -> Audio:
        """NaN where frames were none, as far as it has come out."""
        ends = self._samples_out + len(stereo)
        for first, last in self._invalid:
            stereo[max(0, first - self._samples_out) : max(0, last - self._samples_out)] = np.nan
        self._invalid = [span for span in self._invalid if span[1] > ends]
        return stereo


class VaryingConverter:
    """A `Converter` of audio whose rate and channel count may change on the way, as in recordings that were joined.

    Args:
        selection: which channels are taken, and how loud.
    """

    def __init__(self, selection: ChannelSelection = WHOLE) -> None:
        self._selection: Final = selection
        self._kind = (0, 0)
        self._converter: Converter | None = None

    @property
    def pending_ns(self) -> int:
        """How much audio went in and has not come out yet."""
        return self._converter.pending_ns if self._converter else 0

    def convert(self, frames: Audio, rate_hz: int) -> Iterator[Audio]:
        """Convert the next frames, `[n, channels]` float32; see `Converter`, also for what is raised."""
        kind = (rate_hz, frames.shape[1])
        if self._converter is None or self._kind != kind:
            yield from self.finish()
            self._converter, self._kind = Converter(*kind, self._selection), kind
        yield self._converter.convert(frames)

    def finish(self) -> Iterator[Audio]:
        """What is pending; the next frames begin anew, and are not blurred with those before."""
        if self._converter:
            yield self._converter.convert(np.zeros((0, self._kind[1]), np.float32), last=True)
            self._converter = None
