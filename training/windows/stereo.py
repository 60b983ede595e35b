"""Stereo placement: a player between the channels, and what is left of it where both are added, as networks hear them.

A player off the middle is louder in one channel (panning, or microphones that point apart) and, with microphones that
stand apart, later in the other. In the sum, what comes later cancels some frequencies and lifts others: a comb.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from whoplays.models.signal import SAMPLE_RATE_HZ

_SPACED: Final = 0.5
"""How often microphones stand apart."""
_WIDEST_M: Final = 1.0
_SPEED_OF_SOUND_M_S: Final = 343.0

Mono = NDArray[np.float32]
Rng = np.random.Generator


def placed(audio: Mono, rng: Rng) -> Mono:
    """A stem from somewhere between two microphones, as the mean of their channels.

    Panned by a constant-power law (cosine and sine of an angle: Roads, "The Computer Music Tutorial", 1996), and late
    in the far channel by the way between the microphones, up to a metre, times the sine of the direction: what a plane
    wave takes.

    Shape: `float32 [samples]` -> the same
    """
    direction = rng.uniform(-1, 1)
    angle = (direction + 1) * np.pi / 4
    left, right = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    if rng.random() >= _SPACED:
        return np.asarray((left + right) / 2 * audio, np.float32)
    way_m = rng.uniform(0, _WIDEST_M) * np.sin(abs(direction) * np.pi / 2)
    near, far = max(left, right), min(left, right)
    late = _late(audio, round(way_m / _SPEED_OF_SOUND_M_S * SAMPLE_RATE_HZ))
    return np.asarray((near * audio + far * late) / 2, np.float32)


def _late(audio: Mono, samples: int) -> Mono:
    shifted = np.zeros_like(audio)
    shifted[samples:] = audio[: len(audio) - samples]
    return shifted
