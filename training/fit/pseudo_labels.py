"""Pseudo-labels: what plays in unlabelled music, by what the teachers' answers mean where it is known what plays."""

from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from whoplays.training.fit.lessons import thinned
from whoplays.training.windows.shards import KINDS, Bank, Shard

_EPOCHS: Final = 8
_BATCH: Final = 256
_LEARNING_RATE: Final = 1e-3
_HIDDEN: Final = 256
_JITTER: Final = 0.2
_LEAST_SPREAD: Final = 0.3
"""Logits: added to each class's spread, so that one that never sounds is not taken for a signal."""


class _Standard(NamedTuple):
    """Mean and spread of each class's logits, `[classes]`."""

    mean: NDArray[np.float32]
    spread: NDArray[np.float32]

    def of(self, lessons: NDArray[np.float16]) -> Tensor:
        """Lessons `[windows, classes]` of about mean 0 and variance 1 in each class."""
        return torch.from_numpy((lessons - self.mean) / self.spread)


def pseudo_labels(bank: Bank, seed: int) -> NDArray[np.float32] | None:
    """How probable each label is: 0 or 1 where it is known, else by a small network over the teachers' answers.

    The network learns from this bank's labelled windows alone, so it knows of no recording that the bank is not of.

    Returns:
        `float32 [windows, labels]`; None where nothing is unlabelled, or nobody could tell.

    Source: Lee, "Pseudo-Label" (ICML workshop, 2013), with another network's answers for the student's own.
    """
    windows = bank.windows
    music = windows.kinds == KINDS.index("music")
    known, unknown = np.flatnonzero(~music), np.flatnonzero(music)
    if not unknown.size or not known.size or not windows.lessons.shape[1]:
        return None
    standard = _standard(windows.lessons, known)
    labels = windows.targets.astype(np.float32)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _taught(windows, known, standard)
    with torch.inference_mode():
        for start in range(0, len(unknown), _BATCH):
            rows = unknown[start : start + _BATCH]
            labels[rows] = network(standard.of(windows.lessons[rows])).sigmoid().numpy()
    return labels


def _standard(lessons: NDArray[np.float16], known: NDArray[np.intp]) -> _Standard:
    heard = thinned(lessons, known)
    return _Standard(heard.mean(axis=0), heard.std(axis=0) + np.float32(_LEAST_SPREAD))


def _taught(windows: Shard, known: NDArray[np.intp], standard: _Standard) -> nn.Module:
    network = nn.Sequential(
        nn.Dropout(0.3),
        nn.Linear(windows.lessons.shape[1], _HIDDEN),
        nn.ReLU(),
        nn.Dropout(0.4),
        nn.Linear(_HIDDEN, windows.targets.shape[1]),
    )
    optimiser = torch.optim.AdamW(network.parameters(), _LEARNING_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 1 / _EPOCHS, total_iters=_EPOCHS - 1)
    for _ in range(_EPOCHS):
        for drawn in torch.split(torch.randperm(len(known)), _BATCH):
            rows = known[drawn.numpy()]
            heard = standard.of(windows.lessons[rows])
            heard += _JITTER * torch.randn(heard.shape)
            target = torch.from_numpy(windows.targets[rows].astype(np.float32))
            loss = nn.functional.binary_cross_entropy_with_logits(network(heard), target)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        schedule.step()
    return network.eval()
