"""Blocks of audio as they leave a source."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from whoplays.stream.common.clock import GapCause

Audio = npt.NDArray[np.float32]


class Block(NamedTuple):
    """Consecutive samples as they leave a source."""

    audio: Audio
    """`[2, n]` float32 in [-1, 1] at 44 100 Hz, finite, any n; of a source that streams share, as many channels as are
    taken from it."""
    captured_at_ns: int
    """When the last of them was captured, on the monotonic clock."""
    lost: GapCause | None = None
    """Why these samples, all zero and of any number of channels, stand for lost ones; None if they were captured."""
