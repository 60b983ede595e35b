"""Mastering: a rendered clip as it is written."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from whoplays.models.signal import SAMPLE_RATE_HZ

_PEAK: Final = 10 ** (-3 / 20)
_SILENT: Final = 1e-4
_FADE_S: Final = 0.03


def master(audio: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32] | None:
    """One channel with its peak at -3 dBFS and a short fade at its end; nothing if it is silent.

    Shape: `[1 or 2, samples]` -> `[samples]`. Stereo is mixed down, now and then unevenly, as a microphone on one side
    would hear it.
    """
    left = 0.5 if rng.random() < 0.6 else float(rng.uniform(0, 1))
    mono = audio[0] if audio.shape[0] == 1 else left * audio[0] + (1 - left) * audio[1]
    fade = min(round(_FADE_S * SAMPLE_RATE_HZ), mono.size)
    mono = mono.astype(np.float32)
    mono[mono.size - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    peak = float(np.abs(mono).max(initial=0.0))
    return None if peak < _SILENT else mono * np.float32(_PEAK / peak)
