"""Silence to be asked about: digital, and the hiss of an amplifier that nobody plays through. Nothing plays in it."""

from typing import Final, NamedTuple

import numpy as np

from whoplays.models.signal import CHANNELS, WINDOW_SAMPLES
from whoplays.training.data.library import Library
from whoplays.training.data.mixing import Window

_LEVELS_DBFS: Final = (-96.0, -84.0, -72.0, -66.0, -60.0)


class Silence(NamedTuple):
    """A window in which nothing plays: zeros, or hiss of so many dBFS."""

    level_dbfs: float | None

    @property
    def labels(self) -> frozenset[str]:
        """None."""
        return frozenset()

    @property
    def source(self) -> str:
        """What it goes by where sources are named."""
        return "silence"

    @property
    def sources(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def groups(self) -> tuple[str, ...]:
        """None: it was made, not recorded."""
        return ()

    def audio(self, _library: Library) -> Window:
        """`float32 [2, 132300]`: zeros, or white noise whose root mean square is the level."""
        shape = (CHANNELS, WINDOW_SAMPLES)
        if self.level_dbfs is None:
            return np.zeros(shape, np.float32)
        noise = np.random.default_rng(round(-self.level_dbfs)).normal(size=shape)
        return np.asarray(noise * 10 ** (self.level_dbfs / 20), np.float32)


def silences() -> list[Silence]:
    """Digital silence, and hiss from -96 to -60 dBFS."""
    return [Silence(None), *(Silence(level) for level in _LEVELS_DBFS)]
