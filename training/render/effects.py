"""Effects: an amplifier and its loudspeaker for electric guitars, and mastering of every clip."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from whoplays.models.signal import SAMPLE_RATE_HZ

# How many clips: those left alone, and of the others those with each effect.
_AS_IT_IS: Final = 0.3
_TREMOLO: Final = 0.12
_CHORUS: Final = 0.2
_OVERDRIVEN: Final = 0.25

_PEAK: Final = 10 ** (-3 / 20)
_SILENT: Final = 1e-4
_FADE_S: Final = 0.03

Mono = NDArray[np.float32]
Rng = np.random.Generator


def amplified(audio: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    """Chorus and tremolo at times, then an amplifier, clean or overdriven, and its loudspeaker.

    Three in ten stay as they are: many a library was recorded at the loudspeaker.

    Shape: `[1 or 2, samples]` -> the same, or `[1, samples]`.
    """
    if rng.random() < _AS_IT_IS:
        return audio
    sound = audio.mean(axis=0, dtype=np.float32)
    if rng.random() < _CHORUS:
        sound = _chorus(sound, rng)
    if rng.random() < _TREMOLO:
        sound = _tremolo(sound, rng)
    return _loudspeaker(_driven(sound, rng), rng)[None]


def master(audio: NDArray[np.float32], rng: Rng) -> Mono | None:
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


def _chorus(sound: Mono, rng: Rng) -> Mono:
    """Beside a copy of itself, late by 4 to 24 ms, which comes and goes (Zölzer, "DAFX", 2002)."""
    places = np.arange(sound.size)
    middle, depth = rng.uniform(0.008, 0.02), rng.uniform(0.0005, 0.004)
    late_s = middle + depth * np.sin(2 * np.pi * rng.uniform(0.3, 2.5) * places / SAMPLE_RATE_HZ)
    late = np.interp(places - late_s * SAMPLE_RATE_HZ, places, sound, left=0.0)
    return np.asarray(sound + rng.uniform(0.3, 1.0) * late, np.float32)


def _tremolo(sound: Mono, rng: Rng) -> Mono:
    """Louder and softer three to eight times a second."""
    phase = 2 * np.pi * (rng.uniform(3, 8) * np.arange(sound.size) / SAMPLE_RATE_HZ + rng.random())
    return np.asarray(sound * (1 - rng.uniform(0.2, 0.9) * (0.5 + 0.5 * np.sin(phase))), np.float32)


def _driven(sound: Mono, rng: Rng) -> Mono:
    """Through a valve that gives way softly: hardly, or audibly; harder, and harmonics would fold back."""
    peak = np.float32(np.abs(sound).max(initial=1e-6))
    drive_db = rng.uniform(8, 20) if rng.random() < _OVERDRIVEN else rng.uniform(-12, 0)
    return np.asarray(np.tanh(sound / peak * 10 ** (drive_db / 20)), np.float32)


def _loudspeaker(sound: Mono, rng: Rng) -> Mono:
    """A cone of ten or twelve inches: little below 100 Hz, a presence at 2 to 4 kHz, falling from 3 to 6.5 kHz on."""
    low_hz, high_hz = rng.uniform(60, 130), 2 ** rng.uniform(np.log2(2800), np.log2(6500))
    band = signal.butter(3, (low_hz, high_hz), "bandpass", fs=SAMPLE_RATE_HZ, output="sos")
    presence = signal.iirpeak(rng.uniform(1800, 3800), rng.uniform(0.7, 2.0), fs=SAMPLE_RATE_HZ)
    filtered = signal.sosfilt(band, sound)
    return np.asarray(filtered + rng.uniform(0, 1.5) * signal.lfilter(*presence, filtered), np.float32)
