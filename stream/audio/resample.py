"""From any rate and channel count to what models hear: stereo at 44.1 kHz."""

import math
from collections.abc import Iterator
from typing import Annotated, Final, Literal

import msgspec
import numpy as np
import soxr
from msgspec import Meta

from whoplays.models.errors import OptionError, SourceError
from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Audio
from whoplays.stream.common.constraints import expected, require_fields

MOST_CHANNELS: Final = 64
Channel = Annotated[int, Meta(ge=1, le=MOST_CHANNELS)]
Channels = Annotated[
    tuple[Channel, ...] | Literal["all"],
    Meta(extra={"expected": f"one or more numbers between 1 and {MOST_CHANNELS}, or all"}),
]
"""Which of a source's channels, counted from 1; the first two if there are none. One is doubled, two are left and
right, more are averaged."""
Gain = Annotated[float, Meta(ge=-60, le=60, extra={"unit": "dB"})]


class ChannelSelection(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken of a source.

    Raises:
        OptionError: a channel or the gain is out of range.
    """

    channels: Channels = ()
    gain_db: Gain = 0.0
    apart: bool = False
    """Each channel by itself, for streams that take theirs; not mixed to two."""

    def __post_init__(self) -> None:
        require_fields(self)

    def taken(self, channels: int) -> tuple[int, ...]:
        """Those that are taken of so many, counted from 1.

        Raises:
            SourceError: one of them is not there.
        """
        if self.channels == "all":
            return tuple(range(1, channels + 1))
        if max(self.channels, default=1) > channels:
            raise SourceError(f"channel {max(self.channels)} not found; there are {channels}")
        return self.channels or tuple(range(1, min(channels, CHANNELS) + 1))

    @property
    def gain(self) -> float:
        """The gain as a factor."""
        return math.pow(10.0, self.gain_db / 20.0)


def read_channels(text: str) -> Channels:
    """Channels as people write them, such as `3,4` or `all`.

    Raises:
        OptionError: they are no numbers, or out of range.
    """
    if text == "all":
        return "all"
    try:
        return msgspec.convert(text.split(","), tuple[Channel, ...], strict=False)
    except msgspec.ValidationError as error:
        raise OptionError(f"channels must be {expected(Channels)}, such as 3,4; got {text!r}") from error


RATES_HZ: Final = range(1_000, 1_000_001)
"""The rates that audio can have."""
WHOLE: Final = ChannelSelection()
_LARGEST: Final = np.float32(1e9)
"""What a resampler computes with; what is larger is as far beyond what models take."""


class ChannelMixer:
    """Makes of a source's channels those that are taken: two, or each by itself.

    Raises:
        SourceError: a chosen channel is not there.
    """

    def __init__(self, selection: ChannelSelection, channels: int) -> None:
        taken = [channel - 1 for channel in selection.taken(channels)]
        # The same one twice if there is only one.
        self._taken: Final = taken * CHANNELS if len(taken) == 1 and not selection.apart else taken
        self._averages: Final = len(self._taken) > CHANNELS and not selection.apart
        self.channels: Final = CHANNELS if self._averages else len(self._taken)
        """How many come out."""
        self._gain: Final = np.float32(selection.gain)
        self._as_it_is: Final = self._taken == list(range(channels)) and selection.gain == 1.0 and not self._averages

    def mix(self, frames: Audio) -> Audio:
        """What is taken of `[n, channels]` float32: `[n, 2]`, or as many as are taken if each is by itself."""
        if self._as_it_is:
            return frames
        taken = frames[:, self._taken] * self._gain
        return np.repeat(taken.mean(axis=1, keepdims=True), CHANNELS, axis=1) if self._averages else taken


class Converter:
    """Makes stereo at 44 100 Hz of audio at any rate, block by block; see `ChannelMixer` for the channels.

    Resampling is soxr's; it removes its own delay, so that output sample n lies at time n / 44 100 s of the input (it
    comes out later, but not displaced).

    Raises:
        SourceError: the rate or the channel count is not one that audio can have, or a chosen channel is not there.
    """

    def __init__(self, rate_hz: int, channels: int, selection: ChannelSelection = WHOLE) -> None:
        if rate_hz not in RATES_HZ:
            lowest, highest = RATES_HZ[0], RATES_HZ[-1]
            raise SourceError(f"cannot listen at {rate_hz} Hz; give a rate from {lowest} to {highest} Hz")
        if channels < 1:
            raise SourceError(f"cannot listen to {channels} channels; give 1 or more")
        self._mixer: Final = ChannelMixer(selection, channels)
        self.channels: Final = self._mixer.channels
        """Of what comes out."""
        self._rate_hz: Final = rate_hz
        self._resampler = (
            None if rate_hz == SAMPLE_RATE_HZ else soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, self.channels)
        )
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
            `[channels, m]` float32, of two channels unless each is by itself; m varies and can be 0. Where a frame
            held no number (NaN or infinity), NaN, and nowhere else.
        """
        mixed = self._mixer.mix(frames)
        if self._resampler is not None:
            mixed = self._resampler.resample_chunk(np.ascontiguousarray(self._bounded(mixed)), last=last)
            mixed = self._marked(mixed)
        self._frames_in += len(frames)
        self._samples_out += len(mixed)
        return mixed.T

    def _bounded(self, mixed: Audio) -> Audio:
        """What a resampler can take: one NaN would stay in it. Where it was is marked in what comes out."""
        if mixed.size == 0 or (mixed.max() <= _LARGEST and mixed.min() >= -_LARGEST):  # False for NaN as well
            return mixed
        invalid = np.flatnonzero(~np.isfinite(mixed).all(axis=1))
        if invalid.size:
            first, last = (self._frames_in + int(invalid[k]) for k in (0, -1))
            starts, ends = first * SAMPLE_RATE_HZ // self._rate_hz, -(-(last + 1) * SAMPLE_RATE_HZ // self._rate_hz)
            self._invalid.append((starts, ends))
        return np.clip(np.nan_to_num(mixed, nan=0.0), -_LARGEST, _LARGEST)

    def _marked(self, mixed: Audio) -> Audio:
        """NaN where frames were none, as far as it has come out."""
        ends = self._samples_out + len(mixed)
        for first, last in self._invalid:
            mixed[max(0, first - self._samples_out) : max(0, last - self._samples_out)] = np.nan
        self._invalid = [span for span in self._invalid if span[1] > ends]
        return mixed


class VaryingConverter:
    """A `Converter` of audio whose rate and channel count may change on the way, as in recordings that were joined."""

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
