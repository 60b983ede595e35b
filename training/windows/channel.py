"""What is between an instrument and the network: stereo placement, loudspeakers, microphones, converters, codecs."""

import io
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import signal

from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES

Mono = NDArray[np.float32]
"""`float32 [132300]`."""
Rng = np.random.Generator

_CODECS: Final = (("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"))
_SPACED_SHARE: Final = 0.5
"""How often microphones stand apart."""
_WIDEST_M: Final = 1.0
_SPEED_OF_SOUND_M_S: Final = 343.0


def rms_normalised(audio: Mono) -> Mono:
    """Scale to an RMS of 1 over the parts that sound."""
    power = np.square(audio).reshape(-1, WINDOW_SAMPLES // 60).mean(axis=1)
    sounding = power[power > power.max() * 1e-3]
    return audio / np.float32(np.sqrt(sounding.mean()) + 1e-9) if sounding.size else audio


def panned(audio: Mono, rng: Rng) -> Mono:
    """An instrument from somewhere between two microphones, as the mean of their channels: what networks are given.

    Off the middle it is louder in one channel and, with microphones that stand apart, later in the other. In the mean,
    what comes later cancels some frequencies and lifts others: a comb.

    Panned by a constant-power law (cosine and sine of an angle: Roads, "The Computer Music Tutorial", 1996), and late
    in the far channel by the way between the microphones, up to a metre, times the sine of the direction: what a plane
    wave takes.

    Shape: `float32 [samples]` -> the same
    """
    direction = rng.uniform(-1, 1)
    angle = (direction + 1) * np.pi / 4
    left, right = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    if rng.random() >= _SPACED_SHARE:
        return np.asarray((left + right) / 2 * audio, np.float32)
    way_m = rng.uniform(0, _WIDEST_M) * np.sin(abs(direction) * np.pi / 2)
    near, far = max(left, right), min(left, right)
    late = _delayed(audio, round(way_m / _SPEED_OF_SOUND_M_S * SAMPLE_RATE_HZ))
    return np.asarray((near * audio + far * late) / 2, np.float32)


def through_channel(audio: Mono, rng: Rng) -> Mono:
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
    return rms_normalised(audio)


def _delayed(audio: Mono, samples: int) -> Mono:
    shifted = np.zeros_like(audio)
    shifted[samples:] = audio[: len(audio) - samples]
    return shifted


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
    padded = np.zeros_like(audio)
    padded[: len(decoded)] = decoded[: len(audio)]
    return padded * peak
