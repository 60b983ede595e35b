"""Augmentation of mel power: each solo and each mixture as if played elsewhere, on another instrument, later."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from whoplays.models.spectrogram import BANDS, FRAMES
from whoplays.training.networks.mel_power import band_widths_hz

_LEAST_LOUDNESS: Final = 1e-3
# How much the tone colour of a solo, and of a mixture, is bent up and down.
_SOLO_DB: Final = 1.5
_MIXTURE_DB: Final = 1.5
_STRETCHED: Final = 0.2
# How many independent parts of the spectrum a band sums: a Hann window of 25 ms makes one of every 60 Hz.
_BAND_BINS: Final = np.maximum(1.0, band_widths_hz() / 60).astype(np.float32)

Rng = np.random.Generator


def augment_solos(solos: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    """Solos in another tone colour, a little higher or lower, slower or faster.

    Shape: `[solos, 298, 128]`, mel power, before and after.
    """
    count = len(solos)
    warped = _shifted(_stretched(solos, rng), rng)
    return np.asarray(warped * _curves(rng, count, _SOLO_DB), np.float32)


def augment_mixtures(power: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    """Room noise, microphone, level, and gaps in time and pitch, for a batch `[batch, frames, mels]`."""
    batch = len(power)
    loudness = np.maximum(power.mean(axis=(1, 2), keepdims=True), _LEAST_LOUDNESS)
    noise = _noise(rng, batch) * to_power(-_below_db(rng, batch)) * loudness
    recorded = (power + noise) * _curves(rng, batch, _MIXTURE_DB) * _low_pass(rng, batch)
    level = to_power(rng.uniform(-42, -8, (batch, 1, 1)))
    return np.asarray(recorded * level * _gaps(rng, batch), np.float32)


def to_power(gains_db: NDArray[np.float64]) -> NDArray[np.float32]:
    """Factors of power."""
    return np.asarray(10 ** (gains_db / 10), np.float32)


def _stretched(solos: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    """Time runs up to a fifth faster or slower, about a moment of its own; what would be outside is mirrored."""
    count = len(solos)
    speed = 1 + rng.uniform(-_STRETCHED, _STRETCHED, (count, 1))
    centre = rng.integers(0, FRAMES, (count, 1))
    frames = np.abs(np.rint(centre + (np.arange(FRAMES) - centre) * speed).astype(np.int64))
    frames = np.where(frames >= FRAMES, 2 * (FRAMES - 1) - frames, frames)
    return np.asarray(solos[np.arange(count)[:, None], frames])


def _shifted(solos: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    """Up to two mel bands up or down; the outermost is repeated. Never by parts of a band: that would blur."""
    moved = rng.integers(-2, 3, (len(solos), 1))
    bands = np.clip(np.arange(BANDS) - moved, 0, BANDS - 1)
    return np.take_along_axis(solos, bands[:, None, :], axis=2)


def _noise(rng: Rng, batch: int) -> NDArray[np.float32]:
    """Power of steady noise of a smooth random colour, `[batch, frames, mels]`.

    Power in a band is a sum over its bins of exponentially distributed power, so it flickers: the more, the narrower.
    """
    flicker = rng.standard_gamma(_BAND_BINS, (batch, FRAMES, BANDS), np.float32) / _BAND_BINS
    return flicker * _curves(rng, batch, 6.0)


def _below_db(rng: Rng, batch: int) -> NDArray[np.float64]:
    """How far noise is below what plays, `[batch, 1, 1]`: 15 to 70 dB."""
    return rng.uniform(15, 70, (batch, 1, 1))


def _curves(rng: Rng, batch: int, spread_db: float) -> NDArray[np.float32]:
    """Smooth random gains over pitch, `[batch, 1, mels]`."""
    knots = rng.normal(0, spread_db, (batch, 6))
    places = np.linspace(0, 5, BANDS)
    low = np.minimum(places.astype(int), 4)
    share = places - low
    return to_power(knots[:, low] * (1 - share) + knots[:, low + 1] * share)[:, None]


def _low_pass(rng: Rng, batch: int) -> NDArray[np.float32]:
    cutoff = np.where(rng.random((batch, 1, 1)) < 0.15, rng.integers(BANDS // 2, BANDS, (batch, 1, 1)), BANDS)
    return to_power(-6.0 * np.maximum(np.arange(BANDS) - cutoff, 0))


def _gaps(rng: Rng, batch: int) -> NDArray[np.float32]:
    """Zero up to a tenth of the bands and of the frames (Park et al., "SpecAugment", 2019)."""
    return _mask(rng, batch, BANDS)[:, None, :] * _mask(rng, batch, FRAMES)[:, :, None]


def _mask(rng: Rng, batch: int, size: int) -> NDArray[np.float32]:
    width = rng.integers(0, size // 10 + 1, (batch, 1)) * (rng.random((batch, 1)) < 0.5)
    start = rng.integers(0, size, (batch, 1))
    places = np.arange(size)
    return ((places < start) | (places >= start + width)).astype(np.float32)
