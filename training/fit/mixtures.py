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

from whoplays.training.fit.augmentation import as_another, decibels, played
from whoplays.training.fit.lessons import Lessons, lessons_of
from whoplays.training.networks.log_mel import FRAMES, MELS
from whoplays.training.windows.shards import KINDS, Bank
from whoplays.training.windows.solos import shares

# How often none, one, two, three and four instruments play.
_BAND_SIZES: Final = (0.18, 0.30, 0.32, 0.16, 0.04)
# How far each instrument is above or below an even level.
_LEVEL_DB: Final = 6.0
_BACKGROUNDS: Final = 2
# Of windows in which no instrument plays, how many hold nothing but the noise of the room.
_HUSH: Final = 0.15
_SILENT_DB: Final = -300.0

Rng = np.random.Generator


class BandBatch(NamedTuple):
    """One batch of bands and of windows as they are."""

    power: Tensor
    """`float32 [batch, 148, 64]`: mel power."""
    target: Tensor
    """`float32 [batch, labels]`."""
    labelled: Tensor
    """`bool [batch]`: whether `target` says who plays, or who is likely to."""
    lesson: Tensor
    """`float32 [batch, classes]`: teachers' logits, as `Lessons` weighs them."""
    taught: Tensor
    """`bool [batch]`: whether there is a lesson."""


class Bands(IterableDataset[BandBatch]):
    """Batches of bands and lessons.

    Args:
        windows: in all batches together.
        batch: windows in one batch.
        taught_share: of a batch, how much are windows as they are.
        draw: which drawing: the same numbers give the same bands.
        pseudo_labels: how probable each label is in each of the bank's windows, `[windows, labels]`; without them, an
            unlabelled one is heard for its lesson only.
        lessons: those of this bank, if they are known already.
    """

    def __init__(
        self,
        bank: Bank,
        windows: int,
        batch: int,
        taught_share: float,
        draw: tuple[int, ...],
        pseudo_labels: NDArray[np.float32] | None = None,
        lessons: Lessons | None = None,
    ) -> None:
        super().__init__()
        known = bank.windows.kinds != KINDS.index("music")
        self._targets = bank.windows.targets.astype(np.float32) if pseudo_labels is None else pseudo_labels
        self._labelled = known if pseudo_labels is None else np.ones_like(known)
        self._bank, self._draw = bank, draw
        self._batches, self._batch = windows // batch, batch
        self._taught = round(batch * taught_share)
        self._solos = {label: bank.solos(label) for label in (*bank.labels, None)}
        self._present = [k for k, label in enumerate(bank.labels) if len(self._solos[label])]
        self._shares = shares([bank.labels[k] for k in self._present])
        self._as_they_are = _worth_hearing(bank)
        self._lessons = lessons or lessons_of(bank)

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
        lessons[len(bands) :] = self._lessons.of(windows.lessons[rows])
        return BandBatch(
            torch.from_numpy(played(power, rng)),
            torch.from_numpy(np.concatenate([band_targets, self._targets[rows]])),
            torch.from_numpy(np.concatenate([~unknown, self._labelled[rows]])),
            torch.from_numpy(lessons),
            torch.from_numpy(np.concatenate([unknown, np.ones(self._taught, np.bool_)])),
        )

    def _bands(self, count: int, rng: Rng) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mel power `[count, 148, 64]` of bands, and their targets `[count, labels]`."""
        line_ups = [self._line_up(rng) for _ in range(count)]
        stems = np.stack([stems for stems, _, _ in line_ups])
        gains_db = np.stack([gains for _, gains, _ in line_ups])
        bands, slots = np.nonzero(gains_db > _SILENT_DB)
        parts = np.exp(self._bank.windows.log_power[stems[bands, slots]].astype(np.float32))
        parts = as_another(parts, rng) * decibels(gains_db[bands, slots])[:, None, None]
        power = np.zeros((count, FRAMES, MELS), np.float32)
        for band, part in zip(bands, parts, strict=True):
            power[band] += part
        return power, np.stack([target for _, _, target in line_ups])

    def _line_up(self, rng: Rng) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float32]]:
        """Which solos play, how loud in decibels, and the target."""
        size = min(int(rng.choice(len(_BAND_SIZES), p=_BAND_SIZES)), len(self._present))
        players = rng.choice(self._present, size=size, replace=False, p=self._shares)
        names = [self._bank.labels[k] for k in players] + [None] * _BACKGROUNDS
        hush = size == 0 and rng.random() < _HUSH
        gains = [rng.uniform(-_LEVEL_DB, _LEVEL_DB) for _ in players]
        gains += [_SILENT_DB if hush else _background_db(rng, size) for _ in range(_BACKGROUNDS)]
        slots = len(_BAND_SIZES) - 1 + _BACKGROUNDS
        stems, gains_db = np.zeros(slots, np.int64), np.full(slots, _SILENT_DB)
        for slot, (name, gain) in enumerate(zip(names, gains, strict=True)):
            if len(self._solos[name]):
                stems[slot], gains_db[slot] = rng.choice(self._solos[name]), gain
        target = np.zeros(len(self._bank.labels), np.float32)
        target[players] = 1.0
        return stems, gains_db, target


def _worth_hearing(bank: Bank) -> NDArray[np.intp]:
    """Places of windows from which something can be learned: unlabelled ones only where there are lessons."""
    if bank.windows.lessons.shape[1]:
        return np.arange(len(bank.windows.kinds))
    return np.flatnonzero(bank.windows.kinds != KINDS.index("music"))


def _background_db(rng: Rng, players: int) -> float:
    if players == 0:
        return float(rng.uniform(-12, 0))
    return float(rng.uniform(-30, 0)) if rng.random() < 0.35 else _SILENT_DB
