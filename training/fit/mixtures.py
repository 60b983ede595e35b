"""Mixtures drawn on the fly: none to five instruments that enter and leave, background, room noise and level.

Power of independent sounds adds, so solos are mixed as mel power: a hundred times cheaper than as audio. Beside them
in every batch are prepared windows as they are, mixtures of audio.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from whoplays.models.spectrogram import BANDS, FRAMES
from whoplays.training.fit.augmentation import augment_mixtures, augment_solos, to_power
from whoplays.training.networks.frame_tagger import STEP_FRAMES, STEPS
from whoplays.training.windows.shards import KINDS, PreparedWindows
from whoplays.training.windows.solos import shares

UNKNOWN: Final = -1.0
"""A target that is neither 0 nor 1: it has no loss."""
# How often none, one, two and so on play.
_SIZES: Final = (0.20, 0.26, 0.28, 0.16, 0.07, 0.03)
# How far each instrument is above or below an even level.
_LEVEL_DB: Final = 6.0
_BACKGROUNDS: Final = 2
# Of windows in which no instrument plays, how many hold nothing but the noise of the room.
_NOISE_ONLY: Final = 0.15
_SILENT_DB: Final = -300.0
# How many mixtures have players who enter or leave, and how many of their players do.
_CHANGING: Final = 0.6
_CHANGES: Final = 0.7
# A player sounds in frames within 30 dB of the loudest one, and in what is less than 0.15 s before or after such.
_SOUNDING: Final = 1e-3
_BRIDGED_FRAMES: Final = 15
# Of a step or a window: from how much on a player sounds in it, and below how much not.
_STEP_SHARES: Final = (0.4, 0.1)
_WINDOW_FRAMES: Final = (40, 5)

Rng = np.random.Generator


class MixtureBatch(NamedTuple):
    """One batch of mixtures and of prepared windows."""

    power: Tensor
    """`float32 [batch, 298, 128]`: mel power."""
    target: Tensor
    """`float32 [batch, labels]`: 0, 1 or `UNKNOWN`."""
    frame_target: Tensor
    """`float32 [batch, 10, labels]`: the same for each step within the window."""


class _Parts(NamedTuple):
    """The solos of a batch of mixtures."""

    mixtures: NDArray[np.intp]
    """Which mixture each is of."""
    rows: NDArray[np.int64]
    """Which prepared window each is."""
    labels: NDArray[np.int64]
    """Its label's index, or -1 of another sound."""
    gains_db: NDArray[np.float64]
    changes: NDArray[np.bool_]
    """Whether it enters or leaves within the window."""


class Mixtures(IterableDataset[MixtureBatch]):
    """Batches of mixtures and of prepared windows.

    Args:
        windows: in all batches together.
        batch: windows in one batch.
        prepared_share: of a batch, how much are prepared mixtures as they are.
        draw: which drawing: the same numbers give the same mixtures.
    """

    def __init__(
        self, prepared: PreparedWindows, windows: int, batch: int, prepared_share: float, draw: tuple[int, ...]
    ) -> None:
        super().__init__()
        self._windows, self._draw = prepared.windows, draw
        self._batches, self._batch = windows // batch, batch
        self._mixed = np.flatnonzero(prepared.windows.kinds == KINDS.index("mix"))
        self._as_prepared = round(batch * prepared_share) if len(self._mixed) else 0
        self._solos = [prepared.solos(label) for label in (*prepared.labels, None)]
        self._present = [k for k, rows in enumerate(self._solos[:-1]) if len(rows)]
        self._shares = shares([prepared.labels[k] for k in self._present])
        self._labels = len(prepared.labels)

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[MixtureBatch]:
        rng = np.random.default_rng(self._draw)
        for _ in range(self._batches):
            yield self._batch_of(rng)

    def _batch_of(self, rng: Rng) -> MixtureBatch:
        count = self._batch - self._as_prepared
        power, target, frame_target = self._mix(self._draw_parts(count, rng), count, rng)
        if self._as_prepared:
            rows = rng.choice(self._mixed, size=self._as_prepared)
            power = np.concatenate([power, _power(self._windows.log_power[rows])])
            target = np.concatenate([target, self._windows.targets[rows]])
            unknown = np.full((self._as_prepared, STEPS, self._labels), UNKNOWN)
            frame_target = np.concatenate([frame_target, unknown])
        arrays = augment_mixtures(power, rng), target, frame_target
        return MixtureBatch(*(torch.from_numpy(np.asarray(array, np.float32)) for array in arrays))

    def _mix(self, parts: _Parts, count: int, rng: Rng) -> tuple[NDArray[np.floating[Any]], ...]:
        """Mel power of mixtures, and their targets by window and by step."""
        solos = augment_solos(_power(self._windows.log_power[parts.rows]), rng)
        sounding = _sounding(solos)
        present = _presence(rng, parts.changes)
        solos *= present[..., None] * to_power(parts.gains_db)[:, None, None]
        power = np.zeros((count, FRAMES, BANDS), np.float32)
        # The last column is of other sounds.
        frames = np.zeros((count, self._labels + 1, FRAMES), np.bool_)
        whole = np.zeros((count, self._labels + 1), np.bool_)
        for mixture, solo, label, sounds, played in zip(
            parts.mixtures, solos, parts.labels, sounding, present, strict=True
        ):
            power[mixture] += solo
            frames[mixture, label] |= sounds & (played > 0)
            whole[mixture, label] |= bool(played.all())
        frames, whole = frames[:, :-1], whole[:, :-1]
        target = _targets(frames.sum(axis=-1), _WINDOW_FRAMES)
        return power, np.where(whole, 1.0, target), _targets(_by_step(frames), _STEP_SHARES).transpose(0, 2, 1)

    def _draw_parts(self, count: int, rng: Rng) -> _Parts:
        drawn = [
            (mixture, *part, changing and rng.random() < _CHANGES)
            for mixture in range(count)
            for changing in [rng.random() < _CHANGING]
            for part in self._players(rng)
        ]
        mixtures, rows, labels, gains_db, changes = zip(*drawn, strict=True) if drawn else ((),) * 5
        return _Parts(
            np.array(mixtures, np.intp),
            np.array(rows, np.int64),
            np.array(labels, np.int64),
            np.array(gains_db, np.float64),
            np.array(changes, np.bool_),
        )

    def _players(self, rng: Rng) -> Iterator[tuple[int, int, float]]:
        """Who plays in one mixture: the prepared window, its label and how loud it is in decibels."""
        size = min(int(rng.choice(len(_SIZES), p=_SIZES)), len(self._present))
        for label in rng.choice(self._present, size=size, replace=False, p=self._shares):
            yield int(rng.choice(self._solos[label])), int(label), float(rng.uniform(-_LEVEL_DB, _LEVEL_DB))
        if not len(self._solos[-1]) or (size == 0 and rng.random() < _NOISE_ONLY):
            return
        for _ in range(_BACKGROUNDS):
            gain_db = _background_db(rng, size)
            if gain_db > _SILENT_DB:
                yield int(rng.choice(self._solos[-1])), -1, gain_db


def _background_db(rng: Rng, instruments: int) -> float:
    if instruments == 0:
        return float(rng.uniform(-12, 0))
    return float(rng.uniform(-30, 0)) if rng.random() < 0.35 else _SILENT_DB


def _power(log_power: NDArray[np.float16]) -> NDArray[np.float32]:
    return np.exp(log_power.astype(np.float32))


def _presence(rng: Rng, changes: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How much of each solo is there in each frame, `[solos, frames]`: from its entrance, until it leaves, or both."""
    frames = np.arange(FRAMES)
    start, end = np.sort(rng.integers(0, FRAMES, (2, len(changes), 1)), axis=0)
    how = rng.random((len(changes), 1))
    start = np.where(how < 0.8, start, 0)
    end = np.where(how < 0.4, FRAMES, end)
    played = (frames >= start) & (frames < end) | ~changes[:, None]
    return played.astype(np.float32)


def _sounding(solos: NDArray[np.float32]) -> NDArray[np.bool_]:
    """In which frames each solo sounds, short pauses bridged: `[solos, frames, bands]` -> `[solos, frames]`."""
    loudness = solos.sum(axis=2)
    loud = loudness > _SOUNDING * loudness.max(axis=1, keepdims=True)
    counts = np.cumsum(np.pad(loud, ((0, 0), (_BRIDGED_FRAMES + 1, _BRIDGED_FRAMES))), axis=1)
    near: NDArray[np.bool_] = counts[:, 2 * _BRIDGED_FRAMES + 1 :] > counts[:, : -2 * _BRIDGED_FRAMES - 1]
    return near


def _by_step(frames: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How much of each step a player sounds in: steps are centred on every 32nd frame, the first on frame 0.

    Shape: `[..., frames]` -> `[..., steps]`
    """
    bounds = np.clip((np.arange(STEPS + 1) - 0.5) * STEP_FRAMES, 0, FRAMES).astype(int)
    counts = np.pad(np.cumsum(frames, axis=-1), [(0, 0)] * (frames.ndim - 1) + [(1, 0)])
    return np.asarray(np.diff(counts[..., bounds], axis=-1) / np.diff(bounds))


def _targets(sounding: NDArray[np.floating[Any] | np.integer[Any]], bounds: tuple[float, float]) -> NDArray[np.float64]:
    """1 from the upper bound on, 0 below the lower one, unknown between them."""
    upper, lower = bounds
    return np.where(sounding >= upper, 1.0, np.where(sounding < lower, 0.0, UNKNOWN))
