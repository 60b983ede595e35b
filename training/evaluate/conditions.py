"""Conditions under which models are evaluated again: level, mono, noise, a room, a telephone's band, codecs.

Each takes a window `float32 [2, 132300]` and gives one of the same shape in [-1, 1].
"""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import fftconvolve, firwin

from whoplays.models.errors import DataError
from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.training.data.impulse_responses import read_impulse_response
from whoplays.training.data.mixing import Window, rms

LEVELS_DB: Final = (-24, -12, 6)
NOISES_DB: Final = (20, 10)
_LOWPASS_HZ: Final = 4000
_TAPS: Final = 511
_DECAY_S: Final = 0.8
_DIRECT_TO_ROOM_DB: Final = 0.0
_OPUS_RATE_HZ: Final = 48_000
# As libsndfile counts compression: 320 kbit/s - 288 times as much for MP3; for Opus, 32 kbit/s of stereo were measured.
_MP3_64K: Final = (320 - 64) / 288
_OPUS_32K: Final = 0.968


class Condition(NamedTuple):
    """A name, and what is done to a window under it; the generator is for what is drawn."""

    name: str
    apply: Callable[[Window, np.random.Generator], Window]


def conditions(impulse: Path | None = None) -> list[Condition]:
    """Every condition.

    Args:
        impulse: the recorded impulse response of the room; a made one unless given.

    Raises:
        DataError: it cannot be read.
    """
    response = made_response() if impulse is None else read_impulse_response(impulse)
    return [
        *(Condition(f"level {level:+d} dB", partial(_level, level_db=level)) for level in LEVELS_DB),
        Condition("mono", _mono),
        *(Condition(f"noise at {ratio} dB", partial(_noise, ratio_db=ratio)) for ratio in NOISES_DB),
        Condition("room", partial(_room, response=response)),
        Condition(f"low-pass {_LOWPASS_HZ // 1000} kHz", _lowpass),
        Condition("MP3 64k", _mp3),
        Condition("Opus 32k", _opus),
        Condition("1 s of 3", _one_second),
    ]


def made_response() -> NDArray[np.float32]:
    """A made room `float32 [2, samples]`: the direct sound, and as much energy in noise that decays 60 dB in 0.8 s."""
    time_s = np.arange(int(_DECAY_S * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tail = np.random.default_rng(1).normal(size=(CHANNELS, len(time_s))) * 10 ** (-3 * time_s / _DECAY_S)
    tail *= 10 ** (-_DIRECT_TO_ROOM_DB / 20) / np.sqrt(np.square(tail).sum(axis=1, keepdims=True))
    tail[:, 0] += 1
    return tail.astype(np.float32)


def pink(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise with as much power in every octave above 20 Hz; root mean square 1."""
    spectrum = np.fft.rfft(rng.normal(size=shape))
    frequency_hz = np.fft.rfftfreq(shape[1], 1 / SAMPLE_RATE_HZ)
    shaped = np.fft.irfft(spectrum / np.sqrt(np.maximum(frequency_hz, 20)), shape[1])
    return np.asarray(shaped / np.sqrt(np.square(shaped).mean()), np.float64)


def _level(window: Window, _rng: np.random.Generator, *, level_db: float) -> Window:
    return _held(window * 10 ** (level_db / 20))


def _mono(window: Window, _rng: np.random.Generator) -> Window:
    return np.repeat(window.mean(axis=0, keepdims=True), CHANNELS, axis=0)


def _noise(window: Window, rng: np.random.Generator, *, ratio_db: float) -> Window:
    return _held(window + rms(window) * 10 ** (-ratio_db / 20) * pink((CHANNELS, WINDOW_SAMPLES), rng))


def _room(window: Window, _rng: np.random.Generator, *, response: NDArray[np.float32]) -> Window:
    """As loud as without the room."""
    reverberant = fftconvolve(window, response, axes=1)[:, :WINDOW_SAMPLES]
    loudness = rms(reverberant)
    return _held(reverberant * (rms(window) / loudness)) if loudness > 0 else window


def _lowpass(window: Window, _rng: np.random.Generator) -> Window:
    taps = firwin(_TAPS, _LOWPASS_HZ, fs=SAMPLE_RATE_HZ)
    return _held(fftconvolve(window, taps[None], mode="same", axes=1))


def _mp3(window: Window, _rng: np.random.Generator) -> Window:
    coded = _coded(window, SAMPLE_RATE_HZ, "MP3", "MPEG_LAYER_III", _MP3_64K, bitrate_mode="CONSTANT")
    return _held(coded)


def _opus(window: Window, _rng: np.random.Generator) -> Window:
    faster = soxr.resample(window.T, SAMPLE_RATE_HZ, _OPUS_RATE_HZ).T
    coded = _coded(faster, _OPUS_RATE_HZ, "OGG", "OPUS", _OPUS_32K)
    return _held(soxr.resample(coded.T, _OPUS_RATE_HZ, SAMPLE_RATE_HZ).T)


def _coded(
    audio: Window, rate_hz: int, container: str, codec: str, level: float, bitrate_mode: str | None = None
) -> Window:
    """Audio after a codec.

    Raises:
        DataError: libsndfile is built without it.
    """
    file = io.BytesIO()
    try:
        soundfile.write(
            file, audio.T, rate_hz, codec, format=container, compression_level=level, bitrate_mode=bitrate_mode
        )
        file.seek(0)
        decoded: NDArray[np.float32] = soundfile.read(file, dtype="float32", always_2d=True)[0]
    except (soundfile.LibsndfileError, ValueError) as error:
        raise DataError(f"libsndfile here cannot code {codec}: {error}; leave out --robustness") from error
    return decoded.T


def _one_second(window: Window, _rng: np.random.Generator) -> Window:
    """The loudest of the three seconds, where it is; silence before and after."""
    alone = np.zeros_like(window)
    seconds = [slice(start, start + SAMPLE_RATE_HZ) for start in range(0, WINDOW_SAMPLES, SAMPLE_RATE_HZ)]
    loudest = max(seconds, key=lambda second: rms(window[:, second]))
    alone[:, loudest] = window[:, loudest]
    return alone


def _held(audio: NDArray[np.floating]) -> Window:
    """Clipped at full scale and exactly as long as a window."""
    window = np.zeros((CHANNELS, WINDOW_SAMPLES), np.float32)
    piece = audio[:, :WINDOW_SAMPLES]
    window[:, : piece.shape[1]] = np.clip(piece, -1, 1)
    return window
