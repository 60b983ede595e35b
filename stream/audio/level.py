"""How loud audio is."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Audio

FLOOR_DBFS: Final = -120.0
SILENCE_DBFS: Final = -60.0
FULL_SCALE: Final = 1.0 - 2.0**-15
"""The largest 16-bit sample: what reaches it may have been cut off."""


class Level(NamedTuple):
    """How loud audio is."""

    dbfs: float
    """RMS over all channels, relative to a constant 1.0; a full-scale sine has -3.01. Never below -120."""
    peak_dbfs: float
    """The largest sample of any channel. Never below -120."""
    clipped: int
    """Samples at full scale, over all channels."""


class LevelMeter:
    """Measures a stream second by second, as its blocks come; written by one thread, read by any."""

    def __init__(self) -> None:
        self.newest: Level | None = None
        """The level of the newest whole second; None before there is one."""
        self._power, self._peak = 0.0, 0.0
        self._clipped, self._values = 0, 0

    def update(self, audio: Audio) -> None:
        """Add a block, `[2, n]` float32 in [-1, 1]."""
        if not audio.size:
            return
        power, peak, clipped = _sums(audio)
        self._power, self._peak = self._power + power, max(self._peak, peak)
        self._clipped, self._values = self._clipped + clipped, self._values + audio.size
        if self._values >= CHANNELS * SAMPLE_RATE_HZ:
            self.newest = _level(self._power / self._values, self._peak, self._clipped)
            self._power, self._peak, self._clipped, self._values = 0.0, 0.0, 0, 0


class HopLevels:
    """How loud each of the newest hops was, so that a window's level is that of its hops together."""

    def __init__(self, capacity: int) -> None:
        self._power: Final = np.zeros(capacity)
        self._peak: Final = np.zeros(capacity, np.float32)
        self._clipped: Final = np.zeros(capacity, np.int64)
        self._values = 1

    def put(self, places: NDArray[np.intp], audio: Audio) -> None:
        """Measure hops, `[2, hops, samples]` float32 in [-1, 1], into these places."""
        peaks = np.maximum(audio.max(axis=(0, 2)), -audio.min(axis=(0, 2)))
        loud = peaks.max() >= FULL_SCALE
        self._power[places] = np.einsum("chs,chs->h", audio, audio)
        self._peak[places] = peaks
        self._clipped[places] = np.count_nonzero(np.abs(audio) >= FULL_SCALE, axis=(0, 2)) if loud else 0
        self._values = audio.shape[0] * audio.shape[2]

    def level(self, places: NDArray[np.intp]) -> Level:
        """The level of the hops in these places, together."""
        power = float(self._power[places].sum()) / (len(places) * self._values)
        return _level(power, float(self._peak[places].max()), int(self._clipped[places].sum()))


def measure(window: Audio) -> Level:
    """The level of `[channels, samples]` float32 in [-1, 1].

    >>> measure(np.full((2, 100), 0.1, np.float32))
    Level(dbfs=-20.0, peak_dbfs=-20.0, clipped=0)
    """
    power, peak, clipped = _sums(window)
    return _level(power / window.size, peak, clipped)


def _sums(audio: Audio) -> tuple[float, float, int]:
    """The sum of squares, the largest magnitude, and how many samples are at full scale."""
    peak = max(float(audio.max()), -float(audio.min()))
    clipped = int(np.count_nonzero(np.abs(audio) >= FULL_SCALE)) if peak >= FULL_SCALE else 0
    return float(np.einsum("ij,ij->", audio, audio)), peak, clipped


def _level(power: float, peak: float, clipped: int) -> Level:
    return Level(_decibels(power), _decibels(peak * peak), clipped)


def _decibels(power: float) -> float:
    return round(max(float(10.0 * np.log10(power)), FLOOR_DBFS), 2) if power > 0.0 else FLOOR_DBFS
