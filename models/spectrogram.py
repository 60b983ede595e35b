"""The spectrogram that networks take: log power in mel bands straight from 44.1 kHz.

It stands for that of EfficientAT (32 kHz, Hann window of 25 ms, hop of 10 ms, pre-emphasis, 128 bands of Kaldi's up to
15 kHz): window and hop are as long in time, and the pre-emphasis is folded into the weights of the bands.
Frames lie wholly inside the window, without padding: what a frame holds does not depend on where in a window it stands,
so that each is computed once, as audio arrives.
"""

from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whoplays.models.signal import SAMPLE_RATE_HZ, SPECTROGRAM_SHAPE

FRAMES, BANDS = SPECTROGRAM_SHAPE
HOP_SAMPLES: Final = 441
"""From the start of one frame to the start of the next."""
FRAME_SAMPLES: Final = 1103
"""What the Hann window spans."""
FFT_SAMPLES: Final = 1440
"""A frame is followed by zeros, so that bins are as near to one another as those of the tagger."""
HIGH_HZ: Final = 15_000.0
FLOOR: Final = 1e-5
"""Added to the power before its logarithm is taken."""
OFFSET: Final = 4.5
SCALE: Final = 5.0
"""The network is given (log power + OFFSET) / SCALE (Schmid et al., 2023)."""
_PRE_EMPHASIS: Final = 0.97
# Of the tagger whose front end this stands for.
_ITS_RATE_HZ: Final = 32_000
_ITS_FRAME: Final = 800
_ITS_FFT: Final = 1_024
_BINS: Final = int(HIGH_HZ / SAMPLE_RATE_HZ * FFT_SAMPLES) + 2
"""Up to the first bin that no band reaches."""
_CHUNK_FRAMES: Final = 32
"""So many frames at once stay in a core's cache."""

Float32s = NDArray[np.float32]


def frame_window() -> Float32s:
    """What a frame of the sum of both channels is multiplied by, float32 `[1103]`: half a Hann window."""
    return (np.hanning(FRAME_SAMPLES) / 2).astype(np.float32)


def mel_triangles() -> NDArray[np.float64]:
    """Kaldi's triangular bands, evenly spaced in mel up to 15 kHz, float64 `[721, 128]`: bins up to half the rate."""
    mel = _mel(np.arange(FFT_SAMPLES // 2 + 1) * SAMPLE_RATE_HZ / FFT_SAMPLES)[:, None]
    step = _mel(HIGH_HZ) / (BANDS + 1)
    centre = step * np.arange(1, BANDS + 1)
    triangles: NDArray[np.float64] = np.maximum(0, np.minimum(mel - centre + step, centre + step - mel) / step)
    return triangles


def band_weights() -> Float32s:
    """Weights of a power spectrum's bins in the bands, float32 `[721, 128]`.

    A tone is as strong in them as in those of the tagger: power goes with the square of the window's sum, and the sum
    over a band with how near the bins are.
    """
    frequencies_hz = np.arange(FFT_SAMPLES // 2 + 1) * SAMPLE_RATE_HZ / FFT_SAMPLES
    emphasis = np.abs(1 - _PRE_EMPHASIS * np.exp(-2j * np.pi * frequencies_hz / _ITS_RATE_HZ)) ** 2
    bins = (SAMPLE_RATE_HZ / FFT_SAMPLES) / (_ITS_RATE_HZ / _ITS_FFT)
    scale = (_ITS_FRAME / FRAME_SAMPLES) ** 2 * bins
    return np.asarray(mel_triangles() * emphasis[:, None] * scale, np.float32)


class Spectrograph:
    """Computes frames, in buffers of its own; for one thread."""

    def __init__(self) -> None:
        self._window, self._bands = _constants()
        self._audio: Final = np.zeros((_CHUNK_FRAMES - 1) * HOP_SAMPLES + FRAME_SAMPLES, np.float32)
        self._hops: Final = np.lib.stride_tricks.sliding_window_view(self._audio, FRAME_SAMPLES)[::HOP_SAMPLES]
        self._frames: Final = np.zeros((_CHUNK_FRAMES, FFT_SAMPLES), np.float32)
        self._spectrum: Final = np.empty((_CHUNK_FRAMES, FFT_SAMPLES // 2 + 1), np.complex64)

    def compute(self, audio: Float32s, out: Float32s) -> None:
        """Write frames, the first of which begins with the audio.

        Args:
            audio: `[2, samples]` float32, at least `441 (n - 1) + 1103` samples.
            out: `[n, 128]` float32, that many frames.
        """
        for start in range(0, len(out), _CHUNK_FRAMES):
            chunk = out[start : start + _CHUNK_FRAMES]
            first, length = start * HOP_SAMPLES, (len(chunk) - 1) * HOP_SAMPLES + FRAME_SAMPLES
            left, right = audio[:, first : first + length]
            np.add(left, right, out=self._audio[:length])
            self._compute_chunk(chunk)

    def _compute_chunk(self, out: Float32s) -> None:
        count, bands = len(out), self._bands
        np.multiply(self._hops[:count], self._window, out=self._frames[:count, :FRAME_SAMPLES])
        # Single precision, which its type hints do not know.
        np.fft.rfft(self._frames[:count], out=self._spectrum[:count])  # type: ignore[arg-type]
        parts = self._spectrum[:count].view(np.float32)[:, : 2 * _BINS]
        np.square(parts, out=parts)
        power = parts[:, ::2] + parts[:, 1::2]
        rising = np.add.reduceat(power * bands.rising, bands.begins, axis=1)
        falling = np.add.reduceat(power * bands.falling, bands.begins, axis=1)
        np.multiply(rising[:, :-1], bands.has_rising, out=out)
        out += falling[:, 1:] * bands.has_falling
        out += FLOOR
        np.log(out, out=out)
        out += OFFSET
        out /= SCALE


class _Bands(NamedTuple):
    """The triangles as they are: each bin rises towards one band, and falls from the one before.

    A product of matrices, nearly all of them zeros, would take three times as long, and the threads of a library.
    """

    begins: NDArray[np.intp]
    """Of the bins between one centre and the next: the first."""
    rising: Float32s
    """Weight of each bin in the band whose centre comes next."""
    falling: Float32s
    """Weight of each bin in the band whose centre was before."""
    has_rising: Float32s
    """Of each band, 1 if any bin rises towards it, else 0."""
    has_falling: Float32s


@cache
def _constants() -> tuple[Float32s, _Bands]:
    """The frame's window, and the bands."""
    weights = band_weights()[:_BINS]
    place = _mel(np.arange(_BINS) * SAMPLE_RATE_HZ / FFT_SAMPLES) / (_mel(HIGH_HZ) / (BANDS + 1))
    next_band = np.floor(place).astype(np.intp)
    bins = np.arange(_BINS)
    padded = np.pad(weights, ((0, 0), (1, 1)))  # a band before the first, and one behind the last
    begins = np.searchsorted(next_band, np.arange(BANDS + 1))
    there = (np.bincount(next_band, minlength=BANDS + 2) > 0).astype(np.float32)
    behind = np.minimum(next_band, BANDS)
    bands = _Bands(begins, padded[bins, behind + 1], padded[bins, behind], there[:BANDS], there[1 : BANDS + 1])
    return frame_window(), bands


def _mel(frequency_hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.asarray(1127 * np.log1p(np.asarray(frequency_hz) / 700), np.float64)
