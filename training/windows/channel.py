"""What stands between a band and its listener: loudspeakers and microphones, converters, and codecs."""

import io
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import signal

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.training.windows.solos import levelled

Mono = NDArray[np.float32]
Rng = np.random.Generator

_CODECS: Final = (("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"))


def reproduced(audio: Mono, rng: Rng) -> Mono:
    """Band limits, compression, clipping and a codec, each at times.

    Shape: `float32 [samples]` at an RMS near 1 -> the same.
    """
    if rng.random() < 0.2:
        audio = _band_limited(audio, rng)
    if rng.random() < 0.25:
        audio = _compressed(audio, rng)
    if rng.random() < 0.2:
        audio = _clipped(audio, rng)
    if rng.random() < 0.15:
        audio = _coded(audio, rng)
    return levelled(audio)


def _band_limited(audio: Mono, rng: Rng) -> Mono:
    low_hz, high_hz = rng.uniform(40, 300), 2 ** rng.uniform(np.log2(3500), np.log2(12_000))
    sections = signal.butter(2, (low_hz, high_hz), "bandpass", fs=SAMPLE_RATE_HZ, output="sos")
    return np.asarray(signal.sosfilt(sections, audio), np.float32)


def _compressed(audio: Mono, rng: Rng) -> Mono:
    """Reduce loudness over a threshold by a ratio, from the level of the last 20 ms or so."""
    pole = np.exp(-1 / (rng.uniform(0.005, 0.05) * SAMPLE_RATE_HZ))
    power = signal.lfilter([1 - pole], [1, -pole], np.square(audio))
    over = np.maximum(power / 10 ** (rng.uniform(-20, 0) / 10), 1.0)
    return np.asarray(audio * over ** (0.5 / rng.uniform(1.5, 6.0) - 0.5), np.float32)


def _clipped(audio: Mono, rng: Rng) -> Mono:
    ceiling = np.abs(audio).max(initial=1e-6) * 10 ** (rng.uniform(-12, 0) / 20)
    if rng.random() < 0.5:
        return np.asarray(np.tanh(audio / ceiling) * ceiling, np.float32)
    return np.clip(audio, -ceiling, ceiling)


def _coded(audio: Mono, rng: Rng) -> Mono:
    """Through a lossy codec and back."""
    container, subtype = _CODECS[int(rng.integers(len(_CODECS)))]
    peak = np.float32(np.abs(audio).max(initial=1e-6) * 1.2)
    stored = io.BytesIO()
    soundfile.write(
        stored,
        audio / peak,
        SAMPLE_RATE_HZ,
        format=container,
        subtype=subtype,
        compression_level=float(rng.uniform(0.4, 0.95)),
    )
    stored.seek(0)
    decoded, _ = soundfile.read(stored, dtype="float32")
    heard = np.zeros_like(audio)
    heard[: len(decoded)] = decoded[: len(audio)]
    return heard * peak
