"""Blocks of audio as they leave a source."""

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Audio = npt.NDArray[np.float32]

ClockKind = Literal["adc", "arrival", "file"]
"""What heard-times are made of: the converter's clock, the time of arrival here, or a file's own schedule (which it has
only in real time: at `max` speed, the time of reading)."""

GapCause = Literal["overflow", "network", "device_lost", "overload"]
"""Why samples were lost: a device was not read in time, packets did not arrive, the input went away, or inference could
not keep up."""


class Block(NamedTuple):
    """Consecutive samples as they leave a source."""

    audio: Audio
    """`[2, n]` float32 in [-1, 1] at 44 100 Hz, finite, any n."""
    captured_at_ns: int
    """When the last of them was heard, on the monotonic clock."""
    lost: GapCause | None = None
    """Why these samples, all zero, stand for what was lost; None if they were heard."""
