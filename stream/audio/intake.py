"""What is taken of a source's channels, and how loud."""

import math
from typing import Final

import msgspec

from whoplays.models.errors import OptionError

MOST_CHANNELS: Final = 64
MOST_GAIN_DB: Final = 60.0


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken of a source.

    Raises:
        OptionError: a channel or the gain makes no sense.
    """

    channels: tuple[int, ...] = ()
    """Which one (doubled) or two, counted from 1; the first two unless given."""
    gain_db: float = 0.0

    def __post_init__(self) -> None:
        if len(self.channels) > 2 or not all(1 <= channel <= MOST_CHANNELS for channel in self.channels):
            raise _senseless(",".join(map(str, self.channels)))
        if not abs(self.gain_db) <= MOST_GAIN_DB:
            raise OptionError(
                f"a gain of {self.gain_db} dB makes no sense; give {-MOST_GAIN_DB:.0f} to {MOST_GAIN_DB:.0f}"
            )

    @property
    def gain(self) -> float:
        """The gain as a factor."""
        return math.pow(10.0, self.gain_db / 20.0)


def read_channels(text: str) -> tuple[int, ...]:
    """Channels as people write them, such as `3,4`.

    Raises:
        OptionError: they are no numbers.
    """
    try:
        return tuple(int(channel) for channel in text.split(","))
    except ValueError as error:
        raise _senseless(text) from error


def _senseless(channels: str) -> OptionError:
    return OptionError(f"channels {channels} make no sense; give one or two from 1 to {MOST_CHANNELS}, as in 3,4")
