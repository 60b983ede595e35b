"""Pseudo-labels: what plays in unlabelled music, by what the teachers' answers mean where it is known what plays."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.bank import KINDS, Bank

_EPOCHS: Final = 8
_BATCH: Final = 256
_LEARNING_RATE: Final = 1e-3
_HIDDEN: Final = 256
_JITTER: Final = 0.2
_STEADIEST: Final = 0.3
"""Logits: what is added to each class's spread, so that one that never sounds is not taken for a signal."""


def pseudo_labels(bank: Bank, seed: int) -> NDArray[np.float32]:
    """How probable each label is: 0 or 1 where it is known, else by a small network over the teachers' answers.

    The network learns from this bank's labelled windows alone, so it knows of no recording that the bank is not of.

    Shape: `float32 [windows, labels]`

    Source: Lee, "Pseudo-Label" (ICML workshop, 2013), with another network's answers for the student's own.
    """
    windows = bank.windows
    unknown = windows.kinds == KINDS.index("music")
    labels = windows.targets.astype(np.float32)
    if not unknown.any() or unknown.all() or not windows.lessons.shape[1]:
        return labels
    lessons = _standard(windows.lessons, ~unknown)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _taught(lessons[torch.from_numpy(~unknown)], torch.from_numpy(labels[~unknown]))
    with torch.inference_mode():
        labels[unknown] = network(lessons[torch.from_numpy(unknown)]).sigmoid().numpy()
    return labels


def _standard(lessons: NDArray[np.float16], known: NDArray[np.bool_]) -> Tensor:
    """Lessons of about mean 0 and variance 1 in each class, `[windows, classes]`."""
    heard = lessons.astype(np.float32)
    mean, spread = heard[known].mean(axis=0), heard[known].std(axis=0)
    return torch.from_numpy((heard - mean) / (spread + np.float32(_STEADIEST)))


def _taught(lessons: Tensor, labels: Tensor) -> nn.Module:
    network = nn.Sequential(
        nn.Dropout(0.3),
        nn.Linear(lessons.shape[1], _HIDDEN),
        nn.ReLU(),
        nn.Dropout(0.4),
        nn.Linear(_HIDDEN, labels.shape[1]),
    )
    optimiser = torch.optim.AdamW(network.parameters(), _LEARNING_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 1 / _EPOCHS, total_iters=_EPOCHS - 1)
    for _ in range(_EPOCHS):
        for rows in torch.split(torch.randperm(len(lessons)), _BATCH):
            heard = lessons[rows] + _JITTER * torch.randn(len(rows), lessons.shape[1])
            loss = nn.functional.binary_cross_entropy_with_logits(network(heard), labels[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        schedule.step()
    return network.eval()
