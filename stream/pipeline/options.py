"""How a stream is listened to."""

import math
import re
from typing import Final

import msgspec

from whoplays.models.errors import OptionError
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.audio.level import SILENCE_DBFS

NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
"""What can be the name of a stream."""
WINDOW_S: Final = WINDOW_SAMPLES / SAMPLE_RATE_HZ
LONGEST_LAG_S: Final = 3600.0
LEAST_HOP_S: Final = math.ceil(1e6 / SAMPLE_RATE_HZ) / 1e6
"""One sample, as people write it: rounded up to a microsecond."""


class StreamOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a stream is listened to.

    Raises:
        OptionError: one of them makes no sense.
    """

    stream: str = "main"
    """The stable id of the stream."""
    hop_samples: int = WINDOW_SAMPLES
    """From the start of one window to the next; from 1 to the window's length."""
    silence_dbfs: float = SILENCE_DBFS
    """Below this level a window is silence."""
    thresholds: tuple[float, ...] = ()
    """Per label, in the model's output order; those of the model's card unless given."""
    max_lag_s: float = 6.0
    """How old a live window may be when it is taken; older ones are given up if there is a newer one."""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.stream):
            raise OptionError(
                f"stream name {self.stream!r} makes no sense; use letters, digits, dots, dashes, underscores"
            )
        if not self.silence_dbfs <= 0.0:
            raise OptionError(f"a silence gate at {self.silence_dbfs} dBFS makes no sense; give 0 or less")
        if not 0.0 < self.max_lag_s <= LONGEST_LAG_S:
            longest = f"{LONGEST_LAG_S:.0f}"
            raise OptionError(
                f"a lag of at most {self.max_lag_s} s makes no sense; give more than 0 s, up to {longest} s"
            )


def hop_samples(hop_s: float) -> int:
    """A hop in samples.

    Raises:
        OptionError: it is no hop for windows of 3 s.
    """
    if not 1 / SAMPLE_RATE_HZ <= hop_s <= WINDOW_S:
        raise OptionError(
            f"a hop of {hop_s} s makes no sense; give at least {LEAST_HOP_S:.6f} and at most {WINDOW_S:.0f} s"
        )
    return round(hop_s * SAMPLE_RATE_HZ)
