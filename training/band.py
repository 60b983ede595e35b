"""Bands: none to four instruments, background, room noise and level, mixed on the fly from a bank's solos.

Power of independent sounds adds, so solos are mixed as mel power: a hundred times cheaper than as audio. Beside them
in every batch are windows of the bank as they are, true mixes and unlabelled music among them, with what teachers
make of each.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from training.bank import KINDS, Bank
from training.networks.log_mel import FRAMES, MELS, band_widths
from training.stems import shares

# How often none, one, two, three and four instruments play.
_BAND_SIZES: Final = (0.18, 0.30, 0.32, 0.16, 0.04)
_BACKGROUNDS: Final = 2
# Of windows in which no instrument plays, how many hold nothing but the noise of the room.
_HUSH: Final = 0.15
_LEAST_LOUDNESS: Final = 1e-3
_SILENT_DB: Final = -300.0
_SHORTEST_FRAMES: Final = 45
_SCALED_ON: Final = 4096
# How many independent bins of the spectrum a band sums: a Hann window makes one of two neighbours.
_BAND_BINS: Final = np.maximum(1.0, band_widths() / 2).astype(np.float32)

Rng = np.random.Generator


class BandBatch(NamedTuple):
    """One batch of bands and of windows as they are."""

    power: Tensor
    """`float32 [batch, 148, 64]`: mel power."""
    target: Tensor
    """`float32 [batch, labels]`."""
    labelled: Tensor
    """`bool [batch]`: whether anybody knows who plays."""
    lesson: Tensor
    """`float32 [batch, classes]`: teachers' logits, of mean 0 and, over all classes, a variance of 1."""
    taught: Tensor
    """`bool [batch]`: whether there is a lesson."""


class Bands(IterableDataset[BandBatch]):
    """Batches of bands and lessons.

    Args:
        windows: in all batches together.
        batch: windows in one batch.
        taught_share: of a batch, how much are windows as they are.
        draw: which drawing: the same numbers give the same bands.
    """

    def __init__(self, bank: Bank, windows: int, batch: int, taught_share: float, draw: tuple[int, ...]) -> None:
        super().__init__()
        self._bank, self._draw = bank, draw
        self._batches, self._batch = windows // batch, batch
        self._taught = round(batch * taught_share)
        self._solos = {label: bank.solos(label) for label in (*bank.labels, None)}
        self._present = [k for k, label in enumerate(bank.labels) if len(self._solos[label])]
        self._shares = shares([bank.labels[k] for k in self._present])
        self._as_they_are = _worth_hearing(bank)
        self._lesson_mean, self._lesson_scale = lesson_scale(bank)

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[BandBatch]:
        rng = np.random.default_rng(self._draw)
        for _ in range(self._batches):
            yield self._mix(rng)

    def _mix(self, rng: Rng) -> BandBatch:
        windows = self._bank.windows
        bands, band_targets = self._bands(self._batch - self._taught, rng)
        rows = rng.choice(self._as_they_are, size=self._taught)
        power = np.concatenate([bands, np.exp(windows.log_power[rows].astype(np.float32))])
        unknown = np.zeros(len(bands), np.bool_)
        lessons = np.zeros((self._batch, windows.lessons.shape[1]), np.float32)
        lessons[len(bands) :] = (windows.lessons[rows] - self._lesson_mean) / self._lesson_scale
        return BandBatch(
            torch.from_numpy(_played(power, rng)),
            torch.from_numpy(np.concatenate([band_targets, windows.targets[rows].astype(np.float32)])),
            torch.from_numpy(np.concatenate([~unknown, windows.kinds[rows] != KINDS.index("music")])),
            torch.from_numpy(lessons),
            torch.from_numpy(np.concatenate([unknown, np.ones(self._taught, np.bool_)])),
        )

    def _bands(self, count: int, rng: Rng) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mel power `[count, 148, 64]` of bands, and their targets `[count, labels]`."""
        line_ups = [self._line_up(rng) for _ in range(count)]
        stems = np.stack([stems for stems, _, _ in line_ups])
        gains_db = np.stack([gains for _, gains, _ in line_ups])
        power = np.exp(self._bank.windows.log_power[stems].astype(np.float32))
        power *= _decibels(gains_db)[:, :, None, None]
        power *= _entrances(rng, gains_db.shape)[..., None]
        return power.sum(axis=1), np.stack([target for _, _, target in line_ups])

    def _line_up(self, rng: Rng) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float32]]:
        """Which solos play, how loud in decibels, and the target."""
        size = min(int(rng.choice(len(_BAND_SIZES), p=_BAND_SIZES)), len(self._present))
        players = rng.choice(self._present, size=size, replace=False, p=self._shares)
        names = [self._bank.labels[k] for k in players] + [None] * _BACKGROUNDS
        hush = size == 0 and rng.random() < _HUSH
        gains = [rng.uniform(-8, 8) for _ in players]
        gains += [_SILENT_DB if hush else _background_db(rng, size) for _ in range(_BACKGROUNDS)]
        slots = len(_BAND_SIZES) - 1 + _BACKGROUNDS
        stems, gains_db = np.zeros(slots, np.int64), np.full(slots, _SILENT_DB)
        for slot, (name, gain) in enumerate(zip(names, gains, strict=True)):
            if len(self._solos[name]):
                stems[slot], gains_db[slot] = rng.choice(self._solos[name]), gain
        target = np.zeros(len(self._bank.labels), np.float32)
        target[players] = 1.0
        return stems, gains_db, target


def lesson_scale(bank: Bank) -> tuple[NDArray[np.float32], np.float32]:
    """Mean `[classes]` of the lessons, and their standard deviation over all classes, from the bank's first windows.

    One scale for all, so that classes about which the teachers say much weigh more than those that never sound.
    """
    lessons = bank.windows.lessons[:_SCALED_ON].astype(np.float32)
    mean = lessons.mean(axis=0)
    return mean, np.float32(np.sqrt(np.square(lessons - mean).mean()) if lessons.size else 1.0)


def _worth_hearing(bank: Bank) -> NDArray[np.intp]:
    """Places of windows from which something can be learned: unlabelled ones only where there are lessons."""
    if bank.windows.lessons.shape[1]:
        return np.arange(len(bank.windows.kinds))
    return np.flatnonzero(bank.windows.kinds != KINDS.index("music"))


def _background_db(rng: Rng, players: int) -> float:
    if players == 0:
        return float(rng.uniform(-12, 0))
    return float(rng.uniform(-30, 0)) if rng.random() < 0.35 else _SILENT_DB


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
    loudness = np.maximum(power.mean(axis=(1, 2), keepdims=True), _LEAST_LOUDNESS)
    noise = _hiss(rng, batch) * _decibels(-rng.uniform(5, 65, (batch, 1, 1))) * loudness
    heard = (power + noise) * _curves(rng, batch, 3.0) * _low_pass(rng, batch)
    level = _decibels(rng.uniform(-42, -8, (batch, 1, 1)))
    return np.asarray(heard * level * _gaps(rng, batch), np.float32)


def _hiss(rng: Rng, batch: int) -> NDArray[np.float32]:
    """Power of steady noise of a smooth random colour, `[batch, frames, mels]`.

    Power in a band is a sum over its bins of exponentially distributed power, so it flickers: the more, the narrower.
    """
    flicker = rng.standard_gamma(_BAND_BINS, (batch, FRAMES, MELS), np.float32) / _BAND_BINS
    return flicker * _curves(rng, batch, 6.0)


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
