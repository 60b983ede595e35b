"""How a stream is processed."""

import math
import re
from typing import Final

import msgspec

from whoplays.models.errors import OptionError, require_between
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.audio.level import SILENCE_DBFS

NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
"""The form of a stream's name."""
WINDOW_S: Final = WINDOW_SAMPLES / SAMPLE_RATE_HZ
MIN_LAG_S: Final = 1e-6
MAX_LAG_S: Final = 3600.0
MIN_HOP_S: Final = math.ceil(1e6 / SAMPLE_RATE_HZ) / 1e6
"""One sample, as people write it: rounded up to a microsecond."""


class StreamOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a stream is processed.

    Raises:
        OptionError: one of them is out of its range.
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
    """How old a live window may be when it is taken; older ones are skipped if there is a newer one."""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.stream):
            raise OptionError(f"stream name must be letters, digits, dots, dashes or underscores, got {self.stream!r}")
        require_between("hop", self.hop_samples, 1, WINDOW_SAMPLES, "samples")
        require_between("max_lag_s", self.max_lag_s, MIN_LAG_S, MAX_LAG_S, "s")
        if not self.silence_dbfs <= 0.0:
            raise OptionError(f"silence_dbfs must be 0 dBFS or less, got {self.silence_dbfs:g}")


def hop_samples(hop_s: float) -> int:
    """A hop in samples.

    Raises:
        OptionError: it is not between one sample and a window of 3 s.
    """
    if not 1 / SAMPLE_RATE_HZ <= hop_s <= WINDOW_S:
        require_between("hop", hop_s, MIN_HOP_S, WINDOW_S, "s")
    return round(hop_s * SAMPLE_RATE_HZ)
