"""How loud a window is."""

from typing import Final, NamedTuple

import numpy as np

from whoplays.stream.audio.block import Audio

FLOOR_DBFS: Final = -120.0
SILENCE_DBFS: Final = -60.0
FULL_SCALE: Final = 1.0 - 2.0**-15
"""The largest 16-bit sample: what reaches it may have been cut off."""


class Level(NamedTuple):
    """How loud a window is."""

    dbfs: float
    """RMS over all channels, relative to a constant 1.0; a full-scale sine has -3.01. Never below -120."""
    clipped: int
    """Samples at full scale, over all channels."""


def measure(window: Audio) -> Level:
    """The level of `[channels, samples]` float32 in [-1, 1].

    >>> measure(np.full((2, 100), 0.1, np.float32))
    Level(dbfs=-20.0, clipped=0)
    """
    flat = window.ravel()
    power = float(np.einsum("i,i->", flat, flat)) / flat.size
    dbfs = 10.0 * np.log10(power) if power > 0.0 else FLOOR_DBFS
    return Level(round(max(float(dbfs), FLOOR_DBFS), 2), _clipped(flat))


def _clipped(flat: Audio) -> int:
    if max(flat.max(), -flat.min()) < FULL_SCALE:
        return 0
    return int(np.count_nonzero(np.abs(flat) >= FULL_SCALE))
