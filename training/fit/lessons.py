"""Lessons: teachers' logits as a network learns to foretell them, each class by how much it tells of who plays."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whoplays.training.windows.shards import Bank

_ENOUGH: Final = 4096


class Lessons(NamedTuple):
    """How logits become lessons."""

    mean: NDArray[np.float32]
    """`[classes]`"""
    weight: NDArray[np.float32]
    """`[classes]`"""

    def of(self, logits: NDArray[np.float16]) -> NDArray[np.float32]:
        """Lessons `[windows, classes]` of logits of that shape."""
        return np.asarray((logits.astype(np.float32) - self.mean) * self.weight)


def lessons_of(bank: Bank) -> Lessons:
    """Lessons of mean 0 and, over all classes, a variance of 1, from windows all over the bank.

    Taggers know of vehicles and animals; they say something about those in music, too, and no two of them the same. So
    a class' variance counts by its relevance.
    """
    logits = thinned(bank.windows.lessons, np.arange(len(bank.windows.lessons)))
    mean = logits.mean(axis=0)
    weight = np.sqrt(relevance(bank))
    power = np.square((logits - mean) * weight).mean() if logits.size else 0.0
    return Lessons(mean, np.asarray(weight / np.sqrt(power or 1.0), np.float32))


def relevance(bank: Bank) -> NDArray[np.float32]:
    """How much of each class' variance over the bank's solos is one between labels, `[classes]`, 0 to 1.

    Other sounds count as a label, and all labels alike; one of a single window does not. What means of few windows
    differ by chance is taken off. All ones where nothing can be told.

    Source: Kelley, "An Unbiased Correlation Ratio Measure" (PNAS, 1935), with labels in equal shares.
    """
    solos = [rows for label in (*bank.labels, None) if len(rows := bank.solos(label)) > 1]
    classes = bank.windows.lessons.shape[1]
    if not solos or not classes:
        return np.ones(classes, np.float32)
    means, variances, errors = zip(*(_moments(thinned(bank.windows.lessons, rows)) for rows in solos), strict=True)
    between = np.maximum(np.var(means, axis=0) - np.mean(errors, axis=0), 0)
    total = between + np.mean(variances, axis=0)
    ratio = np.divide(between, total, out=np.zeros_like(total), where=total > 0)
    return ratio if ratio.any() else np.ones(classes, np.float32)


def _moments(logits: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Mean, variance, and the variance of the mean, of each class."""
    variance = logits.var(axis=0, ddof=1)
    return logits.mean(axis=0), variance, variance / len(logits)


def thinned(logits: NDArray[np.float16], rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """These rows, evenly thinned to fewer than twice as many as tell their mean and spread."""
    return logits[rows[:: max(1, len(rows) // _ENOUGH)]].astype(np.float32)
