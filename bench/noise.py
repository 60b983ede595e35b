"""The noise that is sent to whatever is measured, the same every time."""

from typing import Final, Literal

import numpy as np

from whoplays.bench.schedule import BLOCK_SAMPLES
from whoplays.models.signal import CHANNELS

BLOCKS: Final = 300
LEVEL: Final = 0.1


def noise(dtype: Literal["<i2", ">i2"]) -> list[bytes]:
    """Blocks of 10 ms, to be sent over and over: `[300, 441, 2]`, interleaved as they travel.

    Args:
        dtype: of the samples.
    """
    frames = np.random.default_rng(0).normal(0.0, LEVEL, (BLOCKS, BLOCK_SAMPLES, CHANNELS))
    return [block.tobytes() for block in (frames.clip(-1, 1) * 32767).astype(dtype)]
