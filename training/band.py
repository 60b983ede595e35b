"""Bands: none to three instruments, background, room noise and level, mixed on the fly from stems.

Power of independent sounds adds, so stems are mixed as mel power: a hundred times cheaper than as audio.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from training.networks.log_mel import FRAMES, MELS
from training.stems import OTHER, StemBank

# How often none, one, two and three instruments play.
_BAND_SIZES: Final = (0.12, 0.33, 0.35, 0.20)
_BACKGROUNDS: Final = 2
_SILENT_DB: Final = -300.0
_SHORTEST_FRAMES: Final = 45

Rng = np.random.Generator


class Bands(IterableDataset[tuple[Tensor, Tensor]]):
    """Batches of `(mel power [batch, 148, 64], target [batch, labels])`.

    Args:
        draw: which drawing: the same numbers give the same bands.
    """

    def __init__(
        self, bank: StemBank, labels: tuple[str, ...], windows: int, batch: int, draw: tuple[int, ...]
    ) -> None:
        super().__init__()
        self._bank, self._labels, self._draw = bank, labels, draw
        self._batches, self._batch = windows // batch, batch
        names = np.asarray(bank.labels)
        self._stems_of = {label: np.flatnonzero(names == label) for label in (*labels, OTHER)}

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        rng = np.random.default_rng(self._draw)
        for _ in range(self._batches):
            yield self._mix(rng)

    def _mix(self, rng: Rng) -> tuple[Tensor, Tensor]:
        line_ups = [self._line_up(rng) for _ in range(self._batch)]
        stems = np.stack([stems for stems, _, _ in line_ups])
        gains_db = np.stack([gains for _, gains, _ in line_ups])
        power = np.exp(self._bank.log_power[stems].astype(np.float32))
        power *= _decibels(gains_db)[:, :, None, None]
        power *= _entrances(rng, gains_db.shape)[..., None]
        heard = _played(power.sum(axis=1), rng)
        return torch.from_numpy(heard), torch.from_numpy(np.stack([target for _, _, target in line_ups]))

    def _line_up(self, rng: Rng) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float32]]:
        """Which stems play, how loud in decibels, and the target."""
        present = [k for k, label in enumerate(self._labels) if len(self._stems_of[label])]
        size = min(int(rng.choice(len(_BAND_SIZES), p=_BAND_SIZES)), len(present))
        players = rng.choice(present, size=size, replace=False)
        names = [self._labels[k] for k in players] + [OTHER] * _BACKGROUNDS
        gains = [rng.uniform(-8, 8) for _ in players] + [_background_db(rng, size) for _ in range(_BACKGROUNDS)]
        slots = len(_BAND_SIZES) - 1 + _BACKGROUNDS
        stems, gains_db = np.zeros(slots, np.int64), np.full(slots, _SILENT_DB)
        for slot, (name, gain) in enumerate(zip(names, gains, strict=True)):
            if len(self._stems_of[name]):
                stems[slot], gains_db[slot] = rng.choice(self._stems_of[name]), gain
        target = np.zeros(len(self._labels), np.float32)
        target[players] = 1.0
        return stems, gains_db, target


def _background_db(rng: Rng, players: int) -> float:
    if players == 0:
        return float(rng.uniform(-12, 0))
    return float(rng.uniform(-30, -2)) if rng.random() < 0.3 else _SILENT_DB


def _entrances(rng: Rng, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Which frames each stem plays in, `[batch, stems, frames]`: one in six enters late or leaves early."""
    frames = np.arange(FRAMES)
    cut = rng.integers(_SHORTEST_FRAMES, FRAMES, shape)[..., None]
    late = rng.random(shape)[..., None]
    plays = np.where(late < 0.08, frames >= FRAMES - cut, np.where(late < 0.16, frames < cut, True))
    return plays.astype(np.float32)


def _played(power: NDArray[np.float32], rng: Rng) -> NDArray[np.float32]:
    """Room noise, microphone, level, and gaps in time and pitch, for a batch `[batch, frames, mels]`."""
    batch = len(power)
    loudness = power.mean(axis=(1, 2), keepdims=True) + 1e-9
    noise = _curves(rng, batch, 6.0) * _decibels(-rng.uniform(12, 65, (batch, 1, 1))) * loudness
    heard = (power + noise) * _curves(rng, batch, 3.0) * _low_pass(rng, batch)
    level = _decibels(rng.uniform(-42, -8, (batch, 1, 1)))
    return np.asarray(heard * level * _gaps(rng, batch), np.float32)


def _curves(rng: Rng, batch: int, spread_db: float) -> NDArray[np.float32]:
    """Smooth random gains over pitch, `[batch, 1, mels]`."""
    knots = rng.normal(0, spread_db, (batch, 6))
    places = np.linspace(0, 5, MELS)
    low = np.minimum(places.astype(int), 4)
    share = places - low
    return _decibels(knots[:, low] * (1 - share) + knots[:, low + 1] * share)[:, None]


def _low_pass(rng: Rng, batch: int) -> NDArray[np.float32]:
    cutoff = np.where(rng.random((batch, 1, 1)) < 0.15, rng.integers(MELS // 2, MELS, (batch, 1, 1)), MELS)
    return _decibels(-6.0 * np.maximum(np.arange(MELS) - cutoff, 0))


def _gaps(rng: Rng, batch: int) -> NDArray[np.float32]:
    """Zero up to a tenth of the bands and of the frames (Park et al., "SpecAugment", 2019)."""
    return _mask(rng, batch, MELS)[:, None, :] * _mask(rng, batch, FRAMES)[:, :, None]


def _mask(rng: Rng, batch: int, size: int) -> NDArray[np.float32]:
    width = rng.integers(0, size // 10 + 1, (batch, 1)) * (rng.random((batch, 1)) < 0.5)
    start = rng.integers(0, size, (batch, 1))
    places = np.arange(size)
    return ((places < start) | (places >= start + width)).astype(np.float32)


def _decibels(decibels: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(10 ** (decibels / 10), np.float32)
