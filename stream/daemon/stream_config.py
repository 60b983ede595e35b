"""Streams, and the sources that they share, as the configuration of a daemon says them."""

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from whoplays.models.errors import OptionError
from whoplays.stream.audio.level import SILENCE_DBFS
from whoplays.stream.audio.resample import MOST_CHANNELS, RATES_HZ, Channel, ChannelSelection, Gain
from whoplays.stream.common.constraints import shown
from whoplays.stream.daemon.config_errors import ConfigErrors
from whoplays.stream.pipeline.options import (
    LAG_S,
    WINDOW_S,
    Entry,
    Hop,
    Lag,
    Release,
    Sensitivity,
    Silence,
    StreamOptions,
    Threshold,
    hop_samples,
)
from whoplays.stream.pubsub.messages import StreamName
from whoplays.stream.sources.registry import with_format

StreamChannels = Annotated[
    tuple[Channel | str, ...] | Literal["all"],
    Meta(extra={"expected": f'one or more numbers between 1 and {MOST_CHANNELS}, or names, in [ ], or "all"'}),
]
SourceRate = Annotated[int, Meta(ge=RATES_HZ[0], le=RATES_HZ[-1], extra={"unit": "Hz"})]


class SourceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source that streams share, as `[[source]]` says it: opened once, with one clock and one count of samples."""

    name: StreamName
    """What streams call it in `source`; a file of that name is `./NAME`."""
    address: str
    """What is opened: `device:NAME`, `rtp://[bind]:port`, or another address."""
    channels: Channel
    """How many channels it has."""
    rate_hz: SourceRate | None = None
    """The sample rate of a device or of RTP; its own, or what the address says, unless given."""
    names: dict[str, str] = {}
    """Names of channels, such as `{ 3 = "piano left" }`, for streams to take them by."""

    @property
    def uri(self) -> str:
        """The address, with what is said here besides.

        Raises:
            OptionError: the rate of such a source cannot be chosen, or the address chooses channels.
        """
        return with_format(self.address, self.rate_hz, self.channels)

    @property
    def selection(self) -> ChannelSelection:
        """All of its channels, each by itself."""
        return ChannelSelection(channels=tuple(range(1, self.channels + 1)), apart=True)

    @property
    def numbers(self) -> dict[str, int]:
        """The channels that have names."""
        return {name: int(number) for number, name in self.names.items() if _is_channel(number)}


class StreamConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stream, as `[[stream]]` says it."""

    name: StreamName
    """The stable id of the stream."""
    source: str
    """What is recognised: `device:NAME`, `rtp://[bind]:port`, `zmq://host:port`, `http://…`, a file; or the name of a
    `[[source]]`."""
    model: str = "default"
    """A name from `whoplays models`, or a folder that `whoplays export` made; streams with the same model share one."""
    provider: str | None = None
    """`cpu` or `cuda`; unless given, CUDA if it runs, else the CPU."""
    hop_s: Hop = WINDOW_S
    """Seconds from one window to the next; windows are always 3 s long."""
    gain_db: Gain = 0.0
    """By how much the source is amplified."""
    channels: StreamChannels = ()
    """Which of the source's channels, counted from 1, as in `[3, 4]`, or by the names that its `[[source]]` gives them;
    `"all"`; the first two unless given. One is doubled, two are left and right, more are averaged."""
    thresholds: dict[str, Threshold] = {}
    """By English name: at or above it a label is active; the model's, shifted by the sensitivity, unless given."""
    sensitivity: Sensitivity = "normal"
    """How many errors are accepted; `low`: fewer false ones, more missed; `high`: the other way round."""
    entry: Entry | None = None
    """How far from its threshold towards 1 a probability must come to enter; the model's unless given."""
    release: Release | None = None
    """A playing instrument leaves below this share of its threshold; the model's unless given."""
    frames: bool = False
    """Publish the probabilities within each window as well, of a model that gives them."""
    silence_dbfs: Silence = SILENCE_DBFS
    """Below this level a window is silence."""
    max_lag_s: Lag = LAG_S
    """How old a window may be when it is inferred; older ones are skipped, with a `gap`, if there is a newer one."""

    def selection(self, source: SourceConfig | None = None) -> ChannelSelection:
        """What is taken of the source.

        Args:
            source: the declared one that it is.

        Raises:
            OptionError: the source has no such channel.
        """
        if self.channels == "all":
            return ChannelSelection(channels="all", gain_db=self.gain_db)
        numbers = source.numbers if source else {}
        chosen = []
        for channel in self.channels:
            if isinstance(channel, str) and channel not in numbers:
                known = f"there are {', '.join(numbers)}" if numbers else "names are given by a [[source]]"
                raise OptionError(f"channels: {shown(channel)} not found; {known}")
            chosen.append(channel if isinstance(channel, int) else numbers[channel])
        if source and max(chosen, default=1) > source.channels:
            raise OptionError(f"channels must be between 1 and {source.channels} of {source.name}, got {max(chosen)}")
        return ChannelSelection(channels=tuple(chosen), gain_db=self.gain_db)

    @property
    def options(self) -> StreamOptions:
        """How it is listened to, but for the thresholds, which depend on the model."""
        return StreamOptions(
            stream=self.name,
            hop_samples=hop_samples(self.hop_s),
            silence_dbfs=self.silence_dbfs,
            entry=self.entry,
            release=self.release,
            max_lag_s=self.max_lag_s,
            frames=self.frames,
        )


def _is_channel(text: str) -> bool:
    """Whether it is a number as channels have them, and no longer than Python reads."""
    return text.isdecimal() and len(text) < 4 and int(text) > 0


def check_sources(sources: Iterable[SourceConfig], errors: ConfigErrors) -> None:
    """Collect what is wrong with the names of channels."""
    for source in sources:
        for at, (number, name) in enumerate(source.names.items()):
            with errors.collect(f"source {source.name}"):
                if not _is_channel(number) or int(number) > (source.channels or MOST_CHANNELS):
                    raise OptionError(f"names must be of channels 1 to {source.channels}, got {shown(number)}")
                if name in list(source.names.values())[:at]:
                    raise OptionError(f"names must be unique, got {shown(name)} twice")
