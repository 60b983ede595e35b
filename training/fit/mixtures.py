"""Mixtures drawn on the fly: none to four instruments, background, room noise and level, from prepared solos.

Power of independent sounds adds, so solos are mixed as mel power: a hundred times cheaper than as audio. Beside them
in every batch are prepared windows as they are, mixtures of audio among them.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from whoplays.training.fit.augmentation import augment_mixtures, augment_solos, to_power
from whoplays.training.networks.log_mel import FRAMES, MELS
from whoplays.training.windows.shards import PreparedWindows
from whoplays.training.windows.solos import shares

# How often none, one, two, three and four instruments play.
_SIZES: Final = (0.18, 0.30, 0.32, 0.16, 0.04)
# How far each instrument is above or below an even level.
_LEVEL_DB: Final = 6.0
_BACKGROUNDS: Final = 2
# Of windows in which no instrument plays, how many hold nothing but the noise of the room.
_NOISE_ONLY: Final = 0.15
_SILENT_DB: Final = -300.0

Rng = np.random.Generator


class MixtureBatch(NamedTuple):
    """One batch of mixtures and of prepared windows."""

    power: Tensor
    """`float32 [batch, 148, 64]`: mel power."""
    target: Tensor
    """`float32 [batch, labels]`, 0 or 1."""


class Mixtures(IterableDataset[MixtureBatch]):
    """Batches of mixtures and of prepared windows.

    Args:
        windows: in all batches together.
        batch: windows in one batch.
        prepared_share: of a batch, how much are prepared windows as they are.
        draw: which drawing: the same numbers give the same mixtures.
    """

    def __init__(
        self, prepared: PreparedWindows, windows: int, batch: int, prepared_share: float, draw: tuple[int, ...]
    ) -> None:
        super().__init__()
        self._prepared, self._draw = prepared, draw
        self._batches, self._batch = windows // batch, batch
        self._as_prepared = round(batch * prepared_share)
        self._targets = prepared.windows.targets.astype(np.float32)
        self._solos = {label: prepared.solos(label) for label in (*prepared.labels, None)}
        self._present = [k for k, label in enumerate(prepared.labels) if len(self._solos[label])]
        self._shares = shares([prepared.labels[k] for k in self._present])

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[MixtureBatch]:
        rng = np.random.default_rng(self._draw)
        for _ in range(self._batches):
            yield self._batch_of(rng)

    def _batch_of(self, rng: Rng) -> MixtureBatch:
        windows = self._prepared.windows
        mixed, targets = self._mix(self._batch - self._as_prepared, rng)
        rows = rng.choice(len(windows.kinds), size=self._as_prepared)
        power = np.concatenate([mixed, np.exp(windows.log_power[rows].astype(np.float32))])
        return MixtureBatch(
            torch.from_numpy(augment_mixtures(power, rng)),
            torch.from_numpy(np.concatenate([targets, self._targets[rows]])),
        )

    def _mix(self, count: int, rng: Rng) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mel power `[count, 148, 64]` of mixtures, and their targets `[count, labels]`."""
        drawn = [self._draw_solos(rng) for _ in range(count)]
        solos = np.stack([solos for solos, _, _ in drawn])
        gains_db = np.stack([gains for _, gains, _ in drawn])
        mixtures, slots = np.nonzero(gains_db > _SILENT_DB)
        parts = np.exp(self._prepared.windows.log_power[solos[mixtures, slots]].astype(np.float32))
        parts = augment_solos(parts, rng) * to_power(gains_db[mixtures, slots])[:, None, None]
        power = np.zeros((count, FRAMES, MELS), np.float32)
        for mixture, part in zip(mixtures, parts, strict=True):
            power[mixture] += part
        return power, np.stack([target for _, _, target in drawn])

    def _draw_solos(self, rng: Rng) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float32]]:
        """Which solos play, how loud in decibels, and the target."""
        size = min(int(rng.choice(len(_SIZES), p=_SIZES)), len(self._present))
        instruments = rng.choice(self._present, size=size, replace=False, p=self._shares)
        names = [self._prepared.labels[k] for k in instruments] + [None] * _BACKGROUNDS
        noise_only = size == 0 and rng.random() < _NOISE_ONLY
        gains = [rng.uniform(-_LEVEL_DB, _LEVEL_DB) for _ in instruments]
        gains += [_SILENT_DB if noise_only else _background_db(rng, size) for _ in range(_BACKGROUNDS)]
        slots = len(_SIZES) - 1 + _BACKGROUNDS
        solos, gains_db = np.zeros(slots, np.int64), np.full(slots, _SILENT_DB)
        for slot, (name, gain) in enumerate(zip(names, gains, strict=True)):
            if len(self._solos[name]):
                solos[slot], gains_db[slot] = rng.choice(self._solos[name]), gain
        target = np.zeros(len(self._prepared.labels), np.float32)
        target[instruments] = 1.0
        return solos, gains_db, target


def _background_db(rng: Rng, instruments: int) -> float:
    if instruments == 0:
        return float(rng.uniform(-12, 0))
    return float(rng.uniform(-30, 0)) if rng.random() < 0.35 else _SILENT_DB
